"""The SQL of the book's list: filtered, sorted and paged by the database, from one narrow row a policy and month.

No name stands in it: who a policy is for is in its file, and who opens that is noted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from psycopg.rows import class_row, scalar_row

from api.workbench.list_store import begins, turned
from storage.pool import Conn

# What can be asked of each band, by the code that stands in the address. Closed sets: nothing of a request is SQL.
SCORE_BANDS = {
    "80-up": "m.score >= 80",
    "70-80": "m.score >= 70 and m.score < 80",
    "60-70": "m.score >= 60 and m.score < 70",
    "50-60": "m.score >= 50 and m.score < 60",
    "to-50": "m.score < 50",
    "none": "m.score is null",
}
QUALITY_BANDS = {
    "95-up": "m.driven_m > 0 and m.charged_m >= 0.95 * m.driven_m",
    "80-95": "m.charged_m >= 0.8 * m.driven_m and m.charged_m < 0.95 * m.driven_m",
    "to-80": "m.charged_m < 0.8 * m.driven_m",
    "none": "coalesce(m.driven_m, 0) = 0",
}
CHANGE_BANDS = {
    "up-10": "m.premium > 1.1 * b.premium",
    "up": "m.premium > b.premium and m.premium <= 1.1 * b.premium",
    "same": "m.premium = b.premium",
    "down": "m.premium < b.premium and m.premium >= 0.9 * b.premium",
    "down-10": "m.premium < 0.9 * b.premium",
    "none": "(m.premium is null or b.premium is null)",
}
_SORTS = {
    "policy": "p.policy_id",
    "pay_plan": "p.pay_plan",
    "territory": "p.factors ->> 'territory'",
    "vehicle_class": "p.factors ->> 'vehicle_class'",
    "km": "m.driven_m",
    "score": "m.score",
    "quality": "m.charged_m / nullif(m.driven_m, 0)::float",
    "premium": "m.premium",
    "change": "m.premium - b.premium",
    "adjusted": "m.adjusted",
    "relabelled": "m.relabelled_m / nullif(m.driven_m, 0)::float",
}
SORTS = tuple(_SORTS)

_COLUMNS = """
    select p.policy_id, p.pay_plan, coalesce(p.factors ->> 'territory', '') as territory,
           coalesce(p.factors ->> 'vehicle_class', '') as vehicle_class, coalesce(m.trips, 0) as trips,
           coalesce(m.driven_m, 0) as driven_m, coalesce(m.charged_m, 0) as charged_m,
           coalesce(m.relabelled_m, 0) as relabelled_m, m.score, m.premium, coalesce(m.adjusted, 0) as adjusted,
           m.currency, p.policy_key
"""
_TOTALS = """
    select coalesce(m.currency, '') as currency, count(*) as policies, coalesce(sum(m.trips), 0)::bigint as trips,
           coalesce(sum(m.driven_m), 0)::bigint as driven_m, coalesce(sum(m.charged_m), 0)::bigint as charged_m,
           coalesce(sum(m.relabelled_m), 0)::bigint as relabelled_m, coalesce(sum(m.premium), 0) as premium,
           coalesce(sum(m.adjusted), 0) as adjusted, coalesce(sum(m.score), 0)::float as score_sum,
           count(m.score) as scored
"""
_MONTH = """
      from policy.policy p
      left join policy.book_month m on m.policy_key = p.policy_key and m.period = %(period)s
"""
_BEFORE = " left join policy.book_month b on b.policy_key = p.policy_key and b.period = %(before)s"
_SHOWN = """
    select c.policy_id, c.pay_plan, c.territory, c.vehicle_class, c.trips, c.driven_m, c.charged_m, c.relabelled_m,
           c.score, c.premium, c.adjusted, c.currency, b.premium as before
"""
_BEFORE_OF_CHOSEN = "left join policy.book_month b on b.policy_key = c.policy_key and b.period = %(before)s"
_PERIODS = """
    with recursive month(period) as (
        select max(period) from policy.book_month
        union all select (select max(period) from policy.book_month where period < month.period) from month
         where month.period is not null)
    select period from month where period is not null limit 24
"""
_POSTED = """
    select period from policy.book_month where premium is not null order by period desc limit 1
