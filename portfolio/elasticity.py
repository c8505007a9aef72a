"""How price moves leaving, from data in which nobody drew lots over prices, and where that can and cannot be known.

Increases go to those who stay anyway, so leaving looks as if it fell with price. The corrected estimate takes out of
the price and out of the leaving what is known of the customer, on other customers than it is applied to (double machine
learning: Chernozhukov et al. 2018, the partially linear model), and asks what is left of one of what is left of the
other. What moved the price and is not known stays in it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]

FOLDS = 5
CAVEAT = (
    "Right only if everything that moved both the price and the leaving is among what is known; "
    "a trial by lot needs no such belief."
)


@dataclass(frozen=True, slots=True)
class Slope:
    """Change of the chance of leaving for a price higher by one log unit, with its 95 % interval."""

    value: float
    low: float
    high: float


def raw_slope(log_change: Floats, left: Floats) -> Slope:
    """At face value: the straight line of leaving (0 or 1) over the change of price, both (n,)."""
    return _line(log_change - log_change.mean(), left - left.mean())


def corrected_slope(log_change: Floats, left: Floats, known: Floats, seed: int) -> Slope:
    """With what is known of the customer, (n, columns), taken out of both on other folds."""
    fold = np.random.default_rng(seed).permutation(len(left)) % FOLDS
    columns = _basis(known)
    price_left, leaving_left = np.empty(len(left)), np.empty(len(left))
    for number in range(FOLDS):
        own = fold == number
        for target, residual in ((log_change, price_left), (left, leaving_left)):
            coefficients, *_ = np.linalg.lstsq(columns[~own], target[~own], rcond=None)
            residual[own] = target[own] - columns[own] @ coefficients
    return _line(price_left, leaving_left)


def _basis(known: Floats) -> Floats:
    """Intercept, each column, squares and products: smooth enough for what a premium is made of."""
    scaled = (known - known.mean(axis=0)) / (known.std(axis=0) + 1e-12)
    pairs = [scaled[:, a] * scaled[:, b] for a in range(scaled.shape[1]) for b in range(a, scaled.shape[1])]
    return np.column_stack([np.ones(len(known)), scaled, *pairs])


def _line(x: Floats, y: Floats) -> Slope:
    """Least squares through the origin with an interval that does not believe in equal variances (White 1980)."""
    slope = float(x @ y / (x @ x))
    error = float(np.sqrt(((x * (y - slope * x)) ** 2).sum()) / (x @ x))
    return Slope(slope, slope - 1.96 * error, slope + 1.96 * error)
