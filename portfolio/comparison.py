"""What strategies came to over many markets, with intervals, and where a treatment is too dear for one-to-one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from portfolio.market import Market, Pilot
from portfolio.strategies import (
    ONE_TO_ONE,
    STRATEGIES,
    Costs,
    Fitted,
    Outcome,
    Strategy,
    fit,
    play,
    rehearsed,
    rehearsed_loading,
)

TREATMENT_COSTS = (0.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 80.0, 120.0, 160.0, 240.0)  # euro a year and policy
LEAST_SEEDS = 20
LEVEL = 0.95

type Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Round:
    """One seed's worlds: where is learned, where is rehearsed, where it counts. None shares a customer with another."""

    pilot: Pilot
    rehearsal: Market
    market: Market


@dataclass(frozen=True, slots=True)
class Played:
    """What one round showed: the outcome of each strategy, what it chose, and one-to-one's lead by treatment cost."""

    seed: int
    outcomes: dict[str, Outcome]
    chosen: dict[str, Strategy]
    lead: tuple[float, ...]  # euro: profit over the best other strategy of the rehearsal, at each of TREATMENT_COSTS


def play_round(seed: int, one_round: Round, costs: Costs) -> Played:
    """All strategies on one round. Raises TooFewRows."""
    fitted = fit(one_round.pilot)
    chosen = rehearsed(one_round.rehearsal, fitted, costs)
    outcomes = {name: play(one_round.market, chosen[name], fitted, costs) for name in STRATEGIES}
    others = [name for name in STRATEGIES if name != ONE_TO_ONE]
    best = max(others, key=lambda name: play(one_round.rehearsal, chosen[name], fitted, costs).profit)
    lead = tuple(
        _one_to_one_profit(one_round, fitted, replace(costs, individual_treatment=cost)) - outcomes[best].profit
        for cost in TREATMENT_COSTS
    )
    return Played(seed, outcomes, chosen, lead)


def _one_to_one_profit(one_round: Round, fitted: Fitted, costs: Costs) -> float:
    """With the loading that is best at these costs: who knows that treatments are dear does not price as if they were
    cheap.
    """
    return play(
        one_round.market, rehearsed_loading(one_round.rehearsal, ONE_TO_ONE, fitted, costs), fitted, costs
    ).profit


def break_even(lead: Sequence[float]) -> float:
    """The cost of a treatment at which the lead is gone, between the costs tried; the last of them if it never is."""
    if lead[0] <= 0.0:
        return 0.0
    for place in range(1, len(lead)):
        if lead[place] <= 0.0:
            before, after = lead[place - 1], lead[place]
            share = before / (before - after)
            return float(TREATMENT_COSTS[place - 1] + share * (TREATMENT_COSTS[place] - TREATMENT_COSTS[place - 1]))
    return TREATMENT_COSTS[-1]


def as_json(played: Sequence[Played], customers: int, years: int, costs: Costs) -> dict[str, Any]:
    """The comparison as one object; every figure a mean over the seeds with its 95 % interval (Student's t)."""

    def over(value: Callable[[Played], float]) -> dict[str, float]:
        return interval([value(one) for one in played])

    strategies = {
        name: {
            measure.name: over(lambda one, name=name, measure=measure: getattr(one.outcomes[name], measure.name))  # type: ignore[misc]
            for measure in fields(Outcome)
        }
        for name in STRATEGIES
    }
    curve = [
        {"cost": cost, "lead": over(lambda one, place=place: one.lead[place])}  # type: ignore[misc]
        for place, cost in enumerate(TREATMENT_COSTS)
    ]
    return {
        "seeds": len(played),
        "customers": customers,
        "years": years,
        "costs": {field.name: getattr(costs, field.name) for field in fields(Costs)},
        "strategies": strategies,
        "break_even": {
            "cost_per_treatment": over(lambda one: break_even(one.lead)),
            "never_lost": sum(min(one.lead) > 0.0 for one in played),
            "curve": curve,
        },
    }


def interval(values: Sequence[float]) -> dict[str, float]:
    """Mean and 95 % interval of the mean; rounds in which a figure does not exist (NaN) are left out."""
    known = np.array([value for value in values if np.isfinite(value)])
    if not len(known):
        return {"mean": float("nan"), "low": float("nan"), "high": float("nan")}
    mean = float(known.mean())
    half = 0.0
    if len(known) > 1:
        half = float(student.ppf((1 + LEVEL) / 2, len(known) - 1) * known.std(ddof=1) / np.sqrt(len(known)))
    # Sums over threads differ in their last digits: what is printed does not.
    return {name: float(f"{one:.9g}") for name, one in (("mean", mean), ("low", mean - half), ("high", mean + half))}
