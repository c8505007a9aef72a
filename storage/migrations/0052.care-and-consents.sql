-- depends: 0051.claim-assessments
-- Who needs care is left alone: said by whoever was told, with a reason from a closed set; health itself is never kept.
-- Rows are added, the latest holds. No price reads this table.

create table policy.care (
    care_id     bigint generated always as identity primary key,
    person_key  uuid not null references policy.person on delete cascade,
    needs_care  boolean not null,
    reason      text not null check (reason in ('asked', 'life_event', 'money', 'understanding', 'no_longer')),
    said_at     timestamptz not null,
    said_by     uuid not null,                -- a random account key
    constraint the_end_has_its_own_reason check (needs_care = (reason <> 'no_longer'))
);
create index care_of_person on policy.care (person_key, care_id desc);
create trigger care_is_immutable before update on policy.care for each row execute function policy.refuse_change();
grant select, insert on policy.care to wayrate_policy;
grant usage on all sequences in schema policy to wayrate_policy;

-- Whether a person agrees to a purpose now, as it is worded today.
create function policy.agrees(who uuid, wanted text, words_hash text) returns boolean language sql stable as $$
    select coalesce((select granted and text_hash = words_hash from policy.consent
                      where person_key = who and purpose = wanted order by consent_id desc limit 1), false)
$$;
