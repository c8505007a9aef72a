"""How well predicted rates fit and rank what happened: deviances, Gini, lift, A/E with its interval, calibration.

Arrays are of one length n: `actual` claims (or loss), `expected` of the same, `weight` exposure-years.
"""

from dataclasses import dataclass

import msgspec
import numpy as np
from scipy import optimize, special, stats

from pricing.risk.columns import Floats, Ints

INTERVAL = 0.95
NORMAL_95 = float(stats.norm.ppf((1 + INTERVAL) / 2))


class Group(msgspec.Struct, frozen=True):
    """Actual over expected of a part of a book, with its exact Poisson interval; `holds` when 1 lies inside it."""

    name: str
    exposure_years: float
    actual: float
    expected: float
    ratio: float
    low: float
    high: float
    holds: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """Shares of exposure (x) and of claims (y), both rising from 0 to 1."""

    x: Floats
    y: Floats


def poisson_deviance(actual: Floats, expected: Floats, weight: Floats) -> float:
    """Exposure-weighted mean Poisson deviance of rates: 2 sum(y log(y / mu) - (y - mu)) / sum(weight)."""
    return float(2 * np.sum(special.kl_div(actual, expected)) / np.sum(weight))


def gamma_deviance(actual: Floats, expected: Floats, weight: Floats) -> float:
    """Weighted mean gamma deviance of amounts above 0: 2 (mu-ratio - log of it - 1)."""
    ratio = actual / expected
    return float(2 * np.sum(weight * (ratio - np.log(ratio) - 1)) / np.sum(weight))


def lorenz(rank_by: Floats, actual: Floats, weight: Floats) -> Curve:
    """The Lorenz curve: rows from the lowest predicted rate to the highest; ties go together. NaN where nothing
    happened.
    """
    order = np.argsort(rank_by, kind="stable")
    last = np.append(np.flatnonzero(np.diff(rank_by[order])), len(order) - 1)
    x, y = np.cumsum(weight[order])[last], np.cumsum(actual[order])[last]
    return Curve(np.append(0.0, x / x[-1]), np.append(0.0, y / (y[-1] or np.nan)))


def gini(rank_by: Floats, actual: Floats, weight: Floats) -> float:
    """Twice the area between the diagonal and the Lorenz curve."""
    curve = lorenz(rank_by, actual, weight)
    return float(1 - np.sum(np.diff(curve.x) * (curve.y[1:] + curve.y[:-1])))


def actual_over_expected(name: str, actual: float, expected: float, exposure: float) -> Group:
    """One group; the interval is the exact (Garwood) one of the actual count, over the expected."""
    tail = (1 - INTERVAL) / 2
    low = float(stats.chi2.ppf(tail, 2 * actual) / 2) if actual > 0 else 0.0
    high = float(stats.chi2.ppf(1 - tail, 2 * (actual + 1)) / 2)
    return Group(
        name, exposure, actual, expected, actual / expected, low / expected, high / expected, low <= expected <= high
    )


def by_group(group: Ints, names: list[str], actual: Floats, expected: Floats, weight: Floats) -> tuple[Group, ...]:
    """A/E of each group that has exposure; `group` are places in `names`."""
    size = len(names)
    sums = [np.bincount(group, weights=column, minlength=size) for column in (actual, expected, weight)]
    return tuple(
        actual_over_expected(names[place], float(sums[0][place]), float(sums[1][place]), float(sums[2][place]))
        for place in np.flatnonzero(sums[2] > 0)
    )


def quantile_groups(rank_by: Floats, weight: Floats, groups: int) -> Ints:
    """Groups of equal exposure by a value, 0 the lowest; ties stay together."""
    order = np.argsort(rank_by, kind="stable")
    share = np.cumsum(weight[order]) / np.sum(weight)
    cuts = rank_by[order][np.searchsorted(share, np.arange(1, groups) / groups)]
    return np.searchsorted(np.unique(cuts), rank_by, side="right").astype(np.int64)


def deciles(actual: Floats, expected: Floats, weight: Floats) -> tuple[Group, ...]:
    """A/E of tenths of the exposure by predicted rate, the lowest first."""
    group = quantile_groups(expected / weight, weight, 10)
    return by_group(group, [str(number) for number in range(1, 11)], actual, expected, weight)


def double_lift(actual: Floats, ours: Floats, theirs: Floats, weight: Floats) -> list[dict[str, float]]:
    """Tenths of the exposure by ours / theirs: the actual rate, and what each of the two says of it. One that ties left
    empty is not there.
    """
    group = quantile_groups(ours / theirs, weight, 10)
    sums = [np.bincount(group, weights=column) for column in (actual, ours, theirs, weight)]
    return [
        {"actual": float(a / w), "ours": float(o / w), "theirs": float(t / w)}
        for a, o, t, w in zip(*sums, strict=True)
        if w > 0
    ]


class Calibration(msgspec.Struct, frozen=True):
    """Balance (actual over expected, whole), and what recalibrating would win.

    `miscalibration` is the deviance that an isotonic recalibration of the rate removes (0: autocalibrated), of which
    pooling of adjacent violators always removes a little by chance; `slope` is that of log rate: below 1, too spread.
    """

    balance: Group
    miscalibration: float
    discrimination: float
    slope: float


def calibration(actual: Floats, expected: Floats, weight: Floats) -> Calibration:
    """Murphy's parts of the deviance by isotonic recalibration, and the slope of a Poisson recalibration."""
    own = poisson_deviance(actual, expected, weight)
    rate = expected / weight
    order = np.argsort(rate, kind="stable")
    isotonic = optimize.isotonic_regression(actual[order] / weight[order], weights=weight[order]).x
    best = poisson_deviance(actual[order], np.maximum(isotonic, 1e-12) * weight[order], weight)
    mean = weight * (actual.sum() / weight.sum())
    return Calibration(
        actual_over_expected("all", float(actual.sum()), float(expected.sum()), float(weight.sum())),
        own - best,
        poisson_deviance(actual, mean, weight) - best,
        recalibration_slope(actual, expected, np.log(rate))[0],
    )


def recalibration_slope(actual: Floats, expected: Floats, log_rate: Floats) -> tuple[float, float]:
    """b of log mu = a + b log(rate) + log(exposure) and its standard error, by Newton; nan where all rates are one, or
    nothing happened.

    `expected` holds exposure and rate, so b = 1 where it is right.
    """
    centred = log_rate - log_rate.mean()
    if not np.any(np.abs(centred) > 1e-12) or not actual.any():
        return float("nan"), float("nan")
    step, information = np.zeros(2), np.eye(2)
    for _ in range(12):
        mu = expected * np.exp(step[0] + step[1] * centred)
        gradient = np.array([np.sum(actual - mu), np.sum((actual - mu) * centred)])
        cross = np.sum(mu * centred)
        information = np.array([[np.sum(mu), cross], [cross, np.sum(mu * centred**2)]])
        step = step + np.linalg.solve(information, gradient)
    return float(1 + step[1]), float(np.sqrt(np.linalg.inv(information)[1, 1]))
