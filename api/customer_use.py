"""What of a customer may be used, and what it says: needs, contacts that an experiment owes them, their worth."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from api.wording import local, words
from portfolio import customer_store
from portfolio.circumstance_store import fetch_circumstances
from portfolio.contacts import answers_for, lot_words
from portfolio.customer_store import HeldPolicy, Year
from portfolio.experiment_store import RESEARCH
from portfolio.household_store import Answer, Member
from portfolio.needs import Use
from portfolio.offers import GOING_OUT
from portfolio.standing_store import Near
from portfolio.suppression import left_alone
from portfolio.worth import Litmus, Worth
from pricing.periods import months_before
from storage.pool import Conn


@dataclass(frozen=True, slots=True)
class Judged:
    """A customer's segment and worth, whether a contact would pay, what of it is to be done now, what is not known."""

    segment: str | None
    worth: Worth | None
    litmus: Litmus | None
    to_try: tuple[str, str] | None  # a contact that an experiment's lot owes them: what, and why
    to_make: tuple[str, str] | None  # one that pays, before a renewal and where we may go to them
    left_alone: tuple[str, ...]  # why nothing is offered now
    missing: tuple[str, ...]


def judged_of(
    conn: Conn, person_key: UUID, policy: HeldPolicy | None, agreed: Collection[str], now: datetime
) -> Judged:
    """By the segments and the lapse model that are kept, and the experiments that are finished or run.

    The very answer that the list of contacts gives; of who has no policy nothing but whether they are left alone.
    """
    if policy is None:
        return Judged(None, None, None, None, None, left_alone(fetch_circumstances(conn, person_key, now)), ())
    near = Near(
        person_key, policy.policy_key, policy.policy_id, policy.ends_on, GOING_OUT in agreed, RESEARCH in agreed
    )
    answers = answers_for(conn, [near], now)
    owes, due, worth = answers.owed[0], answers.due(0), answers.judged.worth_at(0)
    missing = answers.missing
    if worth is None and not missing:
        missing = ("What they are worth: nothing is posted to go by",)
    return Judged(
        segment=answers.segment_name(0),
        worth=worth,
        litmus=answers.judged.answer(0),
        to_try=None if owes is None else (_before_renewal(str(owes.planned.action)), lot_words(owes)),
        to_make=None if due is None else (_before_renewal(str(due.action)), f"{due.why}."),
        left_alone=answers.alone[0],
        missing=missing,
    )


def _before_renewal(action: str) -> str:
    return f"{words(action)} before the renewal, and log it"


def year_of(conn: Conn, policy: HeldPolicy, now: datetime) -> Year:
    """The last twelve posted months."""
    return customer_store.fetch_year(
        conn, policy.policy_key, months_before(f"{local(now, policy.time_zone):%Y-%m}", 12)
    )


def use_of(
    policy: HeldPolicy | None,
    household: Sequence[Member],
    answer: Answer | None,
    year: Year | None,
    driven_km_per_year: float | None,
) -> Use:
    """What needs may be read from: measured driving only where it came this far."""
    age = policy.factors.get("driver_age") if policy else None
    return Use(
        declared_km_per_year=policy.declared_km_per_year if policy else None,
        driven_km_per_year=driven_km_per_year,
        measured_km=year.timed_km if year else None,
        night_share=year.night_km / year.timed_km if year and year.timed_km else None,
        driver_age=float(age) if isinstance(age, int | float) else None,
        household_vehicles=answer.vehicles if answer else None,
        household_people=len(household) or None,
        children=sum(1 for one in household if one.relation == "child"),
    )
