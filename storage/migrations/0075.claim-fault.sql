-- depends: 0074.fitted-models
-- Whose fault an accident was, as far as it is determined: the insured driver's share in percent, beside what it costs.

alter table policy.claim_assessment
    add column at_fault_percent smallint check (at_fault_percent between 0 and 100);  -- null: not determined
