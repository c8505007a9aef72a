"""The book in the database as columns of customers, for planning: a row a policy, nobody by name. Role: policy.

What a device measured is read only of who agrees to research now; of others the kilometres are those they declared and
the night is not known.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from psycopg.rows import tuple_row

from portfolio.consent_store import purpose_named
from portfolio.customers_file import CHANNELS, Asked, Customers
from portfolio.touchpoint_store import CHANNEL_COST, MINUTE_COST
from storage.pool import Conn

DAYS_A_YEAR = 365.25
NIGHT_EVERY = 4  # hour bands of a road class in `cells_m`, night the first of them
TAKEN_WITHIN = timedelta(days=30)
LAPSED_AFTER_DAYS = 14
_MADE_BY = {"call_centre": "call"}  # a channel of the file, as the log calls it

_POLICIES = """
    with months as (
        select m.policy_key, sum(m.days) as days, sum(m.premium - m.tax) as premium, min(m.currency) as currency,
               sum(m.charged_m) as charged_m,
               sum((select sum(metres) from unnest(m.cells_m) with ordinality cell(metres, place)
                     where (place - 1) %% %(night_every)s = 0)) as night_m,
               sum((select sum(metres) from unnest(m.cells_m) metres)) as cells_m
          from policy.book_month m where m.period >= %(since_month)s and m.premium is not null group by m.policy_key),
    latest as (
        select distinct on (claim_id) claim_id, incurred from policy.claim_assessment
         order by claim_id, claim_assessment_id desc),
    lost as (
        select c.policy_key, count(*) as claims, count(l.incurred) as assessed, coalesce(sum(l.incurred), 0) as incurred
          from policy.claim c left join latest l using (claim_id) where c.occurred_on >= %(since)s::date
         group by c.policy_key),
    met as (
        select person_key, sum(minutes) as minutes, count(*) filter (where channel = 'app') as app,
               count(*) filter (where channel = 'web') as web, count(*) filter (where channel = 'email') as email,
               count(*) filter (where channel = 'call') as call, count(*) filter (where channel = 'letter') as letter
          from policy.touchpoint where occurred_at >= %(since)s and occurred_at < %(as_of)s group by person_key),
    held as (select person_key, count(*) as policies from policy.policy group by person_key),
    renewed as (
        select policy_key, count(*) filter (where kind = 'renew') as kept, bool_or(kind = 'cancel') as cancelled
          from policy.policy_change where made_at >= %(since)s and made_at <= %(as_of)s group by policy_key)
    select m.days, m.premium, m.charged_m, coalesce(m.night_m, 0), coalesce(m.cells_m, 0),
           p.declared_km_per_year, p.factors ->> 'driver_age', coalesce(p.factors ->> 'territory', 'not said'),
           coalesce((select a.vehicles from policy.household_member h
                       join policy.household_answer a using (household_key)
                      where h.person_key = p.person_key order by a.household_answer_id desc limit 1), held.policies),
           policy.agrees(p.person_key, 'research', %(research)s), policy.agrees(p.person_key, 'contact', %(contact)s),
           coalesce(lost.claims, 0), coalesce(lost.assessed, 0), coalesce(lost.incurred, 0), p.pay_plan, m.currency,
           coalesce(met.minutes, 0) / held.policies, coalesce(met.app, 0) / held.policies::float8,
           coalesce(met.web, 0) / held.policies::float8, coalesce(met.email, 0) / held.policies::float8,
           coalesce(met.call, 0) / held.policies::float8, coalesce(met.letter, 0) / held.policies::float8,
           coalesce(renewed.kept, 0),
           (coalesce(renewed.cancelled, false)
            or (p.ends_on >= %(since)s::date and p.ends_on + %(late)s <= %(as_of)s::date))::int
      from policy.policy p join months m using (policy_key) join held using (person_key)
      left join lost using (policy_key) left join met using (person_key) left join renewed using (policy_key)
     where m.days > 0
