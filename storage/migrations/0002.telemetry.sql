-- depends: 0001.schemas-and-roles
-- Devices, uploads, readings, quarantine (written by ingest); trips, events, exposure (written by scoring).

create table telemetry.device (
    device_key   bigint primary key,  -- random 63 bits: the pseudonym every other table uses
    device_id    text not null unique check (device_id ~ '^[a-z0-9-]{1,64}$'),
    enrolled_at  timestamptz not null,
    revoked_at   timestamptz,
    vehicle_class text not null default 'car'
);

create table telemetry.credential (
    token_hash  bytea primary key,  -- sha-256 of the token; the token itself is never stored
    device_key  bigint not null references telemetry.device,
    tier        text not null check (tier in ('claim', 'bound_network', 'tls', 'signed')),
    issued_at   timestamptz not null,
    revoked_at  timestamptz
);

create table telemetry.upload (
    upload_id         bigint generated always as identity primary key,
    device_key        bigint not null references telemetry.device,
    received_at       timestamptz not null,
    channel           text not null,
    tier              text not null,
    decoder_version   text not null,
    body_sha256       bytea not null,
    idempotency_key   text,
    records_received    integer not null,
    records_stored      integer not null,
    records_duplicate   integer not null,
    records_quarantined integer not null,
    constraint upload_conserves_records
        check (records_received = records_stored + records_duplicate + records_quarantined)
);
create unique index upload_idempotency on telemetry.upload (device_key, idempotency_key) where idempotency_key is not null;
create index upload_by_device_day on telemetry.upload (device_key, received_at);

create table telemetry.quarantine (
    quarantine_id bigint generated always as identity primary key,
    device_key    bigint references telemetry.device,
    upload_id     bigint references telemetry.upload,
    received_at   timestamptz not null,
    channel       text not null,
    reason        text not null,
    detail        text not null,
    record_index  integer,          -- place in its frame or file; null: the whole frame
    raw           bytea not null,
    replayed_at   timestamptz
);
create index quarantine_by_reason on telemetry.quarantine (reason, received_at);

-- One table, two engines: a hypertable where the server has TimescaleDB, declarative partitions where not.
-- Available alone is not enough: an extension that the server did not preload ends the session that creates it. Its
-- loader's settings show to every role whether it was.
do $$
declare
    has_timescale boolean := exists (select from pg_available_extensions where name = 'timescaledb')
                             and exists (select from pg_settings where name = 'timescaledb.disable_load');
    columns text := $columns$
        device_key      bigint      not null,
        fix_time        timestamptz not null,
        content_hash    bigint      not null,
        upload_id       bigint      not null,
        flags           integer     not null,
        latitude_deg    double precision,
        longitude_deg   double precision,
        odometer_m      double precision,
        altitude_m      real,
        speed_mps       real,
        heading_deg     real,
        hdop            real,
        accuracy_m      real,
        acceleration_forward_mps2  real,
        acceleration_lateral_mps2  real,
        acceleration_vertical_mps2 real,
        reported_limit_mps         real,
        satellites      smallint,
        ignition        smallint,
        phone_in_use    smallint,
        belt_fastened   smallint,
        primary key (device_key, fix_time, content_hash)
    $columns$;
begin
    if has_timescale then
        create extension if not exists timescaledb;
        execute format('create table telemetry.reading (%s)', columns);
        perform create_hypertable('telemetry.reading', 'fix_time', chunk_time_interval => interval '7 days',
                                  create_default_indexes => false);
        -- Compression is under Timescale's own license; a server that runs the Apache part alone does without.
        if current_setting('timescaledb.license', true) = 'timescale' then
            alter table telemetry.reading set (timescaledb.compress, timescaledb.compress_segmentby = 'device_key',
                                               timescaledb.compress_orderby = 'fix_time, content_hash');
            perform add_compression_policy('telemetry.reading', interval '7 days');
        end if;
    else
        execute format('create table telemetry.reading (%s) partition by range (fix_time)', columns);
    end if;
end $$;

create table telemetry.dirty_window (
    dirty_window_id bigint generated always as identity primary key,
    device_key      bigint not null references telemetry.device,
    from_time       timestamptz not null,
    to_time         timestamptz not null,
    marked_at       timestamptz not null
);
create index dirty_window_by_device on telemetry.dirty_window (device_key);

create table telemetry.trip (
    trip_id       uuid primary key,   -- a hash of device and start: re-cutting the same readings gives the same id
    device_key    bigint not null references telemetry.device,
    started_at    timestamptz not null,
    ended_at      timestamptz not null,
    time_zone     text not null,      -- of the place where it started
    local_month   text not null check (local_month ~ '^\d{4}-\d{2}$'),
    distance_m    integer not null check (distance_m >= 0),
    gap_m         integer not null check (gap_m >= 0),  -- estimated, never measured
    duration_s    integer not null check (duration_s >= 0),
    sampling_interval_s double precision,
    excluded      text,               -- a named reason why this is not insured driving; null: it is
    grade         text not null check (grade in ('A', 'B', 'C', 'uncertified')),
    quality       jsonb not null,     -- coverage, gaps, flags, matched share
    not_measurable text[] not null,
    totals        jsonb not null,     -- additive integer counters: features of any set of trips are made of their sums
    features      jsonb not null,
    score         jsonb,              -- null: not scored, the reason is in quality
    versions      jsonb not null,     -- map, thresholds, model
    content_digest bytea not null,    -- of everything above but trip_id and device_key
    unique (device_key, started_at)
);
create index trip_by_month on telemetry.trip (device_key, local_month);

create table telemetry.trip_exposure (
    trip_id     uuid not null references telemetry.trip on delete cascade,
    road_class  text not null,
    hour_band   text not null,
    over_limit_band text not null,
    distance_m  integer not null check (distance_m >= 0),
    duration_s  integer not null check (duration_s >= 0),
    primary key (trip_id, road_class, hour_band, over_limit_band)
);

create table telemetry.event (
    trip_id     uuid not null references telemetry.trip on delete cascade,
    ordinal     integer not null,
    kind        text not null,
    started_at  timestamptz not null,
    ended_at    timestamptz not null,
    peak        double precision not null,
    peak_unit   text not null,        -- mps2, kmh_over, s
    latitude_deg  double precision,
    longitude_deg double precision,
    source      text not null,        -- gps_speed, gps_heading, accelerometer, device, map_limit, reported_limit
    sampling_interval_s double precision not null,
    thresholds_version  text not null,
    primary key (trip_id, ordinal)
);

create table telemetry.trip_path (
    trip_id uuid primary key references telemetry.trip on delete cascade,
    path    bytea not null            -- packed columns for drawing: expires with the raw readings
);

-- Written in the transaction that replaces trips, taken by pricing: a crash between the two repeats, it never forgets.
create table telemetry.trip_change (
    trip_change_id bigint generated always as identity primary key,
    device_key  bigint not null,
    from_month  text not null,
    changed_at  timestamptz not null
);

grant select, insert, update, delete on all tables in schema telemetry to wayrate_telemetry;
grant usage on all sequences in schema telemetry to wayrate_telemetry;
