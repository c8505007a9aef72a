-- depends: 0003.policy
-- Which device is whose, and the only window through which pricing sees driving: numbers, never a place.

create table link.assignment (
    device_key bigint not null references telemetry.device,
    policy_key uuid not null references policy.policy,
    from_time  timestamptz not null,
    to_time    timestamptz not null default 'infinity',
    primary key (device_key, from_time)
);
create index assignment_by_policy on link.assignment (policy_key);

grant usage on schema telemetry, policy to wayrate_link;
grant select on telemetry.device, telemetry.trip, telemetry.trip_exposure, policy.policy to wayrate_link;
grant select, insert, delete on telemetry.trip_change to wayrate_link;
grant references on telemetry.device, policy.policy to wayrate_link;

create view link.trip_of_policy as
    select a.policy_key, t.trip_id, t.started_at, t.ended_at, t.time_zone, t.local_month, t.distance_m, t.gap_m,
           t.duration_s, t.excluded, t.grade, t.quality, t.not_measurable, t.totals, t.features, t.score, t.versions,
           t.content_digest
      from telemetry.trip t
      join link.assignment a on a.device_key = t.device_key and t.started_at >= a.from_time and t.started_at < a.to_time;

create view link.exposure_of_policy as
    select t.policy_key, t.trip_id, t.local_month, e.road_class, e.hour_band, e.over_limit_band, e.distance_m, e.duration_s
      from link.trip_of_policy t
      join telemetry.trip_exposure e using (trip_id);

grant select, insert, update, delete on all tables in schema link to wayrate_link;

-- Views run with their owner's rights, so pricing reads driving without any right on telemetry or on the link itself.
grant usage on schema link to wayrate_policy;
grant select on link.trip_of_policy, link.exposure_of_policy to wayrate_policy;
