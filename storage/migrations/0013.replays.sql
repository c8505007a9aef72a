-- depends: 0012.contests
-- A trip that was sent again at another time, or under another device: `shape` is a sketch of its way (scoring/shape.py),
-- and `replay` holds the trips that copy another one, which the worker says anew whenever a trip of that shape comes or goes.

alter table telemetry.trip add column shape bigint[] not null default '{}';
create index trip_by_shape on telemetry.trip using gin (shape);

create table telemetry.replay (
    trip_id    uuid primary key references telemetry.trip on delete cascade,
    of_trip_id uuid not null  -- the first of those that share its way
);
grant select, insert, update, delete on telemetry.replay to wayrate_telemetry;

-- As before, and a copy is excluded (`replay_suspect`) and has no score: it raises no premium and earns no discount.
create or replace view link.trip_of_policy as
    select a.policy_key, t.trip_id, t.started_at, t.ended_at, t.time_zone, t.local_month, t.distance_m, t.gap_m,
           t.duration_s,
           coalesce('relabelled_' || said.label, case when whole.contests is not null then 'contested' end, t.excluded,
                    case when copy.trip_id is not null then 'replay_suspect' end) as excluded,
           t.grade, t.quality, t.not_measurable,
           case when events.contests is null then t.totals else
               (select t.totals || coalesce(jsonb_object_agg(name, greatest((t.totals ->> name)::bigint - less, 0)), '{}')
                  from (select added.name, sum(added.amount::bigint) as less
                          from telemetry.event e cross join jsonb_each_text(e.totals) added(name, amount)
                         where e.trip_id = t.trip_id and e.ordinal = any(events.ordinals) and jsonb_exists(t.totals, added.name)
                         group by added.name) without) end as totals,
           t.features, case when said.label is null and whole.contests is null and copy.trip_id is null then t.score end as score, t.versions,
           t.content_digest, said.label,
           coalesce(whole.contests, '{}') || coalesce(events.contests, '{}') as contests
      from telemetry.trip t
      join link.assignment a on a.device_key = t.device_key and t.started_at >= a.from_time and t.started_at < a.to_time
      left join telemetry.replay copy on copy.trip_id = t.trip_id
      left join lateral (
          select nullif(l.label, 'driver') as label
            from link.trip_label l
           where l.device_key = t.device_key and l.from_time <= t.ended_at and l.to_time >= t.started_at
             and 2 * (least(l.to_time, t.ended_at) - greatest(l.from_time, t.started_at))
                 >= least(l.to_time - l.from_time, t.ended_at - t.started_at)
           order by l.trip_label_id desc limit 1) said on true
      left join lateral (
          select array_agg(u.contest_id order by u.contest_id) as contests
            from link.upheld u
           where u.device_key = t.device_key and u.event_kind is null
             and u.from_time <= t.ended_at and u.to_time >= t.started_at
             and 2 * (least(u.to_time, t.ended_at) - greatest(u.from_time, t.started_at))
                 >= least(u.to_time - u.from_time, t.ended_at - t.started_at)) whole on true
      left join lateral (
          select array_agg(distinct u.contest_id order by u.contest_id) as contests, array_agg(distinct e.ordinal) as ordinals
            from link.upheld u
            join telemetry.event e on e.trip_id = t.trip_id and e.kind = u.event_kind
             and u.from_time <= e.ended_at and u.to_time >= e.started_at
             and 2 * (least(u.to_time, e.ended_at) - greatest(u.from_time, e.started_at))
                 >= least(u.to_time - u.from_time, e.ended_at - e.started_at)
           where u.device_key = t.device_key and u.event_kind is not null
             and u.from_time <= t.ended_at and u.to_time >= t.started_at) events on true;
