-- depends: 0073.book-month-scored-by
-- The fitted model that a plan's basis names comes with the plan: its file, byte for byte, under the hash that it gives.
-- What following it on the book found is added beside it and never edited. Groups only, never one policy.

create table policy.fitted_model (
    sha256   text primary key check (sha256 ~ '^[0-9a-f]{64}$'),
    artefact bytea not null,
    kept_at  timestamptz not null
);
create table policy.model_followed (
    sha256  text not null references policy.fitted_model,
    made_at timestamptz not null,
    found   jsonb not null,
    primary key (sha256, made_at)
);
create trigger fitted_model_is_immutable before update or delete on policy.fitted_model
    for each row execute function policy.refuse_change();
create trigger fitted_model_is_not_truncated before truncate on policy.fitted_model
    for each statement execute function policy.refuse_change();
create trigger model_followed_is_immutable before update or delete on policy.model_followed
    for each row execute function policy.refuse_change();
create trigger model_followed_is_not_truncated before truncate on policy.model_followed
    for each statement execute function policy.refuse_change();
grant select, insert on policy.fitted_model, policy.model_followed to wayrate_policy;
