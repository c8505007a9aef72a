"""The SQL of the book by month: one row a policy and month, written whole each time. Role: policy."""

from dataclasses import asdict, dataclass
from uuid import UUID

from psycopg.rows import class_row

from storage.pool import Conn

# What is posted is read from the statements themselves: the row is never a second account of money.
_KEEP = """
    insert into policy.book_month (policy_key, period, days, trips, driven_m, charged_m, relabelled_m, gap_m, cells_m,
                                   claims_per_100000_km, score, expected_claims, premium, adjusted, tax, currency)
    select %(policy_key)s, %(period)s, %(days)s, %(trips)s, %(driven_m)s, %(charged_m)s, %(relabelled_m)s, %(gap_m)s,
           %(cells_m)s, %(claims_per_100000_km)s, %(score)s, %(expected_claims)s, sum(s.amount),
           coalesce(sum(s.amount) filter (where s.kind = 'adjustment'), 0),
           coalesce(sum((select sum((line ->> 'amount')::numeric) from jsonb_array_elements(s.lines) line
                          where line ->> 'name' = %(tax_name)s)), 0), min(s.currency)
      from policy.statement s where s.policy_key = %(policy_key)s and s.period = %(period)s
    on conflict (period, policy_key) do update
       set (days, trips, driven_m, charged_m, relabelled_m, gap_m, cells_m, claims_per_100000_km, score,
            expected_claims, premium, adjusted, tax, currency)
         = (excluded.days, excluded.trips, excluded.driven_m, excluded.charged_m, excluded.relabelled_m,
            excluded.gap_m, excluded.cells_m, excluded.claims_per_100000_km, excluded.score,
            excluded.expected_claims, excluded.premium, excluded.adjusted, excluded.tax, excluded.currency)
"""
_RATED = """
    select p.policy_id, p.pay_plan, p.covers, p.factors, p.declared_km_per_year, m.days, m.charged_m, m.gap_m,
           m.cells_m, m.claims_per_100000_km
      from policy.book_month m join policy.policy p using (policy_key)
     where m.period = %s and p.plan_name = %s and m.days > 0 and m.premium is not null
     order by p.policy_id
"""


@dataclass(frozen=True, slots=True)
class BookMonth:
    """A policy's month as driven: whole metres. `cells_m` in the order of road classes, within each of hour bands."""

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
    score: float | None
    expected_claims: float


@dataclass(frozen=True, slots=True)
class RatedMonth:
    """Everything that a policy's month would be rated by."""

    policy_id: str
    pay_plan: str
    covers: list[str]
    factors: dict[str, str | int]
    declared_km_per_year: int
    days: int
    charged_m: int
    gap_m: int
    cells_m: list[int]
    claims_per_100000_km: object


def keep_month(conn: Conn, month: BookMonth, tax_name: str) -> None:
    """The month's row, with what is posted of it by now."""
    conn.execute(_KEEP, asdict(month) | {"tax_name": tax_name})


def fetch_rated_months(conn: Conn, period: str, plan_name: str) -> list[RatedMonth]:
    """The posted months of a period of the policies of a plan, by policy."""
    with conn.cursor(row_factory=class_row(RatedMonth)) as cursor:
        return cursor.execute(_RATED, (period, plan_name)).fetchall()
