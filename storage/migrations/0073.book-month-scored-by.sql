-- depends: 0072.book-risk-sums
-- What a change of plan would do to the book is asked of whole months. Where both plans predict by the model that a
-- month was scored by, over as many months, what is kept is their prediction, and no driving has to be summed anew.

alter table policy.book_month
    add column scored_by text;  -- model and months of its window; null: kept before this was noted

-- Tiers, minutes and days without readings, beside the counters, which are many times as wide.
create index book_month_driving_list on policy.book_month_driving (period, policy_key)
    include (tier, minutes, unmeasured_days);
