-- A driver is shown to the policyholder by the name that the policyholder wrote: by the address alone nobody learns who
-- is in the book, or under which name. Of those named before it is not known what was written: their address, which
-- is, stands for it where they are in the book beside being named.
-- depends: 0077.erased-spans-received

alter table policy.policy_driver add column called text;
update policy.policy_driver d
   set called = case when exists (select from policy.policy o where o.person_key = d.person_key)
                       or exists (select from policy.account a where a.person_key = d.person_key)
                     then coalesce(p.email, 'driver') else p.name end
  from policy.person p where p.person_key = d.person_key;
alter table policy.policy_driver alter column called set not null;
