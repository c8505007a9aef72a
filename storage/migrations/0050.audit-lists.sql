-- depends: 0049.book-lists
-- The audit log is read by those who watch over it: by action, by who acted, by policy; the latest first.

create index audit_by_action on audit.entry (action, sequence desc);
create index audit_by_actor on audit.entry (actor, sequence desc);
create index audit_of_policy on audit.entry (policy_key, sequence desc) where policy_key is not null;
create index audit_by_time on audit.entry (noted_at);
