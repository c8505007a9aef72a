-- depends: 0038.drivers
-- Zones that nobody is shown. The circle stands in the telemetry schema alone; whose it is, in the link alone. It is a
-- circle round a point near the place that was asked for, so that neither it nor what it cuts out tells the place.

create table telemetry.privacy_zone (
    zone_id       uuid primary key,
    latitude_deg  double precision not null check (latitude_deg between -90 and 90),
    longitude_deg double precision not null check (longitude_deg between -180 and 180),
    radius_m      real not null check (radius_m between 100 and 5000),
    set_at        timestamptz not null
);
grant select, insert, delete on telemetry.privacy_zone to wayrate_telemetry;

create table link.zone_owner (
    zone_id    uuid primary key,
    person_key uuid not null
);
create index zone_owner_person on link.zone_owner (person_key);
grant select, insert, delete on link.zone_owner to wayrate_link;

-- Who looked at where somebody was, beyond a contest: a privacy officer, with a reason. Shown to the person.
create table link.location_look (
    location_look_id bigint generated always as identity primary key,
    policy_key uuid not null references policy.policy,
    trip_id    uuid not null,
    reason     text not null check (reason in ('asked', 'crash', 'theft', 'court', 'fault')),
    words      text not null check (length(words) between 10 and 1000),
    seen_by    uuid not null,         -- a random account key
    seen_at    timestamptz not null
);
create index location_look_of_policy on link.location_look (policy_key, seen_at desc);
grant select, insert on link.location_look to wayrate_link;
grant usage on all sequences in schema link to wayrate_link;

-- Territories with few vehicles say who they are: of fewer than that nothing is told.
create function link.territory_counts(least_vehicles integer)
    returns table (territory text, vehicles bigint, distance_m bigint)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select substring(counter.name from '^territory:(.+)_m$') as territory, count(distinct t.device_key) as vehicles,
           sum(counter.metres::bigint)::bigint as distance_m
      from telemetry.trip t
      join link.assignment a on a.device_key = t.device_key and t.started_at >= a.from_time and t.started_at < a.to_time
      cross join lateral jsonb_each_text(t.totals) counter(name, metres)
     where counter.name ~ '^territory:.+_m$'
     group by 1 having count(distinct t.device_key) >= greatest(least_vehicles, 5)
     order by 1
$$;
revoke all on function link.territory_counts(integer) from public;
grant execute on function link.territory_counts(integer) to wayrate_policy;
