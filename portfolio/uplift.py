"""Effects by customer out of one experiment: as far as customers that were held back bear them out, else the mean.

Two steps, both on lots, so that differences are effects. A logistic model with the action's own level and its slope
over each trait (an S-learner, Künzel et al. 2019) says by how much the action keeps each customer. How far that is to
be believed is asked of customers it was not fitted on: the slope of the outcome on what it says of them (the best
linear predictor of Chernozhukov et al. 2018) is 1 where it is right and 0 where it made patterns of chance. That slope
is shrunk by its own uncertainty (in the manner of James and Stein 1961, and to nothing within its 95 % interval of
nothing) and never counts for more than 1. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from portfolio.fitting import fit_logistic

type Floats = NDArray[np.float64]
type Bools = NDArray[np.bool_]

LEAST_CUSTOMERS = 2000
LEAST_OF_A_KIND = 50  # who stayed, and who left, in each arm
FOLDS = 5
RIDGE = 10.0  # in likelihoods, on coefficients of standardized traits
_SPREAD = 1.96  # of a 95 % interval


@dataclass(frozen=True, slots=True)
class Uplift:
    """How an effect differs by customer: `believed` x (what the model says of one less `middle`, its mean).

    `coefficients` (2 + 2p,) of 1, p standardized traits, treated, treated x each; `error` is that of `believed`.
    """

    names: tuple[str, ...]
    means: Floats
    deviations: Floats
    coefficients: Floats
    middle: float
    believed: float
    error: float
    customers: int

    def as_json(self) -> dict[str, Any]:
        """As kept."""
        return {
            "names": list(self.names),
            "means": self.means.tolist(),
            "deviations": self.deviations.tolist(),
            "coefficients": self.coefficients.tolist(),
            "middle": self.middle,
            "believed": self.believed,
            "error": self.error,
            "customers": self.customers,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Uplift":
        """From the kept one."""
        arrays = {name: np.array(kept[name]) for name in ("means", "deviations", "coefficients")}
        return cls(**dict(kept) | arrays | {"names": tuple(kept["names"])})


def fit_uplift(traits: Mapping[str, Floats], treated: Bools, stays: Floats, treated_share: float) -> Uplift | None:
    """By the traits (n,) of an experiment's customers, the lot of each and whether they stayed (1) or not (0).

    None where there are too few customers, or too few of a kind, to say anything but the mean.
    """
    if len(stays) < LEAST_CUSTOMERS or min(np.bincount(2 * treated + (stays > 0.5), minlength=4)) < LEAST_OF_A_KIND:
        return None
    table = np.stack(list(traits.values()), axis=1)
    known = np.isfinite(table)
    means = np.where(known.any(axis=0), np.nanmean(np.where(known.any(axis=0), table, 0.0), axis=0), 0.0)
    deviations = np.where(known, table - means, 0.0).std(axis=0)
    standard = _standard(table, means, deviations)
    fold = np.arange(len(stays)) % FOLDS  # people come by their random keys
    said, expected = np.empty(len(stays)), np.empty(len(stays))
    for number in range(FOLDS):
        kept = fold != number
        with_it, without = _chances(_fitted(standard[kept], treated[kept], stays[kept]), standard[~kept])
        said[~kept] = with_it - without
        expected[~kept] = treated_share * with_it + (1.0 - treated_share) * without
    slope, error = _slope(said, stays - expected, treated, treated_share)
    coefficients = _fitted(standard, treated, stays)
    with_it, without = _chances(coefficients, standard)
    return Uplift(
        tuple(traits), means, deviations, coefficients, float((with_it - without).mean()), _shrunk(slope, error), error,
        len(stays),
    )  # fmt: skip


def uplift_of(found: Uplift, traits: Mapping[str, Floats]) -> tuple[Floats, Floats]:
    """By how much each customer's effect differs from the mean one, and the error of that, shape (n,) each."""
    table = np.stack([traits[name] for name in found.names], axis=1)
    with_it, without = _chances(found.coefficients, _standard(table, found.means, found.deviations))
    apart = with_it - without - found.middle
    return found.believed * apart, found.error * np.abs(apart)


def _slope(said: Floats, rest: Floats, treated: Bools, treated_share: float) -> tuple[float, float]:
    """Of the outcome's rest on (lot - share) x (said - its mean), beside the mean effect; its robust error."""
    lot = treated - treated_share
    columns = np.stack([np.ones(len(said)), lot, lot * (said - said.mean())], axis=1)
    inverse = np.linalg.pinv(columns.T @ columns)
    found = inverse @ columns.T @ rest
    off = (rest - columns @ found)[:, None] * columns
    return float(found[2]), float(np.sqrt((inverse @ (off.T @ off) @ inverse)[2, 2]))


def _shrunk(slope: float, error: float) -> float:
    wide = _SPREAD * error
    return 0.0 if slope <= wide else min(slope, 1.0) * (1.0 - (wide / slope) ** 2)


def _standard(table: Floats, means: Floats, deviations: Floats) -> Floats:
    """Standardized; what is not known counts as the mean, and a trait that is the same for all as nothing."""
    return np.where(np.isfinite(table) & (deviations > 1e-9), (table - means) / np.maximum(deviations, 1e-9), 0.0)


def _fitted(standard: Floats, treated: Bools, stays: Floats) -> Floats:
    return fit_logistic(_columns(standard, treated.astype(np.float64)), stays, RIDGE)


def _chances(coefficients: Floats, standard: Floats) -> tuple[Floats, Floats]:
    """Of staying with the action and without, shape (n,) each."""
    ones = np.ones(len(standard))
    with_it, without = (_columns(standard, lot) @ coefficients for lot in (ones, 0.0 * ones))
    return np.asarray(expit(with_it)), np.asarray(expit(without))


def _columns(standard: Floats, lot: Floats) -> Floats:
    return np.concatenate([np.ones((len(lot), 1)), standard, lot[:, None], lot[:, None] * standard], axis=1)
