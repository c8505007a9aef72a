"""The SQL of the audit log as its watchers read it: filtered, the latest first, with addresses and numbers for keys."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg.rows import class_row, scalar_row

from storage.pool import Conn

_ENTRIES = """
    select e.sequence, e.noted_at, coalesce(a.email, '') as actor, e.role, e.action,
           coalesce(p.policy_id, '') as policy_id, e.person_key is not null as of_a_person, e.object, e.details
      from audit.entry e
      left join policy.account a on a.account_key = e.actor
      left join policy.policy p on p.policy_key = e.policy_key
"""
_ACTIONS = """
    with recursive known(action) as (
        select min(action) from audit.entry
        union all select (select min(action) from audit.entry where action > known.action) from known
         where known.action is not null)
    select action from known where action is not null
"""
_COUNTS = """
    select action, count(*) from audit.entry where noted_at >= %s group by action order by count(*) desc, action
"""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries; empty: any. `actor` an address, `policy` a number, `since` and `until` bound the time."""

    action: str = ""
    role: str = ""
    actor: str = ""
    policy: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An entry in words. `actor` "": the program, or an account that is gone."""

    sequence: int
    noted_at: datetime
    actor: str
    role: str
    action: str
    policy_id: str
    of_a_person: bool
    object: str
    details: str


def fetch_audit_rows(conn: Conn, which: AuditFilter, count: int) -> list[AuditRow]:
    """The latest `count` entries of the filter."""
    with conn.cursor(row_factory=class_row(AuditRow)) as cursor:
        return cursor.execute(f"{_rows(which)} limit %(count)s", asdict(which) | {"count": count}).fetchall()


def each_audit_row(conn: Conn, which: AuditFilter) -> Iterator[AuditRow]:
    """All of them, some thousands in memory at a time."""
    with conn.cursor(name="audit", row_factory=class_row(AuditRow)) as cursor:
        cursor.itersize = 5000
        yield from cursor.execute(_rows(which), asdict(which))


def fetch_actions(conn: Conn) -> list[str]:
    """Every action that was ever noted."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        actions: list[str] = cursor.execute(_ACTIONS).fetchall()
        return actions


def count_since(conn: Conn, since: datetime) -> list[tuple[str, int]]:
    """How often each action was noted since then, the most often first."""
    return [(str(action), int(str(count))) for action, count in conn.execute(_COUNTS, (since,))]


def _rows(which: AuditFilter) -> str:
    asked = {
        "e.action = %(action)s": which.action,
        "e.role = %(role)s": which.role,
        "e.actor = (select account_key from policy.account where email = %(actor)s)": which.actor,
        "e.policy_key = (select policy_key from policy.policy where policy_id = %(policy)s)": which.policy,
        "e.noted_at >= %(since)s": which.since,
        "e.noted_at < %(until)s": which.until,
        "e.sequence < %(before)s": which.before,
    }
    held = [condition for condition, value in asked.items() if value]
    return f"{_ENTRIES}{f' where {" and ".join(held)}' if held else ''} order by e.sequence desc"
