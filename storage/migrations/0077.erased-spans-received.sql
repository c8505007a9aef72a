-- depends: 0076.weeks-of-readings
-- What of an erased span's neighbours was received before it went, and so was cut while all was there: by the device's
-- own last upload, not by the clock of whoever erased. An upload may begin before an erasure and be stored after it.

alter table telemetry.erased_span add column received_by timestamptz;
update telemetry.erased_span set received_by = erased_at;

-- Spans from before links ended them, of devices that have measured somebody else since: each ends where the next link
-- began, and what is left of the readings after it is scored.
with ended as (
    update telemetry.erased_span s set to_time = next.from_time, received_by = least(s.received_by, next.from_time)
      from (select s.device_key, s.from_time as span_from, min(a.from_time) as from_time
              from telemetry.erased_span s join link.assignment a using (device_key)
             where a.from_time > s.from_time group by 1, 2) next
     where next.device_key = s.device_key and next.span_from = s.from_time
       and s.to_time = 'infinity' and not s.trips_stay
    returning s.device_key, s.to_time)
insert into telemetry.dirty_window (device_key, from_time, to_time, marked_at)
select r.device_key, min(r.fix_time), max(r.fix_time), now()
  from ended e join telemetry.reading r on r.device_key = e.device_key and r.fix_time >= e.to_time
 group by r.device_key;

alter table telemetry.erased_span alter column received_by set not null;

-- Whether something of a device waits to be scored: an erasure asks.
grant select (device_key) on telemetry.dirty_window to wayrate_link;
