"""How far to believe one policy's own experience, with the structure parameters estimated from the book.

Claims: Gamma-Poisson on what the risk model expects. N ~ Poisson(E x theta), theta ~ gamma of mean 1 and shape a, so
E[theta | history] = (a + N) / (a + E); E counts kilometres first, because the model's expectation does. Driving
signals: Buhlmann-Straub (1970) with kilometres as weight: Z = km / (km + K), K = within variance / between variance.
Nothing seen gives the class mean (Z = 0). Memory is two numbers a policy and signal, fading by `half_life_years`.
"""

from collections.abc import Callable

import msgspec
import numpy as np
from scipy import optimize, special, stats

from pricing.risk.columns import Floats, Ints

SMALLEST_SHAPE, LARGEST_SHAPE = 0.02, 1e4
DROP_95 = float(stats.chi2.ppf(0.95, 1) / 2)


class GammaPoisson(msgspec.Struct, frozen=True):
    """Shape of the heterogeneity with its 95 % profile interval; 1 / shape is its variance."""

    shape: float
    low: float
    high: float

    @property
    def shows_heterogeneity(self) -> bool:
        """Whether the book tells drivers of one class apart at all."""
        return self.high < LARGEST_SHAPE

    def multiplier(self, actual: Floats, expected: Floats) -> Floats:
        """The expectation of theta after `actual` claims where the model expected `expected`; 1 without history."""
        return (self.shape + actual) / (self.shape + expected)

    def credibility(self, expected: Floats) -> Floats:
        """Z = E / (E + a)."""
        return expected / (expected + self.shape)


def fit_gamma_poisson(policy: Ints, actual: Floats, expected: Floats) -> GammaPoisson:
    """Maximum likelihood of the shape on sums by policy (negative multinomial: only the sums matter)."""
    _, number = np.unique(policy, return_inverse=True)
    counts, means = np.bincount(number, weights=actual), np.bincount(number, weights=expected)

    def log_likelihood(log_shape: float) -> float:
        shape = np.exp(log_shape)
        terms = special.gammaln(shape + counts) - special.gammaln(shape) - (shape + counts) * np.log1p(means / shape)
        return float(np.sum(terms - counts * log_shape))

    ends = (float(np.log(SMALLEST_SHAPE)), float(np.log(LARGEST_SHAPE)))
    best = optimize.minimize_scalar(lambda x: -log_likelihood(x), bounds=ends, method="bounded").x
    top = log_likelihood(best)
    low, high = (_where_it_falls(log_likelihood, top - DROP_95, best, end) for end in ends)
    return GammaPoisson(float(np.exp(best)), float(np.exp(low)), float(np.exp(high)))


def _where_it_falls(log_likelihood: Callable[[float], float], target: float, best: float, end: float) -> float:
    if log_likelihood(end) >= target:
        return end
    return float(optimize.brentq(lambda x: log_likelihood(x) - target, best, end))


class BuhlmannStraub(msgspec.Struct, frozen=True):
    """Mean, variance within (of a unit of weight) and between; K in units of weight, infinite when none differ."""

    mean: float
    within: float
    between: float

    @property
    def k(self) -> float:
        """The weight at which own experience and class are believed alike."""
        return self.within / self.between if self.between > 0 else float("inf")

    def credibility(self, weight: Floats) -> Floats:
        """Z = w / (w + K); 0 where nothing was seen."""
        return weight / (weight + self.k) if np.isfinite(self.k) else np.zeros_like(weight)

    def estimate(self, own: Floats, weight: Floats) -> Floats:
        """Z x own + (1 - Z) x class mean; the class mean where nothing was seen (own may be NaN there)."""
        z = self.credibility(weight)
        return np.where(weight > 0, z * np.nan_to_num(own) + (1 - z) * self.mean, self.mean)


def fit_buhlmann_straub(policy: Ints, value: Floats, weight: Floats) -> BuhlmannStraub:
    """The unbiased estimators (Buhlmann and Gisler 2005, 4.8) of `value` per period with its weight, several a policy.

    Rows without a value (NaN) or weight are left out. The mean is the credibility-weighted one; NaN where nothing was
    seen, as the variance within is where no policy has two periods.
    """
    seen = ~np.isnan(value) & (weight > 0)
    if not seen.any():
        return BuhlmannStraub(float("nan"), float("nan"), 0.0)
    _, number = np.unique(policy[seen], return_inverse=True)
    x, w = value[seen], weight[seen]
    total, periods = np.bincount(number, weights=w), np.bincount(number)
    own = np.bincount(number, weights=w * x) / total
    freedom = float(np.sum(periods - 1))
    within = float(np.sum(w * (x - own[number]) ** 2) / freedom) if freedom > 0 else float("nan")
    plain = float(np.average(own, weights=total))
    spread = np.sum(total) - np.sum(total**2) / np.sum(total)
    between = float((np.sum(total * (own - plain) ** 2) - (len(own) - 1) * within) / spread) if spread > 0 else 0.0
    between = max(between, 0.0) if np.isfinite(between) else 0.0
    if between == 0:
        return BuhlmannStraub(plain, within, 0.0)
    z = total / (total + within / between)
    return BuhlmannStraub(float(np.average(own, weights=z)), within, between)


class Memory(msgspec.Struct, frozen=True):
    """All that is kept of a policy's experience: two fading sums (claims and expected; or signal x km and km)."""

    actual: float = 0.0
    expected: float = 0.0

    def after(self, years: float, actual: float, expected: float, half_life_years: float) -> "Memory":
        """What is kept after `years` in which `actual` came where `expected` was; what was known fades."""
        fade = 0.5 ** (years / half_life_years)
        return Memory(self.actual * fade + actual, self.expected * fade + expected)
