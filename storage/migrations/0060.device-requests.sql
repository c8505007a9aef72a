-- depends: 0053.planning-results
-- Codes and tokens that were asked for by key: a request that is sent again makes no other one. The secret is not kept.

create table telemetry.device_request (
    made_by         uuid not null,  -- an account's random key
    idempotency_key text not null check (length(idempotency_key) <= 128),
    device_key      bigint not null references telemetry.device on delete cascade,
    action          text not null check (action in ('code', 'rotate')),
    tier            text not null,
    made_at         timestamptz not null,
    ends_at         timestamptz not null,  -- of a code when it expires, of a token when the earlier ones do
    primary key (made_by, idempotency_key)
);
create index device_request_by_device on telemetry.device_request (device_key);
grant select, insert on telemetry.device_request to wayrate_telemetry;
