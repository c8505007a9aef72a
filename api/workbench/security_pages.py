"""Security events: what somebody should look at, for administrators."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response

from api import wording
from api.rendering import page
from api.roles import Admin, Store
from api.workbench.event_list_store import EVENTS, events_where
from api.workbench.list_store import Which, each_listed, fetch_page
from api.workbench.tables import PAGE_ROWS, Code, PageNumber, csv_answer, frame_of, midnight
from ingest.security import SecurityEvent
from storage.pool import Database

router = APIRouter(include_in_schema=False)
Day = Annotated[str, Query(max_length=10)]
COLUMNS = {"when": "When, UTC", "kind": "Kind", "channel": "Channel", "device": "Device"}
CSV_HEAD = ("happened_at", "kind", "channel", "device", "detail")


@dataclass(frozen=True, slots=True)
class Asked:
    """The filter of the address, as it stands there and as the list takes it."""

    query: dict[str, str]
    which: Which


def asked_filter(
    *,
    kind: Code = "",
    device: Annotated[str, Query(max_length=64, pattern="^[a-z0-9-]*$")] = "",
    since: Day = "",
    until: Day = "",
    sort: Code = "-when",
) -> Asked:
    """By kind, beginning of a device's id and days; the latest first."""
    query = {"kind": kind, "device": device, "since": since, "until": until, "sort": sort}
    return Asked(query, events_where(kind, device, midnight(since), midnight(until), sort))


Filter = Annotated[Asked, Depends(asked_filter)]


@router.get("/security-events", response_class=HTMLResponse)
def show_security_events(
    request: Request, reader: Admin, database: Store, asked: Filter, number: PageNumber = 1
) -> Response:
    """Events, 50 a page."""
    with database.role("telemetry") as conn:
        rows, count = fetch_page(conn, EVENTS, asked.which, number, PAGE_ROWS)
    return page(
        request,
        "security_events.html",
        reader,
        events=rows,
        kinds={one: wording.words(one) for one in SecurityEvent},
        asked=asked.query,
        filtered=bool(asked.which.conditions),
        frame=frame_of("/security-events", asked.query, COLUMNS, (), number, count),
    )


@router.get("/security-events.csv")
def download_security_events(reader: Admin, database: Store, asked: Filter) -> Response:
    """The same rows, all, as CSV."""
    return csv_answer("security-events.csv", CSV_HEAD, _csv_rows(database, asked.which))


def _csv_rows(database: Database, which: Which) -> Iterator[tuple[object, ...]]:
    with database.role("telemetry") as conn:
        for one in each_listed(conn, EVENTS, which):
            yield one.happened_at.isoformat(), one.kind, one.channel, one.device_id or "", one.detail
