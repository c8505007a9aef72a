"""What customers are worth by and who may be gone to, as columns: of one card or of a whole book, by the same words.

What a device measured is read only of who agrees to it. A customer's policy is the one that ends last. Role: policy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import scalar_row, tuple_row

from portfolio.consent_store import purpose_named
from portfolio.needs import MEASURED_FOR
from portfolio.offer_store import SILENT_AFTER
from portfolio.standings import Standings
from portfolio.suppression import RENEWAL_WITHIN_DAYS
from portfolio.touchpoint_store import CHANNEL_COST, CONTACTS, MINUTE_COST
from pricing.periods import months_before
from storage.pool import Conn

type Bools = NDArray[np.bool_]

ANSWERED_WITHIN = timedelta(days=730)  # answers to offers count for so long

_CUSTOMERS = """
    select person_key, policy_key, policy_id, ends_on,
           policy.agrees(person_key, 'contact', %(contact)s), policy.agrees(person_key, 'research', %(research)s)
      from (select distinct on (person_key) person_key, policy_key, policy_id, ends_on
              from policy.policy order by person_key, ends_on desc, policy_id) last_of
     where ends_on between %(today)s and %(until)s order by ends_on, policy_id
"""
_COUNT = "select count(*) from (select 1 from policy.policy group by person_key having max(ends_on) >= %s) held"
_MET = """
    select distinct person_key from policy.touchpoint
     where person_key = any(%(keys)s) and outbound and occurred_at >= %(since)s
       and (channel = %(channel)s or kind = %(kind)s)
"""
# One row a person of `keys` who has a policy, in the order of `keys`; sums are of the year before `as_of`.
_STANDINGS = """
    with whose as (
        select distinct on (p.person_key) p.person_key, p.policy_key, p.starts_on, p.ends_on, p.factors,
               p.declared_km_per_year
          from policy.policy p where p.person_key = any(%(keys)s)
         order by p.person_key, p.ends_on desc, p.policy_id),
    months as (
        select w.person_key,
               sum(m.premium - m.tax) / nullif(sum(m.days) filter (where m.premium is not null), 0) * 365.25 as premium,
               sum(m.premium - m.tax) filter (where m.period > %(half_month)s)
                   / nullif(sum(m.days) filter (where m.period > %(half_month)s), 0) as late,
               sum(m.premium - m.tax) filter (where m.period <= %(half_month)s)
                   / nullif(sum(m.days) filter (where m.period <= %(half_month)s), 0) as early,
               avg(m.score) filter (where m.period > %(half_month)s)
                   - avg(m.score) filter (where m.period <= %(half_month)s) as score_gain
          from whose w join policy.book_month m
            on m.policy_key = w.policy_key and m.period between %(since_month)s and %(this_month)s
         group by w.person_key),
    met as (
        select w.person_key, sum(c.cost + t.minutes * %(minute)s) as cost, bool_or(t.kind = 'complaint') as complained,
               bool_or(t.outbound and t.kind = any(%(contacts)s)
                       and t.occurred_at >= (w.ends_on - %(near)s)::timestamptz) as contacted
          from whose w join policy.touchpoint t using (person_key)
          join unnest(%(channels)s::text[], %(costs)s::numeric[]) c(channel, cost) using (channel)
         where t.occurred_at >= %(since)s and t.occurred_at <= %(as_of)s group by w.person_key),
    answered as (
        select w.person_key, bool_or(a.taken) as taken, bool_or(not a.taken) as refused,
               bool_or(a.taken is null and o.made_at < %(silent)s) as silent,
               array_agg(o.template) filter (where not coalesce(a.taken, false) and o.made_at >= %(since)s) as unwanted
          from whose w join policy.offer o using (person_key)
          left join policy.offer_answer a on a.offer_id = o.offer_id and a.answered_at <= %(as_of)s
         where o.made_at >= %(offered)s and o.made_at <= %(as_of)s group by w.person_key)
    select w.person_key, m.premium, coalesce(met.cost, 0), w.declared_km_per_year,
           case when jsonb_typeof(w.factors -> 'driver_age') = 'number' then (w.factors ->> 'driver_age')::float8 end,
           (w.factors ->> 'territory' is not distinct from 'urban')::int,
           greatest(%(today)s - w.starts_on, 0) / 365.25, coalesce(met.complained, false)::int,
           exists (select 1 from policy.policy o join policy.claim c using (policy_key)
                    where o.person_key = w.person_key and c.occurred_on >= %(since)s::date
                      and c.occurred_on <= %(today)s)::int,
           coalesce(greatest(ln(nullif(m.late, 0) / nullif(m.early, 0)), 0), 0),
           case when policy.agrees(w.person_key, %(measured_for)s, %(measured)s) then m.score_gain end,
           coalesce(answered.taken, false)::int, coalesce(answered.refused, false)::int,
           coalesce(answered.silent, false)::int, coalesce(met.contacted, false),
           coalesce(answered.unwanted, '{}')
      from unnest(%(keys)s::uuid[]) with ordinality k(person_key, place) join whose w using (person_key)
      left join months m using (person_key) left join met using (person_key)
      left join answered using (person_key)
     order by k.place
