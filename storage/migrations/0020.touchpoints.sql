-- depends: 0016.plan-publishing
-- Every meeting of a customer with us, whoever began it; and what a household says of itself. Rows are added, never
-- edited: what a person says later stands beside what was said before. Erasing a person deletes them.

create table policy.touchpoint (
    touchpoint_id   bigint generated always as identity primary key,
    person_key      uuid not null references policy.person on delete cascade,
    policy_key      uuid references policy.policy,
    channel         text not null check (channel in ('app', 'web', 'call', 'email', 'letter', 'device')),
    kind            text not null check (kind in ('visit', 'question', 'complaint', 'complaint_closed', 'quote', 'change',
                        'contest', 'decision', 'claim', 'offer', 'answer', 'coaching', 'help')),
    outbound        boolean not null,         -- we began it
    occurred_at     timestamptz not null,
    minutes         numeric(6, 1) not null check (minutes between 0 and 1440),  -- of somebody's work
    words           text not null default '' check (length(words) <= 2000),
    made_by         uuid not null,            -- a random account key
    idempotency_key text not null,
    unique (made_by, idempotency_key)
);
create index touchpoint_by_person on policy.touchpoint (person_key, occurred_at desc);

-- Several people behind one policy. A person is in one household.
create table policy.household_member (
    person_key    uuid primary key references policy.person on delete cascade,
    household_key uuid not null,
    relation      text not null check (relation in ('policyholder', 'partner', 'child', 'other')),
    since         timestamptz not null
);
create index household_members on policy.household_member (household_key);

-- What the household has in all, by its own word: of it, what is with us is its share.
create table policy.household_answer (
    household_answer_id bigint generated always as identity primary key,
    household_key uuid not null,
    vehicles      integer not null check (vehicles between 0 and 50),
    km_per_year   integer not null check (km_per_year between 0 and 2000000),
    covers        text[] not null,            -- held anywhere
    said_at       timestamptz not null,
    said_to       uuid not null               -- a random account key
);
create index household_answers on policy.household_answer (household_key, household_answer_id desc);

grant select, insert, delete on policy.touchpoint, policy.household_member, policy.household_answer to wayrate_policy;
grant usage on all sequences in schema policy to wayrate_policy;
