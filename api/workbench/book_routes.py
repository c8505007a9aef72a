"""The book's list: a page, a CSV file of the same rows, and JSON. Without names; who looked at the list is noted."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel, Field

from api import wording
from api.access import looked, noted_filter
from api.paging import Page, by
from api.problems import PROBLEMS
from api.rendering import page
from api.roles import Now, Store, Underwriter
from api.workbench import book_view
from api.workbench.book_store import (
    BookFilter,
    BookRow,
    each_book_row,
    fetch_book_page,
    fetch_book_periods,
    fetch_book_totals,
    fetch_posted_period,
)
from api.workbench.tables import PAGE_ROWS, Code, PageNumber, csv_answer, frame_of
from pricing.periods import MONTH_PATTERN
from pricing.policies import published_plans
from storage.pool import Database

router = APIRouter()
Period = Annotated[str | None, Query(pattern=MONTH_PATTERN)]


def asked_filter(
    database: Store,
    now: Now,
    *,
    period: Period = None,
    find: Annotated[str, Query(max_length=64, pattern=r"^[^\x00]*$")] = "",
    pay_plan: Code = "",
    territory: Code = "",
    vehicle_class: Code = "",
    score: Code = "",
    quality: Code = "",
    change: Code = "",
    sort: Code = "policy",
) -> BookFilter:
    """The filter of the address; without a month the latest that has statements."""
    if period is None:
        with database.role("policy") as conn:
            period = fetch_posted_period(conn) or f"{now:%Y-%m}"
    return BookFilter(period, find.strip(), pay_plan, territory, vehicle_class, score, quality, change, sort)


Asked = Annotated[BookFilter, Depends(asked_filter)]


class BookLine(BaseModel):
    """One policy of the book in a month."""

    policy: str
    pay_plan: str
    territory: str
    vehicle_class: str
    trips: int
    driven_m: int
    charged_m: int
    relabelled_m: int = Field(description="Of the driven metres, those that the policyholder said were no own drive")
    score: float | None
    premium: str | None
    adjusted: str
    currency: str | None
    premium_month_before: str | None

    @classmethod
    def of(cls, row: BookRow) -> "BookLine":
        """From the stored row."""
        same = {name: getattr(row, name) for name in cls.model_fields if hasattr(row, name)}
        return cls(
            **same
            | {
                "policy": row.policy_id,
                "premium": None if row.premium is None else str(row.premium),
                "adjusted": str(row.adjusted),
                "premium_month_before": None if row.before is None else str(row.before),
            }
        )


@router.get("/book", response_class=HTMLResponse, include_in_schema=False)
def show_book(
    request: Request, reader: Underwriter, database: Store, now: Now, which: Asked, number: PageNumber = 1
) -> Response:
    """The policies in force in one month: the latest with statements, or the one asked for."""
    bounds = book_view.bounds_of(which.period)
    with database.role("policy") as conn:
        sums = fetch_book_totals(conn, which, bounds)
        rows = fetch_book_page(conn, which, bounds, (number - 1) * PAGE_ROWS, PAGE_ROWS)
        periods = fetch_book_periods(conn)
        plans = published_plans(conn)
    filters = book_view.choices(which, plans)
    query = book_view.query_of(which)
    return page(
        request,
        "book.html",
        reader,
        period=which.period,
        month=wording.month(which.period),
        periods={one: wording.month(one) for one in sorted({*periods, which.period}, reverse=True)},
        totals=book_view.totals(sums),
        filters=filters,
        which=which,
        filtered=any([which.find, *(one.chosen for one in filters)]),
        frame=frame_of("/book", query, book_view.COLUMNS, book_view.NUMBERS, number, sum(one.policies for one in sums)),
        rows=[book_view.shown(row, filters[0].options) for row in rows],
    )


@router.get("/book.csv", include_in_schema=False)
def download_book(reader: Underwriter, database: Store, now: Now, which: Asked) -> Response:
    """Every row of the filter as CSV; that it was taken is noted."""
    looked(database, reader, "book_exported", now, object_id=noted_filter(book_view.query_of(which)))
    bounds = book_view.bounds_of(which.period)
    return csv_answer(f"book-{which.period}.csv", book_view.CSV_HEAD, _csv_rows(database, which, bounds))


@router.get("/api/v1/book", responses=PROBLEMS)
def read_book(reader: Underwriter, database: Store, which: Asked, paging: Page) -> list[BookLine]:
    """The policies of one month: kilometres, score, premium. No name, no place."""
    bounds = book_view.bounds_of(which.period)
    by_number = which.sort == "policy"  # else by what changes: a page goes on by how many rows were shown
    behind = 0 if by_number else paging.last_id or 0
    with database.role("policy") as conn:
        after = paging.last if by_number else None
        rows = fetch_book_page(conn, which, bounds, behind, paging.most, after)
    key = by("policy_id") if by_number else lambda _: behind + paging.limit
    return [BookLine.of(row) for row in paging.shown(rows, key)]


def _csv_rows(database: Database, which: BookFilter, bounds: Mapping[str, date | str]) -> Iterator[tuple[object, ...]]:
    with database.role("policy") as conn:
        for row in each_book_row(conn, which, bounds):
            yield book_view.csv_row(row)
