-- depends: 0037.erasure
-- A household has several drivers. Consent belongs to who drove: a trip is somebody's when they say so, or when the
-- policy has one driver alone. Like a label, a claim is a fact about a device and a time, not about a trip's row.

create table policy.policy_driver (
    policy_key uuid not null references policy.policy,
    person_key uuid not null references policy.person,  -- drives beside the policyholder
    since      timestamptz not null,
    named_by   uuid not null,                           -- a random account key: the policyholder's
    primary key (policy_key, person_key)
);
create index policy_driver_of_person on policy.policy_driver (person_key);
grant select, insert on policy.policy_driver to wayrate_policy;

create table link.trip_driver (
    trip_driver_id bigint generated always as identity primary key,
    device_key bigint not null references telemetry.device on delete cascade,
    from_time  timestamptz not null,
    to_time    timestamptz not null,
    person_key uuid,                  -- null: whoever said it takes it back
    said_by    uuid not null,
    said_at    timestamptz not null,
    constraint drive_ends_after_it_begins check (to_time >= from_time)
);
create index trip_driver_by_device on link.trip_driver (device_key, to_time);
create index trip_driver_of_person on link.trip_driver (person_key) where person_key is not null;
grant select, insert on link.trip_driver to wayrate_link;
grant usage on all sequences in schema link to wayrate_link;

-- Who drove: the last that was said of the times that share at least half of the shorter with the trip; else the
-- policyholder while nobody else was named to drive; else nobody knows, and nobody is shown a map.
create view link.driver_of_trip as
    select t.trip_id, a.policy_key, p.person_key as policyholder, said.person_key as claimed_by,
           coalesce(said.person_key,
                    case when not exists (select from policy.policy_driver d
                                           where d.policy_key = a.policy_key and d.since <= t.started_at)
                         then p.person_key end) as driver
      from telemetry.trip t
      join link.assignment a on a.device_key = t.device_key and t.started_at >= a.from_time and t.started_at < a.to_time
      join policy.policy p using (policy_key)
      left join lateral (
          select s.person_key
            from link.trip_driver s
           where s.device_key = t.device_key and s.from_time <= t.ended_at and s.to_time >= t.started_at
             and 2 * (least(s.to_time, t.ended_at) - greatest(s.from_time, t.started_at))
                 >= least(s.to_time - s.from_time, t.ended_at - t.started_at)
           order by s.trip_driver_id desc limit 1) said on true;
grant select on link.driver_of_trip to wayrate_policy, wayrate_link;
