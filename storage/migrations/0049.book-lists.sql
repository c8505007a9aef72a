-- depends: 0048.book-months
-- Lists and figures of a month read one index and no row: the book is asked far more often than it is written.

create index book_month_list on policy.book_month (period, policy_key)
    include (days, trips, driven_m, charged_m, relabelled_m, score, premium, adjusted, tax, currency, claims_per_100000_km,
             expected_claims);
create index claim_by_day on policy.claim (occurred_on);
