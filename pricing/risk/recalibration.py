"""Recalibration: a curve that makes a model's rates mean what they say, learned on rates that had not seen the claims.

Trees average within leaves and across a bag, which can draw what they predict to the mean. The curve is a factor of the
rate, its logarithm piecewise linear in the logarithm of the rate, with knots at equal shares of exposure, found by
Poisson likelihood. It only ever rises with the rate, so no two policies change places, and as its columns sum to 1 the
whole and each knot's neighbourhood are balanced (autocalibration: Denuit, Charpentier and Trufin 2021). It is used
where the likelihood ratio asks for it, as a factor is in the GLM: a curve that is chance makes rates worse.
"""

import msgspec
import numpy as np
from scipy import stats

from pricing.risk.columns import Floats
from pricing.risk.metrics import poisson_deviance

KNOTS = 5  # lost least out of fold on French claims, where none is needed
LEVEL = 0.01
CLAIMS_A_KNOT = 50
STEPS, STILL = 30, 1e-9


class Curve(msgspec.Struct, frozen=True):
    """The logarithm of the factor at knots of the logarithm of the rate: straight between them, level beyond."""

    log_rate: tuple[float, ...]
    log_factor: tuple[float, ...]

    def of(self, rate: Floats) -> Floats:
        """The rates as recalibrated, shape (n,)."""
        return rate * np.exp(np.interp(np.log(rate), self.log_rate, self.log_factor))


def fit_curve(rate: Floats, actual: Floats, weight: Floats, knots: int = KNOTS) -> Curve:
    """The curve of rates (n,) whose claims they had not seen; knots are left out until it rises with the rate."""
    knots = max(1, min(knots, int(actual.sum()) // CLAIMS_A_KNOT))
    log_rate = np.log(rate)
    order = np.argsort(log_rate, kind="stable")
    share = np.cumsum(weight[order]) / weight.sum()
    places = np.searchsorted(share, (np.arange(knots) + 0.5) / knots)
    at = np.unique(log_rate[order][np.minimum(places, len(order) - 1)])
    while True:
        log_factor = _most_likely(at, log_rate, actual, rate * weight)
        falls = np.flatnonzero(np.diff(at + log_factor) <= 0)
        if len(at) == 1 or not len(falls):
            return Curve(tuple(map(float, at)), tuple(map(float, log_factor)))
        at = np.delete(at, falls[0] + (falls[0] == 0))


def justified_curve(rate: Floats, actual: Floats, weight: Floats) -> Curve | None:
    """The curve where rates without it are further off than chance at 1 %, else None."""
    curve = fit_curve(rate, actual, weight)
    gain = poisson_deviance(actual, rate * weight, weight) - poisson_deviance(actual, curve.of(rate) * weight, weight)
    ratio = gain * weight.sum()
    return curve if stats.chi2.sf(ratio, len(curve.log_rate)) < LEVEL else None


def recalibrated(curve: Curve | None, rate: Floats) -> Floats:
    """The rates by the curve, or as they are."""
    return rate if curve is None else curve.of(rate)


def _most_likely(at: Floats, log_rate: Floats, actual: Floats, expected: Floats) -> Floats:
    """Newton steps of a Poisson model whose columns are the hats over the knots; (len(at),)."""
    hats = np.column_stack([np.interp(log_rate, at, column) for column in np.eye(len(at))])
    found = np.full(len(at), np.log(actual.sum() / expected.sum()))
    for _ in range(STEPS):
        mean = expected * np.exp(hats @ found)
        step = np.linalg.solve(hats.T @ (hats * mean[:, None]), hats.T @ (actual - mean))
        found = found + step
        if np.max(np.abs(step)) < STILL:
            break
    return found
