"""Predicted claims per 100,000 km, and the 0-100 view of it for people.

log(frequency / base) = sum over weights of beta x (x' - reference), with x' = Z x + (1 - Z) reference and
Z = km / (km + K), km being those on which the feature was measurable: a driver who is not known yet, or a feature that
cannot be measured, is the class mean. The score is 100 x (frequency of a driver without any of these risks) /
frequency: 100 is the model's best, 50 is twice its claims.

Which model prices a policy its rate plan says; a plan that says nothing means `PRIOR_MODEL`, none of whose weights has
been fitted to claims. So that model never changes: another prior is another model, which a plan has to name.
"""

import math
from dataclasses import dataclass, field

from scoring.features import BY_NAME, Totals
from scoring.settings import version_of

EFFECT_DECIMALS = 6
FREQUENCY_DECIMALS = 4
NINETY_PERCENT = 1.6448536269514722  # two-sided normal quantile


@dataclass(frozen=True, slots=True)
class Weight:
    """One term of the model: a stated prior with the interval it is believed to lie in (90 %) and why."""

    feature: str
    beta: float  # log frequency per unit of the feature
    beta_interval: tuple[float, float]
    reference: float  # class mean
    spread: float  # standard deviation of the feature among drivers
    cap: float  # larger values count as this
    exposure: str  # the total, in metres, on which the feature was measurable
    credibility_km: float  # K
    source: str


# What a source was found to say stands here; "prior" without one is a guess, and its interval is as wide as that.
_SPEED = (
    "between two findings: injury accidents grow with the square of mean speed (Nilsson's power model, tested by "
    "Cameron and Elvik 2010, doi 10.1016/j.aap.2010.05.012); one car's risk doubles with each 5 km/h over 60 (Kloeden "
    "and McLean 1998)"
)
_NIGHT = (
    "direction: night driving goes with more claims (Chan et al. 2023, arXiv 2304.10591); size: prior, no rate of "
    "claims by hour was found"
)
_PHONE = (
    "2.2 - 1: odds of a crash with a handheld phone at the ear, 1.6 to 3.1 (Dingus et al. 2016, doi "
    "10.1073/pnas.1513271113); on the same data Young 2017 (doi 10.3390/safety3040028) finds none, so 0 lies inside"
)
_BRAKES = (
    "direction: more harsh braking goes with more claims (Chan et al. 2023, arXiv 2304.10591); size: prior, kept small"
)
_COUNTS = "prior without a source, kept small"

WEIGHTS: tuple[Weight, ...] = (
    Weight("over_0_10_km_share", 0.3, (-0.3, 0.9), 0.12, 0.08, 1.0, "limit_known_m", 500, _SPEED),
    Weight("over_10_20_km_share", 1.0, (0.0, 2.0), 0.03, 0.04, 1.0, "limit_known_m", 500, _SPEED),
    Weight("over_20_km_share", 2.0, (0.0, 4.0), 0.01, 0.02, 1.0, "limit_known_m", 500, _SPEED),
    Weight("night_km_share", 0.9, (-0.4, 2.2), 0.08, 0.08, 1.0, "distance_m", 500, _NIGHT),
    Weight("phone_time_share", 1.2, (-0.3, 2.7), 0.05, 0.06, 1.0, "phone_measurable_m", 500, _PHONE),
    Weight("hard_brakes_per_100km", 0.03, (-0.03, 0.09), 1.5, 2.0, 15.0, "brake_measurable_m", 1500, _BRAKES),
    Weight(
        "hard_accelerations_per_100km", 0.01, (-0.04, 0.06), 1.0, 2.0, 15.0, "acceleration_measurable_m", 1500, _COUNTS
    ),
    Weight("hard_corners_per_100km", 0.01, (-0.04, 0.06), 1.5, 2.0, 15.0, "corner_measurable_m", 1500, _COUNTS),
)


@dataclass(frozen=True, slots=True)
class ScoreModel:
    """A multiplicative frequency model. `base` is the class mean's claims per 100,000 km: French motor liability has
    0.10 claims a vehicle-year (freMTPL2: 36,102 claims in 358,499 years), taken at 12,500 km a year, which is a guess.
    """

    base_claims_per_100000_km: float = 0.8
    minimum_km: float = 100.0  # below, a score is shown as preliminary
    weights: tuple[Weight, ...] = field(default=WEIGHTS)

    @property
    def version(self) -> str:
        """The content hash that every score carries."""
        return version_of(self, "frequency-prior" if self == PRIOR_MODEL else "frequency")