"""
# Who asked for prices while not priced by use, and whether they are within the window.
_ASKED = """
    with asked as (
        select t.person_key, min(t.occurred_at) as at from policy.touchpoint t
         where t.kind = 'quote' and t.occurred_at >= %(since)s and t.occurred_at + %(window)s <= %(as_of)s
         group by t.person_key)
    select p.declared_km_per_year, p.factors ->> 'driver_age', p.factors ->> 'territory',
           exists (select 1 from policy.policy_change c
                    where c.policy_key = p.policy_key and c.made_at > a.at and c.made_at <= a.at + %(window)s
                      and c.terms ->> 'pay_plan' <> all(%(flat)s))
      from asked a join policy.policy p using (person_key)
     where coalesce((select c.terms ->> 'pay_plan' from policy.policy_change c
                      where c.policy_key = p.policy_key and c.made_at <= a.at and c.terms ? 'pay_plan'
                      order by c.sequence desc limit 1), p.pay_plan) = any(%(flat)s)
"""


@dataclass(frozen=True, slots=True)
class Book:
    """The customers of one currency, who asked for prices, and how many policies of other currencies were left out."""

    customers: Customers
    asked: Asked
    currency: str
    left_out: int


def read_book(conn: Conn, since: datetime, as_of: datetime, flat_plans: tuple[str, ...]) -> Book:
    """The policies that had posted cover since then; `flat_plans` are the pay plans that are not priced by use."""
    values: dict[str, Any] = {
        "since": since,
        "since_month": f"{since:%Y-%m}",
        "as_of": as_of,
        "late": LAPSED_AFTER_DAYS,
        "window": TAKEN_WITHIN,
        "night_every": NIGHT_EVERY,
        "flat": list(flat_plans),
        "research": purpose_named("research").text_hash,
        "contact": purpose_named("contact").text_hash,
    }
    with conn.cursor(row_factory=tuple_row) as cur:
        rows = cur.execute(_POLICIES, values).fetchall()
        asked = cur.execute(_ASKED, values).fetchall()
    currencies = [row[15] for row in rows]
    currency = max(sorted(set(currencies)), key=currencies.count, default="")
    kept = [row for row in rows if row[15] == currency]
    return Book(_customers(kept), _asked(asked), currency, len(rows) - len(kept))


def _customers(rows: list[tuple[Any, ...]]) -> Customers:
    columns = list(zip(*rows, strict=True)) if rows else [()] * 24

    def numbers(at: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([np.nan if value is None else float(value) for value in columns[at]], dtype=np.float64)

    years, declared, research = numbers(0) / DAYS_A_YEAR, numbers(5), np.array(columns[9], dtype=np.bool_)
    driven_km, cells_m = numbers(2) / 1000.0, numbers(4)
    is_measured = research & (driven_km > 0)
    claims, assessed, incurred = numbers(11), numbers(12), numbers(13)
    mean_claim = incurred.sum() / assessed.sum() if assessed.sum() else 0.0
    contacts = np.stack([numbers(at) for at in (17, 18, 19, 20, 21)], axis=1)
    costs = np.array([float(CHANNEL_COST[_MADE_BY.get(name, name)]) for name in CHANNELS])
    age = numbers(6)
    return Customers(
        exposure_years=years,
        km_per_year=np.where(is_measured, driven_km / np.maximum(years, 1e-9), declared),
        declared_km_per_year=declared,
        age=np.where(np.isfinite(age), age, np.nanmedian(age) if np.isfinite(age).any() else 45.0),
        territory=np.array(columns[7], dtype=np.str_),
        household_vehicles=numbers(8),
        night_share=np.where(is_measured & (cells_m > 0), numbers(3) / np.maximum(cells_m, 1.0), np.nan),
        premium=numbers(1),
        losses=incurred + (claims - assessed) * mean_claim,
        claims=claims,
        service_cost=contacts @ costs + numbers(16) * float(MINUTE_COST),
        contacts=contacts,
        may_be_contacted=np.array(columns[10], dtype=np.bool_),
        pay_plan=np.array(columns[14], dtype=np.str_),
        renewed=numbers(22),
        left=numbers(23),
    )


def _asked(rows: list[tuple[Any, ...]]) -> Asked:
    return Asked(
        np.array([float(row[0]) for row in rows]),
        np.array([float(row[1] or 45.0) for row in rows]),
        np.array([row[2] == "urban" for row in rows], dtype=np.bool_),
        np.array([row[3] for row in rows], dtype=np.bool_),
    )
