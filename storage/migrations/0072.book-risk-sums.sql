-- depends: 0071.sign-in-attempts
-- Monitoring asks how claims come by predicted frequency: exposure and expected claims of a month by the bands of
-- api/workbench/book_sum_store.py, kept as the month's other sums are and forgotten with them.

create table policy.book_risk (
    period          text    not null,
    currency        text    not null,
    risk_band       integer not null,  -- of predicted frequency over the class mean's
    days            bigint  not null,
    expected_claims double precision not null,
    primary key (period, currency, risk_band)
);
grant select, insert, update, delete on policy.book_risk to wayrate_policy;
delete from policy.book_sum_kept;  -- what is kept by now lacks them
