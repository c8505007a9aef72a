-- depends: 0050.audit-lists
-- What a claim costs as far as it is known: rows that are added, the latest stands. A claim without a settled one is open.

create table policy.claim_assessment (
    claim_assessment_id bigint generated always as identity primary key,
    claim_id  text not null references policy.claim on delete cascade,
    incurred  numeric not null check (incurred >= 0),  -- paid and reserved, in the currency of the policy's plan
    settled   boolean not null,
    known_at  timestamptz not null
);
create index claim_assessments on policy.claim_assessment (claim_id, claim_assessment_id desc);
create trigger claim_assessment_is_immutable before update on policy.claim_assessment
    for each row execute function policy.refuse_change();
grant select, insert on policy.claim_assessment to wayrate_policy;
grant usage on all sequences in schema policy to wayrate_policy;
