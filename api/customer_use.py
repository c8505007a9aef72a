"""What of a customer may be used, and what it says: needs, contacts that an experiment owes them, their worth."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.wording import local, words
from portfolio import customer_store
from portfolio.customer_store import HeldPolicy, ReportedClaim, Year
from portfolio.experiment_store import Experiment, fetch_effects
from portfolio.household_store import Answer, Member
from portfolio.lapse import LapseModel, Worth
from portfolio.needs import MEASURED_FOR, Use
from portfolio.offers import GOING_OUT
from portfolio.planning_store import fetch_result
from portfolio.touchpoint_store import Touchpoint
from portfolio.worth import Effect, Litmus, Standing, litmus_of, renewal_is_near, segment_named, value_of_customer
from pricing.periods import months_before
from storage.pool import Conn

TRY_WITHIN = timedelta(days=60)  # of the renewal, contacts of experiments are made
TRIED_AS = {  # an action of an experiment, as the channel or kind of the touchpoint that it leaves
    "letter": ("letter", ""),
    "call": ("call", ""),
    "coaching": ("", "coaching"),
    "personal_offer": ("", "offer"),
}
A_YEAR = timedelta(days=365)
DAYS_A_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class Judged:
    """The customer's segment and worth, whether a contact would pay, and what of it is not known."""

    segment: str | None
    worth: Worth | None
    litmus: Litmus | None
    missing: tuple[str, ...]

    def litmus_step(self, policy: HeldPolicy | None, may_contact: bool, now: datetime) -> tuple[str, str] | None:
        """The contact that pays, before a renewal and where we may go to them: what, and why."""
        if policy is None or self.litmus is None or self.litmus.action is None or not may_contact:
            return None
        if not renewal_is_near(policy.ends_on, now.date(), TRY_WITHIN.days):
            return None
        return f"{words(self.litmus.action)} before the renewal, and log it", f"{self.litmus.why}."


def year_of(conn: Conn, policy: HeldPolicy, now: datetime) -> Year:
    """The last twelve posted months."""
    month = f"{local(now, policy.time_zone):%Y-%m}"
    return customer_store.fetch_year(conn, policy.policy_key, months_before(month, 12), months_before(month, 7))


def judge(
    conn: Conn,
    policy: HeldPolicy | None,
    year: Year | None,
    touchpoints: Sequence[Touchpoint],
    claims: Sequence[ReportedClaim],
    agreed: Collection[str],
    now: datetime,
) -> Judged:
    """By the segments and the lapse model that are kept, and the experiments that are finished."""
    effects = [
        Effect(action, name, verdict["effect"], verdict["low"], verdict["high"], verdict["verdict"])
        for action, name, verdict in fetch_effects(conn)
        if verdict["low"] is not None
    ]
    segments, model = fetch_result(conn, "segments"), fetch_result(conn, "leaving")
    segment = worth = None
    if policy is not None and year is not None:
        known = _standing(policy, year, touchpoints, claims, agreed, now)
        segment = segment_named(segments.found["segments"], known) if segments else None
        if segment is not None and model is not None:
            worth = value_of_customer(LapseModel.from_json(model.found), segment, known)
    missing = {
        "Which group they are planned with: no segments are kept yet": segments is None,
        "How long they will stay: no model of leaving is kept yet": model is None,
        "What they are worth: nothing is posted to go by": bool(segments and model) and worth is None,
        "Whether a personal contact would pay: no finished experiment measured one": not effects,
    }
    return Judged(
        segment=None if segment is None else str(segment["name"]),
        worth=worth,
        litmus=litmus_of(effects, worth) if worth else None,
        missing=tuple(text for text, holds in missing.items() if holds),
    )


def _standing(
    policy: HeldPolicy,
    year: Year,
    touchpoints: Sequence[Touchpoint],
    claims: Sequence[ReportedClaim],
    agreed: Collection[str],
    now: datetime,
) -> Standing:
    lately = [one for one in touchpoints if one.occurred_at >= now - A_YEAR]
    age = policy.factors.get("driver_age")
    return Standing(
        premium=year.premium,
        service_cost=float(sum(one.cost for one in lately)),
        declared_km_per_year=policy.declared_km_per_year,
        age=float(age) if isinstance(age, int | float) else None,
        urban=policy.factors.get("territory") == "urban",
        years_with_us=max((now.date() - policy.starts_on).days / DAYS_A_YEAR, 0.0),
        bad_service=any(one.kind == "complaint" for one in lately),
        claim=any(one.occurred_on >= (now - A_YEAR).date() for one in claims),
        increase=year.increase,
        score_gain=year.score_gain if MEASURED_FOR in agreed else None,
    )


def contact_to_try(
    owed: Sequence[tuple[Experiment, datetime]],
    policy: HeldPolicy | None,
    touchpoints: Sequence[Touchpoint],
    agreed: Collection[str],
    now: datetime,
) -> tuple[str, str] | None:
    """The contact that an experiment's lot chose them for: once, before their renewal, where we may go to them."""
    if policy is None or GOING_OUT not in agreed or not now.date() <= policy.ends_on <= (now + TRY_WITHIN).date():
        return None
    for experiment, built_at in owed:
        action = str(experiment.planned.action)
        channel, kind = TRIED_AS[action]
        made = (one for one in touchpoints if one.outbound and one.occurred_at >= built_at)
        if not any(one.channel == channel or one.kind == kind for one in made):
            why = f"The lot of experiment {experiment.name} chose them: {experiment.planned.hypothesis}"
            return f"{words(action)} before the renewal, and log it", why
    return None


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
