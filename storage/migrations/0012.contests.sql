-- depends: 0011.policy-changes
-- A policyholder contests a trip or an event of one; an underwriter decides. Like a label, what is upheld is a fact about
-- a device and a time, not about a trip's row: late readings cut trips anew, and the decision speaks for whatever trip
-- or event then fills that time. Nothing is overwritten; a contest has one decision.

alter table policy.policy drop constraint policy_ends_after_start;  -- cancelled from its first day on, it ends on it
alter table policy.policy add constraint policy_ends_not_before_start check (ends_on >= starts_on);

-- What an event adds to its trip's totals: taking it out is a subtraction.
alter table telemetry.event add column totals jsonb not null default '{}';
update telemetry.event set totals = jsonb_build_object(kind || '_events', 1)
 where kind in ('hard_brake', 'hard_acceleration', 'hard_corner', 'speeding');

create table link.contest (
    contest_id      uuid primary key,
    device_key      bigint not null references telemetry.device on delete cascade,
    policy_key      uuid not null references policy.policy,
    trip_id         uuid not null,     -- as it was contested; it may have been cut anew since
    from_time       timestamptz not null,
    to_time         timestamptz not null,
    event_kind      text,              -- null: the whole trip
    reason          text not null check (reason in ('wrong_limit', 'bad_data', 'not_my_car', 'emergency', 'other')),
    words           text not null,
    show_way        boolean not null,  -- the person lets the way be looked at while the contest is open
    raised_by       uuid not null,     -- random account keys, as in link.trip_label
    raised_at       timestamptz not null,
    idempotency_key text not null,
    unique (raised_by, idempotency_key),
    constraint contest_ends_after_it_begins check (to_time >= from_time)
);
create index contest_by_device on link.contest (device_key, to_time);
create index contest_by_policy on link.contest (policy_key);

create table link.contest_decision (
    contest_id uuid primary key references link.contest on delete cascade,
    upheld     boolean not null,
    words      text not null,
    decided_by uuid not null,
    decided_at timestamptz not null
);

-- Who looked at the evidence of a contest, and when: shown to the person whose trip it is.
create table link.evidence_view (
    evidence_view_id bigint generated always as identity primary key,
    contest_id uuid not null references link.contest on delete cascade,
    seen_by    uuid not null,
    seen_at    timestamptz not null,
    with_way   boolean not null
);
grant select, insert on link.contest, link.contest_decision, link.evidence_view to wayrate_link;
grant usage on all sequences in schema link to wayrate_link;

-- What of a trip was upheld: a time that shares at least half of the shorter with the trip, or with an event of that kind.
create view link.upheld as
    select c.contest_id, c.device_key, c.event_kind, c.from_time, c.to_time
      from link.contest c join link.contest_decision d using (contest_id) where d.upheld;

-- A trip without its upheld events: `totals` less what they added. A trip upheld as a whole is excluded (`contested`).
-- What scoring made of it stands untouched in telemetry.trip. `score` and `features` of a trip with upheld events are
-- those from before: who shows them computes them from `totals`, as `contests` says.
create or replace view link.trip_of_policy as
    select a.policy_key, t.trip_id, t.started_at, t.ended_at, t.time_zone, t.local_month, t.distance_m, t.gap_m,
           t.duration_s,
           coalesce('relabelled_' || said.label, case when whole.contests is not null then 'contested' end, t.excluded)
               as excluded,
           t.grade, t.quality, t.not_measurable,
           case when events.contests is null then t.totals else
               (select t.totals || coalesce(jsonb_object_agg(name, greatest((t.totals ->> name)::bigint - less, 0)), '{}')
                  from (select added.name, sum(added.amount::bigint) as less
                          from telemetry.event e cross join jsonb_each_text(e.totals) added(name, amount)
                         where e.trip_id = t.trip_id and e.ordinal = any(events.ordinals) and jsonb_exists(t.totals, added.name)
                         group by added.name) without) end as totals,
           t.features, case when said.label is null and whole.contests is null then t.score end as score, t.versions,
           t.content_digest, said.label,
           coalesce(whole.contests, '{}') || coalesce(events.contests, '{}') as contests
      from telemetry.trip t
      join link.assignment a on a.device_key = t.device_key and t.started_at >= a.from_time and t.started_at < a.to_time
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
