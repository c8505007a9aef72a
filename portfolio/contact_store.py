"""The SQL of contact lists as they were made, and of what became of their people since. Role: policy.

A row is no permission: consent, care, claims and experiments are asked again at every look.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from portfolio.consent_store import purpose_named
from portfolio.touchpoint_store import CONTACTS
from storage.pool import Conn

KEPT_FOR = timedelta(days=90)

_INSERT = "insert into policy.contact_list (made_at, found) values (%s, %s) returning list_key"
_FORGET = "delete from policy.contact_list where made_at < %s"
_COPY = """
    copy policy.contact_due (list_key, place, person_key, policy_key, action, cost, gain, low, high, experiment, why)
    from stdin
"""
_LATEST = "select list_key, made_at, found from policy.contact_list order by list_key desc limit 1"
# Those who still agree to be contacted and whose policy still ends when it did; of an experiment, to research as well.
_DUE = """
    select d.place, d.person_key, p.name, o.policy_id, o.ends_on, d.action, d.cost, d.gain, d.low, d.high, d.experiment,
           d.why,
           exists (select 1 from policy.touchpoint t where t.person_key = d.person_key and t.outbound
                      and t.occurred_at >= %(made_at)s and t.kind = any(%(contacts)s)) as is_done
      from policy.contact_due d join policy.person p using (person_key) join policy.policy o using (policy_key)
     where d.list_key = %(list_key)s and policy.agrees(d.person_key, 'contact', %(contact)s)
       and (d.experiment is null or policy.agrees(d.person_key, 'research', %(research)s))
       and o.ends_on >= %(today)s and o.ends_on <= %(until)s
     order by d.place
"""
_OF_PERSON = """
    select l.made_at, d.action, d.why from policy.contact_due d join policy.contact_list l using (list_key)
     where d.person_key = %s order by l.made_at
"""


@dataclass(frozen=True, slots=True)
class KeptList:
    """A list as it was made: its budget, sums and counts by reason."""

    list_key: int
    made_at: datetime
    found: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Due:
    """Somebody on it. Euro; `gain` None: an experiment's lot asks for it. `is_done`: they were gone to since."""

    place: int
    person_key: UUID
    name: str
    policy_id: str
    ends_on: date
    action: str
    cost: float
    gain: float | None
    low: float | None
    high: float | None
    experiment: str | None
    why: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """That a person was on a list: for their own export."""

    made_at: datetime
    action: str
    why: str


def insert_list(conn: Conn, found: Mapping[str, Any], rows: Sequence[Sequence[object]], as_of: datetime) -> int:
    """Keeps a list: its key. `rows` are person, policy, action, cost, gain, low, high, experiment, why, in their order.

    Lists older than KEPT_FOR go.
    """
    conn.execute(_FORGET, (as_of - KEPT_FOR,))
    made = conn.execute(_INSERT, (as_of, Jsonb(dict(found)))).fetchone()
    assert made is not None, "an insert returns its row"
    with conn.cursor() as cur, cur.copy(_COPY) as copy:
        for place, row in enumerate(rows, 1):
            copy.write_row((made[0], place, *row))
    return int(str(made[0]))


def fetch_latest_list(conn: Conn) -> KeptList | None:
    """The latest, without its people."""
    with conn.cursor(row_factory=class_row(KeptList)) as cur:
        return cur.execute(_LATEST).fetchone()


def fetch_due(conn: Conn, kept: KeptList, as_of: datetime, days: int) -> list[Due]:
    """Its people who may still be gone to as far as consent and term say, in their order."""
    values = {
        "list_key": kept.list_key,
        "made_at": kept.made_at,
        "contacts": list(CONTACTS),
        "contact": purpose_named("contact").text_hash,
        "research": purpose_named("research").text_hash,
        "today": as_of.date(),
        "until": as_of.date() + timedelta(days=days),
    }
    with conn.cursor(row_factory=class_row(Due)) as cur:
        return cur.execute(_DUE, values).fetchall()


def fetch_listed(conn: Conn, person_key: UUID) -> list[Listed]:
    """The lists that a person was on."""
    with conn.cursor(row_factory=class_row(Listed)) as cur:
        return cur.execute(_OF_PERSON, (person_key,)).fetchall()
