"""What customers are worth, and whether a contact would pay: by segments, lapse model and finished experiments.

One function for one card and for a whole book. Nothing is made up where a piece is missing: no segments or no lapse
model, no value; no finished experiment, no effect. The segment's treatment holds where no contact pays. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from portfolio.lapse import SURE, LapseModel, Renewals, Worths, worths_of
from portfolio.litmus import Floats
from portfolio.segments import segments_of
from portfolio.standings import Standings, told_by
from portfolio.uplift import Uplift, uplift_of

YEARS = 6  # that are looked at
# Stated priors of an action, euro (postage, minutes of somebody's work, what is given away) and minutes.
ACTION_COST: Mapping[str, float] = {"letter": 1.6, "coaching": 4.1, "call": 6.7, "personal_offer": 18.0}
ACTION_MINUTES: Mapping[str, float] = {"letter": 0.0, "coaching": 5.0, "call": 8.0, "personal_offer": 5.0}
_SPREAD = float(norm.ppf((1 + SURE) / 2))


@dataclass(frozen=True, slots=True)
class Effect:
    """By how much an action raises the chance of staying, as a finished experiment measured it.

    `uplift`: how that differs by customer; None where too few were in it to say.
    """

    action: str
    experiment: str
    effect: float
    low: float
    high: float
    verdict: str
    uplift: Uplift | None = None

    @property
    def by_customer(self) -> bool:
        """Whether held-out customers bore out that it differs between them."""
        return self.uplift is not None and self.uplift.believed > 0.0


@dataclass(frozen=True, slots=True)
class Worth:
    """Euro over the years looked at, of one customer, with a 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Litmus:
    """The answer for one customer: the action that pays (None: none does), its gain in euro, and why in words."""

    action: str | None
    gain: float
    low: float
    high: float
    why: str


@dataclass(frozen=True, slots=True)
class Judged:
    """Of n customers: segment (-1: not known) and worth (NaN: not known), and for each of the effects the added chance
    of staying and the gain over its cost, euro, with its interval; `gain` (n, 1 + effects) begins with nothing, 0.
    """

    effects: tuple[Effect, ...]
    segment: NDArray[np.int64]
    worth: Worths
    added: Floats
    gain: Floats
    low: Floats
    high: Floats

    def worth_at(self, row: int) -> Worth | None:
        """Of one customer; None: not known."""
        ends = (float(one[row]) for one in (self.worth.mean, self.worth.low, self.worth.high))
        return Worth(*ends) if np.isfinite(self.worth.mean[row]) else None

    def without(self, barred: NDArray[np.bool_]) -> "Judged":
        """The same without some actions for some: `barred` (n, 1 + effects)."""
        return replace(self, gain=np.where(barred, -np.inf, self.gain))

    def answer(self, row: int, chosen: int | None = None) -> Litmus | None:
        """The litmus test's answer for one customer; None where no effect or no worth is known.

        `chosen`: the place of the action in `gain` that a budget left; by itself the best one.
        """
        if not self.effects or not np.isfinite(self.worth.mean[row]):
            return None
        best = int(self.gain[row, 1:].argmax()) + 1 if chosen is None else chosen
        if self.gain[row, best] == -np.inf:
            return Litmus(None, 0.0, 0.0, 0.0, "No contact is left: they did not take what was offered within a year")
        gain, low, high = (float(ends[row, best]) for ends in (self.gain, self.low, self.high))
        why = self._why(row, best, gain, low, high)
        if gain > 0.0:
            return Litmus(self.effects[best - 1].action, gain, low, high, why)
        return Litmus(None, gain, low, high, f"No contact pays: {why[0].lower()}{why[1:]}")

    def _why(self, row: int, place: int, gain: float, low: float, high: float) -> str:
        one = self.effects[place - 1]
        whose = "for customers like them" if one.by_customer else "on average"
        return (
            f"{one.action.replace('_', ' ').capitalize()} keeps {100 * self.added[row, place]:.1f} in a hundred more "
            f"{whose} (experiment {one.experiment}: {100 * one.low:.1f} to {100 * one.high:.1f} in all), worth "
            f"{self.worth.mean[row]:,.0f} euro each, at {ACTION_COST[one.action]:.2f}: {gain:+.2f} "
            f"({low:+.2f} to {high:+.2f})"
        )


