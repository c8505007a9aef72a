"""Drivers of a household: who may drive under a policy, whose a trip was, and the drives of somebody else's car."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from api import trip_view, wording
from api.accounts import normal_email
from api.data_routes import TripOut
from api.errors import NotFound
from api.forms import check_session_form
from api.paging import EVERYTHING, Page, by
from api.policy_file import any_policy, own_policy
from api.problems import PROBLEMS
from api.rendering import page
from api.roles import Now, Policyholder, Store
from api.sight import Sight
from api.store import Account, Trip, fetch_drives
from api.texts import Line
from api.trip_file import known_trip
from portfolio.consent_store import purpose_named
from portfolio.driver_store import MAP, claim, end_driver, fetch_drivers, fetch_named_by, name_driver
from pricing.policies import plan_of_month
from scoring.features import sum_totals
from scoring.score import Score, score_totals
from storage.pool import Database

router = APIRouter()
DRIVES = 200
NOT_BLANK = r"\S"
EMAIL = r"^\S+@\S+$"


class DriverIn(BaseModel):
    """Somebody who drives, too."""

    model_config = ConfigDict(extra="forbid")

    name: Line = Field(max_length=200, pattern=NOT_BLANK)
    email: str = Field(min_length=3, max_length=320, pattern=EMAIL, examples=["kim@example.org"])


class DriverOut(BaseModel):
    """Somebody who drives beside the policyholder."""

    driver_id: UUID
    name: str
    since: datetime
    shows_map: bool = Field(description="Lets the policyholder see the ways of own trips; theirs to say, under Privacy")


class ClaimIn(BaseModel):
    """Whether you drove."""

    model_config = ConfigDict(extra="forbid")

    mine: bool


@router.get("/drives", response_class=HTMLResponse, include_in_schema=False)
def show_drives(request: Request, reader: Policyholder, database: Store) -> Response:
    """The trips that this person drove under others' policies, and those that nobody has claimed."""
    trips = _drives(database, reader, DRIVES)
    own = [trip for trip in trips if trip.driver is not None]
    counted = [trip for trip in own if trip.excluded is None and trip.grade != "uncertified"]
    score = _score_of(database, counted) if counted else None
    person_key = reader.person_key
    named_by = [] if person_key is None else database.read("policy", lambda conn: fetch_named_by(conn, person_key))
    return page(
        request,
        "drives.html",
        reader,
        own=trip_view.trip_groups(own, {}, reader.person_key),
        unclaimed=[trip_view.trip_row(trip, sight=Sight.NUMBERS) for trip in trips if trip.driver is None],
        km=wording.km(sum(trip.totals["distance_m"] for trip in counted)),
        score=None if score is None else wording.number(score.value),
        named_by=", ".join(named_by),
    )


@router.get("/api/v1/drives", responses=PROBLEMS)
def read_drives(reader: Policyholder, database: Store, paging: Page) -> list[TripOut]:
    """Trips under others' policies that you drove, or that nobody has claimed yet, the latest first."""
    drives = paging.cut(_drives(database, reader, EVERYTHING), by("trip_id"))
    return [TripOut.of(trip, reader.person_key) for trip in drives]


@router.get("/api/v1/policies/{policy_id}/drivers", responses=PROBLEMS)
def read_drivers(policy_id: str, reader: Policyholder, database: Store) -> list[DriverOut]:
    """Who drives under your policy beside you."""
    return _named(database, reader, policy_id)


@router.post("/api/v1/policies/{policy_id}/drivers", responses=PROBLEMS)
def add_driver(policy_id: str, wanted: DriverIn, reader: Policyholder, database: Store, now: Now) -> list[DriverOut]:
    """Names somebody who drives, too; naming them again changes nothing. From now on trips wait to be claimed."""
    _name(database, reader, policy_id, wanted, now)
    return _named(database, reader, policy_id)