"""


@dataclass(frozen=True, slots=True)
class Found:
    """Of n customers in the order in which they were asked for: what they are worth by, what bears on going to them.

    `contacted`: by us and unasked, since their renewal came near; `unwanted`: offers that they did not take in a year.
    """

    people: list[UUID]
    standings: Standings
    contacted: Bools
    unwanted: list[list[str]]


@dataclass(frozen=True, slots=True)
class Near:
    """Somebody whose policy ends soon."""

    person_key: UUID
    policy_key: UUID
    policy_id: str
    ends_on: date
    may_contact: bool
    may_research: bool


def fetch_near(conn: Conn, as_of: datetime, days: int) -> list[Near]:
    """Whose policy ends within so many days, the soonest first."""
    values = {
        "today": as_of.date(),
        "until": as_of.date() + timedelta(days=days),
        "contact": purpose_named("contact").text_hash,
        "research": purpose_named("research").text_hash,
    }
    with conn.cursor(row_factory=tuple_row) as cur:
        return [Near(*row) for row in cur.execute(_CUSTOMERS, values).fetchall()]


def fetch_met(conn: Conn, keys: Sequence[UUID], since: datetime, channel: str, kind: str) -> set[UUID]:
    """Those of these people to whom we went by this channel, or with this, since then."""
    values = {"keys": list(keys), "since": since, "channel": channel, "kind": kind}
    with conn.cursor(row_factory=scalar_row) as cur:
        return set(cur.execute(_MET, values).fetchall())


def count_customers(conn: Conn, as_of: datetime) -> int:
    """How many people have a policy in force."""
    row = conn.execute(_COUNT, (as_of.date(),)).fetchone()
    return int(str(row[0])) if row else 0


def fetch_standings(conn: Conn, keys: Sequence[UUID], as_of: datetime) -> Found:
    """Of everybody of `keys` who has a policy, as it was known at `as_of`."""
    since = as_of - timedelta(days=365)
    values = {
        "keys": list(keys),
        "as_of": as_of,
        "today": as_of.date(),
        "since": since,
        "since_month": months_before(f"{as_of:%Y-%m}", 12),
        "half_month": months_before(f"{as_of:%Y-%m}", 7),
        "this_month": f"{as_of:%Y-%m}",
        "silent": as_of - SILENT_AFTER,
        "offered": as_of - ANSWERED_WITHIN,
        "near": RENEWAL_WITHIN_DAYS,
        "contacts": list(CONTACTS),
        "minute": MINUTE_COST,
        "channels": list(CHANNEL_COST),
        "costs": list(CHANNEL_COST.values()),
        "measured_for": MEASURED_FOR,
        "measured": purpose_named(MEASURED_FOR).text_hash,
    }
    with conn.cursor(row_factory=tuple_row, binary=True) as cur:
        rows = cur.execute(_STANDINGS, values).fetchall()
    columns = list(zip(*rows, strict=True)) if rows else [()] * 16
    numbers = [np.array([np.nan if v is None else v for v in column], dtype=np.float64) for column in columns[1:14]]
    return Found(
        people=list(columns[0]),
        standings=Standings(*numbers),
        contacted=np.array(columns[14], dtype=np.bool_),
        unwanted=list(columns[15]),
    )
