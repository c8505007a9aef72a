"""What a policy drove in a month as it is kept, read with the policy and the plan in one statement (policy role)."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import TupleRow

from pricing.store import AGREED_PLAN, Policy
from storage.pool import Conn

_PLANS = {
    "of_terms": AGREED_PLAN.format(policy="p", before="p.ends_on"),
    "of_month": AGREED_PLAN.format(policy="p", before="(to_date(m.period, 'YYYY-MM') + interval '1 month')::date"),
}
# One statement, so one snapshot: whether a change waits is of the same moment as what is kept. Its forms are texts of
# their own: with a parameter that may be null the server plans it anew for each request, at five times its cost.
_ASKED = """
    select p.policy_key, p.policy_id, n.name, n.email, p.starts_on, p.ends_on, p.plan_name, p.pay_plan, p.covers,
           p.factors, p.declared_km_per_year, p.time_zone, p.sharing,
           ({of_terms}) as plan_hash,
           ({of_month}) as scored_by,
           (select count(*) || '/' || coalesce(sum(w.trip_change_id), 0)
              from link.waiting_change w where w.policy_key = p.policy_key) as waiting,
           m.period, d.basis, d.taken_in, d.driven
      from policy.policy p
      join policy.person n using (person_key)
      cross join lateral (select {period} as period) m
      left join link.driven_month d on d.policy_key = p.policy_key and d.period = m.period
     where p.policy_id = %(policy_id)s
"""
_OF_PERSON = " and p.person_key = %(person_key)s"
OF_PERIOD = _ASKED.format(period="%(period)s::text", **_PLANS)
# The month of the latest trip, where that is not ahead of the policy's own clock; else this one.
OF_LATEST = _ASKED.format(
    period="""least(to_char(%(now)s::timestamptz at time zone p.time_zone, 'YYYY-MM'),
             (select max(t.local_month) from link.trip_of_policy t where t.policy_key = p.policy_key))""",
    **_PLANS,
)
_WAITING = "select count(*) || '/' || coalesce(sum(trip_change_id), 0) from link.waiting_change where policy_key = %s"
_KEEP = """
    insert into link.driven_month (policy_key, period, basis, taken_in, driven) values (%s, %s, %s, %s, %s)
    on conflict (policy_key, period) do update
       set basis = excluded.basis, taken_in = excluded.taken_in, driven = excluded.driven
"""
_POLICY_COLUMNS = len(fields(Policy))


@dataclass(frozen=True, slots=True)
class KeptMonth:
    """A policy, its plans, and what is kept of the month's driving; None: nothing, or by now another."""

    policy: Policy
    plan_hash: str  # what prices its terms
    scored_by: str  # what prices and scores the month
    waiting: str
    period: str
    basis: str | None
    taken_in: str | None
    driven: str | None


def fetch_kept(
    conn: Conn, policy_id: str, period: str | None, person_key: UUID | None, now: datetime | None = None
) -> KeptMonth | None:
    """The month of a policy of this person (None: of anybody). Without a period `now` says which is the latest."""
    values = {"policy_id": policy_id, "period": period, "now": now, "person_key": person_key}
    asked = OF_LATEST if period is None else OF_PERIOD
    row: TupleRow | None = conn.execute(asked if person_key is None else asked + _OF_PERSON, values).fetchone()
    return None if row is None else kept_of(row)


def kept_of(row: Sequence[Any]) -> KeptMonth:
    """A row of `OF_PERIOD` or `OF_LATEST`."""
    return KeptMonth(Policy(*row[:_POLICY_COLUMNS]), *row[_POLICY_COLUMNS:])


def fetch_waiting(conn: Conn, policy_key: UUID) -> str:
    """Which changes of the policy's trips nobody has followed yet, as a word."""
    row = conn.execute(_WAITING, (policy_key,)).fetchone()
    assert row is not None
    return str(row[0])


def keep_driven(conn: Conn, policy_key: UUID, period: str, basis: str, taken_in: str, driven: str) -> None:
    """Keeps what was driven, in the place of what was kept before."""
    conn.execute(_KEEP, (policy_key, period, basis, taken_in, driven))
