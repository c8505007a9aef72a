"""The score model that a rate plan carries: read from its file and checked, or written into one.

A plan without the section is priced with the stated priors (`scoring.score.PRIOR_MODEL`). The numbers are the file's
decimals as doubles; their order in the file does not matter, as it does not for the plan's hash.
"""

import math
from decimal import Decimal
from typing import Any

from pricing.plan_reader import Reader
from scoring.features import FEATURES, Feature
from scoring.score import FREQUENCY_DECIMALS, PRIOR_MODEL, ScoreModel, Weight

DECIMALS = 9  # of what is written: as many as a plan's number may have
MOST_CLAIMS = 1e6  # per 100,000 km: a book is refused from there on
# What a model may predict from: how somebody drives, by km, time or trip, and not how far, which is exposure.
RATES = {one.name: one for one in FEATURES if isinstance(one, Feature) and one.denominator}
COUNTERS = frozenset(total for one in RATES.values() for total in (*one.numerator, *one.denominator))
LENGTHS = tuple(sorted(total for total in COUNTERS if total.endswith("_m")))
_ORDER = {  # a sum of doubles has one order
    name: place for place, name in enumerate(dict.fromkeys((*(one.feature for one in PRIOR_MODEL.weights), *RATES)))
}


def read_score_model(part: Reader) -> ScoreModel:
    """The model of `[score_model]` and its `[score_model.weights.FEATURE]`. Raises BadPlan with the place."""
    part.refuse_others("base_claims_per_100000_km", "minimum_km", "weights")
    weights = [_weight(name, part.table("weights"), one) for name, one in part.tables("weights")]
    model = ScoreModel(
        float(part.number("base_claims_per_100000_km", positive=True)),
        float(part.number("minimum_km")),
        tuple(sorted(weights, key=lambda weight: _ORDER[weight.feature])),
    )
    lowest, highest = _ends(model)
    if lowest < 10.0**-FREQUENCY_DECIMALS or highest >= MOST_CLAIMS:
        raise part.refuse(
            "weights",
            f"predict from {lowest:.3g} to {highest:.3g} claims per 100,000 km between the best and the worst driving: "
            f"it must stay over 0.0001 and under {MOST_CLAIMS:,.0f}",
        )
    return model


def _weight(name: str, weights: Reader, part: Reader) -> Weight:
    part.refuse_others("beta", "beta_low", "beta_high", "reference", "spread", "cap", "exposure", "credibility_km",
                       "source")  # fmt: skip
    if name not in RATES:
        raise weights.refuse(name, f"is no feature of scoring by km, time or trip (they are {', '.join(RATES)})")
    beta = part.number("beta", signed=True)
    if beta < 0:
        raise part.refuse("beta", f"{beta} is negative: more of what is risky would lower the price")
    low, high = (part.number(end, signed=True) for end in ("beta_low", "beta_high"))
    if not low <= beta <= high:
        raise part.refuse("beta_low", f"the interval from {low} to {high} does not hold beta, {beta}")
    reference, cap = part.number("reference"), part.number("cap", positive=True)
    if cap < reference:
        raise part.refuse("cap", f"{cap} is under the reference, {reference}: nobody would cost more than the mean")
    return Weight(
        feature=name,
        beta=float(beta),
        beta_interval=(float(low), float(high)),
        reference=float(reference),
        spread=float(part.number("spread")),
        cap=float(cap),
        exposure=part.one_of("exposure", LENGTHS),
        credibility_km=float(part.number("credibility_km")),
        source=part.text("source"),
    )


def _ends(model: ScoreModel) -> tuple[float, float]:
    """The least and the most that the model can predict."""
    best = -sum(weight.beta * weight.reference for weight in model.weights)
    worst = sum(weight.beta * (weight.cap - weight.reference) for weight in model.weights)
    base = model.base_claims_per_100000_km
    return base * math.exp(best), base * math.exp(min(worst, 100.0))


def content_of(model: ScoreModel) -> dict[str, Any]:
    """The section as a plan's content, numbers as text, from which `read_score_model` reads the same model."""
    return {
        "base_claims_per_100000_km": _text(model.base_claims_per_100000_km),
        "minimum_km": _text(model.minimum_km),
        "weights": {
            one.feature: {
                "beta": _text(one.beta),
                "beta_low": _text(one.beta_interval[0]),
                "beta_high": _text(one.beta_interval[1]),
                "reference": _text(one.reference),
                "spread": _text(one.spread),
                "cap": _text(one.cap),
                "exposure": one.exposure,
                "credibility_km": _text(one.credibility_km),
                "source": one.source,
            }
            for one in model.weights
        },
    }


def _text(value: float) -> str:
    return format(round(Decimal(repr(value)), DECIMALS).normalize(), "f")
