"""The JSON API, version 1: the same facts as the pages, for programs. Money is text with all its digits."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from api import map_drawing, trip_view
from api.access import looked
from api.errors import MapNotShown, NotFound
from api.etags import TAGGED, tagged_json, tagged_page
from api.home_view import whole_month
from api.paging import Page, Paging, by
from api.policy_file import any_policy, own_policies, own_policy
from api.problems import PROBLEMS
from api.roles import Anyone, Now, Policyholder, Store, Underwriter
from api.seen_month import ScoreMonth
from api.sight import Sight
from api.store import Account, Trip, fetch_latest_trips, fetch_months
from api.trip_file import TripFile, known_trip, known_trip_file, require_way
from api.wording import local
from pricing.kept_driving import window_score
from pricing.periods import months_before
from pricing.plan import RatePlan
from pricing.policies import plan_of_terms
from pricing.statement import PeriodStatement
from pricing.store import Policy, fetch_latest_periods, fetch_statements
from pricing.what_if import Driving, Wish, driving_until, outcome
from scoring.score import Score
from storage.pool import Conn, Database

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


class Me(BaseModel):
    """The account behind the session."""

    email: str = Field(examples=["you@example.org"])
    role: str = Field(examples=["policyholder"])
    name: str | None
    session_expires_at: datetime


class PolicyOut(BaseModel):
    """A policy's terms."""

    policy: str
    starts_on: date
    ends_on: date
    plan: str
    pay_plan: str
    covers: list[str]
    factors: dict[str, Any]
    declared_km_per_year: int
    time_zone: str

    @classmethod
    def of(cls, policy: Policy) -> "PolicyOut":
        """From the stored policy."""
        return cls(
            policy=policy.policy_id,
            starts_on=policy.starts_on,
            ends_on=policy.ends_on,
            plan=policy.plan_name,
            pay_plan=policy.pay_plan,
            covers=policy.covers,
            factors=policy.factors,
            declared_km_per_year=policy.declared_km_per_year,
            time_zone=policy.time_zone,
        )


class TripOut(BaseModel):
    """A trip's numbers, without a place. Of a trip that somebody else drove: kilometres and score alone."""

    trip_id: UUID
    policy: str
    driver: str = Field(description="`you`, `somebody else`, or `unknown`: nobody has claimed it yet")
    shows_map: bool = Field(description="Whether its way, and where its events were, are yours to see")
    started_at: datetime | None
    ended_at: datetime | None
    time_zone: str
    local_month: str
    distance_m: int
    gap_m: int = Field(description="Estimated, never measured")
    duration_s: int | None
    excluded: str | None
    grade: str
    quality: dict[str, Any]
    not_measurable: list[str]
    features: dict[str, float | None]
    score: dict[str, Any] | None = Field(
        description="Of the trip alone, by the stated priors (`model` names them); your policy's is by its rate plan"
    )
    versions: dict[str, Any]
    label: str | None = Field(description="What you said it was; null: nothing, or it was taken back")
    contests: list[UUID] = Field(description="Upheld: the trip does not count, or counts without the contested events")

    @classmethod
    def of(cls, trip: Trip, person_key: UUID | None) -> "TripOut":
        """From the stored trip, as far as this person may see it."""
        sight = trip.sight(person_key)
        same = {name: getattr(trip, name) for name in cls.model_fields if name not in ("policy", "driver", "shows_map")}
        if sight is Sight.KM:
            same |= dict.fromkeys(("started_at", "ended_at", "duration_s"))
            same |= {"quality": {}, "features": {}, "versions": {}, "not_measurable": []}
        driver = "unknown" if trip.driver is None else "you" if trip.driver == person_key else "somebody else"
        return cls(policy=trip.policy_id, driver=driver, shows_map=sight is Sight.ALL, **same)


class EventOut(BaseModel):
    """An event with its evidence."""

    number: int
    kind: str
    started_at: datetime
    ended_at: datetime
    peak: float
    peak_unit: str
    latitude_deg: float | None
    longitude_deg: float | None
    source: str
    sampling_interval_s: float
    thresholds_version: str


class ScoreOut(BaseModel):
    """The score that the premium is made with: over the plan's window, which ends with `to_month`."""

    policy: str
    from_month: str
    to_month: str
    trips: int
    score: dict[str, Any] | None