def judge(
    effects: Sequence[Effect], segments: Sequence[Mapping[str, Any]] | None, model: LapseModel | None, known: Standings
) -> Judged:
    """Every customer's segment and worth, and what each contact would gain over its cost.

    Gain is the effect on staying times what a customer who stays is worth, less the cost; its interval takes both at
    their ends. An effect that an experiment left undecided is not known and is not used.
    """
    decided = tuple(one for one in effects if one.verdict != "undecided" and one.action in ACTION_COST)
    segment = _segments(segments, known)
    worth = _worths(model, segments, segment, known)
    shape = (len(known), 1 + len(decided))
    added, gain, low, high = (np.zeros(shape) for _ in range(4))
    traits = told_by(known)
    for place, one in enumerate(decided, 1):
        apart, error = (0.0, 0.0) if one.uplift is None else uplift_of(one.uplift, traits)
        added[:, place] = (0.0 if one.verdict == "no difference that matters" else one.effect) + apart
        wide = np.hypot((one.high - one.low) / 2.0, _SPREAD * np.asarray(error))
        middle = (one.high + one.low) / 2.0 + apart
        cost = ACTION_COST[one.action]
        gain[:, place] = added[:, place] * worth.mean - cost
        ends = [by * of - cost for by in (middle - wide, middle + wide) for of in (worth.low, worth.high)]
        low[:, place], high[:, place] = np.min([*ends, gain[:, place]], axis=0), np.max([*ends, gain[:, place]], axis=0)
    return Judged(decided, segment, worth, added, gain, low, high)


def _segments(segments: Sequence[Mapping[str, Any]] | None, known: Standings) -> NDArray[np.int64]:
    if segments is None:
        return np.full(len(known), -1, dtype=np.int64)
    traits = {"declared_km_per_year": known.declared_km_per_year, "age": known.age, "urban": known.urban}
    return segments_of(segments, traits)


def _worths(
    model: LapseModel | None,
    segments: Sequence[Mapping[str, Any]] | None,
    segment: NDArray[np.int64],
    known: Standings,
) -> Worths:
    """Expected margin over YEARS; NaN where there is no segment or nothing is posted to go by."""
    unknown = np.full(len(known), np.nan)
    if model is None or not segments:
        return Worths(unknown, unknown, unknown)
    ratio = np.array([one["credible_loss_ratio"] for one in segments], dtype=np.float64)
    half = np.array([  # as far as the segment's own experience is believed
        (one["loss_ratio"]["high"] - one["loss_ratio"]["low"]) / 2.0 * np.sqrt(one["credibility"]) for one in segments
    ])  # fmt: skip
    told = (segment >= 0) & np.isfinite(known.premium)
    renewals = Renewals(
        log_price_ratio=unknown,
        increase=known.increase,
        bad_service=known.bad_service,
        claim=known.claim,
        score_gain=known.score_gain,
        years_with_us=known.years_with_us,
        action=np.zeros(len(known), dtype=np.int64),
        left=np.zeros(len(known)),
        day=np.full(len(known), "NaT", dtype="datetime64[D]"),
    ).chosen(told)
    middle, wide = ratio[segment[told]], half[segment[told]]
    found = worths_of(
        model, renewals, known.premium[told], (middle, middle - wide, middle + wide), known.service_cost[told], YEARS
    )
    placed = [unknown.copy() for _ in range(3)]
    for whole, part in zip(placed, (found.mean, found.low, found.high), strict=True):
        whole[told] = part
    return Worths(*placed)
