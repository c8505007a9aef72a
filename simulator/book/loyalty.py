"""Renewals whose prices nobody drew by lot: the insurer raises most for those who stay anyway, as real books show."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

type Floats = NDArray[np.float64]

MEAN_INCREASE = 0.04
INCREASE_BY_TENURE = 0.05  # log price a unit of loyalty
INCREASE_BY_RISK = 0.03
INCREASE_SIGMA = 0.06  # rounding, discretion of agents, timing: what is as good as by lot
LEAVE, LEAVE_PRICE, LEAVE_LOYALTY, LEAVE_RISK = -1.6, 2.5, -0.8, 0.2


@dataclass(frozen=True, slots=True)
class Renewals:
    """n renewals. `known` (n, 2): log tenure and a risk score, as the insurer's data have them; `truth` is the mean
    change of the chance of leaving for one log unit of price.
    """

    log_change: Floats
    left: Floats
    known: Floats
    truth: float


def draw_renewals(count: int, seed: int, *, hidden_share: float = 0.0) -> Renewals:
    """Renewals of a book; `hidden_share` of what makes a customer loyal is seen by the agent and stands in no data."""
    rng = np.random.default_rng(seed)
    tenure, hidden, risk = rng.standard_normal((3, count))
    loyalty = np.sqrt(1.0 - hidden_share) * tenure + np.sqrt(hidden_share) * hidden
    change = MEAN_INCREASE + INCREASE_BY_TENURE * loyalty + INCREASE_BY_RISK * risk
    change = change + INCREASE_SIGMA * rng.standard_normal(count)
    chance = expit(LEAVE + LEAVE_PRICE * change + LEAVE_LOYALTY * loyalty + LEAVE_RISK * risk)
    left = (rng.random(count) < chance).astype(np.float64)
    truth = float((LEAVE_PRICE * chance * (1.0 - chance)).mean())
    return Renewals(change, left, np.stack([tenure, risk], axis=1), truth)
