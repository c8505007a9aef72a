"""The list of contacts in words: a row a person, the sums of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from api import wording
from api.languages import say
from api.planning_words import said
from api.trip_view import Fact
from portfolio.contact_store import Due, KeptList
from portfolio.contacts import WHY_NOT

CSV_HEAD = ("place", "policy", "name", "renewal_on", "action", "gain_euro", "low", "high", "cost_euro", "experiment",
            "why")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One person: who, until when, what to do, what it gains and costs, why."""

    name: str
    policy: str
    ends: str
    what: str
    gain: str
    cost: str
    why: str


@dataclass(frozen=True, slots=True)
class Sums:
    """The list as a whole: figures, contacts by action, customers by why they are not contacted."""

    made: str
    facts: list[Fact]
    actions: list[tuple[str, str]]
    why_not: list[tuple[str, str]]
    missing: list[str]


def contact_row(one: Due) -> Row:
    """As the page shows it."""
    if one.gain is None or one.low is None or one.high is None:
        gain = say("by lot")
    else:
        gain = say("{gain} ({low} to {high})", gain=_euro(one.gain), low=_euro(one.low), high=_euro(one.high))
    return Row(
        name=one.name,
        policy=one.policy_id,
        ends=wording.day(one.ends_on),
        what=wording.words(one.action),
        gain=gain,
        cost=wording.money(Decimal(f"{one.cost:.2f}"), "EUR"),
        why=said(one.why),
    )


def contact_sums(kept: KeptList, due: Sequence[Due]) -> Sums:
    """The list as it was made, and how far it is worked through."""
    found = kept.found
    done = sum(1 for one in due if one.is_done)
    fell_away = found["contacts"] - len(due)
    return Sums(
        made=f"{kept.made_at:%Y-%m-%d %H:%M} UTC",
        facts=[
            Fact(
                say("To contact"),
                wording.number(len(due) - done),
                say("of {count} listed", count=wording.number(found["contacts"])),
            ),
            Fact(say("Done"), wording.number(done), say("logged since as begun by us")),
            Fact(say("Fell away"), wording.number(fell_away), say("withdrew, renewed, or are left alone since")),
            Fact(say("Expected gain"), _euro(found["gain"]), say("over six years, costs taken off")),
            Fact(
                say("Cost"),
                _euro(found["cost"]),
                say("{minutes} minutes of work", minutes=wording.number(found["minutes"])),
            ),
        ],
        actions=[(wording.words(name), wording.number(count)) for name, count in found["by_action"].items()],
        why_not=[
            (_capital(said(name)), wording.number(found["why_not"][name]))
            for name in WHY_NOT
            if found["why_not"].get(name)
        ],
        missing=[said(one) for one in found["missing"]],
    )


def csv_row(one: Due) -> tuple[object, ...]:
    """In the order of CSV_HEAD."""
    figures = (None if value is None else round(value, 2) for value in (one.gain, one.low, one.high, one.cost))
    return (one.place, one.policy_id, one.name, one.ends_on, one.action, *figures, one.experiment or "", one.why)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _euro(amount: float) -> str:
    return wording.money(Decimal(round(amount)), "EUR", decimals=0)
