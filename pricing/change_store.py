"""The SQL of policy changes and claims: rows that are never edited. Role: policy."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from pricing.claim_rule import RecordedClaim
from pricing.terms import PolicyChange
from storage.audit import Act, note
from storage.pool import Conn

_COLUMNS = """
    select change_id, policy_key, sequence, kind, effective_on, ends_on, terms, reason, made_by, made_at,
           idempotency_key, request_digest, plan_hash
      from policy.policy_change
"""
_OF_POLICY = _COLUMNS + " where policy_key = %s order by sequence"
_BY_KEY = _COLUMNS + " where made_by = %s and idempotency_key = %s"
_INSERT = """
    insert into policy.policy_change (change_id, policy_key, sequence, kind, effective_on, ends_on, terms, reason,
                                      made_by, made_at, idempotency_key, request_digest, plan_hash)
    values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing
"""
_POLICY_ID = "select policy_id from policy.policy where policy_key = %s"
# What the changes come to, for lists: the term, and the terms that hold at its end.
_SUM_UP = """
    update policy.policy set ends_on = %(ends_on)s, pay_plan = %(pay_plan)s, covers = %(covers)s,
           factors = %(factors)s, declared_km_per_year = %(declared_km_per_year)s, sharing = %(sharing)s
     where policy_key = %(policy_key)s
"""
_INSERT_CLAIM = """
    insert into policy.claim (claim_id, policy_key, cover, occurred_on, reported_at) values (%s, %s, %s, %s, %s)
    on conflict do nothing
"""
_CLAIM = "select policy_key, cover, occurred_on from policy.claim where claim_id = %s"
_ASSESS = """
    with latest as (select incurred, settled, at_fault_percent from policy.claim_assessment
                     where claim_id = %(claim_id)s order by claim_assessment_id desc limit 1),
         said as (select %(incurred)s::numeric as incurred, %(settled)s::boolean as settled,
                         coalesce(%(at_fault_percent)s::smallint,
                                  (select at_fault_percent from latest)) as at_fault_percent)
    insert into policy.claim_assessment (claim_id, incurred, settled, at_fault_percent, known_at)
    select %(claim_id)s, incurred, settled, at_fault_percent, %(as_of)s from said
     where not exists (select from latest where row(latest.*) is not distinct from row(said.*))
"""
_ON_RECORD = """
    select c.occurred_on, c.cover, a.at_fault_percent, a.incurred
      from policy.claim c
      left join lateral (select at_fault_percent, incurred from policy.claim_assessment
                          where claim_id = c.claim_id order by claim_assessment_id desc limit 1) a on true
     where c.policy_key = %s order by c.occurred_on, c.claim_id
"""
_CLAIM_FROM = (
    "select claim_id from policy.claim where policy_key = %s and occurred_on >= %s order by occurred_on limit 1"
)


def fetch_changes(conn: Conn, policy_key: UUID) -> list[PolicyChange]:
    """Everything that was agreed with a policy, in the order in which it was entered."""
    with conn.cursor(row_factory=class_row(PolicyChange)) as cursor:
        return cursor.execute(_OF_POLICY, (policy_key,)).fetchall()


def fetch_change_of_key(conn: Conn, made_by: UUID, idempotency_key: str) -> PolicyChange | None:
    """The change that this account made under this key."""
    with conn.cursor(row_factory=class_row(PolicyChange)) as cursor:
        return cursor.execute(_BY_KEY, (made_by, idempotency_key)).fetchone()


def insert_change(conn: Conn, change: PolicyChange) -> bool:
    """False where its number or its key is taken: the unique keys, not a check before them, are the guard."""
    values = (
        change.change_id, change.policy_key, change.sequence, change.kind, change.effective_on, change.ends_on,
        Jsonb(change.terms), change.reason, change.made_by, change.made_at, change.idempotency_key,
        change.request_digest, change.plan_hash,
    )  # fmt: skip
    if conn.execute(_INSERT, values).rowcount != 1:
        return False
    act = Act(f"policy_{change.kind}", change.made_by, policy_key=change.policy_key, object=str(change.change_id))
    note(conn, act, change.made_at)
    return True


def fetch_policy_id(conn: Conn, policy_key: UUID) -> str:
    """The id of a policy."""
    row = conn.execute(_POLICY_ID, (policy_key,)).fetchone()
    assert row is not None, "a change's policy is a foreign key"
    return str(row[0])


def sum_up(
    conn: Conn,
    policy_key: UUID,
    *,
    ends_on: date,
    pay_plan: str,
    covers: Sequence[str],
    factors: object,
    declared_km_per_year: int,
    sharing: str,
) -> None:
    """What the changes of a policy come to."""
    values = {
        "policy_key": policy_key,
        "ends_on": ends_on,
        "pay_plan": pay_plan,
        "covers": list(covers),
        "factors": Jsonb(factors),
        "declared_km_per_year": declared_km_per_year,
        "sharing": sharing,
    }
    conn.execute(_SUM_UP, values)


def insert_claim(conn: Conn, claim_id: str, policy_key: UUID, cover: str, occurred_on: date, as_of: datetime) -> bool:
    """False where the claim's id is taken."""
    return conn.execute(_INSERT_CLAIM, (claim_id, policy_key, cover, occurred_on, as_of)).rowcount == 1


def fetch_claim(conn: Conn, claim_id: str) -> tuple[UUID, str, date] | None:
    """Policy, cover and day of a claim."""
    row = conn.execute(_CLAIM, (claim_id,)).fetchone()
    if row is None:
        return None
    policy_key, cover, occurred_on = row
    assert isinstance(policy_key, UUID)
    assert isinstance(occurred_on, date)
    return policy_key, str(cover), occurred_on


def insert_assessment(
    conn: Conn, claim_id: str, incurred: Decimal, settled: bool, at_fault_percent: int | None, as_of: datetime
) -> bool:
    """False where the claim stands so already; a share of the fault that is not said (None) stays as it was."""
    values = {
        "claim_id": claim_id,
        "incurred": incurred,
        "settled": settled,
        "at_fault_percent": at_fault_percent,
        "as_of": as_of,
    }
    return conn.execute(_ASSESS, values).rowcount == 1


def fetch_claims_on_record(conn: Conn, policy_key: UUID) -> list[RecordedClaim]:
    """All claims of a policy, as far as they are known now."""
    with conn.cursor(row_factory=class_row(RecordedClaim)) as cursor:
        return cursor.execute(_ON_RECORD, (policy_key,)).fetchall()


def fetch_claim_from(conn: Conn, policy_key: UUID, day: date) -> str | None:
    """The first claim of a policy that occurred on that day or later."""
    row = conn.execute(_CLAIM_FROM, (policy_key, day)).fetchone()
    return None if row is None else str(row[0])
