"""The SQL of the book by month: one row a policy and month, written whole each time. Role: policy."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from uuid import UUID

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from pricing.periods import months_before
from storage.pool import Conn

# What is posted is read from the statements themselves: the row is never a second account of money.
_KEEP = """
    insert into policy.book_month (policy_key, period, days, trips, driven_m, charged_m, relabelled_m, gap_m, cells_m,
                                   claims_per_100000_km, class_mean, score, expected_claims, premium, adjusted, tax,
                                   currency)
    select %(policy_key)s, %(period)s, %(days)s, %(trips)s, %(driven_m)s, %(charged_m)s, %(relabelled_m)s, %(gap_m)s,
           %(cells_m)s, %(claims_per_100000_km)s, %(class_mean)s, %(score)s, %(expected_claims)s, sum(s.amount),
           coalesce(sum(s.amount) filter (where s.kind = 'adjustment'), 0),
           coalesce(sum((select sum((line ->> 'amount')::numeric) from jsonb_array_elements(s.lines) line
                          where line ->> 'name' = %(tax_name)s)), 0), min(s.currency)
      from policy.statement s where s.policy_key = %(policy_key)s and s.period = %(period)s
    on conflict (period, policy_key) do update
       set (days, trips, driven_m, charged_m, relabelled_m, gap_m, cells_m, claims_per_100000_km, class_mean, score,
            expected_claims, premium, adjusted, tax, currency)
         = (excluded.days, excluded.trips, excluded.driven_m, excluded.charged_m, excluded.relabelled_m,
            excluded.gap_m, excluded.cells_m, excluded.claims_per_100000_km, excluded.class_mean, excluded.score,
            excluded.expected_claims, excluded.premium, excluded.adjusted, excluded.tax, excluded.currency)
"""
# Beside it, and not in it: lists of a large book read narrow rows.
_KEEP_DRIVING = """
    insert into policy.book_month_driving (policy_key, period, totals, tier, minutes, unmeasured_days)
    values (%(policy_key)s, %(period)s, %(totals)s, %(tier)s, %(minutes)s, %(unmeasured_days)s)
    on conflict (policy_key, period) do update
       set (totals, tier, minutes, unmeasured_days)
         = (excluded.totals, excluded.tier, excluded.minutes, excluded.unmeasured_days)
"""
_RATED = """
    select p.policy_id, p.pay_plan, p.covers, p.factors, p.declared_km_per_year, m.days, m.charged_m, m.gap_m,
           m.cells_m, coalesce(d.minutes, 0) as minutes, d.unmeasured_days, w.totals, w.tiers
      from policy.book_month m join policy.policy p using (policy_key)
      left join policy.book_month_driving d using (policy_key, period)
      cross join lateral (select coalesce(jsonb_agg(b.totals), '[]') as totals,
                                 coalesce(array_agg(b.tier) filter (where b.tier <> ''), '{}') as tiers
                            from policy.book_month_driving b
                           where b.policy_key = m.policy_key and b.period between %(from_month)s and %(period)s) w
     where m.period = %(period)s and p.plan_name = %(plan)s and m.days > 0 and m.premium is not null
     order by p.policy_id
"""
_EXPERIENCE = """
    select m.period, (m.expected_claims * 100000 / m.class_mean)::float as expected_of_mean,
           (select count(*) from policy.claim c
             where c.policy_key = m.policy_key and to_char(c.occurred_on, 'YYYY-MM') = m.period
               and (cardinality(%(covers)s::text[]) = 0 or c.cover = any(%(covers)s)))::int as claims
      from policy.book_month m
     where m.policy_key = %(policy_key)s and m.period < %(before)s and m.premium is not null and m.days > 0
     order by m.period
"""


@dataclass(frozen=True, slots=True)
class BookMonth:
    """A policy's month as driven: whole metres. `cells_m` in the order of road classes, within each of hour bands.

    `totals` and the weakest `tier` are of its counted trips, `minutes` of its charged ones: what any plan would price.
    """

    policy_key: UUID
    period: str
    days: int
    trips: int
    driven_m: int
    charged_m: int
    relabelled_m: int
    gap_m: int
    cells_m: list[int]
    claims_per_100000_km: str | None
    class_mean: Decimal
    score: float | None
    expected_claims: float
    totals: dict[str, int]
    tier: str
    minutes: int
    unmeasured_days: int | None


@dataclass(frozen=True, slots=True)
class RatedMonth:
    """Everything that a policy's month would be rated by; `totals` and `tiers` of each month of a score's window."""

    policy_id: str
    pay_plan: str
    covers: list[str]
    factors: dict[str, str | int]
    declared_km_per_year: int
    days: int
    charged_m: int
    gap_m: int
    cells_m: list[int]
    minutes: int
    unmeasured_days: int | None
    totals: list[dict[str, int]]
    tiers: list[str]


@dataclass(frozen=True, slots=True)
class ExperiencedMonth:
    """A posted month's claims, and the km in which a claim per 100,000 km each is expected of the class mean: km times
    the predicted claims over the mean's.
    """

    period: str
    expected_of_mean: float
    claims: int


def keep_month(conn: Conn, month: BookMonth, tax_name: str) -> None:
    """The month's row, with what is posted of it by now."""
    values = asdict(month) | {"totals": Jsonb(month.totals), "tax_name": tax_name}
    conn.execute(_KEEP, values)
    conn.execute(_KEEP_DRIVING, values)


def fetch_rated_months(conn: Conn, period: str, plan_name: str, window_months: int) -> list[RatedMonth]:
    """The posted months of a period of the policies of a plan, by policy, with the window of their score."""
    values = {"period": period, "from_month": months_before(period, window_months - 1), "plan": plan_name}
    with conn.cursor(row_factory=class_row(RatedMonth)) as cursor:
        return cursor.execute(_RATED, values).fetchall()


def fetch_experience(conn: Conn, policy_key: UUID, before: str, covers: Sequence[str]) -> list[ExperiencedMonth]:
    """A policy's posted months before one, with the claims of these covers, or of any where none is named, that
    occurred in each as they are reported by now.
    """
    values = {"policy_key": policy_key, "before": before, "covers": list(covers)}
    with conn.cursor(row_factory=class_row(ExperiencedMonth)) as cursor:
        return cursor.execute(_EXPERIENCE, values).fetchall()
