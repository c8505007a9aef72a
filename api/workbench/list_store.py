"""Lists of the workbench as SQL: filtered, sorted and paged by the database, or whole, some thousands at a time.

Nothing of a request is SQL: what is sorted or filtered by stands in closed sets, and values are parameters.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from psycopg.rows import class_row

from storage.pool import Conn


@dataclass(frozen=True, slots=True)
class Listed[T]:
    """A list: its row's type, `select ...`, `from ...`, what each code sorts by, and what is unique in every order."""

    row: type[T]
    columns: str
    tables: str
    sorts: Mapping[str, str]
    unique: str


@dataclass(frozen=True, slots=True)
class Which:
    """Conditions with their values, and the order (`-km`: falling; of a code that is not known by what is unique)."""

    conditions: Sequence[str] = ()
    values: Mapping[str, object] = field(default_factory=dict)
    sort: str = ""


def fetch_page[T](conn: Conn, listed: Listed[T], which: Which, number: int, rows: int) -> tuple[list[T], int]:
    """The page of that number, from 1, of so many rows; and how many there are on all pages."""
    query = f"{_rows(listed, which)} limit %(count)s offset %(skip)s"
    with conn.cursor(row_factory=class_row(listed.row)) as cursor:
        found = cursor.execute(query, {**which.values, "count": rows, "skip": (number - 1) * rows}).fetchall()
    return found, count_listed(conn, listed, which)


def each_listed[T](conn: Conn, listed: Listed[T], which: Which) -> Iterator[T]:
    """All of them in their order."""
    with conn.cursor(name="listed", row_factory=class_row(listed.row)) as cursor:
        cursor.itersize = 5000
        yield from cursor.execute(_rows(listed, which), dict(which.values))


def count_listed[T](conn: Conn, listed: Listed[T], which: Which) -> int:
    """How many there are."""
    row = conn.execute(f"select count(*) {listed.tables}{_where(which)}", dict(which.values)).fetchone()
    assert row is not None
    return int(str(row[0]))


def turned(sort: str) -> str:
    """The direction of an order: what is not known stands last in both."""
    return "desc nulls last" if sort.startswith("-") else "nulls last"


def begins(text: str) -> str:
    """The pattern of `like` for what begins so."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _rows[T](listed: Listed[T], which: Which) -> str:
    order = listed.sorts.get(which.sort.removeprefix("-"), listed.unique)
    return f"{listed.columns}{listed.tables}{_where(which)} order by {order} {turned(which.sort)}, {listed.unique}"


def _where(which: Which) -> str:
    return f" where {' and '.join(which.conditions)} " if which.conditions else " "
