-- depends: 0020.touchpoints
-- What a person agreed to, for which purpose, under which words; and what they were offered. Consents are rows that are
-- added: the latest of a purpose holds, and the others say what held when.

create table policy.consent (
    consent_id  bigint generated always as identity primary key,
    person_key  uuid not null references policy.person on delete cascade,
    purpose     text not null check (purpose ~ '^[a-z_]{1,40}$'),
    granted     boolean not null,
    version     integer not null,
    text_hash   text not null check (text_hash ~ '^[0-9a-f]{64}$'),  -- sha-256 of the words that were shown
    said_at     timestamptz not null,
    said_by     uuid not null            -- a random account key: the person's own
);
create index consent_by_person on policy.consent (person_key, purpose, consent_id desc);

create table policy.offer (
    offer_id        uuid primary key,
    person_key      uuid not null references policy.person on delete cascade,
    policy_key      uuid not null references policy.policy,
    template        text not null,
    words           text not null,           -- exactly as the person sees them
    reveals         text[] not null,         -- what they tell the person that we know
    made_at         timestamptz not null,
    made_by         uuid not null,
    idempotency_key text not null,
    unique (made_by, idempotency_key)
);
create index offer_by_person on policy.offer (person_key, made_at desc);

create table policy.offer_answer (
    offer_id    uuid primary key references policy.offer on delete cascade,
    taken       boolean not null,
    answered_at timestamptz not null
);

-- What was not sent, and why: where the line is, is learned from what came near it.
create table policy.offer_refusal (
    offer_refusal_id bigint generated always as identity primary key,
    person_key  uuid not null references policy.person on delete cascade,
    template    text not null,
    words       text not null,
    reasons     text[] not null,
    refused_at  timestamptz not null,
    made_by     uuid not null
);

create trigger consent_is_immutable before update on policy.consent
    for each row execute function policy.refuse_change();
create trigger offer_is_immutable before update on policy.offer
    for each row execute function policy.refuse_change();
create trigger offer_answer_is_immutable before update on policy.offer_answer
    for each row execute function policy.refuse_change();
grant select, insert on policy.consent, policy.offer, policy.offer_answer, policy.offer_refusal to wayrate_policy;
grant usage on all sequences in schema policy to wayrate_policy;
