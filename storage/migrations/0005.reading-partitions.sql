-- depends: 0004.link
-- Weekly partitions of telemetry.reading, made ahead of need and dropped whole. Functions with their owner's rights,
-- so that whoever stores readings can have partitions without owning the table. On a hypertable the engine does it.

create function telemetry.ensure_reading_partitions(weeks date[]) returns integer
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    week date;
    partition_name text;
    made integer := 0;
begin
    if (select relkind from pg_class where oid = 'telemetry.reading'::regclass) <> 'p' then
        return 0;
    end if;
    select array_agg(distinct date_trunc('week', w)::date order by date_trunc('week', w)::date) into weeks
      from unnest(weeks) w
     where to_regclass('telemetry.reading_' || to_char(date_trunc('week', w), 'YYYYMMDD')) is null;
    if weeks is null then
        return 0;
    end if;
    perform pg_advisory_xact_lock(7236002);
    foreach week in array weeks loop
        partition_name := 'reading_' || to_char(week, 'YYYYMMDD');
        -- Another process was first? Asked of the table: to_regclass may answer from a cache older than the lock.
        continue when exists (select from pg_class
                               where relname = partition_name and relnamespace = 'telemetry'::regnamespace);
        -- Made, then attached: attaching does not lock out those who read and write the other weeks.
        execute format('create table telemetry.%I (like telemetry.reading including all)', partition_name);
        execute format('alter table telemetry.reading attach partition telemetry.%I for values from (%L) to (%L)',
                       partition_name, week::text || ' 00:00:00+00', (week + 7)::text || ' 00:00:00+00');
        execute format('grant select, insert, update, delete on telemetry.%I to wayrate_telemetry', partition_name);
        made := made + 1;
    end loop;
    return made;
end $$;

-- The week and the drawn paths go together: what was deleted must not live on in a picture of it.
create function telemetry.expire_readings(before timestamptz) returns setof text
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    partition_name text;
    timescale_schema text;
begin
    delete from telemetry.trip_path p using telemetry.trip t where t.trip_id = p.trip_id and t.ended_at < before;
    if (select relkind from pg_class where oid = 'telemetry.reading'::regclass) <> 'p' then
        select n.nspname into strict timescale_schema
          from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'timescaledb';
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

revoke all on function telemetry.ensure_reading_partitions(date[]), telemetry.expire_readings(timestamptz) from public;
grant execute on function telemetry.ensure_reading_partitions(date[]), telemetry.expire_readings(timestamptz)
    to wayrate_telemetry;
