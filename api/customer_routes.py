"""Touchpoints, households and the customer card: for whoever picks up the phone, and each person their own log."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from api.access import end_device, looked
from api.customer_card import CustomerCard, open_card, person_of, score_points
from api.customer_view import card_view
from api.device_link_store import fetch_measuring
from api.errors import NotFound, WrongRole
from api.forms import check_session_form
from api.idempotency import FormKey, Key, fresh_key
from api.paging import EVERYTHING, Page, by
from api.policy_file import any_policy, own_policy
from api.problems import PROBLEMS
from api.rendering import page
from api.roles import Actuary, Now, Serving, Store, Support
from api.store import Account
from portfolio.circumstance_store import OVER, REASONS, say_care
from portfolio.customer_store import HeldPolicy, fetch_months, fetch_person
from portfolio.household_store import Answer, household_of, join_household, say
from portfolio.touchpoint_store import (
    CHANNELS,
    KINDS,
    OWN_KINDS,
    Meeting,
    Touchpoint,
    fetch_counts,
    fetch_touchpoints,
    log_touchpoint,
)
from storage.pool import Database

router = APIRouter()
LEAST_PEOPLE = 5  # of fewer nothing is told to those who see groups alone


class TouchpointIn(BaseModel):
    """One meeting of a customer with us."""

    model_config = ConfigDict(extra="forbid")

    channel: str = Field(examples=list(CHANNELS))
    kind: str = Field(examples=list(KINDS))
    outbound: StrictBool = Field(default=False, description="We began it")
    minutes: Decimal = Field(default=Decimal(0), ge=0, le=1440, description="Of somebody's work")
    words: str = Field(default="", max_length=2000)


class TouchpointOut(BaseModel):
    """A logged touchpoint."""

    touchpoint_id: int
    channel: str
    kind: str
    outbound: bool
    occurred_at: datetime
    minutes: Decimal
    words: str

    @classmethod
    def of(cls, found: Touchpoint) -> "TouchpointOut":
        """From the stored one; who logged it stays with us."""
        return cls(**{name: getattr(found, name) for name in cls.model_fields})


class CountOut(BaseModel):
    """Touchpoints of one channel and kind, of at least five people."""

    channel: str
    kind: str
    touchpoints: int
    people: int
    cost: Decimal = Field(description="Euro, by stated costs of a minute and of a channel")


class PostedMonthOut(BaseModel):
    """A month as whoever answers the phone sees it: what it came to, and the signal it was priced with."""

    period: str
    amount: str = Field(description="With its adjustments")
    currency: str
    score: float | None
    km: float | None = Field(description="Of the score's window")


class HouseholdIn(BaseModel):
    """What a household says that it has in all, with us or elsewhere."""

    model_config = ConfigDict(extra="forbid")

    vehicles: StrictInt = Field(ge=0, le=50)
    km_per_year: StrictInt = Field(ge=0, le=2_000_000)
    covers: list[Annotated[str, Field(max_length=40)]] = Field(max_length=20)
    member: str | None = Field(default=None, max_length=320, description="E-mail address of one who lives there too")
    relation: str = Field(default="partner", examples=["partner", "child", "other"])


class CareIn(BaseModel):
    """Whether somebody needs care, and why in one word: what it is stands nowhere."""

    model_config = ConfigDict(extra="forbid")

    needs_care: bool
    reason: str = Field(default=OVER, max_length=20, examples=list(REASONS))


@router.post("/api/v1/policies/{policy_id}/touchpoints", status_code=201, responses=PROBLEMS)
def log(
    policy_id: str, wanted: TouchpointIn, reader: Serving, database: Store, now: Now, key: Key
) -> list[TouchpointOut]:
    """Logs one; the same key again changes nothing. A person logs questions, complaints and calls for help."""
    return [TouchpointOut.of(one) for one in _logged(database, reader, policy_id, wanted, key, now)]


@router.get("/api/v1/policies/{policy_id}/touchpoints", responses=PROBLEMS)
def read_touchpoints(policy_id: str, reader: Serving, database: Store, now: Now, paging: Page) -> list[TouchpointOut]:
    """Every meeting that is logged, the latest first: the person sees the same as we do."""
    person_key, policy_key = _whose(database, reader, policy_id)
    looked(database, reader, "card_opened", now, person_key=person_key, policy_key=policy_key)
    with database.role("policy") as conn:
        found = fetch_touchpoints(conn, person_key, EVERYTHING)
    return [TouchpointOut.of(one) for one in paging.cut(found, by("touchpoint_id"))]


@router.post("/api/v1/customers/{policy_id}/household", status_code=201, responses=PROBLEMS)
def keep_household(
    policy_id: str, wanted: HouseholdIn, reader: Support, database: Store, now: Now
) -> dict[str, object]:
    """Keeps what the household says of itself, and who lives there too."""
    person_key, _ = person_of(database, policy_id)
    other = None if wanted.member is None else person_of(database, wanted.member)[0]
    with database.role("policy") as conn:
        household_key = household_of(conn, person_key, now)
        joined = other is not None and join_household(conn, household_key, other, wanted.relation, now)
        answer = Answer(wanted.vehicles, wanted.km_per_year, sorted(set(wanted.covers)), now)
        say(conn, household_key, answer, reader.account_key)
    return {"household": str(household_key), "joined": joined}


@router.post("/api/v1/customers/{policy_id}/care", responses=PROBLEMS)
def keep_care(policy_id: str, wanted: CareIn, reader: Support, database: Store, now: Now) -> dict[str, object]:
    """Whether this person needs care: nothing is offered to who does. Seen by support and the person, by no price."""
    kept = _said_care(database, reader, policy_id, wanted, now)
    return {"needs_care": wanted.needs_care, "kept": kept}


@router.get("/api/v1/customers/{policy_id}", responses=PROBLEMS)
def read_card(policy_id: str, reader: Support, database: Store, now: Now) -> dict[str, object]:
    """The customer card: who, policies, score trend, premium and why, last meetings, next step, what is not known."""
    card = open_card(database, policy_id, now)
    looked(database, reader, "card_opened", now, person_key=card.person.person_key)
    return _card_json(card)


@router.get("/api/v1/customers/{policy_id}/statements", responses=PROBLEMS)
def read_customer_statements(
    policy_id: str, reader: Support, database: Store, now: Now, paging: Page
) -> list[PostedMonthOut]:
    """The posted months of a customer's policy, the latest first: no worksheet, no trip."""
    with database.role("policy") as conn:
        policy = any_policy(conn, policy_id)
        months = fetch_months(conn, policy.policy_key, EVERYTHING)
        points = {point.period: point for point in score_points(conn, months)}
    looked(database, reader, "card_opened", now, policy_key=policy.policy_key)
    return [
        PostedMonthOut(
            period=one.period,
            amount=str(one.amount),
            currency=one.currency,
            score=points[one.period].score if one.period in points else None,
            km=points[one.period].km if one.period in points else None,
        )
        for one in paging.cut(months[::-1], by("period"))
    ]


