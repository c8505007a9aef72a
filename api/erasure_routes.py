"""Erasure: a person asks, support asks for them, a privacy officer decides. `wayrate erasure run` does it."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from api.customer_card import person_of
from api.errors import NotFound
from api.forms import check_session_form
from api.languages import say
from api.paging import Page, by
from api.problems import PROBLEMS
from api.rendering import page
from api.roles import Now, Policyholder, PrivacyOfficer, Store, Support
from api.store import Account
from api.wording import long_day
from portfolio.erasure import LONGEST_WORDS, ask, decide, waits_for
from portfolio.erasure_store import Request as Erasure
from portfolio.erasure_store import fetch_locked, fetch_open, fetch_requests
from storage.pool import Database

router = APIRouter()
WAITS = {
    "policy_in_force": "a policy is still in force: it has to end first",
    "statement_missing": "a month of cover has no statement yet",
    "adjustment_missing": "a changed trip is not in the statements yet",
    "contest_open": "a contest waits for its decision",
    "scoring_missing": "trips of a device that others have, too, are not scored yet",
}


class ErasureOut(BaseModel):
    """A request to be erased, and where it stands."""

    request_id: UUID
    asked_at: datetime
    state: str = Field(description="`waits for a decision`, `granted`, `refused` or `done`")
    words: str | None = Field(description="Of a refusal: why")
    waits_for: list[str] = Field(description="What a granted request waits for", examples=[["policy_in_force"]])
    completed_at: datetime | None
    identity_until: date | None = Field(description="A law keeps name and address until then; null: none does")
    identity_because: str | None

    @classmethod
    def of(cls, database: Database, found: Erasure, day: date) -> "ErasureOut":
        """From the stored one."""
        with database.role("policy") as conn:
            locked = fetch_locked(conn, found.person_key)
        return cls(
            request_id=found.request_id,
            asked_at=found.asked_at,
            state=state_of(found),
            words=found.words or None,
            waits_for=[str(one) for one in waits_for(database, found.person_key, day)] if found.is_open else [],
            completed_at=found.completed_at,
            identity_until=locked.until if locked else None,
            identity_because=locked.because if locked else None,
        )


class DecisionIn(BaseModel):
    """A privacy officer's decision."""

    model_config = ConfigDict(extra="forbid")

    granted: bool
    words: str = Field(default="", max_length=LONGEST_WORDS, description="Why it is refused; the person reads it")


DONE = "done"
STATES = {None: "waits for a decision", True: "granted", False: "refused"}


def state_of(found: Erasure) -> str:
    """Where a request stands, in words."""
    return DONE if found.completed_at is not None else STATES[found.granted]


@router.get("/api/v1/erasures", responses=PROBLEMS)
def read_erasures(reader: Policyholder, database: Store, now: Now, paging: Page) -> list[ErasureOut]:
    """Your requests, the latest first."""
    with database.role("policy") as conn:
        found = fetch_requests(conn, _person(reader))
    return [ErasureOut.of(database, one, now.date()) for one in paging.cut(found, by("request_id"))]


@router.post("/api/v1/erasures", status_code=201, responses=PROBLEMS)
def ask_erasure(reader: Policyholder, database: Store, now: Now, response: Response) -> ErasureOut:
    """Asks to be erased; 200 and the request there is where one is open."""
    found, repeated = _asked(database, _person(reader), reader, now)
    response.status_code = 200 if repeated else 201
    return ErasureOut.of(database, found, now.date())


@router.post("/privacy/erasure", include_in_schema=False)
def ask_by_form(
    reader: Policyholder, database: Store, now: Now, form_token: Annotated[str, Form(max_length=200)] = ""
) -> Response:
    """Asks, and goes back to the page."""
    check_session_form(reader, form_token)
    _asked(database, _person(reader), reader, now)
    return RedirectResponse("/privacy#erase", status_code=303)


@router.post("/api/v1/customers/{policy_id}/erasures", status_code=201, responses=PROBLEMS)
def ask_for_customer(policy_id: str, reader: Support, database: Store, now: Now, response: Response) -> ErasureOut:
    """Asks for a customer who asked on the phone."""
    person_key, _ = person_of(database, policy_id)
    found, repeated = _asked(database, person_key, reader, now)
    response.status_code = 200 if repeated else 201
    return ErasureOut.of(database, found, now.date())


@router.get("/erasures", response_class=HTMLResponse, include_in_schema=False)
def show_queue(request: Request, reader: PrivacyOfficer, database: Store, now: Now) -> Response:
    """What waits for a decision, and what was granted and waits to be done; people by their random keys."""
    with database.role("policy") as conn:
        found = fetch_open(conn)
    rows = [
        {
            "request_id": str(one.request_id),
            "person": str(one.person_key),
            "asked": long_day(one.asked_at),
            "days": (now - one.asked_at).days,
            "granted": one.granted,
            "waits": [say(WAITS[wait]) for wait in waits_for(database, one.person_key, now.date())],
        }
        for one in found
    ]
    return page(request, "erasures.html", reader, rows=rows, longest=LONGEST_WORDS)


@router.post("/erasures/{request_id}", include_in_schema=False)
def decide_by_form(
    request_id: UUID,
    reader: PrivacyOfficer,
    database: Store,
    now: Now,
    *,
    decision: Annotated[str, Form(pattern="^(grant|refuse)$")],
    words: Annotated[str, Form(max_length=LONGEST_WORDS)] = "",
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Decides, and goes back to what waits."""
    check_session_form(reader, form_token)
    _decided(database, request_id, reader, DecisionIn(granted=decision == "grant", words=words), now)
    return RedirectResponse("/erasures", status_code=303)


@router.get("/api/v1/erasure-queue", responses=PROBLEMS)
def read_erasure_queue(reader: PrivacyOfficer, database: Store, now: Now, paging: Page) -> list[ErasureOut]:
    """What waits for a decision, and what was granted and waits to be done, the oldest first."""
    with database.role("policy") as conn:
        found = fetch_open(conn)
    return [ErasureOut.of(database, one, now.date()) for one in paging.cut(found, by("request_id"))]


@router.post("/api/v1/erasure-queue/{request_id}/decision", responses=PROBLEMS)
def decide_erasure(
    request_id: UUID, wanted: DecisionIn, reader: PrivacyOfficer, database: Store, now: Now
) -> ErasureOut:
    """Grants or refuses, once; the same again changes nothing."""
    return ErasureOut.of(database, _decided(database, request_id, reader, wanted, now), now.date())


def _asked(database: Database, person_key: UUID, reader: Account, now: datetime) -> tuple[Erasure, bool]:
    with database.role("policy") as conn:
        return ask(conn, person_key, asked_by=reader.account_key, as_of=now)


def _decided(database: Database, request_id: UUID, reader: Account, wanted: DecisionIn, now: datetime) -> Erasure:
    with database.role("policy") as conn:
        return decide(
            conn, request_id, granted=wanted.granted, words=wanted.words, decided_by=reader.account_key, as_of=now
        )


def _person(reader: Account) -> UUID:
    if reader.person_key is None:
        raise NotFound("person", reader.email)
    return reader.person_key
