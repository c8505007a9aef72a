"""Devices, security events and how the system stands: pages of administrators."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api import wording
from api.access import device_object, looked
from api.device_errors import DeviceEnded, UnfitDevice
from api.errors import NotFound
from api.forms import check_session_form
from api.languages import say
from api.rendering import page
from api.roles import Admin, Now, Store
from api.trip_view import Fact
from api.workbench.device_list_store import (
    SORTS,
    DeviceRow,
    Standing,
    count_devices,
    each_device,
    fetch_devices,
    fetch_standing,
)
from api.workbench.tables import PAGE_ROWS, address, columns, csv_answer, pages
from ingest.devices import revoke
from ingest.enrolment import make_code
from ingest.enrolment_store import fetch_security_events
from ingest.errors import BadDeviceId, BadImei, DeviceExists, UnknownDevice
from ingest.metrics import REGISTRY
from ingest.security import SecurityEvent
from storage.pool import Database

router = APIRouter(include_in_schema=False)
STATE_NAMES = {
    "sending": "sent within 3 days", "silent": "silent for 3 days", "never": "never sent", "ended": "ended",
}  # fmt: skip
COLUMNS = {"device": "Device", "enrolled": "Enrolled", "last": "Last upload"}
CSV_HEAD = ("device", "vehicle_class", "enrolled_at", "revoked_at", "last_upload", "waiting_in_quarantine")
EVENTS_HEAD = ("happened_at", "kind", "channel", "device", "detail")
MOST_EVENTS, MOST_EXPORTED = 500, 100_000
Find = Annotated[str, Query(max_length=64, pattern="^[a-z0-9-]*$")]
State = Annotated[str, Query(max_length=20)]
Sort = Annotated[str, Query(max_length=20)]
Token = Annotated[str, Form(max_length=200)]


@router.get("/devices", response_class=HTMLResponse)
def show_devices(
    request: Request,
    reader: Admin,
    database: Store,
    now: Now,
    *,
    find: Find = "",
    state: State = "",
    sort: Sort = "device",
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """Devices with their last upload, 50 a page."""
    with database.role("telemetry") as conn:
        count = count_devices(conn, find, state, now)
        rows = fetch_devices(conn, find, state, sort, now, (number - 1) * PAGE_ROWS, PAGE_ROWS)
    query = {"find": find, "state": state, "sort": sort}
    return page(
        request,
        "devices.html",
        reader,
        rows=[_shown(row, now) for row in rows],
        find=find,
        state=state,
        sort=sort,
        states={code: say(name) for code, name in STATE_NAMES.items()},
        columns=columns(COLUMNS, (), sort if sort.removeprefix("-") in SORTS else "device", "/devices", query),
        pages=pages(number, count, "/devices", query),
        csv=address("/devices.csv", query),
        code=None,
    )


@router.get("/devices.csv")
def download_devices(
    reader: Admin, database: Store, now: Now, *, find: Find = "", state: State = "", sort: Sort = "device"
) -> Response:
    """The same rows as CSV."""
    return csv_answer("devices.csv", CSV_HEAD, _csv_rows(database, find, state, sort, now))


@router.post("/devices/codes", response_class=HTMLResponse)
def make_code_by_form(
    request: Request,
    reader: Admin,
    database: Store,
    now: Now,
    *,
    device: Annotated[str, Form(max_length=64)],
    form_token: Token = "",
) -> Response:
    """A one-time code to enrol a device by, shown this once."""
    check_session_form(reader, form_token)
    try:
        with database.role("telemetry") as conn:
            code = make_code(conn, device.strip(), now, tier="tls")
    except (BadDeviceId, BadImei) as error:
        raise UnfitDevice(str(error)) from None
    except DeviceExists:
        raise DeviceEnded(device.strip()) from None
    looked(database, reader, "device_code_made", now, object_id=device_object(database, device.strip()))
    return page(request, "device_code.html", reader, device=device.strip(), code=code)


@router.post("/devices/{device_id}/end")
def end_by_form(device_id: str, reader: Admin, database: Store, now: Now, form_token: Token = "") -> Response:
    """Ends a device and its tokens now."""
    check_session_form(reader, form_token)
    named = device_object(database, device_id)
    try:
        with database.role("telemetry") as conn:
            revoke(conn, device_id, now)
    except UnknownDevice:
        raise NotFound("device", device_id) from None
    looked(database, reader, "device_ended", now, object_id=named)
    return RedirectResponse(address("/devices", {"find": device_id}), status_code=303)


@router.get("/security-events", response_class=HTMLResponse)
def show_security_events(
    request: Request, reader: Admin, database: Store, kind: Annotated[str, Query(max_length=40)] = ""
) -> Response:
    """What somebody should look at, the latest first."""
    with database.role("telemetry") as conn:
        events = fetch_security_events(conn, kind or None, None, MOST_EVENTS)
    return page(request, "security_events.html", reader, events=events, kinds=list(SecurityEvent), kind=kind)


@router.get("/security-events.csv")
def download_security_events(
    reader: Admin, database: Store, kind: Annotated[str, Query(max_length=40)] = ""
) -> Response:
    """The latest of them as CSV."""
    with database.role("telemetry") as conn:
        events = fetch_security_events(conn, kind or None, None, MOST_EXPORTED)
    rows = ((one.happened_at.isoformat(), one.kind, one.channel, one.device_id or "", one.detail) for one in events)
    return csv_answer("security-events.csv", EVENTS_HEAD, rows)


@router.get("/system", response_class=HTMLResponse)
def show_system(request: Request, reader: Admin, database: Store, now: Now) -> Response:
    """How the system stands, and what this process counted since it began."""
    with database.role("telemetry") as conn:
        standing = fetch_standing(conn)
    return page(request, "system.html", reader, facts=_standing_facts(standing, now), counted=_counted())


def _shown(row: DeviceRow, now: datetime) -> dict[str, object]:
    state = "ended" if row.revoked_at else "never" if row.last_upload is None else _sending(row.last_upload, now)
    return {
        "device_id": row.device_id,
        "vehicle_class": wording.words(row.vehicle_class),
        "enrolled": wording.long_day(row.enrolled_at),
        "last": f"{wording.moment(row.last_upload)} UTC" if row.last_upload else "–",
        "state": say(STATE_NAMES[state]),
        "mark": {"sending": "good", "silent": "c"}.get(state, ""),
        "waiting": row.waiting,
        "may_end": row.revoked_at is None,
    }


def _sending(last_upload: datetime, now: datetime) -> str:
    return "sending" if (now - last_upload).days < 3 else "silent"


def _csv_rows(database: Database, find: str, state: str, sort: str, now: datetime) -> Iterator[tuple[object, ...]]:
    with database.role("telemetry") as conn:
        for row in each_device(conn, find, state, sort, now):
            times = [at.isoformat() if at else "" for at in (row.enrolled_at, row.revoked_at, row.last_upload)]
            yield row.device_id, row.vehicle_class, *times, row.waiting


def _standing_facts(standing: Standing, now: datetime) -> list[Fact]:
    def ago(at: datetime | None) -> str:
        if at is None:
            return "–"
        minutes = max(0, round((now - at).total_seconds() / 60))
        if minutes >= 2880:
            return wording.long_day(at)
        return say("{time} ago", time=f"{minutes} min" if minutes < 120 else f"{minutes // 60} h")

    return [
        Fact(
            say("Windows to be scored"),
            wording.number(standing.dirty_windows),
            say("the oldest: {time}", time=ago(standing.dirty_since)),
        ),
        Fact(say("Last upload"), ago(standing.last_upload)),
        Fact(say("Waits in quarantine"), wording.number(standing.quarantined)),
        Fact(say("Trips"), wording.number(standing.trips), say("the database's estimate")),
        Fact(say("Database"), f"{wording.number(standing.size_bytes / 2**20)} MiB"),
        Fact(
            "PostgreSQL",
            standing.server,
            say("with TimescaleDB") if standing.has_timescale else say("plain partitions"),
        ),
    ]


def _counted() -> list[tuple[str, str, str]]:
    """(what, labels, value) of this process's own counters, without the buckets of histograms."""
    return [
        (
            sample.name,
            ", ".join(f"{name} {value}" for name, value in sorted(sample.labels.items())),
            wording.exact(f"{sample.value:.6g}"),
        )
        for family in REGISTRY.collect()
        for sample in family.samples
        if not sample.name.endswith(("_bucket", "_created"))
    ]
