-- depends: 0034.measured-days
-- Erasure: a person asks, a privacy officer decides, a command does it. What remains of a person are random keys: in
-- statements, in what was agreed and in the audit log. Rows here hold keys, days, and the officer's words until then.

create table policy.erasure_request (
    request_id uuid primary key,
    person_key uuid not null references policy.person,
    asked_at   timestamptz not null,
    asked_by   uuid not null            -- a random account key: the person's own, or support's on the phone
);
create index erasure_request_of_person on policy.erasure_request (person_key, asked_at desc);

create table policy.erasure_decision (
    request_id uuid primary key references policy.erasure_request,
    granted    boolean not null,
    words      text not null check (length(words) <= 1000),  -- of a refusal: shown to the person, blanked by an erasure
    decided_by uuid not null,
    decided_at timestamptz not null
);

create table policy.erasure_completion (
    request_id   uuid primary key references policy.erasure_request,
    completed_at timestamptz not null
);

-- Who somebody was, where a law obliges us to know it still: out of everybody's sight but their own, until the day.
create table policy.locked_identity (
    person_key uuid primary key references policy.person,
    name       text not null,
    email      text,
    until      date not null,
    because    text not null,
    locked_at  timestamptz not null
);
grant select, insert on policy.erasure_request, policy.erasure_decision to wayrate_policy;
grant select on policy.erasure_completion, policy.locked_identity to wayrate_policy;

-- What was agreed is never edited. Erasing a person blanks the words and keys beside it, and nothing else.
create function policy.refuse_change_but_blanking() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'UPDATE' and new.reason = 'erased' and new.request_digest = ''
       and new.idempotency_key = new.change_id::text
       and to_jsonb(new) - array['reason', 'request_digest', 'idempotency_key']
         = to_jsonb(old) - array['reason', 'request_digest', 'idempotency_key'] then
        return new;
    end if;
    raise exception 'a % is never edited: add another', tg_table_name using errcode = 'restrict_violation';
end $$;
drop trigger policy_change_is_immutable on policy.policy_change;
create trigger policy_change_is_immutable before update or delete on policy.policy_change
    for each row execute function policy.refuse_change_but_blanking();

-- The same of security events: an erased device's key is taken out, what happened stays.
create function telemetry.refuse_change_but_unnaming() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'UPDATE' and new.device_key is null and to_jsonb(new) - 'device_key' = to_jsonb(old) - 'device_key' then
        return new;
    end if;
    raise exception '% is only ever added to', tg_table_name using errcode = 'restrict_violation';
end $$;
drop trigger security_event_is_immutable on telemetry.security_event;
create trigger security_event_is_immutable before update or delete on telemetry.security_event
    for each row execute function telemetry.refuse_change_but_unnaming();
create index security_event_of_device on telemetry.security_event (device_key) where device_key is not null;
create index quarantine_by_device on telemetry.quarantine (device_key, received_at);
create index quarantine_of_upload on telemetry.quarantine (upload_id);

-- Tombstones: what was erased is not enrolled again by a list that still names it. A keyed hash, and the key is nobody's
-- to read but the owner's: without it a tombstone says nothing, not even of an id as easily guessed as an IMEI.
create table telemetry.tombstone_key (
    one_row boolean primary key default true check (one_row),
    key     bytea not null check (octet_length(key) = 32)
);
insert into telemetry.tombstone_key (key)
values (decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));

create table telemetry.erased_device (
    tombstone bytea primary key check (octet_length(tombstone) = 32),
    erased_at timestamptz not null
);

-- Times of a device that was not erased whole, for it measures somebody else, too: what comes late for them goes at the
-- next run. `trips_stay`: of somebody who drove under another's policy the ways go, and the policyholder's km stay.
create table telemetry.erased_span (
    device_key bigint not null references telemetry.device on delete cascade,
    from_time  timestamptz not null,
    to_time    timestamptz not null,
    trips_stay boolean not null,
    primary key (device_key, from_time)
);
grant select on telemetry.erased_span to wayrate_telemetry;

create function telemetry.tombstone(device_id text) returns bytea
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select sha256(key || sha256(key || convert_to(device_id, 'UTF8'))) from telemetry.tombstone_key
$$;
create function telemetry.is_erased(device_id text) returns boolean
    language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select exists (select from telemetry.erased_device e where e.tombstone = telemetry.tombstone(device_id))
$$;
revoke all on function telemetry.tombstone(text), telemetry.is_erased(text) from public;
grant execute on function telemetry.is_erased(text) to wayrate_telemetry;