PRIOR_MODEL = ScoreModel()


@dataclass(frozen=True, slots=True)
class Reason:
    """What one feature does: `effect` is its part of log(frequency / base), positive for more claims.

    `value` None: not measurable, so the class mean stands for it. `credibility` is Z.
    """

    feature: str
    value: float | None
    reference: float
    effect: float
    credibility: float


@dataclass(frozen=True, slots=True)
class Score:
    """A predicted frequency with its 90 % interval, its view as 0-100, and reasons that add up to it exactly."""

    value: float
    value_interval: tuple[float, float]
    claims_per_100000_km: float
    interval: tuple[float, float]
    reasons: tuple[Reason, ...]
    km: float
    model: ScoreModel

    @property
    def minimum_km(self) -> float:
        """So many km the model asks for before a score is a driver's own."""
        return self.model.minimum_km

    @property
    def preliminary(self) -> bool:
        """Fewer km than the model asks for."""
        return self.km < self.minimum_km

    def as_json(self) -> dict[str, object]:
        """The score as stored and sent: floats are rounded, so pricing can take their text as exact decimals."""
        return {
            "value": self.value,
            "value_interval": list(self.value_interval),
            "claims_per_100000_km": self.claims_per_100000_km,
            "interval": list(self.interval),
            "reasons": [
                {
                    "feature": reason.feature,
                    "value": reason.value,
                    "reference": reason.reference,
                    "effect": reason.effect,
                    "credibility": reason.credibility,
                }
                for reason in self.reasons
            ],
            "km": self.km,
            "minimum_km": self.minimum_km,
            "preliminary": self.preliminary,
            "model": self.model.version,
        }


def score_of_frequency(claims_per_100000_km: float, model: ScoreModel) -> float:
    """The score, 0 to 100, that a predicted frequency is shown as."""
    return _shown(math.log(claims_per_100000_km / model.base_claims_per_100000_km), model)


def _shown(log_ratio: float, model: ScoreModel) -> float:
    best = -sum(weight.beta * weight.reference for weight in model.weights)
    return round(100 * math.exp(min(best - log_ratio, 0.0)), 1)


def score_totals(totals: Totals, model: ScoreModel) -> Score:
    """The score of a trip or of any set of trips from their summed totals; nothing else enters, so no batch effects."""
    observed = [(weight, *_observed(weight, totals)) for weight in model.weights]
    reasons = tuple(_reason(*one) for one in observed)
    log_ratio = sum(reason.effect for reason in reasons)
    deviation = math.sqrt(sum(_variance(*one) for one in observed))
    low, high = (log_ratio + side * NINETY_PERCENT * deviation for side in (-1, 1))
    base = model.base_claims_per_100000_km

    def view(log: float) -> float:
        return _shown(log, model)

    def claims(log: float) -> float:
        return round(base * math.exp(log), FREQUENCY_DECIMALS)

    return Score(
        value=view(log_ratio),
        value_interval=(view(high), view(low)),
        claims_per_100000_km=claims(log_ratio),
        interval=(claims(low), claims(high)),
        reasons=reasons,
        km=round(totals.get("distance_m", 0) / 1000, 3),
        model=model,
    )


def _observed(weight: Weight, totals: Totals) -> tuple[float | None, float]:
    """The feature's value and its credibility Z; None and 0 where it could not be measured."""
    value = BY_NAME[weight.feature].of(totals)
    km = totals.get(weight.exposure, 0) / 1000
    if value is None or km <= 0:
        return None, 0.0
    return value, km / (km + weight.credibility_km)


def _reason(weight: Weight, value: float | None, credibility: float) -> Reason:
    departure = 0.0 if value is None else min(value, weight.cap) - weight.reference
    effect = round(weight.beta * credibility * departure, EFFECT_DECIMALS)
    shown = None if value is None else round(value, EFFECT_DECIMALS)
    return Reason(weight.feature, shown, weight.reference, effect, round(credibility, 4))


def _variance(weight: Weight, value: float | None, credibility: float) -> float:
    """Of the log frequency: what the km leave open about the driver, and what is not known of the weight itself.

    The second part stands on the whole departure from the class mean, credited or not, so that for one and the same
    driving the interval only narrows with km.
    """
    departure = 0.0 if value is None else min(value, weight.cap) - weight.reference
    low, high = weight.beta_interval
    beta_deviation = (high - low) / 2 / NINETY_PERCENT
    return weight.beta**2 * (1 - credibility) * weight.spread**2 + (beta_deviation * departure) ** 2
