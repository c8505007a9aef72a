"""The SQL of the book by month: one row a policy and month, written whole each time. Role: policy."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row, tuple_row
from psycopg.types.json import Jsonb

from pricing.periods import months_before
from storage.pool import Conn

# What is posted is read from the statements themselves: the row is never a second account of money.
_KEEP = """
    insert into policy.book_month (policy_key, period, days, trips, driven_m, charged_m, relabelled_m, gap_m, cells_m,
                                   claims_per_100000_km, class_mean, scored_by, score, expected_claims, premium,
                                   adjusted, tax, currency)
    select %(policy_key)s, %(period)s, %(days)s, %(trips)s, %(driven_m)s, %(charged_m)s, %(relabelled_m)s, %(gap_m)s,
           %(cells_m)s, %(claims_per_100000_km)s, %(class_mean)s, %(scored_by)s, %(score)s, %(expected_claims)s,
           sum(s.amount),
           coalesce(sum(s.amount) filter (where s.kind = 'adjustment'), 0),
           coalesce(sum((select sum((line ->> 'amount')::numeric) from jsonb_array_elements(s.lines) line
                          where line ->> 'name' = %(tax_name)s)), 0), min(s.currency)
      from policy.statement s where s.policy_key = %(policy_key)s and s.period = %(period)s
    on conflict (period, policy_key) do update
       set (days, trips, driven_m, charged_m, relabelled_m, gap_m, cells_m, claims_per_100000_km, class_mean,
            scored_by, score, expected_claims, premium, adjusted, tax, currency)
         = (excluded.days, excluded.trips, excluded.driven_m, excluded.charged_m, excluded.relabelled_m,
            excluded.gap_m, excluded.cells_m, excluded.claims_per_100000_km, excluded.class_mean,
            excluded.scored_by, excluded.score, excluded.expected_claims, excluded.premium, excluded.adjusted,
            excluded.tax, excluded.currency)
"""
# Beside it, and not in it: lists of a large book read narrow rows.
_KEEP_DRIVING = """
    insert into policy.book_month_driving (policy_key, period, totals, tier, minutes, unmeasured_days)
    values (%(policy_key)s, %(period)s, %(totals)s, %(tier)s, %(minutes)s, %(unmeasured_days)s)
    on conflict (policy_key, period) do update
       set (totals, tier, minutes, unmeasured_days)
         = (excluded.totals, excluded.tier, excluded.minutes, excluded.unmeasured_days)
"""
# Texts and bytes are taken as they are: of a large book most are the same, and each is read once.
_RATED = """
    select p.policy_id, p.pay_plan, array_to_json(p.covers)::text as covers, p.factors::text as factors,
           p.declared_km_per_year, m.days, m.charged_m, m.gap_m, array_send(m.cells_m) as cells_m,
           m.claims_per_100000_km::text as claims_per_100000_km, m.scored_by
      from policy.book_month m join policy.policy p using (policy_key)
     where m.period = %(period)s and p.plan_name = %(plan)s and m.days > 0 and m.premium is not null
"""
_MINUTES = """
    select p.policy_id, d.minutes, d.unmeasured_days
      from policy.book_month_driving d join policy.policy p using (policy_key)
     where d.period = %(period)s and p.plan_name = %(plan)s
"""
_TIERS = """
    select p.policy_id, array_agg(distinct d.tier) as tiers
      from policy.book_month_driving d join policy.policy p using (policy_key)
     where d.period between %(from_month)s and %(period)s and p.plan_name = %(plan)s and d.tier <> '' group by 1
"""
_COUNTERS = """
    select p.policy_id, {}
      from policy.book_month_driving d join policy.policy p using (policy_key)
     where d.period between %(from_month)s and %(period)s and p.plan_name = %(plan)s and d.totals <> '{{}}' group by 1
