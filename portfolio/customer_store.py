"""The SQL of the customer card: who, which policies, the latest posted months. Role: policy, or as it says.

Months come from what was posted, not from trips: a card opens while the customer is on the phone, and no trip, no time
of day and no place stands on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, scalar_row, tuple_row

from storage.pool import Conn

_PERSON = """
    select p.person_key, p.name, p.email, h.policy_key, h.policy_id, h.starts_on, h.ends_on, h.plan_name, h.pay_plan,
           h.covers, h.factors, h.declared_km_per_year, h.sharing, h.time_zone
      from policy.person p left join policy.policy h using (person_key)
     where p.person_key = (select w.person_key from policy.person w
                            where w.email = %(text)s
                               or w.person_key = (select person_key from policy.policy where policy_id = %(text)s)
                            limit 1)
     order by h.ends_on desc, h.policy_id
"""
_MONTHS = """
    select s.period, sum(s.amount) as amount, min(s.currency) as currency, min(s.plan_hash) as plan_hash,
           (array_agg(s.worksheet order by s.revision desc))[1] as worksheet,
           (array_agg(s.inputs -> 'behaviour' order by s.revision desc))[1] as behaviour
      from policy.statement s
     where s.policy_key = %(policy_key)s
       and s.period in (select distinct period from policy.statement
                         where policy_key = %(policy_key)s order by period desc limit %(most)s)
     group by s.period order by s.period
"""
# Of each road class the first of four hour bands is the night.
_YEAR = """
    select coalesce(sum((select sum(metres) from unnest(cells_m) metres)), 0) / 1000.0,
           coalesce(sum((select sum(metres) from unnest(cells_m) with ordinality cell(metres, place)
                          where (place - 1) %% 4 = 0)), 0) / 1000.0
      from policy.book_month where policy_key = %(policy_key)s and period >= %(since)s
"""
_LAST_DAY = """
    select (max(t.ended_at) at time zone %(time_zone)s)::date as last_day
      from link.assignment a
      cross join lateral (select ended_at from telemetry.trip
                           where device_key = a.device_key and started_at >= a.from_time and started_at < a.to_time
                           order by started_at desc limit 1) t
     where a.policy_key = %(policy_key)s
"""
_OPEN_CONTESTS = """
    select c.raised_at from link.contest c left join link.contest_decision d using (contest_id)
     where c.policy_key = any(%s) and d.contest_id is null order by c.raised_at
"""
_CLAIMS = """
    select c.claim_id, cover, occurred_on, coalesce(a.settled, false) as is_settled, a.at_fault_percent
      from policy.claim c
      left join lateral (select settled, at_fault_percent from policy.claim_assessment
                          where claim_id = c.claim_id order by claim_assessment_id desc limit 1) a on true
     where policy_key = any(%s) order by is_settled, occurred_on desc limit 20
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a policy, or in a household that has one."""

    person_key: UUID
    name: str
    email: str | None


@dataclass(frozen=True, slots=True)
class HeldPolicy:
    """A policy as the card shows it."""

    policy_key: UUID
    policy_id: str
    starts_on: date
    ends_on: date
    plan_name: str
    pay_plan: str
    covers: list[str]
    factors: dict[str, Any]
    declared_km_per_year: int
    sharing: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Year:
    """A year of posted months: the kilometres whose hour is known, and of them those at night."""

    timed_km: float
    night_km: float


@dataclass(frozen=True, slots=True)
class PostedMonth:
    """What a month came to, the latest worksheet of it, and the driving signal that it was priced with."""

    period: str
    amount: Decimal
    currency: str
    plan_hash: str
    worksheet: list[dict[str, str]]
    behaviour: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class ReportedClaim:
    """A claim in a line."""

    claim_id: str
    cover: str
    occurred_on: date
    is_settled: bool
    at_fault_percent: int | None  # of the insured driver; None: not determined


def fetch_person(conn: Conn, text: str) -> tuple[Person, list[HeldPolicy]] | None:
    """Who has exactly this e-mail address or policy number, and their policies, the one that ends last first.

    Cards are not browsed.
    """
    if "\0" in text:
        return None  # PostgreSQL's text holds no NUL
    with conn.cursor(row_factory=tuple_row) as cur:
        rows = cur.execute(_PERSON, {"text": text.strip()}).fetchall()
    return (Person(*rows[0][:3]), [HeldPolicy(*row[3:]) for row in rows if row[3] is not None]) if rows else None


def fetch_months(conn: Conn, policy_key: UUID, most: int) -> list[PostedMonth]:
    """The latest posted months, the earliest of them first."""
    with conn.cursor(row_factory=class_row(PostedMonth)) as cur:
        return cur.execute(_MONTHS, {"policy_key": policy_key, "most": most}).fetchall()


def fetch_year(conn: Conn, policy_key: UUID, since_month: str) -> Year:
    """The posted months since one. What was driven is used only of who agreed that it is."""
    row = conn.execute(_YEAR, {"policy_key": policy_key, "since": since_month}).fetchone()
    assert row is not None, "a sum is always one row"
    return Year(float(str(row[0])), float(str(row[1])))


def fetch_last_day(conn: Conn, policy: HeldPolicy) -> date | None:
    """The day of the latest trip by the clock of the policy; None without one. Role: link."""
    with conn.cursor(row_factory=scalar_row) as cur:
        day: date | None = cur.execute(
            _LAST_DAY, {"policy_key": policy.policy_key, "time_zone": policy.time_zone}
        ).fetchone()
    return day


def fetch_open_contests(conn: Conn, policy_keys: Sequence[UUID]) -> list[datetime]:
    """Since when contests wait for a decision, the longest first. Role: link."""
    with conn.cursor(row_factory=scalar_row) as cur:
        times: list[datetime] = cur.execute(_OPEN_CONTESTS, (list(policy_keys),)).fetchall()
    return times


def fetch_claims(conn: Conn, policy_keys: Sequence[UUID]) -> list[ReportedClaim]:
    """The latest claims, those that are not settled first."""
    with conn.cursor(row_factory=class_row(ReportedClaim)) as cur:
        return cur.execute(_CLAIMS, (list(policy_keys),)).fetchall()
