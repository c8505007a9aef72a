-- depends: 0069.touchpoints-that-suppress
-- What a person's erasure leaves on a device that others have, too: when it was done, so that trips cut before then stand
-- where their readings, or the place before them, are gone; and an end, as soon as the device measures somebody else.

alter table telemetry.erased_span add column erased_at timestamptz not null default now();
alter table telemetry.erased_span alter column erased_at drop default;

alter table telemetry.refused_window drop constraint refused_window_reason_check;
alter table telemetry.refused_window add constraint refused_window_reason_check check (reason in ('expired', 'erased'));

-- A link that was never ended leaves a span without an end: the readings of whoever has the device next are not of it.
create function link.end_erased_spans() returns trigger
    language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update telemetry.erased_span set to_time = greatest(from_time, new.from_time, erased_at)
     where device_key = new.device_key and to_time > greatest(from_time, new.from_time, erased_at);
    return null;
end $$;
create trigger assignment_ends_erased_spans after insert or update of from_time on link.assignment
    for each row execute function link.end_erased_spans();

-- A link of no time is no link: it kept the device of a person from being erased whole, as if it measured somebody else.
delete from link.assignment where to_time <= from_time;
alter table link.assignment add constraint assignment_lasts check (to_time > from_time);
