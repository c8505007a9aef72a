"""Sums of the book's months as they are kept: made where a row of the month has changed since, and then kept again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from psycopg import errors
from psycopg.rows import class_row

from storage.pool import Conn

_BANDS = """
    select period, currency, case when score is null then -1 else least(floor(score / 10), 9) end::int as score_band,
           count(*) as policies, coalesce(sum(days), 0)::bigint as days, coalesce(sum(driven_m), 0)::bigint as driven_m,
           coalesce(sum(charged_m), 0)::bigint as charged_m, coalesce(sum(premium), 0) as premium,
           coalesce(sum(tax), 0) as tax, coalesce(sum(expected_claims), 0)::float as expected_claims
      from policy.book_month where period = %(period)s and premium is not null group by 1, 2, 3
"""
# Of predicted frequency over the class mean's. What is kept is by these: others take a migration that forgets it.
RISK_EDGES = [0.6, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5]
_RISK = """
    select period, currency, width_bucket(claims_per_100000_km / class_mean, %(edges)s::numeric[]) as risk_band,
           sum(days)::bigint as days, sum(expected_claims)::float as expected_claims
      from policy.book_month
     where period = %(period)s and premium is not null and claims_per_100000_km is not null group by 1, 2, 3
"""
_CELLS = """
    select coalesce(array_agg(metres order by place), '{}')
      from (select place, sum(metres)::bigint as metres
              from policy.book_month, unnest(cells_m) with ordinality as cell(metres, place)
             where period = %(period)s group by place) summed
"""
_IS_KEPT = "select 1 from policy.book_sum_kept where period = %(period)s"
_MARK = "insert into policy.book_sum_kept values (%(period)s) on conflict do nothing"
# Nobody writes a month between what is summed and that it is kept. Not waited for: who writes comes first.
_NOBODY_WRITES = "lock table policy.book_month in share mode nowait"
_KEEP = (
    "delete from policy.book_sum where period = %(period)s",
    f"insert into policy.book_sum {_BANDS}",
    "delete from policy.book_risk where period = %(period)s",
    f"insert into policy.book_risk {_RISK}",
    "delete from policy.book_cells where period = %(period)s",
    f"insert into policy.book_cells select %(period)s, ({_CELLS})",
    _MARK,
)
_KEPT_BANDS = "select * from policy.book_sum where period = %(period)s"
_KEPT_RISK = "select * from policy.book_risk where period = %(period)s"
_KEPT_CELLS = "select cells_m from policy.book_cells where period = %(period)s"
_POSTED = """
    with recursive month(period) as (
        select min(period) from policy.book_month where period >= %(from_month)s
        union all select (select min(period) from policy.book_month where period > month.period) from month
         where month.period is not null)
    select period from month where period <= %(to_month)s
"""


@dataclass(frozen=True, slots=True)
class MonthBand:
    """The posted policies of a month with a score in [10 band, 10 band + 10); band -1: without a score."""

    period: str
    currency: str
    score_band: int
    policies: int
    days: int
    driven_m: int
    charged_m: int
    premium: Decimal
    tax: Decimal
    expected_claims: float


@dataclass(frozen=True, slots=True)
class RiskBand:
    """The posted policies of a month whose predicted frequency lies in one band: 0 below the first of RISK_EDGES."""

    period: str
    currency: str
    risk_band: int
    days: int
    expected_claims: float


def fetch_bands(conn: Conn, from_month: str, to_month: str, currency: str) -> list[MonthBand]:
    """The posted months by score band (policy role, in a transaction that may write)."""
    found: list[MonthBand] = []
    for asked in _posted(conn, from_month, to_month):
        with conn.cursor(row_factory=class_row(MonthBand)) as cursor:
            rows = cursor.execute(_KEPT_BANDS if _keep(conn, asked) else _BANDS, asked).fetchall()
        found += sorted((one for one in rows if one.currency == currency), key=lambda one: one.score_band)
    return found


def fetch_risk_bands(conn: Conn, from_month: str, to_month: str, currency: str) -> list[RiskBand]:
    """The posted months by predicted frequency, of the policies that have one (as above)."""
    found: list[RiskBand] = []
    for asked in _posted(conn, from_month, to_month):
        with conn.cursor(row_factory=class_row(RiskBand)) as cursor:
            rows = cursor.execute(_KEPT_RISK if _keep(conn, asked) else _RISK, asked).fetchall()
        found += sorted((one for one in rows if one.currency == currency), key=lambda one: one.risk_band)
    return found


def _posted(conn: Conn, from_month: str, to_month: str) -> list[dict[str, object]]:
    found = conn.execute(_POSTED, {"from_month": from_month, "to_month": to_month}).fetchall()
    return [{"period": period, "edges": RISK_EDGES} for (period,) in found]


def fetch_driven_cells(conn: Conn, period: str) -> Sequence[int]:
    """The charged metres of a month by road class and hour band, in the order of `scoring.classes` (as above)."""
    asked = {"period": period, "edges": RISK_EDGES}
    row = conn.execute(_KEPT_CELLS if _keep(conn, asked) else _CELLS, asked).fetchone()
    return [int(metres) for metres in row[0]] if row is not None else []  # type: ignore[attr-defined]


def _keep(conn: Conn, asked: Mapping[str, object]) -> bool:
    """Whether the month's sums are kept, by now if not before; False while somebody writes."""
    if conn.execute(_IS_KEPT, asked).fetchone() is not None:
        return True
    try:
        with conn.transaction():
            conn.execute(_NOBODY_WRITES)
            for statement in _KEEP:
                conn.execute(statement, asked)
    except (errors.LockNotAvailable, errors.UniqueViolation):  # another reader keeps the same sums
        return False
    return True
