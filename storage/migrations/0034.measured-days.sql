-- depends: 0023.experiments
-- What a rate plan may ask of how the driving was measured: on which days there was a reading at all, and by whom it was
-- vouched for. Neither says where or when on the day.

-- Kept when a month is priced, for readings expire: a day that was measured once stays measured.
create table link.measured_day (
    policy_key uuid not null references policy.policy on delete cascade,
    day        date not null,  -- by the clock of the policy
    primary key (policy_key, day)
);
grant select on link.measured_day to wayrate_link;

create function link.keep_measured_days(asked uuid, first date, after date, zone text) returns setof date
    language sql security definer set search_path = pg_catalog, pg_temp as $$
    insert into link.measured_day (policy_key, day)
    select asked, d::date from generate_series(first::timestamp, after::timestamp - interval '1 day', '1 day') as d
     where exists (select from link.assignment a
                     join telemetry.reading r on r.device_key = a.device_key
                      and r.fix_time >= greatest(d at time zone zone, a.from_time)
                      and r.fix_time < least((d + interval '1 day') at time zone zone, a.to_time)
                    where a.policy_key = asked)
        or exists (select from link.assignment a  -- whose readings may have expired
                     join telemetry.trip t on t.device_key = a.device_key
                      and t.started_at >= greatest(d at time zone zone, a.from_time)
                      and t.started_at < least((d + interval '1 day') at time zone zone, a.to_time)
                    where a.policy_key = asked)
    on conflict do nothing;
    select day from link.measured_day where policy_key = asked and day >= first and day < after order by day
$$;
revoke execute on function link.keep_measured_days from public;
grant execute on function link.keep_measured_days to wayrate_policy;

-- A reading bears what the credential that brought it did not prove (flags 1024: a signature, 2048: transport by TLS with
-- a token, 4096: a bound network); of several arrivals the best counts. Readings from before this get it from their upload,
-- and their trips are cut anew; a trip whose readings have expired has the weakest that its device ever used.
update telemetry.reading r set flags = r.flags | case u.tier when 'tls' then 1024 when 'bound_network' then 3072 else 7168 end
  from telemetry.upload u where u.upload_id = r.upload_id and u.tier <> 'signed';
update telemetry.trip t set quality = t.quality || jsonb_build_object('tier', w.tier)
  from (select device_key, (array['claim', 'bound_network', 'tls', 'signed'])[
               min(array_position(array['claim', 'bound_network', 'tls', 'signed'], tier))] as tier
          from telemetry.upload group by device_key) w
 where w.device_key = t.device_key and w.tier <> 'signed';
insert into telemetry.dirty_window (device_key, from_time, to_time, marked_at)
select t.device_key, min(t.started_at), max(t.ended_at), now() from telemetry.trip t
 where jsonb_exists(t.quality, 'tier') group by t.device_key;
