-- depends: 0021.consents-and-offers
-- Who looked at a person's data and who decided about money: rows that are added, never edited, each with the hash of the
-- one before. Random keys only: no name, no address, no place may stand here, so erasing a person leaves the log whole.

create schema audit;
grant usage on schema audit to wayrate_telemetry, wayrate_policy, wayrate_link;

create table audit.entry (
    sequence   bigint primary key,
    noted_at   timestamptz not null,
    actor      uuid not null,           -- a random account key; all zeros: the program itself
    role       text not null,
    action     text not null check (action ~ '^[a-z_]{1,40}$'),
    person_key uuid,
    policy_key uuid,
    object     text not null check (length(object) <= 200),  -- an id or a hash, where there is one
    details    text not null check (length(details) <= 4000),  -- JSON as it is hashed
    previous   bytea not null check (octet_length(previous) = 32),
    hash       bytea not null check (octet_length(hash) = 32)
);
create index audit_of_person on audit.entry (person_key, sequence desc) where person_key is not null;

-- Every field with its length before it, so no two rows are the same bytes.
create function audit.framed(variadic fields text[]) returns bytea language sql immutable as $$
    select convert_to(string_agg(octet_length(convert_to(field, 'UTF8')) || ':' || field, '' order by place), 'UTF8')
      from unnest(fields) with ordinality as one(field, place)
$$;

-- One writer at a time: looks and decisions of people are few, and a chain has one end.
create function audit.link_to_the_last() returns trigger language plpgsql security definer set search_path = audit as $$
declare last audit.entry;
begin
    perform pg_advisory_xact_lock(hashtextextended('audit.entry', 0));
    select * into last from audit.entry order by sequence desc limit 1;
    new.sequence := coalesce(last.sequence, 0) + 1;
    -- Whose policy it is and as what somebody acted is known here, and not in every room that writes.
    new.role := coalesce(nullif(new.role, ''), (select a.role from policy.account a where a.account_key = new.actor), 'program');
    new.person_key := coalesce(new.person_key,
                               (select p.person_key from policy.policy p where p.policy_key = new.policy_key));
    new.previous := coalesce(last.hash, decode(repeat('00', 32), 'hex'));
    new.hash := sha256(audit.framed(
        new.sequence::text, (extract(epoch from new.noted_at) * 1000000)::bigint::text, new.actor::text, new.role,
        new.action, coalesce(new.person_key::text, ''), coalesce(new.policy_key::text, ''), new.object, new.details,
        encode(new.previous, 'hex')));
    return new;
end $$;
create trigger entry_is_chained before insert on audit.entry for each row execute function audit.link_to_the_last();

create function audit.refuse() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is only added to' using errcode = 'restrict_violation';
end $$;
create trigger entry_is_immutable before update or delete on audit.entry for each row execute function audit.refuse();
create trigger entry_is_not_truncated before truncate on audit.entry for each statement execute function audit.refuse();

grant insert on audit.entry to wayrate_telemetry, wayrate_policy, wayrate_link;
grant select on audit.entry to wayrate_policy;