"""
_EXPERIENCE = """
    select m.period, (m.expected_claims * 100000 / m.class_mean)::float as expected_of_mean
      from policy.book_month m
     where m.policy_key = %(policy_key)s and m.period >= %(since)s and m.period < %(before)s
       and m.premium is not null and m.days > 0
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
    scored_by: str
    score: float | None
    expected_claims: float
    totals: dict[str, int]
    tier: str
    minutes: int
    unmeasured_days: int | None


@dataclass(frozen=True, slots=True)
class RatedMonths:
    """What n policies' months would be rated by, but for what few plans read: columns of n values each.

    `covers` and `factors` are JSON, `cells_m` arrays as PostgreSQL sends them; what was predicted as the premium was
    made (None: nothing was driven) stands beside what predicted it (None: that was not noted).
    """

    policy_id: tuple[str, ...]
    pay_plan: tuple[str, ...]
    covers: tuple[str, ...]
    factors: tuple[str, ...]
    declared_km_per_year: tuple[int, ...]
    days: tuple[int, ...]
    charged_m: tuple[int, ...]
    gap_m: tuple[int, ...]
    cells_m: tuple[bytes, ...]
    claims_per_100000_km: tuple[str | None, ...]
    scored_by: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class ExperiencedMonth:
    """A posted month's km in which a claim per 100,000 km each is expected of the class mean: km times the predicted
    claims over the mean's.
    """

    period: str
    expected_of_mean: float


def keep_month(conn: Conn, month: BookMonth, tax_name: str) -> None:
    """The month's row, with what is posted of it by now."""
    values = asdict(month) | {"totals": Jsonb(month.totals), "tax_name": tax_name}
    conn.execute(_KEEP, values)
    conn.execute(_KEEP_DRIVING, values)


def fetch_rated_months(conn: Conn, period: str, plan_name: str) -> RatedMonths | None:
    """The posted months of a period of the policies of a plan; None: there are none."""
    with conn.cursor(binary=True, row_factory=tuple_row) as cursor:
        rows = cursor.execute(_RATED, {"period": period, "plan": plan_name}).fetchall()
    return RatedMonths(*zip(*rows, strict=True)) if rows else None


def fetch_minutes(conn: Conn, period: str, plan_name: str) -> dict[str, tuple[int, int | None]]:
    """Minutes, and days without readings (None: not counted), of each policy of a plan."""
    with conn.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(_MINUTES, {"period": period, "plan": plan_name}).fetchall()
    return {policy: (minutes, days) for policy, minutes, days in rows}


def fetch_tiers(conn: Conn, period: str, plan_name: str, window_months: int) -> dict[str, list[str]]:
    """The tiers of what was measured in the months that end with a period, of the policies that were."""
    with conn.cursor(row_factory=tuple_row) as cursor:
        return dict(cursor.execute(_TIERS, _window(period, plan_name, window_months)).fetchall())


def fetch_counters(
    conn: Conn, period: str, plan_name: str, window_months: int, names: Sequence[str]
) -> dict[str, tuple[int, ...]]:
    """The sums of these counters over the months that end with a period, of the policies of a plan that drove."""
    sums = (sql.SQL("coalesce(sum((d.totals ->> {})::bigint), 0)::bigint").format(sql.Literal(name)) for name in names)
    with conn.cursor(binary=True, row_factory=tuple_row) as cursor:
        asked = sql.SQL(_COUNTERS).format(sql.SQL(", ").join(sums))
        rows = cursor.execute(asked, _window(period, plan_name, window_months)).fetchall()
    return {row[0]: row[1:] for row in rows}


def _window(period: str, plan_name: str, window_months: int) -> dict[str, str]:
    return {"period": period, "from_month": months_before(period, window_months - 1), "plan": plan_name}


def fetch_experience(conn: Conn, policy_key: UUID, since: str, before: str) -> list[ExperiencedMonth]:
    """A policy's posted months from one to another, without the last; `since` "": from the first on."""
    values = {"policy_key": policy_key, "since": since, "before": before}
    with conn.cursor(row_factory=class_row(ExperiencedMonth)) as cursor:
        return cursor.execute(_EXPERIENCE, values).fetchall()