class PostingOut(BaseModel):
    """A statement as it was posted, or an adjustment of it: with all that it was computed from."""

    kind: Literal["statement", "adjustment"]
    revision: int
    amount: str = Field(description="Of an adjustment with its sign")
    lines: list[dict[str, str]] = Field(description="`name` and `amount` of each")
    worksheet: list[dict[str, str]] = Field(description="Every step from the base rate to the amount")
    inputs: dict[str, Any]
    inputs_digest: str
    plan_hash: str
    versions: dict[str, Any]
    reason: str
    posted_at: datetime


class StatementOut(BaseModel):
    """A month: what was charged, what corrected it, and what it comes to."""

    policy: str
    period: str = Field(examples=["2026-10"])
    currency: str
    total: str
    postings: list[PostingOut]


class OutcomeOut(BaseModel):
    """What a month comes to: its amount, and the score in it (null: there is nothing to score)."""

    amount: str
    score: float | None
    distance_m: int | None = Field(description="As asked; null: as driven")
    night_share: float | None
    over_share: float | None


class WhatIfOut(BaseModel):
    """A whole month as driven, and as it would be."""

    policy: str
    period: str
    currency: str
    driven: OutcomeOut
    asked: OutcomeOut


@router.get("/me")
def read_me(reader: Anyone) -> Me:
    """Who is signed in."""
    return Me(email=reader.email, role=reader.role, name=reader.name, session_expires_at=reader.expires_at)


@router.get("/policies")
def read_policies(reader: Policyholder, database: Store, paging: Page) -> list[PolicyOut]:
    """Your policies."""
    with database.role("policy") as conn:
        policies = own_policies(conn, reader)
    return [PolicyOut.of(policy) for policy in paging.cut(policies, by("policy_id"))]


@router.get("/policies/{policy_id}")
def read_policy(policy_id: str, reader: Policyholder, database: Store) -> PolicyOut:
    """One of your policies."""
    with database.role("policy") as conn:
        return PolicyOut.of(own_policy(conn, reader, policy_id))


@router.get("/policies/{policy_id}/score", response_model=ScoreOut, openapi_extra=TAGGED)
async def read_score(request: Request, month: ScoreMonth) -> Response:
    """The driving score with its reasons and interval, of the months that end with the one asked for."""
    kept, (plan, window) = month.kept, month.found
    found = ScoreOut(
        policy=kept.policy.policy_id,
        from_month=months_before(kept.period, plan.behaviour.window_months - 1),
        to_month=kept.period,
        trips=window.trips,
        score=_score_json(window_score(plan, window)),
    )
    return tagged_json(request, found)


@router.get("/policies/{policy_id}/what-if")
def read_what_if(
    policy_id: str,
    reader: Policyholder,
    database: Store,
    now: Now,
    *,
    distance_m: Annotated[int | None, Query(ge=0, le=10**9, description="Charged metres of the month")] = None,
    night_share: Annotated[float | None, Query(ge=0, le=1, description="Of the metres")] = None,
    over_share: Annotated[
        float | None, Query(ge=0, le=1, description="Of the metres with a known limit, above it")
    ] = None,
) -> WhatIfOut:
    """The latest whole month driven otherwise, by the real rating; what is left out stays as it was driven."""

    def read(conn: Conn) -> tuple[RatePlan, str, Driving]:
        policy = own_policy(conn, reader, policy_id)
        period = whole_month(fetch_months(conn, policy.policy_key), local(now, policy.time_zone).date())
        plan = plan_of_terms(conn, policy.policy_key)
        return plan, period, driving_until(conn, policy, plan, period)

    plan, period, driving = database.read("policy", read)
    outcomes = []
    for wish in (Wish(), Wish(distance_m, night_share, over_share)):
        found = outcome(plan, driving, wish)
        score = None if found.score is None else found.score.value
        outcomes.append(OutcomeOut(amount=str(found.premium.amount), score=score, **asdict(wish)))
    driven, asked = outcomes
    return WhatIfOut(policy=policy_id, period=period, currency=plan.currency, driven=driven, asked=asked)


@router.get("/policies/{policy_id}/statements", response_model=list[StatementOut], openapi_extra=TAGGED)
def read_statements(request: Request, policy_id: str, reader: Policyholder, database: Store, paging: Page) -> Response:
    """All statements with their adjustments, lines, inputs and worksheets, the latest first."""
    policy = database.read("policy", lambda conn: own_policy(conn, reader, policy_id))
    return _statements(request, database, policy, paging)


