-- depends: 0052.care-and-consents
-- What planning came to, by version: segments of the book, strategies on simulated markets, how customers leave. Made by
-- a command and read by pages; a version is never edited. Groups of people only, never one.

create table policy.planning_result (
    kind      text not null check (kind in ('segments', 'strategies', 'leaving')),
    version   integer not null check (version > 0),
    made_at   timestamptz not null,
    found     jsonb not null,
    primary key (kind, version)
);
create trigger planning_result_is_immutable before update or delete on policy.planning_result
    for each row execute function policy.refuse_change();
create trigger planning_result_is_not_truncated before truncate on policy.planning_result
    for each statement execute function policy.refuse_change();
grant select, insert on policy.planning_result to wayrate_policy;
