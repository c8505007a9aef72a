"""What of customers their value and the effect of a contact are told by, as columns. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Standings:
    """Of n customers, arrays of shape (n,); NaN: not known, or not agreed to. Yes and no are 1 and 0."""

    premium: Floats  # a year's without tax, by what is posted
    service_cost: Floats  # euro, of the last year
    declared_km_per_year: Floats
    age: Floats
    urban: Floats
    years_with_us: Floats
    bad_service: Floats  # a complaint within a year
    claim: Floats  # within a year
    increase: Floats  # log, of the premium of a day over a year; 0 where it fell
    score_gain: Floats
    taken: Floats  # an offer, within two years
    refused: Floats
    silent: Floats  # to an offer, for a month

    def __len__(self) -> int:
        return len(self.premium)


def told_by(known: Standings) -> Mapping[str, Floats]:
    """The traits that an effect may depend on, shape (n,) each: none is moved by what an experiment does."""
    with np.errstate(invalid="ignore", divide="ignore"):
        premium = np.log(np.where(known.premium > 0.0, known.premium, np.nan))
    return {
        "log_premium": premium,
        "log_declared_km": np.log(np.maximum(known.declared_km_per_year, 1.0)),
        "age": known.age,
        "urban": known.urban,
        "log_years": np.log1p(known.years_with_us),
        "bad_service": known.bad_service,
        "claim": known.claim,
        "increase": known.increase,
        "taken": known.taken,
        "refused": known.refused,
        "silent": known.silent,
    }
