-- depends: 0067.drivers-end
-- Whom to contact before their renewal, by day: the list stands while people work through it. What keeps us from somebody
-- is asked again at every look, so a row is no permission. Rows go with the person, and with the list after a while.

create table policy.contact_list (
    list_key   bigint generated always as identity primary key,
    made_at    timestamptz not null,
    found      jsonb not null  -- counts by reason, budget, sums: of nobody by name
);
create table policy.contact_due (
    list_key   bigint not null references policy.contact_list on delete cascade,
    place      integer not null check (place > 0),
    person_key uuid not null references policy.person on delete cascade,
    policy_key uuid not null references policy.policy on delete cascade,
    action     text not null,
    cost       double precision not null,  -- euro
    gain       double precision,  -- euro, expected, with its interval; null: an experiment's lot asks for it
    low        double precision,
    high       double precision,
    experiment text,
    why        text not null,
    primary key (list_key, place),
    unique (list_key, person_key)
);
create index contact_due_of_person on policy.contact_due (person_key);
create index contact_due_of_policy on policy.contact_due (policy_key);
grant select, insert, delete on policy.contact_list, policy.contact_due to wayrate_policy;

-- A customer's policies were found by reading all policies.
create index policy_of_person on policy.policy (person_key);
