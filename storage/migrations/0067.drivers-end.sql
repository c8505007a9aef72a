-- depends: 0066.vehicles-of-territories
-- Somebody who was named to drive may stop driving. What they said while they did stays theirs: their trips, and whether
-- the policyholder sees the ways of these. Trips from then on are the policyholder's again where nobody else is named.

alter table policy.policy_driver add column until timestamptz;  -- null: they still drive
alter table policy.policy_driver add constraint driver_ends_after_they_begin check (until >= since);
alter table policy.policy_driver drop constraint policy_driver_pkey;
alter table policy.policy_driver add primary key (policy_key, person_key, since);
create unique index policy_driver_that_drives on policy.policy_driver (policy_key, person_key) where until is null;
grant update (until) on policy.policy_driver to wayrate_policy;

create or replace view link.driver_of_trip as
    select t.trip_id, a.policy_key, p.person_key as policyholder, said.person_key as claimed_by,
           coalesce(said.person_key,
                    case when not exists (select from policy.policy_driver d
                                           where d.policy_key = a.policy_key and d.since <= t.started_at
                                             and (d.until is null or d.until > t.started_at))
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