"""


@dataclass(frozen=True, slots=True)
class BookFilter:
    """Which policies of a month, in which order (`-km`: falling). Empty: any; a code that is not known: none."""

    period: str
    find: str = ""  # how the policy's number begins
    pay_plan: str = ""
    territory: str = ""
    vehicle_class: str = ""
    score: str = ""
    quality: str = ""
    change: str = ""
    sort: str = "policy"


@dataclass(frozen=True, slots=True)
class BookRow:
    """One policy in a month; None in `premium`: not posted, in `before`: nothing was posted a month before."""

    policy_id: str
    pay_plan: str
    territory: str
    vehicle_class: str
    trips: int
    driven_m: int
    charged_m: int
    relabelled_m: int
    score: float | None
    premium: Decimal | None
    adjusted: Decimal
    currency: str | None
    before: Decimal | None


@dataclass(frozen=True, slots=True)
class BookTotals:
    """The policies of one currency together; "": nothing is posted of them."""

    currency: str
    policies: int
    trips: int
    driven_m: int
    charged_m: int
    relabelled_m: int
    premium: Decimal
    adjusted: Decimal
    score_sum: float
    scored: int


def fetch_book_page(
    conn: Conn, which: BookFilter, bounds: Mapping[str, date | str], skip: int, count: int, behind: str | None = None
) -> list[BookRow]:
    """`count` rows of the filter after the first `skip`, or, in order of the numbers, behind that policy's.

    `bounds`: of the month `first` and `after`, and `before`.
    """
    with conn.cursor(row_factory=class_row(BookRow)) as cursor:
        values = _values(which, bounds) | {"count": count, "skip": skip, "behind": behind}
        behind_it = () if behind is None else ("p.policy_id > %(behind)s",)
        return cursor.execute(_rows(which, " limit %(count)s offset %(skip)s", behind_it), values).fetchall()


def each_book_row(conn: Conn, which: BookFilter, bounds: Mapping[str, date | str]) -> Iterator[BookRow]:
    """Every row of the filter in its order, some thousands in memory at a time."""
    with conn.cursor(name="book", row_factory=class_row(BookRow)) as cursor:
        cursor.itersize = 5000
        yield from cursor.execute(_rows(which), _values(which, bounds))


def fetch_book_totals(conn: Conn, which: BookFilter, bounds: Mapping[str, date | str]) -> list[BookTotals]:
    """The sums of the filter by currency."""
    before = _BEFORE if which.change else ""
    query = f"{_TOTALS}{_MONTH}{before}{_where(which)} group by 1 order by 1 desc"
    with conn.cursor(row_factory=class_row(BookTotals)) as cursor:
        return cursor.execute(query, _values(which, bounds)).fetchall()


def fetch_book_periods(conn: Conn) -> list[str]:
    """The latest months that hold anything, the latest first."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        periods: list[str] = cursor.execute(_PERIODS).fetchall()
        return periods


def fetch_posted_period(conn: Conn) -> str | None:
    """The latest month with a statement."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        period: str | None = cursor.execute(_POSTED).fetchone()
        return period


def _rows(which: BookFilter, page: str = "", behind: Sequence[str] = ()) -> str:
    """The page is cut before the month before is looked up: the sort then keeps fifty rows, and not the book."""
    key = which.sort.removeprefix("-")
    order = _SORTS.get(key, "p.policy_id")
    turn = turned(which.sort)
    before = _BEFORE if which.change or key == "change" else ""
    tables = f"{_MONTH}{before}{_where(which, behind)}"
    chosen = f"{_COLUMNS}, {order} as sort_key{tables} order by {order} {turn}, p.policy_id{page}"
    return f"{_SHOWN} from ({chosen}) c {_BEFORE_OF_CHOSEN} order by c.sort_key {turn}, c.policy_id"


def _where(which: BookFilter, behind: Sequence[str] = ()) -> str:
    asked = ["p.starts_on < %(after)s", "p.ends_on > %(first)s", *behind]
    asked += ["p.policy_id like %(like)s"] if which.find else []
    asked += ["p.pay_plan = %(pay_plan)s"] if which.pay_plan else []
    asked += ["p.factors ->> 'territory' = %(territory)s"] if which.territory else []
    asked += ["p.factors ->> 'vehicle_class' = %(vehicle_class)s"] if which.vehicle_class else []
    bands = ((which.score, SCORE_BANDS), (which.quality, QUALITY_BANDS), (which.change, CHANGE_BANDS))
    asked += [known.get(code, "false") for code, known in bands if code]
    return " where " + " and ".join(asked)


def _values(which: BookFilter, bounds: Mapping[str, date | str]) -> dict[str, object]:
    return {
        **bounds,
        "period": which.period,
        "like": begins(which.find),
        "pay_plan": which.pay_plan,
        "territory": which.territory,
        "vehicle_class": which.vehicle_class,
    }
