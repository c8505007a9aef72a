-- depends: 0009.enrolment
-- What a person says of a way: "I was a passenger", "that was a train". A fact about a device and a time, not about a
-- trip's row: late readings cut trips anew, and the label speaks for whatever trip then fills that time. Nothing is
-- overwritten: saying `driver` takes back what was said before. `said_by` is a random account key; who that is stands
-- in the policy schema alone, and which device it speaks of only here.

create table link.trip_label (
    trip_label_id bigint generated always as identity primary key,
    device_key bigint not null references telemetry.device on delete cascade,
    from_time  timestamptz not null,
    to_time    timestamptz not null,
    label      text not null check (label in ('driver', 'passenger', 'taxi', 'bus', 'train', 'ferry', 'bicycle', 'walk', 'other')),
    said_by    uuid not null,
    said_at    timestamptz not null,
    constraint label_ends_after_it_begins check (to_time >= from_time)
);
create index trip_label_by_device on link.trip_label (device_key, to_time);
grant select, insert on link.trip_label to wayrate_link;  -- no update, no delete: erasing the device takes them along
grant usage on all sequences in schema link to wayrate_link;

-- What a trip is labelled: the last said of the labels that share at least half of the shorter of the two times. So a trip
-- that grows, shrinks, splits or merges with its neighbour keeps its label, and one that a later cut moved a few seconds
-- into the labelled time does not get it. A labelled trip is excluded (`relabelled_train`) and has no score; what scoring
-- made of it stands untouched in telemetry.trip, so taking the label back gives exactly the numbers from before.
create or replace view link.trip_of_policy as
    select a.policy_key, t.trip_id, t.started_at, t.ended_at, t.time_zone, t.local_month, t.distance_m, t.gap_m,
           t.duration_s, coalesce('relabelled_' || said.label, t.excluded) as excluded, t.grade, t.quality,
           t.not_measurable, t.totals, t.features, case when said.label is null then t.score end as score, t.versions,
           t.content_digest, said.label
      from telemetry.trip t
      join link.assignment a on a.device_key = t.device_key and t.started_at >= a.from_time and t.started_at < a.to_time
      left join lateral (
          select nullif(l.label, 'driver') as label
            from link.trip_label l
           where l.device_key = t.device_key and l.from_time <= t.ended_at and l.to_time >= t.started_at
             and 2 * (least(l.to_time, t.ended_at) - greatest(l.from_time, t.started_at))
                 >= least(l.to_time - l.from_time, t.ended_at - t.started_at)
           order by l.trip_label_id desc limit 1) said on true;

-- As before, but past the view above: cells need no label.
create or replace view link.exposure_of_policy as
    select a.policy_key, t.trip_id, t.local_month, e.road_class, e.hour_band, e.over_limit_band, e.distance_m, e.duration_s
      from telemetry.trip t
      join link.assignment a on a.device_key = t.device_key and t.started_at >= a.from_time and t.started_at < a.to_time
      join telemetry.trip_exposure e using (trip_id);
