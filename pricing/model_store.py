"""The SQL of fitted models: their files, what following them found, and the book that they are followed on. Role:
policy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg import sql
from psycopg.rows import class_row, scalar_row, tuple_row
from psycopg.types.json import Jsonb

from storage.pool import Conn

_KEEP = """
    insert into policy.fitted_model (sha256, artefact, kept_at) values (%s, %s, %s) on conflict (sha256) do nothing
"""
_MODEL = "select artefact from policy.fitted_model where starts_with(sha256, %s)"
_KEEP_FOUND = """
    insert into policy.model_followed (sha256, made_at, found) values (%s, %s, %s) on conflict do nothing
"""
_LATEST = """
    select m.sha256, f.made_at, f.found
      from policy.fitted_model m
      left join lateral (select made_at, found from policy.model_followed
                          where sha256 = m.sha256 order by made_at desc limit 1) f on true
     where starts_with(m.sha256, %s)
"""
# A stay: months on end that a policy was posted by one of these plans on the same terms, those of the latest posting.
_STAYS = """
    with latest as (
        select distinct on (policy_key, period) policy_key, period, inputs from policy.statement
         where plan_hash = any(%(plans)s) order by policy_key, period, revision desc
    ), month as (
        select m.policy_key, m.period, (s.inputs -> 'terms')::text as terms, m.charged_m,
               left(m.period, 4)::integer * 12 + right(m.period, 2)::integer as number {counters}
          from latest s join policy.book_month m using (policy_key, period)
          left join policy.book_month_driving d using (policy_key, period)
         where m.days > 0
    ), stay as (
        select *, number - row_number() over (partition by policy_key, terms order by number) as since from month
    )
    select p.policy_key::text, t.terms, greatest(to_date(min(t.period), 'YYYY-MM'), p.starts_on),
           least((to_date(max(t.period), 'YYYY-MM') + interval '1 month')::date, p.ends_on),
           sum(t.charged_m)::bigint {sums}
      from stay t join policy.policy p using (policy_key)
     group by p.policy_key, p.starts_on, p.ends_on, t.terms, t.since
    having greatest(to_date(min(t.period), 'YYYY-MM'), p.starts_on)
           < least((to_date(max(t.period), 'YYYY-MM') + interval '1 month')::date, p.ends_on)
     order by 1, 3
"""
_CLAIMS = """
    select policy_key::text, occurred_on from policy.claim
     where cardinality(%(covers)s::text[]) = 0 or cover = any(%(covers)s) order by 1, 2
"""


@dataclass(frozen=True, slots=True)
class Found:
    """The latest that following a kept model found; None: it was not followed yet."""

    sha256: str
    made_at: datetime | None
    found: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Stays:
    """n stays: policy, JSON of its terms, days [begins, ends), metres charged, and sums of counters (n,) by name."""

    policy: tuple[str, ...]
    terms: tuple[str, ...]
    begins: tuple[date, ...]
    ends: tuple[date, ...]
    charged_m: tuple[int, ...]
    counters: dict[str, tuple[int, ...]]


def insert_model(conn: Conn, sha256: str, artefact: bytes, as_of: datetime) -> None:
    """Keeps a model's file; the same again changes nothing."""
    conn.execute(_KEEP, (sha256, artefact, as_of))


def fetch_model(conn: Conn, begin: str) -> bytes | None:
    """The file of the model whose hash begins so."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        found: bytes | None = cursor.execute(_MODEL, (begin,)).fetchone()
    return found


def insert_found(conn: Conn, sha256: str, found: object, as_of: datetime) -> None:
    """Keeps what following a model found."""
    conn.execute(_KEEP_FOUND, (sha256, as_of, Jsonb(found)))


def fetch_found(conn: Conn, begin: str) -> Found | None:
    """The latest of the model whose hash begins so; None: its file is not here."""
    with conn.cursor(row_factory=class_row(Found)) as cursor:
        return cursor.execute(_LATEST, (begin,)).fetchone()


def fetch_stays(conn: Conn, plans: Sequence[str], counters: Sequence[str]) -> Stays | None:
    """What was posted by these plans (hashes), by policy and begin, with these counters; None: nothing was."""
    names = [sql.Identifier(f"c{place}") for place in range(len(counters))]
    read = (
        sql.SQL(", coalesce((d.totals ->> {})::bigint, 0) as {}").format(sql.Literal(counter), name)
        for counter, name in zip(counters, names, strict=True)
    )
    sums_of = (sql.SQL(", sum({})::bigint").format(name) for name in names)
    asked = sql.SQL(_STAYS).format(counters=sql.SQL("").join(read), sums=sql.SQL("").join(sums_of))
    with conn.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(asked, {"plans": list(plans)}).fetchall()
    if not rows:
        return None
    policy, terms, begins, ends, charged_m, *sums = zip(*rows, strict=True)
    return Stays(policy, terms, begins, ends, charged_m, dict(zip(counters, sums, strict=True)))


def fetch_claims(conn: Conn, covers: Sequence[str]) -> list[tuple[str, date]]:
    """Policy and day of every claim of these covers, of any where none is named."""
    with conn.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(_CLAIMS, {"covers": list(covers)}).fetchall()
