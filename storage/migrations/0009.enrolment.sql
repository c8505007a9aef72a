-- depends: 0008.expiry-and-replay
-- One-time codes, which devices a forwarder may speak for, and what happened that somebody should look at.

create table telemetry.enrolment_code (
    code_hash   bytea primary key,  -- sha-256 of the code; the code itself is never stored
    device_key  bigint not null references telemetry.device on delete cascade,
    tier        text not null check (tier in ('claim', 'bound_network', 'tls', 'signed')),
    made_at     timestamptz not null,
    expires_at  timestamptz not null,
    redeemed_at timestamptz
);
create index enrolment_code_by_device on telemetry.enrolment_code (device_key);

create table telemetry.forwarding (
    forwarder_key bigint not null references telemetry.device on delete cascade,  -- whose credential it is
    device_key    bigint not null references telemetry.device on delete cascade,  -- whose positions it may bring
    allowed_at    timestamptz not null,
    primary key (forwarder_key, device_key)
);
grant select, insert, update, delete on telemetry.enrolment_code, telemetry.forwarding to wayrate_telemetry;

-- No reference to the device: its row may be erased, what happened stays under a key that then means nobody.
create table telemetry.security_event (
    security_event_id bigint generated always as identity primary key,
    happened_at timestamptz not null,
    kind        text not null,
    channel     text not null,
    device_key  bigint,
    detail      text not null     -- never a token, an id that was sent, or a place
);
create index security_event_by_kind on telemetry.security_event (kind, happened_at);
grant select, insert on telemetry.security_event to wayrate_telemetry;
grant usage on all sequences in schema telemetry to wayrate_telemetry;

create function telemetry.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is only ever added to', tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger security_event_is_immutable before update or delete on telemetry.security_event
    for each row execute function telemetry.refuse_change();
create trigger security_event_is_not_truncated before truncate on telemetry.security_event
    for each statement execute function telemetry.refuse_change();

-- One row that `/readyz` writes: that the server answers does not say that it can commit (a full disk, a standby).
create table telemetry.commit_probe (
    one_row   boolean primary key default true check (one_row),
    probed_at timestamptz not null
);
insert into telemetry.commit_probe (probed_at) values (now());
grant select, update on telemetry.commit_probe to wayrate_telemetry;
