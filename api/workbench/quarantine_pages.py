"""Quarantine by page: counts for underwriters; list, look and replay for administrators. Never a digit of a place."""

from dataclasses import asdict, replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, Response

from api.access import looked, noted_filter
from api.errors import NotFound
from api.forms import check_session_form
from api.languages import say
from api.rendering import page
from api.roles import Admin, Now, QuarantineReader, Store
from api.workbench.tables import PAGE_ROWS, address, csv_answer
from ingest.errors import UnknownQuarantine
from ingest.quarantine import Replay, masked, masked_text, replay, replay_all
from ingest.quarantine_store import Filter, KeptRow, count_by_reason, fetch_kept, fetch_rows
from ingest.rejection import Rejection

router = APIRouter(include_in_schema=False)
MOST_EXPORTED = 100_000
CSV_HEAD = ("quarantine_id", "received_at", "device", "channel", "reason", "detail", "record", "size_bytes", "state")
Token = Annotated[str, Form(max_length=200)]


def asked_filter(
    *,
    reason: Annotated[str, Query(max_length=40)] = "",
    channel: Annotated[str, Query(max_length=40)] = "",
    device: Annotated[str, Query(max_length=64)] = "",
    all_states: Annotated[bool, Query(alias="all")] = False,
    after_id: Annotated[int, Query(ge=0, le=2**62)] = 0,
) -> Filter:
    """The filter of the address."""
    return Filter(reason or None, device or None, channel or None, waiting=not all_states, after_id=after_id)


Asked = Annotated[Filter, Depends(asked_filter)]


@router.get("/quarantine", response_class=HTMLResponse)
def show_quarantine(request: Request, reader: QuarantineReader, database: Store, which: Asked) -> Response:
    """How much was refused and why; for administrators also what is kept, a page by rising id."""
    may_look = reader.role == "admin"
    with database.role("telemetry") as conn:
        counts = count_by_reason(conn, None)
        rows = fetch_rows(conn, which, PAGE_ROWS + 1) if may_look else []
    query = query_of(which)
    after = {**query, "after_id": str(rows[PAGE_ROWS - 1].quarantine_id)} if len(rows) > PAGE_ROWS else None
    return page(
        request,
        "quarantine.html",
        reader,
        counts=counts,
        waiting=sum(one.waiting for one in counts),
        rows=[
            {**asdict(row), "detail": masked_text(row.detail), "state": say(_state(row))} for row in rows[:PAGE_ROWS]
        ],
        which=which,
        reasons=list(Rejection),
        channels=sorted({one.channel for one in counts}),
        after=address("/quarantine", after) if after else None,
        csv=address("/quarantine.csv", query),
        may_look=may_look,
    )


@router.get("/quarantine.csv")
def download_quarantine(reader: Admin, database: Store, now: Now, which: Asked) -> Response:
    """What is kept, without bytes and digits."""
    looked(database, reader, "quarantine_exported", now, object_id=noted_filter(query_of(which)))
    with database.role("telemetry") as conn:
        rows = fetch_rows(conn, which, MOST_EXPORTED)
    lines = (
        (row.quarantine_id, row.received_at.isoformat(), row.device_id or "", row.channel, row.reason,
         masked_text(row.detail), "" if row.record_index is None else row.record_index, row.size_bytes, _state(row))
        for row in rows
    )  # fmt: skip
    return csv_answer("quarantine.csv", CSV_HEAD, lines)


@router.get("/quarantine/{quarantine_id}", response_class=HTMLResponse)
def show_kept(request: Request, quarantine_id: int, reader: Admin, database: Store, now: Now) -> Response:
    """One of them with its bytes, masked; that it was looked at is noted."""
    with database.role("telemetry") as conn:
        kept = fetch_kept(conn, quarantine_id)
    if kept is None:
        raise NotFound("kept record", str(quarantine_id))
    looked(database, reader, "quarantine_read", now, object_id=str(quarantine_id))
    return page(
        request,
        "quarantine_record.html",
        reader,
        kept=kept,
        detail=masked_text(kept.detail),
        seen=masked(kept),
        waits=kept.replayed_at is None and kept.expired_at is None,
    )


@router.post("/quarantine/replay", response_class=HTMLResponse)
def replay_by_form(
    request: Request,
    reader: Admin,
    database: Store,
    now: Now,
    *,
    quarantine_id: Annotated[int, Form(ge=0, le=2**62)] = 0,
    reason: Annotated[str, Form(max_length=40)] = "",
    channel: Annotated[str, Form(max_length=40)] = "",
    form_token: Token = "",
) -> Response:
    """Puts one, or all that wait of a reason and channel, through the front door again; says what became of them."""
    check_session_form(reader, form_token)
    which = Filter(reason or None, None, channel or None)
    asked = str(quarantine_id) if quarantine_id else noted_filter(query_of(which))
    if not asked:
        raise NotFound("kept record", "of no reason and channel")
    looked(database, reader, "quarantine_replayed", now, object_id=asked)
    done = _replayed(database, quarantine_id, which, now)
    outcomes: dict[str, int] = {}
    for one in done:
        outcomes[one.outcome] = outcomes.get(one.outcome, 0) + 1
    told = [replace(one, detail=masked_text(one.detail or "") or None) for one in done[:PAGE_ROWS]]
    return page(
        request,
        "quarantine_replayed.html",
        reader,
        outcomes=outcomes,
        stored=sum(one.stored for one in done),
        done=told,
        count=len(done),
    )


def query_of(which: Filter) -> dict[str, str]:
    """The filter as it stands in the address, without its page."""
    return {
        "reason": which.reason or "",
        "channel": which.channel or "",
        "device": which.device_id or "",
        "all": "" if which.waiting else "true",
    }


def _replayed(database: Store, quarantine_id: int, which: Filter, now: datetime) -> list[Replay]:
    if not quarantine_id:
        return replay_all(database, which, now)
    try:
        return [replay(database, quarantine_id, now)]
    except UnknownQuarantine:
        raise NotFound("kept record", str(quarantine_id)) from None


def _state(row: KeptRow) -> str:
    return "replayed" if row.replayed_at else "expired" if row.expired_at else "waits"
