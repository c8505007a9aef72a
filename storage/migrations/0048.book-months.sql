-- depends: 0043.account-identity
-- The book by month, one narrow row a policy: what was driven and counted, scored and charged. It is summed up in the
-- transaction that posts or adjusts the month, so that lists and figures of a large book read rows and not trips.

create table policy.book_month (
    policy_key   uuid not null references policy.policy,
    period       text not null check (period ~ '^\d{4}-\d{2}$'),
    days         integer not null,     -- of cover
    trips        integer not null,
    driven_m     bigint not null,
    charged_m    bigint not null,      -- of the driven metres, insured and certified driving in the term
    relabelled_m bigint not null,      -- of the driven metres, what the policyholder said was no own drive
    gap_m        bigint not null,      -- charged, estimated
    cells_m      integer[] not null,   -- charged, by road class and hour band in the order of scoring.classes
    claims_per_100000_km numeric,      -- predicted for the score's window, as the premium was made with; null: no score
    score        double precision,
    expected_claims double precision not null,
    premium      numeric,              -- the sum of what is posted; null: nothing is
    adjusted     numeric not null,     -- of it adjustments
    tax          numeric not null,     -- of it tax
    currency     text,
    primary key (period, policy_key)
);
create index book_month_of_policy on policy.book_month (policy_key, period);
grant select, insert, update, delete on policy.book_month to wayrate_policy;

-- Lists of the book: by number, and those in force.
create index policy_by_number on policy.policy (policy_id text_pattern_ops);

-- What is posted already; how it was driven is summed up by the next `wayrate work`, as if every trip had changed.
insert into policy.book_month
select s.policy_key, s.period, 0, 0, 0, 0, 0, 0, '{}', null, null, 0, sum(s.amount),
       coalesce(sum(s.amount) filter (where s.kind = 'adjustment'), 0),
       coalesce(sum((select sum((line ->> 'amount')::numeric) from jsonb_array_elements(s.lines) line
                      where line ->> 'name' = substring(r.content from 'tax_name\s*=\s*"([^"]*)"'))), 0),
       min(s.currency)
  from policy.statement s join policy.rate_plan r using (plan_hash) group by s.policy_key, s.period;
insert into telemetry.trip_change (device_key, from_month, changed_at)
select device_key, min(local_month), now() from telemetry.trip group by device_key;
