"""Pages of a policyholder: overview, trips, a trip, a statement. Every object is looked up as this person's own."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api import map_drawing, trip_view, wording
from api.contest_view import (
    can_still_contest,
    choices,
    contest_view,
    contests_of_policies,
    credits_of,
    within_trip,
)
from api.cost_view import Cost, cost_view, priced_trip
from api.errors import NotFound
from api.explain import score_view
from api.home_view import greeting, month_view, policy_view
from api.idempotency import fresh_key
from api.labelling import label_view
from api.languages import say
from api.meetings import VISIT, met_today
from api.overview import Overview, open_overview
from api.policy_file import any_policy, open_statement, own_policies, own_policy, posted_plan, preview, shown_of
from api.receipt import Receipt, changes_of, receipt, receipt_of
from api.rendering import page
from api.roles import Now, Policyholder, Store
from api.statement_pdf import pdf_answer
from api.statement_view import statement_rows, statement_view
from api.store import Account, Trip, fetch_trips_of_months
from api.trip_costs import costs_by_trip, effect_of
from api.trip_file import known_trip_file
from api.zones import RADII_M
from portfolio.driver_store import is_named_driver
from portfolio.offer_store import Offer
from portfolio.offers import still_allowed
from pricing.contests import CONTEST_DAYS, REASONS
from pricing.event_costs import event_costs
from pricing.periods import MONTH_PATTERN
from pricing.policies import plan_of_month
from pricing.statement import PeriodStatement
from pricing.store import Policy, fetch_statement_of_period, fetch_statements
from scoring.classes import OVER_LIMIT_BANDS
from storage.pool import Database

router = APIRouter(include_in_schema=False)
TRIPS_ON_OVERVIEW = 6
MONTHS_OF_TRIPS = 3  # on a page


@router.get("/home", response_class=HTMLResponse)
def show_home(
    request: Request,
    reader: Policyholder,
    database: Store,
    now: Now,
    policy: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """The overview of one policy: score, month, receipt, trips, statements."""
    policies = database.read("policy", lambda conn: own_policies(conn, reader))
    policies.sort(key=lambda one: not _is_in_force(one, now))  # the one in force first, then the latest
    chosen = next((one for one in policies if policy in (None, one.policy_id)), None)
    name = reader.name or reader.email
    if chosen is None and policy:
        raise NotFound("policy", policy)
    if chosen is None and reader.person_key is not None:
        with database.role("policy") as conn:
            if is_named_driver(conn, reader.person_key):
                return RedirectResponse("/drives", status_code=303)
    if chosen is None:
        return page(request, "home.html", reader, policy=None, others=[], greeting=say("Hello, {name}", name=name))
    met_today(database, reader, chosen.policy_key, VISIT, now)
    seen = open_overview(database, reader, chosen.policy_id, TRIPS_ON_OVERVIEW, now)
    costs = costs_by_trip(database, chosen, seen.statements, seen.latest)
    return page(
        request,
        "home.html",
        reader,
        greeting=greeting(wording.local(now, chosen.time_zone).hour, name),
        policy=policy_view(chosen, seen.plan),
        others=[other.policy_id for other in policies if other.policy_id != chosen.policy_id],
        score=score_view(seen.score, seen.score_trips) if seen.score else None,
        offers=open_offers(database, reader, now),
        trips=[trip_view.trip_row(trip, costs, trip.sight(reader.person_key)) for trip in seen.latest],
        trip_count=seen.trip_count,
        month=month_view(seen.month, seen.period),
        receipt=receipt_of(seen.statements[0]) if seen.lines else None,
        so_far=None if seen.is_posted or not seen.month else _so_far(database, seen),
        statements=statement_rows(seen.lines),
    )


def _is_in_force(policy: Policy, now: datetime) -> bool:
    return policy.starts_on <= wording.local(now, policy.time_zone).date() < policy.ends_on


@router.get("/policies/{policy_id}/trips", response_class=HTMLResponse)
def show_trips(
    request: Request,
    policy_id: str,
    reader: Policyholder,
    database: Store,
    now: Now,
    before: Annotated[str | None, Query(pattern=MONTH_PATTERN)] = None,
) -> Response:
    """Trips under a policy by month, three months a page."""
    with database.role("policy") as conn:
        policy = own_policy(conn, reader, policy_id)
        first = shown_of(conn, policy, now)
        months = [month for month in first.months if before is None or month < before]
        shown = months[:MONTHS_OF_TRIPS]
        trips = fetch_trips_of_months(conn, policy.policy_key, shown)
        statements = fetch_statements(conn, policy, shown)
    groups = trip_view.trip_groups(trips, costs_by_trip(database, policy, statements, trips), reader.person_key)
    earlier = f"/policies/{policy.policy_id}/trips?before={shown[-1]}" if len(months) > len(shown) else None
    return page(request, "trips.html", reader, policy=policy_view(policy, first.plan), groups=groups, earlier=earlier)


@router.get("/policies/{policy_id}/statements/{period}", response_class=HTMLResponse)
def show_statement(
    request: Request, policy_id: str, period: str, reader: Policyholder, database: Store, now: Now
) -> Response:
    """The statement of a month with its worksheet."""
    with database.role("policy") as conn:
        policy = own_policy(conn, reader, policy_id)
    file = open_statement(database, policy, period, now)
    return page(
        request,
        "statement.html",
        reader,
        policy=policy_view(policy, file.plan),
        statement=statement_view(
            file.statement,
            policy.time_zone,
            file.trip_starts(reader.person_key),
            database.read("policy", lambda conn: event_costs(conn, policy, file.statement)),
        ),
        pdf=f"/policies/{policy.policy_id}/statements/{period}/pdf",
        crumbs=[{"href": f"/home?policy={policy.policy_id}", "name": say("Overview")}],
    )


@router.get("/policies/{policy_id}/statements/{period}/pdf")
def download_statement(policy_id: str, period: str, reader: Policyholder, database: Store, now: Now) -> Response:
    """The same statement as PDF."""
    with database.role("policy") as conn:
        policy = own_policy(conn, reader, policy_id)
    file = open_statement(database, policy, period, now)
    return pdf_answer(file, file.trip_starts(reader.person_key))


@router.get("/trips/{trip_id}", response_class=HTMLResponse)
def show_trip(request: Request, trip_id: UUID, reader: Policyholder, database: Store, now: Now) -> Response:
    """One trip: map, speed against the limit, events, certificate, cost, contests, as far as this person may see it."""
    file = known_trip_file(database, reader, trip_id)
    trip, track = file.trip, file.track
    pays, acts = trip.policyholder == reader.person_key, reader.person_key in (trip.policyholder, trip.driver)
    with database.role("policy") as conn:
        policy = any_policy(conn, trip.policy_id)
        plan = plan_of_month(conn, policy, trip.local_month)
        statement = fetch_statement_of_period(conn, policy.policy_id, trip.local_month)
    markers = trip_view.markers(trip, file.events)
    disputes = [one for one in contests_of_policies(database, [policy.policy_key]) if within_trip(one, trip)]
    contests = [contest_view(one, trip.time_zone, credits_of(database, one)) for one in disputes]
    return page(
        request,
        "trip.html",
        reader,
        policy=policy_view(policy, plan),
        trip=trip_view.trip_row(trip, sight=file.sight),
        sight=file.sight.name,
        is_cut=file.is_cut,
        is_mine=trip.claimed_by == reader.person_key,
        pays=pays,
        radii=RADII_M,
        acts=acts,
        map=map_drawing.trip_svg(track, markers, request.app.state.roads) if track else "",
        bands=[{"code": band, "name": wording.band_name(band)} for band in OVER_LIMIT_BANDS],
        chart=trip_view.speed_chart(track, trip, file.events) if track else "",
        events=trip_view.event_rows(trip, file.events),
        not_measurable=trip_view.not_measurable(trip, file.sampling_interval_s),
        quality=trip_view.certificate(trip, file.sampling_interval_s),
        cost=_cost(database, policy, trip, statement) if pays else None,
        effect=effect_of(database, policy, trip, statement) if pays else None,
        label=label_view(trip),
        contests=contests,
        contestable=choices(trip, file.events, disputes) if acts and can_still_contest(trip, now) else [],
        reasons={code: say(name) for code, name in REASONS.items()},
        contest_days=CONTEST_DAYS,
        key=fresh_key(),
    )


def open_offers(database: Database, reader: Account, now: datetime) -> list[Offer]:
    """What waits for an answer, as long as what it uses is still agreed to."""
    person_key = reader.person_key
    return [] if person_key is None else database.read("policy", lambda conn: still_allowed(conn, person_key, now))


def _so_far(database: Database, seen: Overview) -> Receipt:
    """The premium that the shown month leads to so far."""
    plan, _, premium = preview(database, seen.policy, seen.period)
    return receipt(changes_of([step.as_json() for step in premium.worksheet]), seen.period, plan.currency)


def _cost(database: Database, policy: Policy, trip: Trip, statement: PeriodStatement | None) -> Cost | None:
    """As posted where the month is; as the month stands now where not, or where the trip came later."""
    if statement is not None:
        latest = statement.postings[-1]
        costs = latest.inputs.get("trip_costs")
        priced = priced_trip(latest.inputs, str(trip.trip_id), costs if isinstance(costs, dict) else {})
        if priced is not None:
            plan = posted_plan(database, policy, latest.plan_hash)
            month = wording.month(trip.local_month)
            if trip.label and priced.not_charged is None:
                status = say("posted in the statement of {month}; the next adjustment takes it off", month=month)
            else:
                status = say("posted in the statement of {month}", month=month)
            return cost_view(priced, plan, status)
    plan, inputs, premium = preview(database, policy, trip.local_month)
    costs = {key: format(cost, "f") for key, cost in premium.trip_costs.items()}
    priced = priced_trip(inputs.as_json(), str(trip.trip_id), costs)
    status = say("as the month stands now, not posted yet")
    return cost_view(priced, plan, status) if priced else None
