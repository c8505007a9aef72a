-- depends: 0022.audit
-- Experiments of one cycle: planned, built, executed, assessed. The plan is fixed before anybody is treated.

create table policy.experiment (
    name       text primary key check (name ~ '^[a-z0-9-]{1,60}$'),
    template   text,                      -- the offer that is tried; null: something else is
    plan       jsonb not null,            -- portfolio.experiments.Plan
    planned_by uuid not null,
    planned_at timestamptz not null
);

create table policy.experiment_step (
    name     text not null references policy.experiment,
    step     text not null check (step in ('plan', 'build', 'execute', 'assess')),
    words    text not null check (length(words) <= 2000),
    done_by  uuid not null,
    done_at  timestamptz not null,
    verdict  jsonb,                       -- of assess: portfolio.experiments.Assessment
    primary key (name, step)
);

create table policy.experiment_outcome (
    name       text not null references policy.experiment,
    person_key uuid not null references policy.person on delete cascade,
    outcome    double precision not null,
    guarded    double precision,
    known_at   timestamptz not null,
    primary key (name, person_key)
);

create trigger experiment_is_immutable before update or delete on policy.experiment
    for each row execute function policy.refuse_change();
create trigger experiment_step_is_immutable before update or delete on policy.experiment_step
    for each row execute function policy.refuse_change();
create trigger experiment_outcome_is_immutable before update on policy.experiment_outcome
    for each row execute function policy.refuse_change();
grant select, insert on policy.experiment, policy.experiment_step, policy.experiment_outcome to wayrate_policy;
