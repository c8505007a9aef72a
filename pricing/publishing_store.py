"""The SQL of publishing: what was submitted by whom, and who approved it. Neither is ever edited."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from storage.pool import Conn

_INSERT_SUBMISSION = """
    insert into policy.plan_submission (plan_hash, name, version, content, bias_test, author, submitted_at)
    values (%s, %s, %s, %s, %s, %s, %s) on conflict (plan_hash) do nothing
"""
_SUBMISSIONS = """
    select s.plan_hash, s.name, s.version, s.content, s.author, a.email as author_email, s.submitted_at,
           s.bias_test is not null as has_bias_test, b.email as approver_email, p.approved_at
      from policy.plan_submission s join policy.account a on a.account_key = s.author
      left join policy.plan_approval p using (plan_hash) left join policy.account b on b.account_key = p.approver
"""
_SUBMISSION = _SUBMISSIONS + " where s.plan_hash = %s"
_LATEST = _SUBMISSIONS + " where s.name = %s and s.version = %s order by s.submitted_at desc, s.plan_hash limit 1"
_ALL = _SUBMISSIONS + " order by s.submitted_at desc, s.plan_hash"
_APPROVE = """
    insert into policy.plan_approval (plan_hash, approver, approved_at) values (%s, %s, %s)
    on conflict (plan_hash) do nothing
"""
_PUBLISHED = "select plan_hash, currency from policy.rate_plan where name = %s"


@dataclass(frozen=True, slots=True)
class Submission:
    """A plan as somebody submitted it, and who approved it if anybody has."""

    plan_hash: str
    name: str
    version: str
    content: str
    author: UUID
    author_email: str
    submitted_at: datetime
    has_bias_test: bool
    approver_email: str | None
    approved_at: datetime | None


def insert_submission(
    conn: Conn, plan_hash: str, name: str, version: str, content: str, bias_test: object, author: UUID, as_of: datetime
) -> None:
    """A plan waits for its approval; the same plan again changes nothing."""
    audit = None if bias_test is None else Jsonb(bias_test)
    conn.execute(_INSERT_SUBMISSION, (plan_hash, name, version, content, audit, author, as_of))


def fetch_submission(conn: Conn, plan_hash: str) -> Submission | None:
    """What was submitted under that hash."""
    with conn.cursor(row_factory=class_row(Submission)) as cursor:
        return cursor.execute(_SUBMISSION, (plan_hash,)).fetchone()


def fetch_latest(conn: Conn, name: str, version: str) -> Submission | None:
    """What was submitted last under that name and version."""
    with conn.cursor(row_factory=class_row(Submission)) as cursor:
        return cursor.execute(_LATEST, (name, version)).fetchone()


def fetch_published(conn: Conn, name: str) -> list[tuple[str, str]]:
    """Hash and currency of each version of a plan that is in the book."""
    return [(str(plan_hash), str(currency)) for plan_hash, currency in conn.execute(_PUBLISHED, (name,))]


def fetch_submissions(conn: Conn) -> list[Submission]:
    """Everything that was submitted, the newest first."""
    with conn.cursor(row_factory=class_row(Submission)) as cursor:
        return cursor.execute(_ALL).fetchall()


def insert_approval(conn: Conn, plan_hash: str, approver: UUID, as_of: datetime) -> None:
    """The plan is approved; the first approval stands."""
    conn.execute(_APPROVE, (plan_hash, approver, as_of))
