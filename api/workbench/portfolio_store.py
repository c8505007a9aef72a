"""The SQL of the book's figures: sums of months and groups, never one policy."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from psycopg.rows import class_row

from api.workbench.book_sum_store import RISK_EDGES, MonthBand, RiskBand, fetch_bands, fetch_risk_bands
from storage.pool import Conn

SCORE_STEP = 10
SEGMENTS = ("territory", "vehicle_class", "pay_plan")

# Claims are few: each finds its month by its key, whatever plan the server keeps.
_CLAIMS = """
    select m.period, width_bucket(m.claims_per_100000_km / m.class_mean, %(edges)s::numeric[]) as risk_band,
           count(*) as claims, count(a.incurred) as assessed, coalesce(sum(a.incurred), 0) as incurred,
           count(*) filter (where a.settled is not true) as is_open
      from policy.claim c
      join policy.book_month m on m.policy_key = c.policy_key and m.period = to_char(c.occurred_on, 'YYYY-MM')
      left join lateral (select incurred, settled from policy.claim_assessment
                          where claim_id = c.claim_id order by claim_assessment_id desc limit 1) a on true
     where c.occurred_on >= %(first)s and c.occurred_on < %(after)s and m.currency = %(currency)s
     group by 1, 2 order by 1, 2
"""
# One pass over the months; what a policy is by its terms now. Vehicles are those of the latest month.
_CELLS = """
    with terms as not materialized (
        select policy_key, coalesce(factors ->> 'territory', '') as territory,
               coalesce(factors ->> 'vehicle_class', '') as vehicle_class, pay_plan
          from policy.policy
    ), claim as (
        select t.territory, t.vehicle_class, t.pay_plan, count(*) as claims, coalesce(sum(a.incurred), 0) as incurred
          from policy.claim c join terms t using (policy_key)
          join policy.book_month m on m.policy_key = c.policy_key and m.period = to_char(c.occurred_on, 'YYYY-MM')
          left join lateral (select incurred from policy.claim_assessment
                              where claim_id = c.claim_id order by claim_assessment_id desc limit 1) a on true
         where c.occurred_on >= %(first)s and c.occurred_on < %(after)s and m.currency = %(currency)s
         group by 1, 2, 3
    ), month as (
        select t.territory, t.vehicle_class, t.pay_plan, count(*) filter (where m.period = %(to_month)s) as vehicles,
               sum(m.days)::bigint as days, sum(m.premium - m.tax) as earned,
               sum(m.expected_claims)::float as expected_claims
          from policy.book_month m join terms t using (policy_key)
         where m.period between %(from_month)s and %(to_month)s and m.premium is not null and m.currency = %(currency)s
         group by 1, 2, 3
    )
    select territory, vehicle_class, pay_plan, vehicles, days, earned, expected_claims, coalesce(claims, 0) as claims,
           coalesce(incurred, 0) as incurred
      from month left join claim using (territory, vehicle_class, pay_plan) order by 1, 2, 3
"""
_TOTALS = """
    select m.currency, p.pay_plan, count(*) as policies, sum(m.days)::bigint as days,
           sum(m.driven_m)::bigint as driven_m, sum(m.premium) as premium, sum(m.adjusted) as adjusted,
           sum(m.tax) as tax
      from policy.book_month m join policy.policy p using (policy_key)
     where m.period = %s and m.premium is not null group by 1, 2 order by 1, 2
"""
_CURRENCY = """
    select currency from policy.book_month where period = %s and premium is not null
     group by currency order by count(*) desc, currency limit 1
"""


@dataclass(frozen=True, slots=True)
class MonthClaims:
    """Claims that occurred in a month, of policies of one band of predicted frequency (None: of those without one):
    `assessed` have an amount, together `incurred`.
    """

    period: str
    risk_band: int | None
    claims: int
    assessed: int
    incurred: Decimal
    is_open: int


@dataclass(frozen=True, slots=True)
class Cell:
    """The policies of one territory, vehicle class and pay plan over the months; `vehicles` of the last."""

    territory: str
    vehicle_class: str
    pay_plan: str
    vehicles: int
    days: int
    earned: Decimal
    expected_claims: float
    claims: int
    incurred: Decimal


@dataclass(frozen=True, slots=True)
class StatementTotals:
    """What is posted of a month to the policies of one pay plan; `adjusted` and `tax` are within `premium`."""

    currency: str
    pay_plan: str
    policies: int
    days: int
    driven_m: int
    premium: Decimal
    adjusted: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class Months:
    """The months [from_month, to_month], their days [first, after), and the currency that most of them are in."""

    from_month: str
    to_month: str
    first: date
    after: date
    currency: str

    def values(self, **others: object) -> dict[str, object]:
        """As the queries name them."""
        return {name: getattr(self, name) for name in Months.__slots__} | others


def fetch_currency(conn: Conn, period: str) -> str | None:
    """The currency in which most policies of a month are posted."""
    row = conn.execute(_CURRENCY, (period,)).fetchone()
    return None if row is None else str(row[0])


def fetch_statement_totals(conn: Conn, period: str) -> list[StatementTotals]:
    """The posted statements of a month by currency and pay plan, however few."""
    with conn.cursor(row_factory=class_row(StatementTotals)) as cursor:
        return cursor.execute(_TOTALS, (period,)).fetchall()


def fetch_months(conn: Conn, months: Months) -> list[MonthBand]:
    """Posted months by score band."""
    return fetch_bands(conn, months.from_month, months.to_month, months.currency)


def fetch_month_claims(conn: Conn, months: Months) -> list[MonthClaims]:
    """Claims by the month in which they occurred and by predicted frequency."""
    with conn.cursor(row_factory=class_row(MonthClaims)) as cursor:
        return cursor.execute(_CLAIMS, months.values(edges=RISK_EDGES)).fetchall()


def fetch_cells(conn: Conn, months: Months) -> list[Cell]:
    """The book's cells: for sums by one of SEGMENTS, never to be shown one by one."""
    with conn.cursor(row_factory=class_row(Cell)) as cursor:
        return cursor.execute(_CELLS, months.values()).fetchall()


def fetch_risks(conn: Conn, months: Months) -> list[RiskBand]:
    """Exposure and expected claims of posted months by predicted frequency over the class mean's."""
    return fetch_risk_bands(conn, months.from_month, months.to_month, months.currency)
