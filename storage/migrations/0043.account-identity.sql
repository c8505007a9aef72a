-- depends: 0042.driven-month
-- Which account a person at an identity provider signs in to: by issuer and subject, which never change, not by address.

create table policy.account_identity (
    issuer      text not null,
    subject     text not null,
    account_key uuid not null references policy.account on delete cascade,
    linked_at   timestamptz not null,
    primary key (issuer, subject),
    unique (account_key, issuer)
);
grant select, insert, delete on policy.account_identity to wayrate_policy;
