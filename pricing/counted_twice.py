"""What a rate plan may charge twice: an hour or a road by its rates a km, and once more by its score model."""

from pricing.plan import RatePlan
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS

SHARES = ("km_share", "time_share")
WARNING = (
    "{feature} is charged by the rates a km and by the score model too: unless both were fitted together, it is "
    "counted twice. Leave it out of [score_model]"
)


def charged_by_rates(plan: RatePlan) -> frozenset[str]:
    """The features of which the rates a km of a pay plan with behaviour charge already: shares of hours and roads."""
    reads = [one.uses for one in plan.pay_plans.values() if {"behaviour", "hour_band", "road_class"} <= one.uses]
    found: set[str] = set()
    for cover in plan.covers.values() if reads else ():
        by_hour = [{cover.per_km[road, hour] for hour in HOUR_BANDS} for road in EXPOSURE_CLASSES]
        by_road = [{cover.per_km[road, hour] for road in EXPOSURE_CLASSES} for hour in HOUR_BANDS]
        found |= set(HOUR_BANDS) if any(len(rates) > 1 for rates in by_hour) else set()
        found |= set(EXPOSURE_CLASSES) if any(len(rates) > 1 for rates in by_road) else set()
    return frozenset(f"{name}_{share}" for name in found for share in SHARES)


def counted_twice(plan: RatePlan) -> tuple[str, ...]:
    """The features that may be charged twice. No refusal: fitted in one model, rates and weight share an effect."""
    charged = charged_by_rates(plan)
    return tuple(one.feature for one in plan.score_model.weights if one.feature in charged and one.beta)


def warnings_of(plan: RatePlan) -> tuple[str, ...]:
    """The same in words."""
    return tuple(WARNING.format(feature=feature) for feature in counted_twice(plan))