@router.get("/api/v1/touchpoint-costs", responses=PROBLEMS)
def read_costs(
    reader: Actuary, database: Store, now: Now, days: Annotated[int, Query(ge=1, le=3660)] = 365
) -> list[CountOut]:
    """Cost to serve by channel and kind."""
    with database.role("policy") as conn:
        rows = fetch_counts(conn, now - timedelta(days=days), now, LEAST_PEOPLE)
    return [
        CountOut(channel=r.channel, kind=r.kind, touchpoints=r.touchpoints, people=r.people, cost=r.cost) for r in rows
    ]


@router.get("/customers", response_class=HTMLResponse, include_in_schema=False)
def find_customer(
    request: Request, reader: Support, database: Store, find: Annotated[str, Query(max_length=320)] = ""
) -> Response:
    """Finds the customer on the phone by policy number or e-mail address, exactly; nobody is browsed."""
    if find:
        try:
            person_of(database, find)
        except NotFound:
            return page(request, "customers.html", reader, status=404, find=find, missed=True)
        return RedirectResponse(f"/customers/{find.strip()}", status_code=303)
    return page(request, "customers.html", reader, find="", missed=False)


@router.get("/customers/{policy_id}", response_class=HTMLResponse, include_in_schema=False)
def show_card(request: Request, policy_id: str, reader: Support, database: Store, now: Now) -> Response:
    """The card as a page, with the form that logs this call."""
    card = open_card(database, policy_id, now)
    looked(database, reader, "card_opened", now, person_key=card.person.person_key)
    devices = _devices(database, card.policies, now)
    shown = card_view(card, now)
    return page(request, "customer.html", reader, handle=policy_id, card=shown, devices=devices, key=fresh_key())


