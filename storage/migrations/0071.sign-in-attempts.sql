-- depends: 0070.erased-spans
-- Tries to sign in that have not been found good, so that all processes count them together. An address stands here by
-- its hash, for ten minutes: the next try of whoever takes out what is older.

create table policy.sign_in_attempt (
    email_hash bytea primary key check (octet_length(email_hash) = 32),
    tried_at   timestamptz[] not null,  -- rising; as many as may be, at most
    last_at    timestamptz not null
);
create index sign_in_attempt_by_age on policy.sign_in_attempt (last_at);
grant select, insert, update, delete on policy.sign_in_attempt to wayrate_policy;
