"""Offers and their line: made of what was agreed to, judged as they will be read, and answered. Role: policy.

A refusal is kept with its reasons, an answer with its time; who said no to an offer is not asked again for a year.
"""

import string
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from uuid import UUID

from portfolio import offer_store
from portfolio.board import HELD_OUT, held_out
from portfolio.circumstance_store import fetch_circumstances
from portfolio.consent_store import standings
from portfolio.errors import AlreadyAnswered, KeyUsedTwice, NothingToOffer, OfferRefused, UnknownWord
from portfolio.guard import Verdict, judge
from portfolio.needs import Need
from portfolio.offer_store import Offer, fetch_offers
from portfolio.suppression import left_alone
from storage.pool import Conn

ASK_AGAIN = timedelta(days=365)
OWN_PAGES = "web"  # the overview, where a person finds it when they come
OFFER_CHANNELS = (OWN_PAGES, "email", "letter", "call")
ANSWERED = {
    "taken": "an offer for it was taken on",
    "refused": "an offer for it was refused on",
    "silent": "no answer to the offer for it of",
}
GOING_OUT = "contact"  # the purpose that lets us go to a person


@dataclass(frozen=True, slots=True)
class Template:
    """An offer's words with {fields}, the data that they are made of, and the term that it would change ("": none)."""

    name: str
    title: str
    uses: tuple[str, ...]
    words: str
    about: str
    serves: tuple[str, ...] = ()  # the needs that it answers


@dataclass(frozen=True, slots=True)
class Preview:
    """An offer as the person would see it, and what the guard says of it."""

    template: Template
    words: str
    verdict: Verdict


@cache
def templates() -> dict[str, Template]:
    """Every offer that there is, as shipped."""
    table = tomllib.loads((files("portfolio") / "offers.toml").read_text("utf-8"))
    return {
        name: Template(
            name,
            fields["title"],
            tuple(fields["uses"]),
            fields["words"],
            fields.get("about", ""),
            tuple(fields.get("serves", ())),
        )
        for name, fields in table.items()
    }


def preview(
    conn: Conn,
    person_key: UUID,
    name: str,
    values: Mapping[str, str],
    as_of: datetime,
    *,
    channel: str = OWN_PAGES,
    places: Collection[str] = (),
) -> Preview:
    """The offer in this person's words and the guard's verdict, by what they agree to at this moment.

    On our own pages they see it when they come; by any other channel we go to them, which asks for its own consent.
    `places`: names that stand on the map. Raises UnknownWord, and NothingToOffer where a value that the words need is
    not known.
    """
    if name not in templates():
        raise UnknownWord("template", name, tuple(templates()))
    if channel not in OFFER_CHANNELS:
        raise UnknownWord("channel", channel, OFFER_CHANNELS)
    template = templates()[name]
    wanted = {field for _, field, _, _ in string.Formatter().parse(template.words) if field}
    if missing := sorted(wanted - values.keys()):
        raise NothingToOffer(name, missing)
    words = template.words.format_map(values)
    agreed = {one.purpose.name for one in standings(conn, person_key) if one.granted}
    names = offer_store.fetch_names_of_others(conn, person_key)
    verdict = judge(words, {*template.uses, *wanted}, agreed, names, places)
    reasons = [*verdict.reasons, *left_alone(fetch_circumstances(conn, person_key, as_of))]
    if channel != OWN_PAGES and GOING_OUT not in agreed:
        reasons.append("they have not agreed to be written to or called")
    if (experiment := held_out(conn, name, person_key)) is not None:
        reasons.append(HELD_OUT.format(name=experiment))
    refused = [one for one in fetch_offers(conn, person_key) if one.template == name and one.taken is False]
    if any(one.answered_at and as_of - one.answered_at < ASK_AGAIN for one in refused):
        reasons.append("they said no to it less than a year ago")
    return Preview(template, words, Verdict(not reasons, verdict.reveals, tuple(reasons)))


def make_offer(
    conn: Conn, person_key: UUID, policy_key: UUID, shown: Preview, *, made_by: UUID, key: str, as_of: datetime
) -> Offer:
    """Keeps the offer, which the person sees from now on; the same key again gives the same one.

    Raises OfferRefused where the guard says no (log it with `keep_refusal`), KeyUsedTwice.
    """
    if not shown.verdict.allowed:
        raise OfferRefused(shown.template.name, shown.verdict.reasons)
    kept = offer_store.insert_offer(
        conn,
        person_key,
        policy_key,
        shown.template.name,
        shown.words,
        reveals=shown.verdict.reveals,
        made_by=made_by,
        key=key,
        as_of=as_of,
    )
    if kept is None or (kept.template, kept.words) != (shown.template.name, shown.words):
        raise KeyUsedTwice(key)
    return kept


def keep_refusal(conn: Conn, person_key: UUID, shown: Preview, *, made_by: UUID, as_of: datetime) -> None:
    """Logs what was not sent, and why."""
    offer_store.insert_refusal(
        conn,
        person_key,
        shown.template.name,
        shown.words,
        reasons=shown.verdict.reasons,
        made_by=made_by,
        as_of=as_of,
    )


def answer(conn: Conn, person_key: UUID, offer_id: UUID, taken: bool, as_of: datetime) -> bool:
    """Keeps a person's answer; False where there is no such offer of theirs. Raises AlreadyAnswered."""
    if not offer_store.is_of(conn, person_key, offer_id):
        return False
    if not offer_store.insert_answer(conn, person_key, offer_id, taken, as_of):
        raise AlreadyAnswered(str(offer_id))
    return True


def still_allowed(conn: Conn, person_key: UUID, as_of: datetime) -> list[Offer]:
    """Open offers whose data may still be used: a consent that was withdrawn takes its offers out of sight at once."""
    granted = {one.purpose.name for one in standings(conn, person_key) if one.granted}
    waiting = [
        one for one in fetch_offers(conn, person_key) if one.state(as_of) == "open" and one.template in templates()
    ]
    return [one for one in waiting if judge(one.words, templates()[one.template].uses, granted).allowed]


def answered(needs: Sequence[Need], offers: Sequence[Offer], as_of: datetime) -> tuple[Need, ...]:
    """The needs, each with what became of the latest offer that would have served it: taken, refused, or silence."""
    told = []
    for need in needs:
        served = (
            one for one in offers if one.template in templates() and need.name in templates()[one.template].serves
        )
        latest = next((one for one in served if one.state(as_of) in ANSWERED), None)
        if latest is None:
            told.append(need)
            continue
        day = (latest.answered_at or latest.made_at).date()
        told.append(Need(need.name, f"{need.because}; {ANSWERED[latest.state(as_of)]} {day}"))
    return tuple(told)


def not_wanted(offers: Sequence[Offer], as_of: datetime) -> set[str]:
    """Offers that are not made again now: refused within a year, open, or met with silence within one."""
    return {
        one.template for one in offers if one.taken is not True and as_of - (one.answered_at or one.made_at) < ASK_AGAIN
    }