@router.post("/customers/{policy_id}/care", include_in_schema=False)
def keep_care_by_form(
    policy_id: str,
    reader: Support,
    database: Store,
    now: Now,
    *,
    reason: Annotated[str, Form(max_length=20)],
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """The same from the card."""
    check_session_form(reader, form_token)
    _said_care(database, reader, policy_id, CareIn(needs_care=reason != OVER, reason=reason), now)
    return RedirectResponse(f"/customers/{policy_id}", status_code=303)


@router.post("/customers/{policy_id}/devices/{device_id}/end", include_in_schema=False)
def end_device_by_form(
    policy_id: str,
    device_id: str,
    reader: Support,
    database: Store,
    now: Now,
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Ends a device of the customer on the phone, such as a stolen one, and all of its tokens now."""
    check_session_form(reader, form_token)
    with database.role("policy") as conn:
        found = fetch_person(conn, policy_id)
    if found is None or device_id not in _devices(database, found[1], now):
        raise NotFound("device", device_id)
    end_device(database, reader, device_id, now)
    return RedirectResponse(f"/customers/{policy_id}#devices", status_code=303)


@router.post("/customers/{policy_id}", include_in_schema=False)
def log_by_form(
    policy_id: str,
    reader: Support,
    database: Store,
    now: Now,
    *,
    channel: Annotated[str, Form(max_length=20)],
    kind: Annotated[str, Form(max_length=20)],
    key: FormKey,
    minutes: Annotated[Decimal, Form(ge=0, le=1440)] = Decimal(0),
    words: Annotated[str, Form(max_length=2000)] = "",
    outbound: Annotated[bool, Form()] = False,
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Logs a touchpoint, and goes back to the card."""
    check_session_form(reader, form_token)
    wanted = TouchpointIn(channel=channel, kind=kind, outbound=outbound, minutes=minutes, words=words)
    _logged(database, reader, policy_id, wanted, key, now)
    return RedirectResponse(f"/customers/{policy_id}#log", status_code=303)


def _devices(database: Database, policies: Sequence[HeldPolicy], now: datetime) -> list[str]:
    """The devices that measure a customer's policies."""
    keys = [policy.policy_key for policy in policies]
    return database.read("link", lambda conn: fetch_measuring(conn, keys, now))


def _whose(database: Database, reader: Account, policy_id: str) -> tuple[UUID, UUID | None]:
    """The person and policy meant: a person's own, or for staff the one that they name. Raises NotFound."""
    if reader.role != "support":
        with database.role("policy") as conn:
            own_policy(conn, reader, policy_id)
    return person_of(database, policy_id)


def _logged(
    database: Database, reader: Account, policy_id: str, wanted: TouchpointIn, key: str, now: datetime
) -> list[Touchpoint]:
    person_key, policy_key = _whose(database, reader, policy_id)
    if reader.role != "support" and (wanted.kind not in OWN_KINDS or wanted.outbound or wanted.minutes):
        raise WrongRole(reader.role, ("support",))
    meeting = Meeting(wanted.channel, wanted.kind, wanted.outbound, wanted.minutes, wanted.words)
    with database.role("policy") as conn:
        log_touchpoint(conn, person_key, policy_key, meeting, made_by=reader.account_key, key=key, as_of=now)
        return fetch_touchpoints(conn, person_key, 1)


def _said_care(database: Database, reader: Account, policy_id: str, wanted: CareIn, now: datetime) -> bool:
    person_key, _ = person_of(database, policy_id)
    with database.role("policy") as conn:
        return say_care(conn, person_key, wanted.needs_care, wanted.reason, said_by=reader.account_key, as_of=now)


def _card_json(card: CustomerCard) -> dict[str, object]:
    premium = card.premium
    return {
        "name": card.person.name,
        "email": card.person.email,
        "household": [{"name": one.name, "relation": one.relation, "policies": one.policies} for one in card.household],
        "share": card.share,
        "policies": [
            {"policy": one.policy_id, "pay_plan": one.pay_plan, "covers": one.covers, "ends_on": one.ends_on}
            for one in card.policies
        ],
        "scores": card.scores,
        "premium": premium
        and {
            "period": premium.period,
            "amount": str(premium.amount),
            "difference": str(premium.difference),
            "currency": premium.currency,
            "causes": [{"name": one.name, "amount": str(one.amount)} for one in premium.causes],
        },
        "touchpoints": [TouchpointOut.of(one) for one in card.touchpoints[:20]],
        "served_cost": str(card.served_cost),
        "open_contests": card.open_contests,
        "needs": card.needs,
        "segment": card.judged.segment,
        "value": card.judged.worth,
        "litmus": card.judged.litmus,
        "needs_care": card.care is not None and card.care.needs_care,
        "may_contact": card.may_contact,
        "left_alone": card.left_alone,
        "next_step": card.step,
        "not_known": card.not_known,
    }