@router.post("/policies/{policy_id}/drivers", include_in_schema=False)
def add_by_form(
    policy_id: str,
    reader: Policyholder,
    database: Store,
    now: Now,
    *,
    name: Annotated[Line, Form(max_length=200, pattern=NOT_BLANK)],
    email: Annotated[str, Form(min_length=3, max_length=320, pattern=EMAIL)],
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Names a driver, and goes back to the page."""
    check_session_form(reader, form_token)
    _name(database, reader, policy_id, DriverIn(name=name, email=email), now)
    return RedirectResponse("/privacy#drivers", status_code=303)


@router.delete("/api/v1/policies/{policy_id}/drivers/{driver_id}", status_code=204, responses=PROBLEMS)
def end_driver_of_policy(policy_id: str, driver_id: UUID, reader: Policyholder, database: Store, now: Now) -> None:
    """From now on they drive no longer. Their trips stay theirs, and so does whether you see the ways of these."""
    _end(database, reader, policy_id, driver_id, now)


@router.post("/policies/{policy_id}/drivers/{driver_id}/end", include_in_schema=False)
def end_by_form(
    policy_id: str,
    driver_id: UUID,
    reader: Policyholder,
    database: Store,
    now: Now,
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Takes a driver off the policy, and goes back to the page."""
    check_session_form(reader, form_token)
    _end(database, reader, policy_id, driver_id, now)
    return RedirectResponse("/privacy#drivers", status_code=303)


@router.put("/api/v1/trips/{trip_id}/driver", responses=PROBLEMS)
def claim_trip(trip_id: UUID, wanted: ClaimIn, reader: Policyholder, database: Store, now: Now) -> TripOut:
    """Says that you drove, or takes it back; again changes nothing. What somebody else claimed stays theirs."""
    _claim(database, reader, trip_id, wanted.mine, now)
    return TripOut.of(known_trip(database, reader, trip_id), reader.person_key)


@router.post("/trips/{trip_id}/driver", include_in_schema=False)
def claim_by_form(
    trip_id: UUID,
    reader: Policyholder,
    database: Store,
    now: Now,
    *,
    mine: Annotated[bool, Form()],
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Says who drove, and goes back to the trip."""
    check_session_form(reader, form_token)
    _claim(database, reader, trip_id, mine, now)
    return RedirectResponse(f"/trips/{trip_id}", status_code=303)


def _score_of(database: Database, trips: Sequence[Trip]) -> Score:
    """By the model that prices the latest of them."""
    with database.role("policy") as conn:
        plan = plan_of_month(conn, any_policy(conn, trips[0].policy_id), trips[0].local_month)
    return score_totals(sum_totals(trip.totals for trip in trips), plan.score_model)


def _drives(database: Database, reader: Account, limit: int) -> list[Trip]:
    with database.role("policy") as conn:
        return fetch_drives(conn, reader.person_key, limit)


def _named(database: Database, reader: Account, policy_id: str) -> list[DriverOut]:
    with database.role("policy") as conn:
        policy = own_policy(conn, reader, policy_id)
        found = fetch_drivers(conn, policy.policy_key, purpose_named(MAP).text_hash)
    return [
        DriverOut(driver_id=one.person_key, name=one.name, since=one.since, shows_map=one.shows_map) for one in found
    ]


def _name(database: Database, reader: Account, policy_id: str, wanted: DriverIn, now: datetime) -> None:
    with database.role("policy") as conn:
        policy = own_policy(conn, reader, policy_id)
        name, email = wanted.name.strip(), normal_email(wanted.email)
        if email == policy.email:
            return  # who pays drives in any case
        name_driver(conn, policy.policy_key, uuid4(), name, email, named_by=reader.account_key, as_of=now)


def _end(database: Database, reader: Account, policy_id: str, driver_id: UUID, now: datetime) -> None:
    with database.role("policy") as conn:
        policy = own_policy(conn, reader, policy_id)
        if not end_driver(conn, policy.policy_key, driver_id, now):
            raise NotFound("driver", str(driver_id))


def _claim(database: Database, reader: Account, trip_id: UUID, mine: bool, now: datetime) -> None:
    known_trip(database, reader, trip_id)
    if reader.person_key is None:
        raise NotFound("trip", str(trip_id))
    with database.role("link") as conn:
        claim(conn, trip_id, reader.person_key, mine=mine, said_by=reader.account_key, as_of=now)
