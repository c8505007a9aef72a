"""Experiments that may be looked at every day: allotment by lot, a confidence sequence, guard rails, a verdict.

The interval holds at all times at once, so that stopping when it looks good is allowed: the asymptotic confidence
sequence of Waudby-Smith et al. (2024, Annals of Statistics 52, theorem 2.2), Robbins' normal mixture (1970) at its
root, on the difference of means weighted by the chance of each arm.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

type Floats = NDArray[np.float64]
type Bools = NDArray[np.bool_]
type Verdict = Literal["better", "worse", "harmful", "no difference that matters", "undecided"]

# How outcomes come in: by themselves (a renewal, an offer's matter done within a month), or posted by somebody.
MEASURED_BY = {
    "stays": "stays at the next renewal (1) or not (0)",
    "takes": "takes the offer, or does its matter unasked, within 30 days (1) or not (0)",
    "posted": "",
}
ACTIONS = ("letter", "coaching", "call", "personal_offer")
LEAST_ROWS = 200  # before that an asymptotic interval is none


@dataclass(frozen=True, slots=True)
class Plan:
    """What is tried, fixed before anybody is treated.

    `horizon` is the number of customers at which the interval is to be shortest; `least_effect` the smallest difference
    that would matter; `level` the chance of ever calling a difference where there is none. `guard_below` is how far the
    guarded measure may fall.
    """

    name: str
    hypothesis: str
    measure: str
    treated_share: float
    horizon: int
    least_effect: float
    level: float = 0.05
    guard_below: float | None = None
    measured_by: str = "posted"  # one of MEASURED_BY
    action: str | None = None  # one of ACTIONS: what those treated get, where it is a contact before a renewal


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is known so far: the difference treated less held out, with the interval that allows peeking."""

    customers: int
    treated: int
    effect: float
    low: float
    high: float
    guard_high: float | None
    verdict: Verdict


def is_treated(plan: Plan, person_key: UUID) -> bool:
    """The lot of a person: the same whenever it is asked, independent between experiments."""
    digest = hashlib.blake2b(f"{plan.name}\0".encode() + person_key.bytes, digest_size=8).digest()
    return int.from_bytes(digest) < plan.treated_share * 2**64


def assess(plan: Plan, treated: Bools, outcome: Floats, guarded: Floats | None = None) -> Assessment:
    """The state after these customers, in any order; `treated` and the outcomes have shape (n,)."""
    effect, half = difference(treated, outcome, plan.treated_share, plan.horizon, plan.level)
    guard_high = None
    if guarded is not None:
        fall, guard_half = difference(treated, guarded, plan.treated_share, plan.horizon, plan.level)
        guard_high = fall + guard_half
    low, high = effect - half, effect + half
    return Assessment(
        customers=len(treated),
        treated=int(treated.sum()),
        effect=effect,
        low=low,
        high=high,
        guard_high=guard_high,
        verdict=_verdict(plan, low, high, guard_high),
    )


def _verdict(plan: Plan, low: float, high: float, guard_high: float | None) -> Verdict:
    if guard_high is not None and plan.guard_below is not None and guard_high < -plan.guard_below:
        return "harmful"
    if low > 0.0:
        return "better"
    if high < 0.0:
        return "worse"
    if -plan.least_effect < low and high < plan.least_effect:
        return "no difference that matters"
    return "undecided"


def difference(
    treated: Bools, outcome: Floats, treated_share: float, horizon: int, level: float
) -> tuple[float, float]:
    """Difference of means and half its interval, which covers the truth at all numbers of customers at once.

    Half is infinite before LEAST_ROWS customers.
    """
    n = len(treated)
    if n < LEAST_ROWS or treated.all() or not treated.any():
        return 0.0, float("inf")
    centred = outcome - outcome.mean()  # takes the common level out of the variance of the weights
    weighted = np.where(treated, centred / treated_share, -centred / (1.0 - treated_share))
    return float(weighted.mean()), float(weighted.std(ddof=1)) * half_width(n, horizon, level)


def half_width(n: int, horizon: int, level: float) -> float:
    """Of the interval of a mean of n values of variance 1, valid at every n at once; narrowest about `horizon`."""
    # The mixture's width that is best at the horizon (Waudby-Smith et al. 2024, appendix B.2).
    rho2 = (-2.0 * np.log(level) + np.log(-2.0 * np.log(level) + 1.0)) / horizon
    return float(np.sqrt(2.0 * (n * rho2 + 1.0) / (n * n * rho2) * np.log(np.sqrt(n * rho2 + 1.0) / level)))


def false_alarms(
    plan: Plan, runs: int, every: int, stays: float, seed: int, progress: Callable[[int, int], None] | None = None
) -> dict[str, float]:
    """Shares of A/A experiments that are called a difference at any look: by our interval, and by one that is made for
    a single look (what peeking does to it). Outcomes are 0 or 1 with mean `stays`; a look comes `every` customers.
    """
    rng = np.random.default_rng(seed)
    ours = single = 0
    for run in range(runs):
        treated = rng.random(plan.horizon) < plan.treated_share
        outcome = (rng.random(plan.horizon) < stays).astype(np.float64)
        called = [False, False]
        for n in range(LEAST_ROWS, plan.horizon + 1, every):
            effect, half = difference(treated[:n], outcome[:n], plan.treated_share, plan.horizon, plan.level)
            once = half / half_width(n, plan.horizon, plan.level) * norm.ppf(1.0 - plan.level / 2.0) / np.sqrt(n)
            called[0] |= abs(effect) > half
            called[1] |= abs(effect) > once
        ours, single = ours + called[0], single + called[1]
        if progress is not None:
            progress(run + 1, runs)
    return {"rejected": ours / runs, "rejected_by_single_look": single / runs}
