"""What a change of driving would be worth: the score's own model asked again with one feature changed."""

import math
from dataclasses import dataclass

from scoring.features import Totals
from scoring.score import ScoreModel, score_totals

STEP = 0.5  # a driver who is worse than the class mean is shown the mean; who is better, half of what is left


@dataclass(frozen=True, slots=True)
class Change:
    """One feature from `value` to `target`, all else equal: the claims per 100,000 km and the points it would save."""

    feature: str
    value: float
    target: float
    claims_saved_per_100000_km: float
    points: float

    def as_json(self) -> dict[str, object]:
        """The change as it is sent."""
        return {
            "feature": self.feature,
            "value": self.value,
            "target": self.target,
            "claims_saved_per_100000_km": self.claims_saved_per_100000_km,
            "points": self.points,
        }


def coach(totals: Totals, model: ScoreModel) -> tuple[Change, ...]:
    """Every change that would lower the predicted claims, the largest first.

    The worth is of the same km driven otherwise, so it carries the credibility that the feature has now: on few km
    little is known, and little is promised. What was not measured is not advised on.
    """
    now = score_totals(totals, model)
    changes = []
    for weight, reason in zip(model.weights, now.reasons, strict=True):
        if reason.value is None or reason.value <= 0:
            continue
        value = min(reason.value, weight.cap)
        target = weight.reference if value > weight.reference else STEP * value
        saved_log = weight.beta * reason.credibility * (value - target)
        claims = round(now.claims_per_100000_km * (1 - math.exp(-saved_log)), 4)
        points = round(min(100.0, now.value * math.exp(saved_log)) - now.value, 1)
        if claims > 0:
            changes.append(Change(weight.feature, reason.value, round(target, 6), claims, points))
    return tuple(sorted(changes, key=lambda change: (-change.claims_saved_per_100000_km, change.feature)))
