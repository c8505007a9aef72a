-- depends: 0061.book-month-driving
-- Sums of the book's months, kept: figures and quotes of a large book read a few rows. A month's sums hold until one of
-- its rows changes; whoever reads them next makes them anew, so what is read is never of before.

create table policy.book_sum_kept (period text primary key);  -- the months whose sums hold
create table policy.book_sum (
    period          text    not null,
    currency        text    not null,
    score_band      integer not null,  -- [10 band, 10 band + 10); -1: without a score
    policies        bigint  not null,
    days            bigint  not null,
    driven_m        bigint  not null,
    charged_m       bigint  not null,
    premium         numeric not null,
    tax             numeric not null,
    expected_claims double precision not null,
    primary key (period, currency, score_band)
);
create table policy.book_cells (period text primary key, cells_m bigint[] not null);  -- charged, by road and hour
grant select, insert, update, delete on policy.book_sum_kept, policy.book_sum, policy.book_cells to wayrate_policy;

create function policy.forget_book_sums() returns trigger language plpgsql as $$
begin
    delete from policy.book_sum_kept where period in (select period from changed);
    return null;
end $$;
create trigger forget_inserted after insert on policy.book_month referencing new table as changed
    for each statement execute function policy.forget_book_sums();
create trigger forget_updated after update on policy.book_month referencing new table as changed
    for each statement execute function policy.forget_book_sums();
create trigger forget_deleted after delete on policy.book_month referencing old table as changed
    for each statement execute function policy.forget_book_sums();
