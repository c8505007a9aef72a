"""The privacy centre: what is held, when it goes, who looked, and all of it to take along."""

from collections.abc import Iterator
from datetime import timedelta
from typing import IO

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from api.languages import say
from api.policy_file import open_file, own_policies
from api.privacy_export import export_zip, looks_of, own_spans
from api.privacy_store import fetch_held
from api.privacy_view import (
    act_rows,
    consent_rows,
    day_and_time,
    driver_rows,
    erasure_view,
    location_rows,
    reads_of,
    zone_rows,
)
from api.problems import PROBLEMS
from api.rendering import page
from api.roles import Now, Policyholder, Store
from api.wording import local, long_day, number, words

router = APIRouter()
READINGS_DAYS = 90  # the default of `wayrate expire`, counted from the end of a reading's week
PIECE_BYTES = 256 * 1024


@router.get("/privacy", response_class=HTMLResponse, include_in_schema=False)
def show_privacy(request: Request, reader: Policyholder, database: Store, now: Now) -> Response:
    """What is held of this person."""
    with database.role("policy") as conn:
        policies = own_policies(conn, reader)
    keys = [policy.policy_key for policy in policies]
    files = [open_file(database, policy, now) for policy in policies]
    spans = own_spans(database, reader, files)
    with database.role("telemetry") as conn:
        held = fetch_held(conn, spans)
    zone = policies[0].time_zone if policies else "UTC"
    goes_on = held.oldest_week_ends + timedelta(days=READINGS_DAYS) if held.oldest_week_ends else None
    return page(
        request,
        "privacy.html",
        reader,
        policies=len(policies),
        trips=sum(len(file.trips) for file in files),
        statements=sum(len(file.statements) for file in files),
        readings=number(held.readings),
        oldest=long_day(local(held.oldest, zone)) if held.oldest else None,
        goes_on=long_day(goes_on) if goes_on else None,
        days_left=max((goes_on - now).days, 0) if goes_on else 0,
        readings_days=READINGS_DAYS,
        consents=consent_rows(database, reader, zone),
        acts=act_rows(database, reader, zone),
        locations=location_rows(database, keys, zone),
        reads=[reads_of(database, file) for file in files if file.policy.ends_on > now.date()],
        drivers=driver_rows(database, files),
        zones=zone_rows(database, reader),
        erasure=erasure_view(database, reader, now),
        looks=[
            {
                "who": words(seen.role),
                "when": day_and_time(seen.look.seen_at, zone),
                "what": say("with the way, without its ends") if seen.look.with_way else say("without the way"),
                "trip_id": str(seen.look.trip_id),
            }
            for seen in looks_of(database, keys)
        ],
    )


@router.get("/api/v1/export", responses=PROBLEMS, response_class=StreamingResponse)
def read_export(reader: Policyholder, database: Store, now: Now) -> Response:
    """Everything held about you, as a zip of JSON, CSV and GeoJSON."""
    name = f"wayrate-{now:%Y-%m-%d}.zip"
    return StreamingResponse(
        _pieces(export_zip(database, reader, now)),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE_BYTES):
            yield piece
