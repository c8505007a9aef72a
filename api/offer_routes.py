"""Consents and offers: a person's own, said and answered on the privacy page, the overview or by program."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from api.access import looked
from api.customer_card import person_of
from api.errors import NotFound
from api.forms import check_session_form
from api.idempotency import Key
from api.offer_preview import preview_of
from api.paging import Page, by
from api.problems import PROBLEMS
from api.roles import ConsentReader, Now, Places, Policyholder, Store, Support
from api.store import Account
from portfolio import consent_store as consents
from portfolio.errors import OfferRefused
from portfolio.offer_store import Offer, fetch_offers
from portfolio.offers import OWN_PAGES, answer, keep_refusal, make_offer
from portfolio.touchpoint_store import Meeting, log_touchpoint
from storage.pool import Database

router = APIRouter()


class ConsentOut(BaseModel):
    """A purpose, its words, and where the person stands."""

    purpose: str
    version: int
    title: str
    words: str
    text_hash: str = Field(description="SHA-256 of the words; to agree, send it back")
    granted: bool
    said_at: datetime | None

    @classmethod
    def of(cls, standing: consents.Standing) -> "ConsentOut":
        """From the ledger."""
        purpose, said = standing.purpose, standing.said
        return cls(
            purpose=purpose.name,
            version=purpose.version,
            title=purpose.title,
            words=purpose.words,
            text_hash=purpose.text_hash,
            granted=standing.granted,
            said_at=said.said_at if said else None,
        )


class ConsentIn(BaseModel):
    """What a person says of a purpose."""

    model_config = ConfigDict(extra="forbid")

    granted: StrictBool
    text_hash: str = Field(
        default="", max_length=64, description="Of the words that were read; to withdraw, none needed"
    )


class OfferIn(BaseModel):
    """Which offer."""

    model_config = ConfigDict(extra="forbid")

    template: str = Field(max_length=40, examples=["pay_plan", "declared_km", "coaching"])
    channel: str = Field(
        default=OWN_PAGES, max_length=20, description="Where they see it: web, or email, letter, call by their consent"
    )


class AnswerIn(BaseModel):
    """Yes or no."""

    model_config = ConfigDict(extra="forbid")

    taken: StrictBool


class OfferOut(BaseModel):
    """An offer in the words that the person sees."""

    offer_id: UUID
    template: str
    words: str
    reveals: list[str]
    made_at: datetime
    state: str

    @classmethod
    def of(cls, offer: Offer, now: datetime) -> "OfferOut":
        """From the stored one."""
        same = {name: getattr(offer, name) for name in cls.model_fields if name != "state"}
        return cls(**same, state=offer.state(now))


class PreviewOut(BaseModel):
    """An offer as it would be seen, and what the guard says."""

    words: str
    allowed: bool
    reveals: list[str]
    reasons: list[str]


@router.get("/api/v1/consents", responses=PROBLEMS)
def read_consents(reader: Policyholder, database: Store) -> list[ConsentOut]:
    """Every purpose, its words, and what you said."""
    with database.role("policy") as conn:
        return [ConsentOut.of(one) for one in consents.standings(conn, _person(reader))]


@router.put("/api/v1/consents/{purpose}", responses=PROBLEMS)
def say_consent(purpose: str, wanted: ConsentIn, reader: Policyholder, database: Store, now: Now) -> ConsentOut:
    """Agrees or withdraws; both count at once."""
    return ConsentOut.of(_said(database, reader, purpose, wanted, now))


@router.post("/privacy/consents/{purpose}", include_in_schema=False)
def say_by_form(
    purpose: str,
    reader: Policyholder,
    database: Store,
    now: Now,
    *,
    granted: Annotated[bool, Form()],
    text_hash: Annotated[str, Form(max_length=64)] = "",
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Agrees or withdraws, and goes back to the page."""
    check_session_form(reader, form_token)
    _said(database, reader, purpose, ConsentIn(granted=granted, text_hash=text_hash), now)
    return RedirectResponse("/privacy#consents", status_code=303)


@router.get("/api/v1/customers/{policy_id}/consents", responses=PROBLEMS)
def read_customers_consents(policy_id: str, reader: ConsentReader, database: Store, now: Now) -> list[ConsentOut]:
    """What a customer agreed to."""
    person_key, _ = person_of(database, policy_id)
    looked(database, reader, "consents_read", now, person_key=person_key)
    with database.role("policy") as conn:
        return [ConsentOut.of(one) for one in consents.standings(conn, person_key)]


