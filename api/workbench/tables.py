"""Tables of the workbench: headings that sort, pages by number, and the same rows as CSV."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query
from fastapi.responses import Response, StreamingResponse

from api.languages import say
from api.wording import number

PAGE_ROWS, MOST_PAGES = 50, 100_000
Code = Annotated[str, Query(max_length=40, pattern=r"^[A-Za-z0-9_-]*$")]
PageNumber = Annotated[int, Query(alias="page", ge=1, le=MOST_PAGES)]
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


@dataclass(frozen=True, slots=True)
class Column:
    """A heading that sorts; `order` None: by another column."""

    key: str
    name: str
    number: bool
    order: str | None
    href: str


@dataclass(frozen=True, slots=True)
class Pages:
    """Where in the rows a page stands, and the ways to the next ones; None: there is none."""

    shown: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands round the rows: headings that sort, the pages, the same rows as CSV, and the order they are in."""

    columns: list[Column]
    pages: Pages
    csv: str
    sort: str


def frame_of(
    path: str, query: Mapping[str, str], names: Mapping[str, str], numbers: Sequence[str], number: int, count: int
) -> Frame:
    """The frame of page `number` of `count` rows. `names` of the columns in order, which of them are `numbers`,
    and the whole `query` with its `sort`."""
    sort = query["sort"]
    return Frame(
        columns(names, numbers, sort, path, query),
        pages(number, count, path, query),
        address(f"{path}.csv", query),
        sort,
    )


def in_order[T](rows: Iterable[T], sort: str, keys: Mapping[str, Callable[[T], Any]]) -> list[T]:
    """Rows of a short list in the order of one of the keys; of one that is not known, as they came."""
    key = keys.get(sort.removeprefix("-"))
    return list(rows) if key is None else sorted(rows, key=key, reverse=sort.startswith("-"))


def page_of[T](rows: Sequence[T], number: int) -> Sequence[T]:
    """A page of a short list, numbered from 1."""
    return rows[(number - 1) * PAGE_ROWS : number * PAGE_ROWS]


def midnight(day: str) -> datetime | None:
    """The beginning of a day as a form gives it (`2026-10-03`), in UTC; None: no day, or one with none after it."""
    try:
        begins = datetime.combine(date.fromisoformat(day), time(), UTC)
        return min(begins, begins + timedelta(days=1))
    except (ValueError, OverflowError):
        return None


def columns(
    names: Mapping[str, str], numbers: Sequence[str], sort: str, path: str, query: Mapping[str, str]
) -> list[Column]:
    """Headings whose links sort by them, or turn the order where they already do. `query` stays, the page does not."""
    current, shown = sort.removeprefix("-"), []
    for key, name in names.items():
        order = None
        if key == current:
            order = "descending" if sort.startswith("-") else "ascending"
        turned = f"-{key}" if order == "ascending" or (order is None and key in numbers) else key
        shown.append(Column(key, say(name), key in numbers, order, address(path, {**query, "sort": turned})))
    return shown


def pages(page: int, count: int, path: str, query: Mapping[str, str]) -> Pages:
    """The pages round one, numbered from 1, of `count` rows."""
    first, last = (page - 1) * PAGE_ROWS + 1, min(page * PAGE_ROWS, count)
    return Pages(
        shown=say("{first}–{last} of {count}", first=number(first), last=number(last), count=number(count))
        if first <= last
        else say("none of {count}", count=number(count)),
        before=address(path, {**query, "page": str(page - 1)}) if page > 1 else None,
        after=address(path, {**query, "page": str(page + 1)}) if last < count else None,
    )


def address(path: str, query: Mapping[str, str]) -> str:
    """The path with what of the query is not empty."""
    asked = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(asked)}" if asked else path


def csv_answer(name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """The rows as a CSV file, sent as they are read."""
    return StreamingResponse(
        _csv_lines(head, rows),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _csv_lines(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    for row in rows:
        writer.writerow([harmless(cell) for cell in row])
        if text.tell() > 64 * 1024:
            yield _taken(text)
    yield _taken(text)


def _taken(text: io.StringIO) -> str:
    found = text.getvalue()
    text.seek(0)
    text.truncate()
    return found


def harmless(cell: object) -> object:
    """A text that a spreadsheet would take for a formula gets a quote before it; numbers stay numbers."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_SIGNS) else cell
