-- depends: 0075.claim-fault
-- Readings expire by the weeks that the engine keeps them in, so that the floor is where deletion ends: our partitions
-- begin on a Monday, the chunks of TimescaleDB on a Thursday, which the epoch was. A floor inside a chunk left readings
-- below it for another week.

create function telemetry.week_of(at timestamptz) returns timestamptz
    language sql stable set search_path = pg_catalog, pg_temp as $$
    select date_bin('7 days', at, case when relkind = 'p' then timestamptz '1970-01-05 00:00+00' else 'epoch' end)
      from pg_class where oid = 'telemetry.reading'::regclass
$$;

create or replace function telemetry.announce_expiry(before timestamptz, as_of timestamptz) returns timestamptz
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    week timestamptz := telemetry.week_of(before);
begin
    perform pg_advisory_xact_lock(7236003);
    insert into telemetry.reading_expiry (expired_before, announced_at)
    select week, as_of where not exists (select from telemetry.reading_expiry where expired_before >= week);
    return (select max(expired_before) from telemetry.reading_expiry);
end $$;

revoke all on function telemetry.week_of(timestamptz) from public;
grant execute on function telemetry.week_of(timestamptz) to wayrate_telemetry;