@router.get("/api/v1/offers", responses=PROBLEMS)
def read_offers(reader: Policyholder, database: Store, now: Now, paging: Page) -> list[OfferOut]:
    """What you were offered, the latest first."""
    with database.role("policy") as conn:
        found = fetch_offers(conn, _person(reader))
    return [OfferOut.of(one, now) for one in paging.cut(found, by("offer_id"))]


@router.post("/api/v1/offers/{offer_id}/answer", responses=PROBLEMS)
def answer_offer(offer_id: UUID, wanted: AnswerIn, reader: Policyholder, database: Store, now: Now) -> dict[str, bool]:
    """Takes an offer or says no; who says no is not asked again for a year."""
    _answered(database, reader, offer_id, wanted.taken, now)
    return {"taken": wanted.taken}


@router.post("/offers/{offer_id}", include_in_schema=False)
def answer_by_form(
    offer_id: UUID,
    reader: Policyholder,
    database: Store,
    now: Now,
    *,
    taken: Annotated[bool, Form()],
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """The same from the overview."""
    check_session_form(reader, form_token)
    _answered(database, reader, offer_id, taken, now)
    return RedirectResponse("/home", status_code=303)


@router.get("/api/v1/customers/{policy_id}/offers", responses=PROBLEMS)
def preview_offer(
    policy_id: str,
    reader: Support,
    database: Store,
    places: Places,
    now: Now,
    template: Annotated[str, Query(max_length=40)] = "declared_km",
    channel: Annotated[str, Query(max_length=20)] = OWN_PAGES,
) -> PreviewOut:
    """The wording as the customer would see it, and the guard's verdict."""
    person_key, policy_key = person_of(database, policy_id)
    looked(database, reader, "card_opened", now, person_key=person_key, policy_key=policy_key)
    shown = preview_of(database, places, policy_id, template, now, channel)
    verdict = shown.verdict
    return PreviewOut(
        words=shown.words, allowed=verdict.allowed, reveals=list(verdict.reveals), reasons=list(verdict.reasons)
    )


@router.post("/api/v1/customers/{policy_id}/offers", status_code=201, responses=PROBLEMS)
def offer(
    policy_id: str, wanted: OfferIn, reader: Support, database: Store, places: Places, now: Now, key: Key
) -> OfferOut:
    """Makes an offer, where the guard lets it; a refusal is logged with its reasons."""
    person_key, policy_key = person_of(database, policy_id)
    if policy_key is None:
        raise NotFound("policy", policy_id)
    shown = preview_of(database, places, policy_id, wanted.template, now, wanted.channel)
    if not shown.verdict.allowed:
        with database.role("policy") as conn:
            keep_refusal(conn, person_key, shown, made_by=reader.account_key, as_of=now)
        raise OfferRefused(wanted.template, shown.verdict.reasons)
    with database.role("policy") as conn:
        made = make_offer(conn, person_key, policy_key, shown, made_by=reader.account_key, key=key, as_of=now)
        meeting = Meeting(wanted.channel, "offer", outbound=True)
        log_touchpoint(
            conn, person_key, policy_key, meeting, made_by=reader.account_key, key=f"offer {made.offer_id}", as_of=now
        )
    return OfferOut.of(made, now)


def _person(reader: Account) -> UUID:
    if reader.person_key is None:
        raise NotFound("person", reader.email)
    return reader.person_key


def _said(database: Database, reader: Account, purpose: str, wanted: ConsentIn, now: datetime) -> consents.Standing:
    person_key = _person(reader)
    with database.role("policy") as conn:
        consents.say(conn, person_key, purpose, wanted.granted, wanted.text_hash, said_by=reader.account_key, as_of=now)
        return next(one for one in consents.standings(conn, person_key) if one.purpose.name == purpose)


def _answered(database: Database, reader: Account, offer_id: UUID, taken: bool, now: datetime) -> None:
    person_key = _person(reader)
    with database.role("policy") as conn:
        if not answer(conn, person_key, offer_id, taken, now):
            raise NotFound("offer", str(offer_id))
        meeting = Meeting("web", "answer", words="taken" if taken else "refused")
        log_touchpoint(conn, person_key, None, meeting, made_by=reader.account_key, key=f"answer {offer_id}", as_of=now)
