-- depends: 0010.trip-labels
-- What was agreed when: a policy is bound, endorsed, cancelled and renewed by rows that are never edited. What holds on
-- a day follows from them; policy.policy holds what they come to, for lists.

alter table policy.policy add column sharing text not null default 'full' check (sharing in ('odometer', 'score', 'full'));

create table policy.policy_change (
    change_id       uuid primary key,
    policy_key      uuid not null references policy.policy,
    sequence        integer not null check (sequence >= 0),
    kind            text not null check (kind in ('bind', 'endorse', 'cancel', 'renew')),
    effective_on    date not null,
    ends_on         date,             -- where the term ends from now on; null: an endorsement leaves that as it is
    terms           jsonb not null,   -- bind: all of them; endorse, renew: those that change
    reason          text not null,
    made_by         uuid not null,    -- a random account key; who that is stands in policy.account alone
    made_at         timestamptz not null,
    idempotency_key text not null,
    request_digest  text not null,
    unique (policy_key, sequence),
    unique (made_by, idempotency_key),
    constraint only_the_first_binds check ((kind = 'bind') = (sequence = 0)),
    constraint endorsements_leave_the_end check ((kind = 'endorse') = (ends_on is null))
);
create trigger policy_change_is_immutable before update or delete on policy.policy_change
    for each row execute function policy.refuse_change();
create trigger policy_change_is_not_truncated before truncate on policy.policy_change
    for each statement execute function policy.refuse_change();
grant select, insert on policy.policy_change to wayrate_policy;

insert into policy.policy_change
select gen_random_uuid(), policy_key, 0, 'bind', starts_on, ends_on,
       jsonb_build_object('pay_plan', pay_plan, 'covers', covers, 'factors', factors,
                          'declared_km_per_year', declared_km_per_year, 'sharing', sharing),
       'bound', '00000000-0000-0000-0000-000000000000', now(), 'file ' || policy_id, ''
  from policy.policy;

-- Claims as they are reported: what cover was in force on the day is asked before one is kept.
create table policy.claim (
    claim_id    text primary key check (claim_id ~ '^[A-Za-z0-9-]{1,64}$'),
    policy_key  uuid not null references policy.policy,
    cover       text not null,
    occurred_on date not null,
    reported_at timestamptz not null
);
create index claim_by_policy on policy.claim (policy_key);
grant select, insert on policy.claim to wayrate_policy;
