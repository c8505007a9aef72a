"""What to do next for the customer on the phone: one step, with its reason, or nothing. Pure.

First what is owed (a complaint, a contest, a question why), then what helps, never more contacts than anybody may have.
Whether a contact that is not owed pays is the litmus test's answer, where effects were measured; where they were not,
the card says that this is not known instead of guessing.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

CONTEST_PROMISE_DAYS = 10  # within so many days a contest should be decided
SILENT_DAYS = 14
SEEN_INCREASE = Decimal("0.10")  # from a tenth more on, people ask why
KM_OFF = 0.25  # declared and driven kilometres may differ by so much


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a customer on a day; None: not known."""

    today: date
    complaint_since: datetime | None
    contest_since: datetime | None
    measured: bool  # the pay plan needs driving that a device reports
    last_trip_on: date | None
    premium_change: Decimal | None  # of the latest month against the one before, as a share
    largest_cause: str | None
    declared_km_per_year: int
    driven_km_per_year: float | None
    left_alone: tuple[str, ...]  # why nothing is offered now, by `suppression`
    coaching_consent: bool | None
    coaching: str | None  # what change of driving would be worth most
    not_wanted: frozenset[str] = frozenset()  # offers they said no to, or did not answer
    to_try: tuple[str, str] | None = None  # a contact that an experiment's lot owes them: its words, and why
    litmus: tuple[str, str] | None = None  # a contact that pays, likewise


@dataclass(frozen=True, slots=True)
class Step:
    """What to do, and why."""

    name: str
    what: str
    why: str


def next_step(known: Known) -> Step:
    """The one step that is owed most or helps most."""
    owed = _owed(known)
    if owed is not None:
        return owed
    if known.left_alone:
        why = "; ".join(known.left_alone)
        return Step("nothing", "Answer what is asked, offer nothing", f"{why[0].upper()}{why[1:]}.")
    return _helpful(known) or Step("nothing", "Answer what is asked", "Nothing is owed and nothing would help now.")


def _owed(known: Known) -> Step | None:
    if known.complaint_since is not None:
        days = (known.today - known.complaint_since.date()).days
        return Step("complaint", "Deal with the complaint first", f"It is open for {_days(days)}.")
    if known.contest_since is not None:
        days = (known.today - known.contest_since.date()).days
        late = " Ask the underwriters today." if days > CONTEST_PROMISE_DAYS else ""
        return Step("contest", "Say where the contest stands", f"It waits for a decision since {_days(days)}.{late}")
    if known.measured and known.last_trip_on is not None:
        days = (known.today - known.last_trip_on).days
        if days > SILENT_DAYS:
            why = f"No trip for {_days(days)}: unmeasured days are charged by the declared kilometres."
            return Step("device", "Ask whether the car stands, and help with the device", why)
    if known.premium_change is not None and known.premium_change >= SEEN_INCREASE:
        why = (
            f"The premium rose by {100 * known.premium_change:.0f} %; most of it: {known.largest_cause or 'not known'}."
        )
        return Step("explain", "Explain the latest premium", why)
    return None


def _helpful(known: Known) -> Step | None:
    if known.to_try is not None:
        return Step("experiment", *known.to_try)
    if known.litmus is not None:
        return Step("litmus", *known.litmus)
    driven, declared = known.driven_km_per_year, known.declared_km_per_year
    if (
        "declared_km" not in known.not_wanted
        and driven is not None
        and declared
        and abs(driven - declared) > KM_OFF * declared
    ):
        why = f"Declared are {declared:,} km a year; at the pace so far it will be {driven:,.0f}."
        return Step("declared_km", "Offer to correct the declared kilometres", why)
    if known.coaching and known.coaching_consent and "coaching" not in known.not_wanted:
        return Step(
            "coaching", "Offer coaching", f"What would be worth most: {known.coaching}. They agreed to coaching."
        )
    return None


def _days(days: int) -> str:
    return "today" if days <= 0 else "a day" if days == 1 else f"{days} days"
