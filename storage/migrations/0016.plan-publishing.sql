-- depends: 0015.dirty-window-key
-- A rate plan enters the book when a second person approves the content that the first one submitted, byte for byte of
-- what the hash is of. The database holds to it: what was submitted or approved is never edited, and no plan is
-- published without an approval by somebody else. Plans that ship were reviewed with the release that brings them.

create table policy.plan_submission (
    plan_hash    text primary key,
    name         text not null,
    version      text not null,
    content      text not null,
    bias_test    jsonb,                -- the audit of this plan, where its jurisdiction asks for one
    author       uuid not null references policy.account,
    submitted_at timestamptz not null
);

create table policy.plan_approval (
    plan_hash   text primary key references policy.plan_submission,
    approver    uuid not null references policy.account,
    approved_at timestamptz not null
);

alter table policy.rate_plan add column ships boolean not null default true;
alter table policy.rate_plan alter column ships drop default;

create function policy.refuse_own_approval() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp as $$
begin
    if exists (select from policy.plan_submission s
                where s.plan_hash = new.plan_hash and s.author = new.approver) then
        raise exception 'rate plan % is approved by its author: it takes a second person', new.plan_hash
            using errcode = 'check_violation';
    end if;
    return new;
end $$;
create function policy.refuse_unapproved_plan() returns trigger language plpgsql
    set search_path = pg_catalog, pg_temp as $$
begin
    if not new.ships and not exists (
        select from policy.plan_approval a join policy.plan_submission s using (plan_hash)
         where s.plan_hash = new.plan_hash and s.content = new.content) then
        raise exception 'rate plan % is not approved', new.plan_hash using errcode = 'check_violation';
    end if;
    return new;
end $$;

create trigger plan_approval_takes_two before insert on policy.plan_approval
    for each row execute function policy.refuse_own_approval();
create trigger rate_plan_is_approved before insert on policy.rate_plan
    for each row execute function policy.refuse_unapproved_plan();
create trigger plan_submission_is_immutable before update or delete on policy.plan_submission
    for each row execute function policy.refuse_change();
create trigger plan_submission_is_not_truncated before truncate on policy.plan_submission
    for each statement execute function policy.refuse_change();
create trigger plan_approval_is_immutable before update or delete on policy.plan_approval
    for each row execute function policy.refuse_change();
create trigger plan_approval_is_not_truncated before truncate on policy.plan_approval
    for each statement execute function policy.refuse_change();

grant select, insert on policy.plan_submission, policy.plan_approval to wayrate_policy;
