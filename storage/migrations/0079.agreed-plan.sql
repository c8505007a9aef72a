-- depends: 0078.drivers-called
-- A term keeps the rate plan by which it was agreed: what is published later, for whatever day, prices the terms that
-- are agreed after it.

alter table policy.policy_change add column plan_hash text references policy.rate_plan;

-- What was agreed before: by the plan of the term's first statement, else by the one in effect on its first day.
alter table policy.policy_change disable trigger policy_change_is_immutable;
update policy.policy_change c
   set plan_hash = coalesce(
       (select s.plan_hash from policy.statement s
         where s.policy_key = c.policy_key and s.revision = 0
           and (c.kind = 'bind' or to_date(s.period, 'YYYY-MM') >= c.effective_on)
         order by s.period limit 1),
       (select r.plan_hash from policy.rate_plan r join policy.policy p on p.plan_name = r.name
         where p.policy_key = c.policy_key and r.effective_from <= c.effective_on
         order by r.effective_from desc, r.published_at desc, r.plan_hash limit 1))
 where c.kind in ('bind', 'renew');
alter table policy.policy_change enable trigger policy_change_is_immutable;

alter table policy.policy_change
    add constraint a_term_names_its_plan check ((kind in ('bind', 'renew')) = (plan_hash is not null));
