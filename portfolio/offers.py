"""Offers and their line: made of what was agreed to, judged as they will be read, and answered. Role: policy.

A refusal is kept with its reasons, an answer with its time; who said no to an offer is not asked again for a year.
"""

import string
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from uuid import UUID, uuid4

from psycopg.rows import class_row, scalar_row

from portfolio.consents import standings
from portfolio.errors import AlreadyAnswered, KeyUsedTwice, NothingToOffer, OfferRefused, UnknownWord
from portfolio.guard import Verdict, judge
from storage.pool import Conn

ASK_AGAIN = timedelta(days=365)
SILENT_AFTER = timedelta(days=30)

_OTHERS = """
    select p.name from policy.household_member m
      join policy.household_member own on own.household_key = m.household_key and own.person_key = %(person_key)s
      join policy.person p on p.person_key = m.person_key
     where m.person_key <> %(person_key)s
"""
_COLUMNS = """
    select o.offer_id, o.template, o.words, o.reveals, o.made_at, a.taken, a.answered_at
      from policy.offer o left join policy.offer_answer a using (offer_id)
"""
_OF_PERSON = _COLUMNS + " where o.person_key = %s order by o.made_at desc, o.offer_id"
_BY_KEY = _COLUMNS + " where o.made_by = %s and o.idempotency_key = %s"
_INSERT = """
    insert into policy.offer (offer_id, person_key, policy_key, template, words, reveals, made_at, made_by,
                              idempotency_key)
    values (%s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict (made_by, idempotency_key) do nothing
"""
_REFUSE = """
    insert into policy.offer_refusal (person_key, template, words, reasons, refused_at, made_by)
    values (%s, %s, %s, %s, %s, %s)
"""
_ANSWER = """
    insert into policy.offer_answer (offer_id, taken, answered_at)
    select offer_id, %s, %s from policy.offer where offer_id = %s and person_key = %s on conflict do nothing
"""
_MINE = "select 1 from policy.offer where offer_id = %s and person_key = %s"


@dataclass(frozen=True, slots=True)
class Template:
    """An offer's words with {fields}, and the data that they are made of."""

    name: str
    title: str
    uses: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What a person was offered, in the words that they see; `taken` None: no answer yet."""

    offer_id: UUID
    template: str
    words: str
    reveals: list[str]
    made_at: datetime
    taken: bool | None
    answered_at: datetime | None

    def state(self, as_of: datetime) -> str:
        """`taken`, `refused`, `open`, or `silent` where a month went by."""
        if self.taken is not None:
            return "taken" if self.taken else "refused"
        return "silent" if as_of - self.made_at > SILENT_AFTER else "open"


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
        name: Template(name, fields["title"], tuple(fields["uses"]), fields["words"]) for name, fields in table.items()
    }


def preview(conn: Conn, person_key: UUID, name: str, values: Mapping[str, str], as_of: datetime) -> Preview:
    """The offer in this person's words and the guard's verdict, by what they agree to at this moment.

    Raises UnknownWord, and NothingToOffer where a value that the words need is not known.
    """
    if name not in templates():
        raise UnknownWord("offer", name, tuple(templates()))
    template = templates()[name]
    wanted = {field for _, field, _, _ in string.Formatter().parse(template.words) if field}
    if missing := sorted(wanted - values.keys()):
        raise NothingToOffer(name, missing)
    words = template.words.format_map(values)
    agreed = {one.purpose.name for one in standings(conn, person_key) if one.granted}
    with conn.cursor(row_factory=scalar_row) as cur:
        others = [part for full in cur.execute(_OTHERS, {"person_key": person_key}) for part in str(full).split()]
    own = conn.execute("select name from policy.person where person_key = %s", (person_key,)).fetchone()
    names = set(others) - set(str(own[0]).split() if own else ())
    verdict = judge(words, {*template.uses, *wanted}, agreed, names)
    refused = [one for one in fetch_offers(conn, person_key) if one.template == name and one.taken is False]
    if any(one.answered_at and as_of - one.answered_at < ASK_AGAIN for one in refused):
        reasons = (*verdict.reasons, "they said no to it less than a year ago")
        verdict = Verdict(False, verdict.reveals, reasons)
    return Preview(template, words, verdict)


def make_offer(
    conn: Conn, person_key: UUID, policy_key: UUID, shown: Preview, *, made_by: UUID, key: str, as_of: datetime
) -> Offer:
    """Keeps the offer, which the person sees from now on; the same key again gives the same one.

    Raises OfferRefused where the guard says no (log it with `keep_refusal`), KeyUsedTwice.
    """
    if not shown.verdict.allowed:
        raise OfferRefused(shown.template.name, shown.verdict.reasons)
    offer_id, reveals = uuid4(), list(shown.verdict.reveals)
    row = (offer_id, person_key, policy_key, shown.template.name, shown.words, reveals, as_of, made_by, key)
    conn.execute(_INSERT, row)
    with conn.cursor(row_factory=class_row(Offer)) as cur:
        kept = cur.execute(_BY_KEY, (made_by, key)).fetchone()
    if kept is None or (kept.template, kept.words) != (shown.template.name, shown.words):
        raise KeyUsedTwice(key)
    return kept


def keep_refusal(conn: Conn, person_key: UUID, shown: Preview, *, made_by: UUID, as_of: datetime) -> None:
    """Logs what was not sent, and why."""
    row = (person_key, shown.template.name, shown.words, list(shown.verdict.reasons), as_of, made_by)
    conn.execute(_REFUSE, row)


def answer(conn: Conn, person_key: UUID, offer_id: UUID, taken: bool, as_of: datetime) -> bool:
    """Keeps a person's answer; False where there is no such offer of theirs. Raises AlreadyAnswered."""
    if conn.execute(_MINE, (offer_id, person_key)).fetchone() is None:
        return False
    if conn.execute(_ANSWER, (taken, as_of, offer_id, person_key)).rowcount == 0:
        raise AlreadyAnswered(str(offer_id))
    return True


def fetch_offers(conn: Conn, person_key: UUID) -> list[Offer]:
    """What a person was offered, the latest first."""
    with conn.cursor(row_factory=class_row(Offer)) as cur:
        return cur.execute(_OF_PERSON, (person_key,)).fetchall()


def still_allowed(conn: Conn, person_key: UUID, as_of: datetime) -> list[Offer]:
    """Open offers whose data may still be used: a consent that was withdrawn takes its offers out of sight at once."""
    granted = {one.purpose.name for one in standings(conn, person_key) if one.granted}
    waiting = [
        one for one in fetch_offers(conn, person_key) if one.state(as_of) == "open" and one.template in templates()
    ]
    return [one for one in waiting if judge(one.words, templates()[one.template].uses, granted).allowed]


def not_wanted(offers: Sequence[Offer], as_of: datetime) -> set[str]:
    """Offers that are not made again now: refused within a year, open, or met with silence within one."""
    return {
        one.template for one in offers if one.taken is not True and as_of - (one.answered_at or one.made_at) < ASK_AGAIN
    }
