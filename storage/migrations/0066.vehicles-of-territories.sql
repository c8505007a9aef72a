-- depends: 0064.book-sums
-- A policy insures one vehicle, however many devices are in it: a tracker and a phone are no two, or three of them in
-- each of two cars would pass for enough.

create or replace function link.territory_counts(least_vehicles integer)
    returns table (territory text, vehicles bigint, distance_m bigint)
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select substring(counter.name from '^territory:(.+)_m$') as territory, count(distinct a.policy_key) as vehicles,
           sum(counter.metres::bigint)::bigint as distance_m
      from telemetry.trip t
      join link.assignment a on a.device_key = t.device_key and t.started_at >= a.from_time and t.started_at < a.to_time
      cross join lateral jsonb_each_text(t.totals) counter(name, metres)
     where counter.name ~ '^territory:.+_m$'
     group by 1 having count(distinct a.policy_key) >= greatest(least_vehicles, 5)
     order by 1
$$;