@router.get("/policies/{policy_id}/statements/{period}", response_model=StatementOut, openapi_extra=TAGGED)
def read_statement(request: Request, policy_id: str, period: str, reader: Policyholder, database: Store) -> Response:
    """The statement of a month."""

    def read(conn: Conn) -> PeriodStatement:
        found = fetch_statements(conn, own_policy(conn, reader, policy_id), [period])
        if not found:
            raise NotFound("statement", f"{policy_id} {period}")
        return found[0]

    return tagged_json(request, database.read("policy", read).as_dict())


@router.get("/policies/{policy_id}/trips", response_model=list[TripOut], openapi_extra=TAGGED)
def read_trips(request: Request, policy_id: str, reader: Policyholder, database: Store, paging: Page) -> Response:
    """Trips under a policy, the latest first."""

    def read(conn: Conn) -> list[Trip]:
        policy = own_policy(conn, reader, policy_id)
        return fetch_latest_trips(conn, policy.policy_key, paging.most, paging.last_start)

    trips = paging.shown(database.read("policy", read), by("started_at", "trip_id"))
    shown = [TripOut.of(trip, reader.person_key) for trip in trips]
    return tagged_page(request, shown, paging)


@router.get("/trips/{trip_id}")
def read_trip(trip_id: UUID, reader: Policyholder, database: Store) -> TripOut:
    """One of your trips, or of those driven under your policy."""
    return TripOut.of(known_trip(database, reader, trip_id), reader.person_key)


@router.get("/trips/{trip_id}/events")
def read_events(trip_id: UUID, reader: Policyholder, database: Store) -> list[EventOut]:
    """The events of a trip in order of start; those in a privacy zone without a place."""
    file = known_trip_file(database, reader, trip_id)
    if file.sight is Sight.KM:
        raise MapNotShown(str(trip_id))
    events = file.events
    return [
        EventOut(number=number, **{name: getattr(event, name) for name in EventOut.model_fields if name != "number"})
        for number, event in enumerate(events, 1)
    ]


@router.get("/trips/{trip_id}/track")
def read_track(trip_id: UUID, reader: Policyholder, database: Store) -> dict[str, Any]:
    """The trip's path outside of privacy zones, by speed against the limit, and its events, as GeoJSON."""
    file = _with_way(database, reader, trip_id)
    if file.track is None:
        return {"type": "FeatureCollection", "features": []}
    return map_drawing.track_geojson(file.track, trip_view.markers(file.trip, file.events))


@router.get("/trips/{trip_id}/roads")
def read_roads(request: Request, trip_id: UUID, reader: Policyholder, database: Store) -> dict[str, Any]:
    """The roads round a trip as GeoJSON, © OpenStreetMap contributors (ODbL)."""
    file = _with_way(database, reader, trip_id)
    bounds = map_drawing.bounds_of(file.track, margin=0.6) if file.track else None
    if bounds is None or request.app.state.roads is None:
        return {"type": "FeatureCollection", "features": []}
    return map_drawing.roads_geojson(request.app.state.roads, bounds)


@router.get("/book/{policy_id}/statements", response_model=list[StatementOut], openapi_extra=TAGGED)
def read_book_statements(
    request: Request, policy_id: str, reader: Underwriter, database: Store, now: Now, paging: Page
) -> Response:
    """A policy's statements with every step of their worksheets."""
    policy = database.read("policy", lambda conn: any_policy(conn, policy_id))
    looked(database, reader, "policy_read", now, policy_key=policy.policy_key)
    return _statements(request, database, policy, paging)


def _statements(request: Request, database: Database, policy: Policy, paging: Paging) -> Response:
    def read(conn: Conn) -> list[PeriodStatement]:
        periods = fetch_latest_periods(conn, policy.policy_key, paging.most, paging.last_month)
        return fetch_statements(conn, policy, paging.shown(periods, str))

    statements = database.read("policy", read)
    return tagged_page(request, [statement.as_dict() for statement in statements], paging)


def _with_way(database: Database, reader: Account, trip_id: UUID) -> TripFile:
    """Raises NotFound; MapNotShown or NotClaimed where the way is not this person's to see."""
    file = known_trip_file(database, reader, trip_id)
    require_way(file)
    return file


def _score_json(score: Score | None) -> dict[str, object] | None:
    return None if score is None else score.as_json()
