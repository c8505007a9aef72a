"""The SQL of who is left alone: open claims and complaints, care, contacts in the window. Role: policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.rows import class_row, tuple_row

from portfolio.errors import UnknownWord
from portfolio.suppression import CONTACT_WINDOW_DAYS, Circumstances
from portfolio.touchpoint_store import CONTACTS
from storage.audit import Act, note
from storage.pool import Conn

# Why somebody needs care, without what it is: a bereavement is a life event, an illness is what they asked for.
REASONS = ("asked", "life_event", "money", "understanding")
OVER = "no_longer"

# Of everybody of `keys`.
_CIRCUMSTANCES = """
    select p.person_key, (select min(c.occurred_on) from policy.policy o join policy.claim c using (policy_key)
             where o.person_key = p.person_key
               and not coalesce((select a.settled from policy.claim_assessment a where a.claim_id = c.claim_id
                                  order by a.claim_assessment_id desc limit 1), false)) as claim_since,
           (select min(t.occurred_at)::date from policy.touchpoint t
             where t.person_key = p.person_key and t.kind = 'complaint'
               and not exists (select 1 from policy.touchpoint x
                                where x.person_key = p.person_key and x.kind = 'complaint_closed'
                                  and (x.occurred_at, x.touchpoint_id) > (t.occurred_at, t.touchpoint_id)))
               as complaint_since,
           coalesce((select c.needs_care from policy.care c where c.person_key = p.person_key
                      order by c.care_id desc limit 1), false) as needs_care,
           (select count(*) from policy.touchpoint t
             where t.person_key = p.person_key and t.outbound and t.kind = any(%(contacts)s)
               and t.occurred_at >= %(since)s) as contacts
      from policy.person p where p.person_key = any(%(keys)s)
"""
_HISTORY = "select needs_care, reason, said_at from policy.care where person_key = %s order by care_id"
_LATEST = "select needs_care, reason, said_at from policy.care where person_key = %s order by care_id desc limit 1"
_SAY = "insert into policy.care (person_key, needs_care, reason, said_at, said_by) values (%s, %s, %s, %s, %s)"


@dataclass(frozen=True, slots=True)
class Care:
    """What was said last of whether a person needs care."""

    needs_care: bool
    reason: str
    said_at: datetime


def fetch_circumstances(conn: Conn, person_key: UUID, as_of: datetime) -> Circumstances:
    """What keeps us from offering this person anything now."""
    return fetch_circumstances_of(conn, [person_key], as_of).get(person_key, Circumstances())


def fetch_circumstances_of(conn: Conn, keys: Sequence[UUID], as_of: datetime) -> dict[UUID, Circumstances]:
    """The same of many."""
    values = {
        "keys": list(keys),
        "contacts": list(CONTACTS),
        "since": as_of - timedelta(days=CONTACT_WINDOW_DAYS),
    }
    with conn.cursor(row_factory=tuple_row) as cur:
        return {row[0]: Circumstances(*row[1:]) for row in cur.execute(_CIRCUMSTANCES, values).fetchall()}


def fetch_care(conn: Conn, person_key: UUID) -> Care | None:
    """What was said last; None: nobody ever said."""
    with conn.cursor(row_factory=class_row(Care)) as cur:
        return cur.execute(_LATEST, (person_key,)).fetchone()


def fetch_care_history(conn: Conn, person_key: UUID) -> list[Care]:
    """Everything that was said of it, in order: for the person's own export."""
    with conn.cursor(row_factory=class_row(Care)) as cur:
        return cur.execute(_HISTORY, (person_key,)).fetchall()


def say_care(conn: Conn, person_key: UUID, needs_care: bool, reason: str, *, said_by: UUID, as_of: datetime) -> bool:
    """Keeps what somebody says of it, and that they did in the audit log; False where it stands so already.

    Raises UnknownWord for a reason that there is not.
    """
    kept = reason if needs_care else OVER
    if needs_care and reason not in REASONS:
        raise UnknownWord("reason", reason, REASONS)
    held = fetch_care(conn, person_key)
    if (held is None and not needs_care) or (held is not None and (held.needs_care, held.reason) == (needs_care, kept)):
        return False
    conn.execute(_SAY, (person_key, needs_care, kept, as_of, said_by))
    act = Act("care_said", said_by, person_key=person_key, details={"needs_care": needs_care, "reason": kept})
    note(conn, act, as_of)
    return True
