-- depends: 0007.broker-passwords
-- Expiry keeps its books: what went is counted on the upload that brought it, and what may no longer come is refused.

alter table telemetry.upload
    add column records_expired integer not null default 0,
    add constraint upload_expires_what_it_stored check (records_expired between 0 and records_stored);
create index upload_with_expired on telemetry.upload (device_key) where records_expired > 0;
-- Its bytes say where somebody was, so they go when the readings do; the row stays, for it was counted.
alter table telemetry.quarantine add column expired_at timestamptz;
create index quarantine_waiting on telemetry.quarantine (received_at) where replayed_at is null and expired_at is null;

create table telemetry.reading_expiry (
    reading_expiry_id bigint generated always as identity primary key,
    expired_before timestamptz not null,  -- a Monday, 00:00 UTC: no reading before it is kept, or will be
    announced_at   timestamptz not null
);
grant select on telemetry.reading_expiry to wayrate_telemetry;

-- Readings before this time are gone for good. To the end of its transaction the caller may store what is later:
-- expiry waits for it, and whoever comes meanwhile waits for the announcement alone. Call it before touching readings.
create function telemetry.reading_floor() returns timestamptz
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_advisory_xact_lock_shared(7236003);
    return (select max(expired_before) from telemetry.reading_expiry);
end $$;

-- Commit it before `expire_readings`: then that can count and drop without holding up any upload.
create function telemetry.announce_expiry(before timestamptz, as_of timestamptz) returns timestamptz
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    week timestamptz := date_trunc('week', before at time zone 'UTC') at time zone 'UTC';
begin
    perform pg_advisory_xact_lock(7236003);
    insert into telemetry.reading_expiry (expired_before, announced_at)
    select week, as_of where not exists (select from telemetry.reading_expiry where expired_before >= week);
    return (select max(expired_before) from telemetry.reading_expiry);
end $$;

create or replace function telemetry.expire_readings(before timestamptz) returns setof text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    partition_name text;
    timescale_schema text;
    hypertable boolean := (select relkind from pg_class where oid = 'telemetry.reading'::regclass) <> 'p';
    dropped_before timestamptz;
begin
    perform pg_advisory_xact_lock(7236004);  -- one at a time: two would each wait for what the other reads
    if hypertable then
        select n.nspname into strict timescale_schema
          from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'timescaledb';
        select max(range_end) into dropped_before from timescaledb_information.chunks
         where hypertable_schema = 'telemetry' and hypertable_name = 'reading' and range_end <= before;
    else
        select max((to_date(right(c.relname, 8), 'YYYYMMDD') + 7)::timestamp at time zone 'UTC') into dropped_before
          from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'telemetry.reading'::regclass
           and (to_date(right(c.relname, 8), 'YYYYMMDD') + 7)::timestamp at time zone 'UTC' <= before;
    end if;
    update telemetry.upload u set records_expired = u.records_expired + gone.readings
      from (select upload_id, count(*) as readings from telemetry.reading
             where fix_time < dropped_before group by upload_id) gone
     where gone.upload_id = u.upload_id;
    -- What was deleted must not live on in a picture of it, nor in the bytes that it might have come from.
    delete from telemetry.trip_path p using telemetry.trip t where t.trip_id = p.trip_id and t.started_at < before;
    update telemetry.quarantine set raw = '', detail = '', expired_at = before
     where received_at < before and expired_at is null;
    if hypertable then
        return query execute format('select %I.drop_chunks(%L::regclass, older_than => $1)', timescale_schema,
                                    'telemetry.reading') using before;
        return;
    end if;
    for partition_name in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'telemetry.reading'::regclass
           and (to_date(right(c.relname, 8), 'YYYYMMDD') + 7)::timestamp at time zone 'UTC' <= before
         order by c.relname
    loop
        execute format('drop table telemetry.%I', partition_name);
        return next partition_name;
    end loop;
end $$;

-- Dirty windows that the worker could not cut again, with the reason. Their readings are stored; their trips stand.
create table telemetry.refused_window (
    refused_window_id bigint generated always as identity primary key,
    device_key bigint not null references telemetry.device,
    from_time  timestamptz not null,
    to_time    timestamptz not null,
    reason     text not null check (reason in ('expired')),
    refused_at timestamptz not null
);
create index refused_window_by_device on telemetry.refused_window (device_key);
grant select, insert, delete on telemetry.refused_window to wayrate_telemetry;
grant usage on all sequences in schema telemetry to wayrate_telemetry;

revoke all on function telemetry.reading_floor(), telemetry.announce_expiry(timestamptz, timestamptz) from public;
grant execute on function telemetry.reading_floor(), telemetry.announce_expiry(timestamptz, timestamptz)
    to wayrate_telemetry;
