"""A driving score as a page shows it: reasons as points against a typical driver, and where the score could go."""

import math
from dataclasses import dataclass

from markupsafe import Markup

from api import charts
from scoring.features import BY_NAME
from scoring.score import PRIOR_MODEL, Reason, Score

NAMES = {
    "over_0_10_km_share": "Up to 10 km/h over the limit",
    "over_10_20_km_share": "10–20 km/h over the limit",
    "over_20_km_share": "More than 20 km/h over the limit",
    "night_km_share": "Driving at night (22–05)",
    "phone_time_share": "Phone in hand while driving",
    "hard_brakes_per_100km": "Hard brakes",
    "hard_accelerations_per_100km": "Hard accelerations",
    "hard_corners_per_100km": "Hard corners",
}
WITHOUT = {
    "over_0_10_km_share": "without the kilometres up to 10 km/h over the limit",
    "over_10_20_km_share": "without the kilometres 10–20 km/h over the limit",
    "over_20_km_share": "without the kilometres more than 20 km/h over the limit",
    "night_km_share": "without night driving",
    "phone_time_share": "without the phone in hand",
    "hard_brakes_per_100km": "without hard brakes",
    "hard_accelerations_per_100km": "without hard accelerations",
    "hard_corners_per_100km": "without hard corners",
}
_BETAS = {weight.feature: weight.beta for weight in PRIOR_MODEL.weights}


@dataclass(frozen=True, slots=True)
class ReasonView:
    """One reason: what was measured, what is typical, and the points it is worth."""

    name: str
    value: str
    reference: str
    sentence: str
    bar: Markup


@dataclass(frozen=True, slots=True)
class ScoreView:
    """A score with everything its card shows."""

    value: str
    basis: str
    sentence: str
    scale: Markup
    reasons: list[ReasonView]
    unmeasured: str
    outlook: str
    model: str


def score_view(score: Score, trips: int) -> ScoreView:
    """The score in words and charts."""
    points = [_points(score.value, reason.effect) for reason in score.reasons]
    largest = max((abs(point) for point in points), default=0.0)
    ranked = sorted(zip(score.reasons, points, strict=True), key=lambda pair: -abs(pair[1]))
    measured = [(reason, point) for reason, point in ranked if reason.value is not None]
    unknown = [_name(reason).lower() for reason in score.reasons if reason.value is None]
    low, high = score.value_interval
    preliminary = f" Preliminary: a score of your own begins at {score.minimum_km:.0f} km." if score.preliminary else ""
    return ScoreView(
        value=f"{score.value:.0f}",
        basis=f"{score.km:,.0f} km in {trips} {'trip' if trips == 1 else 'trips'}",
        sentence=f"Likely between {low:.0f} and {high:.0f}, as far as the kilometres so far can tell.{preliminary}",
        scale=charts.score_scale(score.value, low, high),
        reasons=[_reason_view(reason, point, largest) for reason, point in measured],
        unmeasured=f"Not measurable with these readings, so a typical value stands for it: {', '.join(unknown)}."
        if unknown
        else "",
        outlook=outlook(score),
        model=(
            f"The score shows the predicted claim frequency: {score.claims_per_100000_km:.2f} claims per 100,000 km "
            f"({score.interval[0]:.2f}–{score.interval[1]:.2f}). The weights are stated priors, not yet fitted to "
            f"claims. Model {score.model}."
        ),
    )


def outlook(score: Score) -> str:
    """Where the score could go: what the most expensive habit costs, and where it settles as kilometres add up."""
    gains = [(_points_gained(score, reason), reason) for reason in score.reasons if reason.value]
    sentences = []
    if gains:
        gained, reason = max(gains, key=lambda pair: pair[0])
        if gained >= 0.5:
            sentences.append(
                f"At the same kilometres {WITHOUT.get(reason.feature, f'without {_name(reason)}')} "
                f"it would be {score.value + gained:.0f}."
            )
    settled = settled_value(score)
    if abs(settled - score.value) >= 1:
        sentences.append(f"Driving on as now, it moves towards {settled:.0f} as kilometres add up.")
    return " ".join(sentences)


def settled_value(score: Score) -> float:
    """The score of the same driving once its kilometres are fully credible (Z = 1 for every measured feature)."""
    change = sum(
        reason.effect / reason.credibility - reason.effect
        for reason in score.reasons
        if reason.value is not None and reason.credibility > 0
    )
    return min(100.0, score.value * math.exp(-change))


def _points(value: float, effect: float) -> float:
    """Score points that a reason is worth against the class mean: positive is good for the driver."""
    return value - min(100.0, value * math.exp(effect))


def _points_gained(score: Score, reason: Reason) -> float:
    """Points more if this feature were 0: its effect falls by beta x Z x value."""
    beta = _BETAS.get(reason.feature, 0.0)
    gained = score.value * math.expm1(beta * reason.credibility * (reason.value or 0.0))
    return min(gained, 100.0 - score.value)


def _reason_view(reason: Reason, points: float, largest: float) -> ReasonView:
    typical = _amount(reason.feature, reason.reference)
    if abs(points) < 0.05:
        sentence = f"Hardly moves it; {typical} is typical."
    else:
        side = "above" if points > 0 else "below"
        sentence = f"{abs(points):.1f} points {side} what the typical {typical} would give."
    return ReasonView(
        name=_name(reason),
        value=_amount(reason.feature, reason.value or 0.0),
        reference=typical,
        sentence=sentence,
        bar=charts.effect_bar(points, largest),
    )


def _name(reason: Reason) -> str:
    return NAMES.get(reason.feature, reason.feature.replace("_", " "))


def _amount(feature: str, value: float) -> str:
    unit = BY_NAME[feature].unit
    if unit == "1":
        return f"{100 * value:.1f} % of {'time' if 'time' in feature else 'km'}"
    return f"{value:.1f} per 100 km" if unit == "1/100 km" else f"{value:.1f} {unit}"
