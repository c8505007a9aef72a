"""What one customer is worth, and whether a contact would pay: by segments, lapse model and finished experiments.

Nothing is made up where a piece is missing: no segments or no lapse model, no value; no finished experiment, no effect.
The segment's treatment holds where no contact pays. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from portfolio.lapse import LapseModel, Renewals, Worth, worth_of
from portfolio.segments import segment_of

YEARS = 6  # that are looked at
# Stated priors of an action's cost, euro: postage, minutes of somebody's work, what is given away.
ACTION_COST: Mapping[str, float] = {"letter": 1.6, "coaching": 4.1, "call": 6.7, "personal_offer": 18.0}


@dataclass(frozen=True, slots=True)
class Effect:
    """By how much an action raises the chance of staying, as a finished experiment measured it."""

    action: str
    experiment: str
    effect: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a customer the value is made of; a year's premium without tax, None: nothing is posted."""

    premium: float | None
    service_cost: float  # a year
    declared_km_per_year: float
    age: float | None
    urban: bool
    years_with_us: float
    bad_service: bool  # a complaint within a year
    claim: bool  # within a year
    increase: float  # log, of the premium of a day over a year; 0 where it fell
    score_gain: float | None  # None: not known, or not agreed to


@dataclass(frozen=True, slots=True)
class Litmus:
    """The answer for one customer: the action that pays (None: none does), its gain in euro, and why in words."""

    action: str | None
    gain: float
    low: float
    high: float
    why: str


def segment_named(segments: Sequence[Mapping[str, Any]], known: Standing) -> Mapping[str, Any] | None:
    """The kept segment that this customer falls into."""
    traits = {"declared_km_per_year": known.declared_km_per_year, "urban": float(known.urban)}
    place = segment_of(segments, traits if known.age is None else traits | {"age": known.age})
    return None if place is None else segments[place]


def value_of_customer(model: LapseModel, segment: Mapping[str, Any], known: Standing) -> Worth | None:
    """Expected margin over YEARS with its interval; None where nothing is posted to go by."""
    if known.premium is None:
        return None
    one = Renewals(
        log_price_ratio=np.array([np.nan]),
        increase=np.array([known.increase]),
        bad_service=np.array([float(known.bad_service)]),
        claim=np.array([float(known.claim)]),
        score_gain=np.array([np.nan if known.score_gain is None else known.score_gain]),
        years_with_us=np.array([known.years_with_us]),
        action=np.zeros(1, dtype=np.int64),
        left=np.zeros(1),
        day=np.array(["NaT"], dtype="datetime64[D]"),
    )
    observed, middle = segment["loss_ratio"], float(segment["credible_loss_ratio"])
    half = (observed["high"] - observed["low"]) / 2.0 * np.sqrt(segment["credibility"])  # as far as it is believed
    return worth_of(model, one, known.premium, (middle, middle - half, middle + half), known.service_cost, YEARS)


def litmus_of(effects: Sequence[Effect], worth: Worth) -> Litmus | None:
    """The action that adds most over its cost; None where no effect is measured.

    Gain is the effect on staying times what a customer who stays is worth, less the cost; its interval takes both at
    their ends. An effect that an experiment left undecided is not known and is not used.
    """
    decided = [one for one in effects if one.verdict != "undecided" and one.action in ACTION_COST]
    if not decided:
        return None
    best = max((_gain(one, worth) for one in decided), key=lambda one: one.gain)
    if best.gain > 0.0:
        return best
    return Litmus(None, best.gain, best.low, best.high, f"No contact pays: {best.why[0].lower()}{best.why[1:]}")


def _gain(one: Effect, worth: Worth) -> Litmus:
    effect = 0.0 if one.verdict == "no difference that matters" else one.effect
    cost = ACTION_COST[one.action]
    ends = [by * of - cost for by in (one.low, one.high) for of in (worth.low, worth.high)]
    gain = effect * worth.mean - cost
    why = (
        f"{one.action.replace('_', ' ').capitalize()} keeps {100 * effect:.1f} in a hundred more (experiment "
        f"{one.experiment}: {100 * one.low:.1f} to {100 * one.high:.1f}), worth {worth.mean:,.0f} euro each, "
        f"at {cost:.2f}: {gain:+.2f} ({min(ends):+.2f} to {max(ends):+.2f})"
    )
    return Litmus(one.action, gain, min(*ends, gain), max(*ends, gain), why)


def renewal_is_near(ends_on: date, today: date, days: int) -> bool:
    """Whether the term ends within so many days."""
    return 0 <= (ends_on - today).days <= days
