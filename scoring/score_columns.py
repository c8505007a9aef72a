"""What a model predicts of many drivers at once, by columns: to the digit what `score.score_totals` says of each alone.

Effects and claims are rounded to decimals. Where doubles leave no doubt which way, whole arrays are rounded at once; a
row in doubt (a tie, or nearly one) is scored by `score_totals` itself. Arrays are of shape (n,), one element a driver.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.features import BY_NAME, Feature
from scoring.score import EFFECT_DECIMALS, FREQUENCY_DECIMALS, NINETY_PERCENT, ScoreModel, Weight, score_totals

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]
type Bools = NDArray[np.bool_]

DOUBT, DOUBT_OF_VALUE = 1e-6, 1e-12  # of the last digit, and of the number: a dozen doubles err by far less
MOST_SURE = 10**9  # a larger count may be no double once it is scaled


@dataclass(frozen=True, slots=True)
class Predicted:
    """Claims per 100,000 km and the ends of their 90 % interval, rounded as a score's, each (n,)."""

    claims_per_100000_km: Floats
    low: Floats
    high: Floats


def counters_of(model: ScoreModel) -> tuple[str, ...]:
    """The totals that a model predicts from."""
    features = [BY_NAME[weight.feature] for weight in model.weights]
    read = [name for one in features if isinstance(one, Feature) for name in (*one.numerator, *one.denominator)]
    return tuple(sorted({*read, *(weight.exposure for weight in model.weights)}))


def predict(totals: Mapping[str, Ints], model: ScoreModel, count: int) -> Predicted:
    """The prediction for `count` drivers from counters (count,); one that is not there counts 0."""
    columns = {name: totals.get(name, np.zeros(count, dtype=np.int64)) for name in counters_of(model)}
    doubt: Bools = np.zeros(count, dtype=bool)
    for column in columns.values():
        doubt |= column > MOST_SURE
    log_ratio, variance = np.zeros(count), np.zeros(count)
    for weight in model.weights:
        departure, credibility = _observed(weight, columns)
        effect, unsure = _rounded(weight.beta * credibility * departure, EFFECT_DECIMALS)
        log_ratio, doubt = log_ratio + effect, doubt | unsure
        low, high = weight.beta_interval
        beta_deviation = (high - low) / 2 / NINETY_PERCENT
        variance += weight.beta**2 * (1 - credibility) * weight.spread**2 + (beta_deviation * departure) ** 2
    away = NINETY_PERCENT * np.sqrt(variance)
    found = []
    for log in (log_ratio, log_ratio - away, log_ratio + away):
        claims, unsure = _rounded(model.base_claims_per_100000_km * np.exp(log), FREQUENCY_DECIMALS)
        found.append(claims)
        doubt |= unsure
    for row in np.flatnonzero(doubt).tolist():
        alone = score_totals({name: int(column[row]) for name, column in columns.items()}, model)
        for values, value in zip(found, (alone.claims_per_100000_km, *alone.interval), strict=True):
            values[row] = value
    return Predicted(*found)


def _observed(weight: Weight, columns: Mapping[str, Ints]) -> tuple[Floats, Floats]:
    """How far each is from the class mean, and the credibility Z of that; 0 and 0 where it could not be measured."""
    feature = BY_NAME[weight.feature]
    assert isinstance(feature, Feature), "a model weighs shares and rates"
    above, below = (sum(columns[name] for name in names) for names in (feature.numerator, feature.denominator))
    km = columns[weight.exposure] / 1000
    measured = (below > 0) & (km > 0)
    value = np.divide(feature.scale * above, below, out=np.zeros(len(km)), where=measured)
    departure = np.where(measured, np.minimum(value, weight.cap) - weight.reference, 0.0)
    return departure, np.where(measured, km / np.maximum(km + weight.credibility_km, 1e-9), 0.0)


def _rounded(values: Floats, decimals: int) -> tuple[Floats, Bools]:
    """To so many decimals, and where that is in doubt."""
    scaled = values * 10**decimals
    far = np.abs(scaled - np.floor(scaled) - 0.5)
    return np.rint(scaled) / 10**decimals, far < DOUBT + DOUBT_OF_VALUE * np.abs(scaled)
