"""What a customer is expected to be worth: margin a year, weighed by the chance of still being here, discounted.

Two things end a policy: leaving at a renewal, which price and time with us move, and ending for another reason (the car
sold, moved away). They compete: who is gone for one cannot go for the other (Putter et al. 2007 on competing risks).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from portfolio.contact import LeaveModel, fit_leaving, leaving
from portfolio.market import NOTHING, Pilot
from portfolio.strategies import DISCOUNT

type Floats = NDArray[np.float64]

RESAMPLES = 40


@dataclass(frozen=True, slots=True)
class Value:
    """Euro of n customers over the years looked at, shape (n,), with an interval for what the lapse model may err."""

    mean: Floats
    low: Floats
    high: Floats


def expected_value(
    model: LeaveModel, ratio: Floats, years_with_us: Floats, margin: Floats, other_reason: float, years: int
) -> Floats:
    """Discounted margin (n,) euro a year over `years`: the first is certain, each next one if still here.

    `ratio` (n,) is log(our price / the market's) and is taken to stay; `other_reason` the yearly chance of another end.
    """
    here, total = np.ones(len(ratio)), np.zeros(len(ratio))
    nothing, unknown = np.full(len(ratio), NOTHING), np.zeros(len(ratio), dtype=np.int64)
    for ahead in range(years):
        total += here * margin / (1.0 + DISCOUNT) ** ahead
        here = here * (1.0 - other_reason) * (1.0 - leaving(model, ratio, years_with_us + ahead, nothing, unknown))
    return total


def value_of(
    pilot: Pilot, ratio: Floats, years_with_us: Floats, margin: Floats, other_reason: float, years: int, seed: int
) -> Value:
    """The expected value with a 95 % interval from lapse models of resampled pilots (Efron 1979)."""
    rng = np.random.default_rng(seed)
    given = ratio, years_with_us, margin, other_reason, years
    mean = expected_value(fit_leaving(pilot), *given)
    again = np.stack([expected_value(fit_leaving(_resampled(pilot, rng)), *given) for _ in range(RESAMPLES)])
    low, high = np.percentile(again, [2.5, 97.5], axis=0)
    return Value(mean, np.minimum(low, mean), np.maximum(high, mean))


def _resampled(pilot: Pilot, rng: np.random.Generator) -> Pilot:
    rows = rng.integers(0, len(pilot.left), len(pilot.left))
    return replace(
        pilot,
        claims=pilot.claims[rows],
        log_price_ratio=pilot.log_price_ratio[rows],
        years_with_us=pilot.years_with_us[rows],
        action=pilot.action[rows],
        left=pilot.left[rows],
    )
