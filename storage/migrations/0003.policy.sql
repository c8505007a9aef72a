-- depends: 0002.telemetry
-- People, policies, rate plans, statements. No coordinate may ever stand in this schema.

create table policy.person (
    person_key uuid primary key,
    name       text not null,
    email      text unique
);

create table policy.account (
    account_key   uuid primary key,
    email         text not null unique,
    password_hash text not null,      -- argon2id
    role          text not null check (role in ('policyholder', 'driver', 'underwriter', 'actuary', 'support', 'privacy_officer', 'admin')),
    person_key    uuid references policy.person,
    created_at    timestamptz not null
);

create table policy.session (
    token_hash  bytea primary key,
    account_key uuid not null references policy.account on delete cascade,
    csrf_token  text not null,
    created_at  timestamptz not null,
    expires_at  timestamptz not null
);

create table policy.rate_plan (
    plan_hash      text primary key,   -- sha-256 of the canonical content
    name           text not null,
    version        text not null,
    effective_from date not null,
    currency       text not null,
    content        text not null,      -- the TOML as published
    published_at   timestamptz not null,
    unique (name, version)
);

create table policy.policy (
    policy_key   uuid primary key,
    policy_id    text not null unique check (policy_id ~ '^[A-Za-z0-9-]{1,64}$'),
    person_key   uuid not null references policy.person,
    starts_on    date not null,
    ends_on      date not null,
    plan_name    text not null,
    pay_plan     text not null,
    covers       text[] not null,
    factors      jsonb not null,       -- rating factor -> level, as declared
    declared_km_per_year integer not null check (declared_km_per_year >= 0),
    time_zone    text not null,
    constraint policy_ends_after_start check (ends_on > starts_on)
);

create table policy.statement (
    statement_id  uuid primary key,
    policy_key    uuid not null references policy.policy,
    period        text not null check (period ~ '^\d{4}-\d{2}$'),
    kind          text not null check (kind in ('statement', 'adjustment')),
    revision      integer not null,    -- 0 for the statement, 1.. for its adjustments
    amount        numeric not null,  -- the sum of this posting's rounded lines
    currency      text not null,
    lines         jsonb not null,      -- what is charged: cover premiums, fees, taxes
    worksheet     jsonb not null,      -- the steps of the period's premium
    inputs        jsonb not null,      -- exposure and features the premium was computed from
    inputs_digest text not null,
    plan_hash     text not null references policy.rate_plan,
    versions      jsonb not null,
    reason        text not null,
    posted_at     timestamptz not null,
    unique (policy_key, period, kind, revision)
);

create function policy.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'a posted % is never edited: post an adjustment', tg_table_name using errcode = 'restrict_violation';
end $$;
create trigger statement_is_immutable before update or delete on policy.statement
    for each row execute function policy.refuse_change();
create trigger statement_is_not_truncated before truncate on policy.statement
    for each statement execute function policy.refuse_change();
create trigger rate_plan_is_immutable before update or delete on policy.rate_plan
    for each row execute function policy.refuse_change();
create trigger rate_plan_is_not_truncated before truncate on policy.rate_plan
    for each statement execute function policy.refuse_change();

grant select, insert, update, delete on all tables in schema policy to wayrate_policy;
grant usage on all sequences in schema policy to wayrate_policy;
