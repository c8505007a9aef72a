"""Precise location of others: for privacy officers, with a reason that is kept and shown to the person."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from api import map_drawing, trip_view, wording
from api.access import looked
from api.forms import check_session_form
from api.languages import say
from api.location_view import Asked, look_at_location, trips_to_choose
from api.policy_file import any_policy
from api.problems import PROBLEMS
from api.rendering import page
from api.roles import Now, PrivacyOfficer, Store
from portfolio.location_store import LOOK_REASONS
from scoring.classes import OVER_LIMIT_BANDS

router = APIRouter()


class ReasonIn(BaseModel):
    """Why somebody must know where this person was; they read it."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(examples=list(LOOK_REASONS))
    words: str = Field(examples=["The driver does not answer after a suspected crash, 112 asks where the car is."])


@router.get("/locations", response_class=HTMLResponse, include_in_schema=False)
def show_choice(
    request: Request,
    reader: PrivacyOfficer,
    database: Store,
    now: Now,
    policy: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Which trip of which policy, and why: no place is shown before that is said."""
    trips = []
    if policy:
        trips = trips_to_choose(database, policy)
        with database.role("policy") as conn:
            policy_key = any_policy(conn, policy).policy_key
        looked(database, reader, "policy_read", now, policy_key=policy_key)
    rows = [trip_view.trip_row(trip) for trip in trips]
    return page(
        request,
        "locations.html",
        reader,
        policy=policy,
        trips=rows,
        reasons={code: say(name) for code, name in LOOK_REASONS.items()},
    )


@router.post("/locations/{policy_id}", response_class=HTMLResponse, include_in_schema=False)
def show_location(
    request: Request,
    policy_id: str,
    reader: PrivacyOfficer,
    database: Store,
    now: Now,
    *,
    trip: Annotated[UUID, Form()],
    reason: Annotated[str, Form(max_length=40)],
    words: Annotated[str, Form(max_length=2000)],
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """The way of one trip; the look is kept first."""
    check_session_form(reader, form_token)
    file = look_at_location(database, reader, Asked(policy_id, trip, reason, words), now)
    markers = trip_view.markers(file.trip, file.events)
    return page(
        request,
        "location.html",
        reader,
        policy=policy_id,
        trip=trip_view.trip_row(file.trip),
        reason=say(LOOK_REASONS[reason]),
        words=words.strip(),
        is_cut=file.is_cut,
        bands=[{"code": band, "name": wording.band_name(band)} for band in OVER_LIMIT_BANDS],
        map=map_drawing.trip_svg(file.track, markers, request.app.state.roads) if file.track else "",
    )


@router.post("/api/v1/policies/{policy_id}/trips/{trip_id}/location", responses=PROBLEMS)
def read_location(
    policy_id: str, trip_id: UUID, wanted: ReasonIn, reader: PrivacyOfficer, database: Store, now: Now
) -> dict[str, Any]:
    """The way of one trip outside of privacy zones, as GeoJSON. The look, its reason and words are kept and shown."""
    file = look_at_location(database, reader, Asked(policy_id, trip_id, wanted.reason, wanted.words), now)
    if file.track is None:
        return {"type": "FeatureCollection", "features": []}
    return map_drawing.track_geojson(file.track, trip_view.markers(file.trip, file.events))
