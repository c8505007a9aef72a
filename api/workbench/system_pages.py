"""Devices and how the system stands: pages of administrators."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api import wording
from api.access import device_object, end_device, looked
from api.device_codes import device_code
from api.device_errors import CoverOver, DeviceEnded, DeviceInUse
from api.errors import NotFound
from api.forms import check_session_form
from api.idempotency import FormKey, fresh_key
from api.languages import say
from api.policy_file import any_policy
from api.rendering import page
from api.roles import Admin, Now, Store
from api.trip_view import Fact
from api.workbench.device_list_store import DEVICES, DeviceRow, Standing, devices_where, fetch_standing
from api.workbench.list_store import Which, each_listed, fetch_page
from api.workbench.tables import PAGE_ROWS, Code, PageNumber, address, csv_answer, frame_of
from ingest.metrics import REGISTRY
from pricing.device_links import assign_device, cover_span
from pricing.errors import DeviceTaken, EndedDevice
from pricing.errors import UnknownDevice as UnlinkedDevice
from storage.pool import Database

router = APIRouter(include_in_schema=False)
STATE_NAMES = {
    "sending": "sent within 3 days", "silent": "silent for 3 days", "never": "never sent", "ended": "ended",
}  # fmt: skip
COLUMNS = {
    "device": "Device", "enrolled": "Enrolled", "last": "Last upload", "state": "State", "vehicle": "Vehicle",
    "waiting": "In quarantine",
}  # fmt: skip
CSV_HEAD = ("device", "vehicle_class", "enrolled_at", "revoked_at", "last_upload", "waiting_in_quarantine")
Find = Annotated[str, Query(max_length=64, pattern="^[a-z0-9-]*$")]
Token = Annotated[str, Form(max_length=200)]


@router.get("/devices", response_class=HTMLResponse)
def show_devices(
    request: Request,
    reader: Admin,
    database: Store,
    now: Now,
    *,
    find: Find = "",
    state: Code = "",
    sort: Code = "device",
    number: PageNumber = 1,
) -> Response:
    """Devices with their last upload, 50 a page."""
    with database.role("telemetry") as conn:
        which = devices_where(find, state, sort, now)
        rows, count = fetch_page(conn, DEVICES, which, number, PAGE_ROWS)
    query = {"find": find, "state": state, "sort": sort}
    return page(
        request,
        "devices.html",
        reader,
        rows=[_shown(row, now) for row in rows],
        find=find,
        state=state,
        states={code: say(name) for code, name in STATE_NAMES.items()},
        key=fresh_key(),
        frame=frame_of("/devices", query, COLUMNS, ("waiting",), number, count),
    )


@router.get("/devices.csv")
def download_devices(
    reader: Admin, database: Store, now: Now, *, find: Find = "", state: Code = "", sort: Code = "device"
) -> Response:
    """The same rows as CSV."""
    return csv_answer("devices.csv", CSV_HEAD, _csv_rows(database, devices_where(find, state, sort, now)))


@router.post("/devices/codes", response_class=HTMLResponse)
def make_code_by_form(
    request: Request,
    reader: Admin,
    database: Store,
    now: Now,
    *,
    device: Annotated[str, Form(max_length=64)],
    key: FormKey,
    form_token: Token = "",
) -> Response:
    """A one-time code to enrol a device by, shown this once: the form sent again makes no other."""
    check_session_form(reader, form_token)
    code = device_code(database, reader, device.strip(), "tls", key, now)
    return page(request, "device_code.html", reader, device=device.strip(), code=code)


@router.post("/devices/{device_id}/end")
def end_by_form(device_id: str, reader: Admin, database: Store, now: Now, form_token: Token = "") -> Response:
    """Ends a device and its tokens now."""
    check_session_form(reader, form_token)
    end_device(database, reader, device_id, now)
    return RedirectResponse(address("/devices", {"find": device_id}), status_code=303)


@router.post("/devices/{device_id}/assignment")
def assign_by_form(
    device_id: str,
    reader: Admin,
    database: Store,
    now: Now,
    *,
    policy: Annotated[str, Form(max_length=64, pattern=r"^[^\x00]*$")],
    form_token: Token = "",
) -> Response:
    """From now on, or from its first day to come, the device measures the policy; whose it was before is not told."""
    check_session_form(reader, form_token)
    with database.role("policy") as conn:
        held = any_policy(conn, policy.strip())
    begins, ends = cover_span(held)
    if ends <= now:
        raise CoverOver(held.policy_id)
    try:
        is_new = assign_device(database, held.policy_id, device_id, max(now, begins))
    except UnlinkedDevice:
        raise NotFound("device", device_id) from None
    except DeviceTaken:
        raise DeviceInUse(device_id) from None
    except EndedDevice:
        raise DeviceEnded(device_id) from None
    if is_new:
        named = device_object(database, device_id)
        looked(database, reader, "device_linked", now, policy_key=held.policy_key, object_id=named)
    return RedirectResponse(address("/devices", {"find": device_id}), status_code=303)


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


def _csv_rows(database: Database, which: Which) -> Iterator[tuple[object, ...]]:
    with database.role("telemetry") as conn:
        for row in each_listed(conn, DEVICES, which):
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
