"""A driving score as pages show it: reasons as points that add up to it, and where the score could go."""

import math
from dataclasses import dataclass

from markupsafe import Markup

from api import charts, wording
from api.languages import say, say_count
from scoring.features import BY_NAME
from scoring.score import PRIOR_MODEL, Reason, Score, score_of_frequency


@dataclass(frozen=True, slots=True)
class ReasonView:
    """One reason: what was measured, what is typical, and the points it is worth."""

    name: str
    value: str
    reference: str
    points: str
    sentence: str
    bar: Markup


@dataclass(frozen=True, slots=True)
class ScoreView:
    """A score with everything its card shows. `typical` + the reasons' points = `exact`, as shown."""

    value: str
    exact: str
    typical: str
    basis: str
    sentence: str
    scale: Markup
    reasons: list[ReasonView]
    unmeasured: str
    outlook: str
    model: str


def score_view(score: Score, trips: int) -> ScoreView:
    """The score in words and charts."""
    ranked = sorted((reason for reason in score.reasons if reason.value is not None), key=lambda one: -abs(one.effect))
    typical = score_of_frequency(score.model.base_claims_per_100000_km, score.model)
    points = points_that_add_up(score, ranked)
    largest = max((abs(point) for point in points), default=0.0)
    unknown = [wording.inside(feature_name(reason.feature)) for reason in score.reasons if reason.value is None]
    low, high = (wording.number(bound) for bound in score.value_interval)
    sentence = say("Likely between {low} and {high}, as far as the kilometres so far can tell.", low=low, high=high)
    if score.preliminary:
        begins = wording.km(score.minimum_km * 1000)
        sentence += " " + say("Preliminary: a score of your own begins at {distance}.", distance=begins)
    return ScoreView(
        value=wording.number(score.value),
        exact=wording.number(score.value, 1),
        typical=wording.number(typical, 1),
        basis=basis(score, trips),
        sentence=sentence,
        scale=charts.score_scale(score.value, *score.value_interval, say(
            "Score {score} of 100, likely between {low} and {high}",
            score=wording.number(score.value), low=low, high=high,
        )),
        reasons=[_reason_view(reason, point, largest) for reason, point in zip(ranked, points, strict=True)],
        unmeasured=say(
            "Not measurable with these readings, so a typical value stands for it: {names}.", names=", ".join(unknown)
        )
        if unknown
        else "",
        outlook=outlook(score),
        model=_about(score),
    )  # fmt: skip


def _about(score: Score) -> str:
    """What the score is a view of, and whose the weights are."""
    claims, low, high = (wording.number(one, 2) for one in (score.claims_per_100000_km, *score.interval))
    if score.model == PRIOR_MODEL:
        return say(
            "The score shows the predicted claim frequency: {claims} claims per 100,000 km ({low}–{high}). The weights "
            "are stated priors, not yet fitted to claims. Model {model}.",
            claims=claims, low=low, high=high, model=score.model.version,
        )  # fmt: skip
    return say(
        "The score shows the predicted claim frequency: {claims} claims per 100,000 km ({low}–{high}). The weights "
        "are those of your rate plan. Model {model}.",
        claims=claims, low=low, high=high, model=score.model.version,
    )  # fmt: skip


def points_that_add_up(score: Score, reasons: list[Reason]) -> list[float]:
    """The points of each reason in turn, to 0.1: from a typical driver's score, reason by reason, to this one."""
    base = score.model.base_claims_per_100000_km
    level, effect = score_of_frequency(base, score.model), 0.0
    points = []
    for reason in reasons:
        effect += reason.effect
        reached = score.value if reason is reasons[-1] else score_of_frequency(base * math.exp(effect), score.model)
        points.append(round(reached - level, 1))
        level = reached
    return points


def outlook(score: Score) -> str:
    """Where the score could go: what the most expensive habit costs, and where it settles as kilometres add up."""
    gains = [(_points_gained(score, reason), reason) for reason in score.reasons if reason.value]
    sentences = []
    if gains:
        gained, reason = max(gains, key=lambda pair: pair[0])
        if gained >= 0.5:
            sentences.append(
                say(
                    "At the same kilometres {without} it would be {score}.",
                    without=without(reason.feature),
                    score=wording.number(score.value + gained),
                )
            )
    settled = settled_value(score)
    if abs(settled - score.value) >= 1:
        sentences.append(
            say("Driving on as now, it moves towards {score} as kilometres add up.", score=wording.number(settled))
        )
    return " ".join(sentences)


def settled_value(score: Score) -> float:
    """The score of the same driving once its kilometres are fully credible (Z = 1 for every measured feature)."""
    change = sum(
        reason.effect / reason.credibility - reason.effect
        for reason in score.reasons
        if reason.value is not None and reason.credibility > 0
    )
    return min(100.0, score.value * math.exp(-change))


def feature_name(feature: str) -> str:
    """What of the driving a feature is."""
    low, high, unit = wording.in_speed_unit(10), wording.in_speed_unit(20), wording.speed_unit()
    names = {
        "over_0_10_km_share": say("Up to {speed} {unit} over the limit", speed=low, unit=unit),
        "over_10_20_km_share": say("{low}–{high} {unit} over the limit", low=low, high=high, unit=unit),
        "over_20_km_share": say("More than {speed} {unit} over the limit", speed=high, unit=unit),
        "night_km_share": say("Driving at night (22–05)"),
        "phone_time_share": say("Phone in hand while driving"),
        "hard_brakes_per_100km": say("Hard brakes"),
        "hard_accelerations_per_100km": say("Hard accelerations"),
        "hard_corners_per_100km": say("Hard corners"),
    }
    return names.get(feature) or wording.words(feature)


def without(feature: str) -> str:
    """`without hard brakes`."""
    low, high, unit = wording.in_speed_unit(10), wording.in_speed_unit(20), wording.speed_unit()
    names = {
        "over_0_10_km_share": say("without the kilometres up to {speed} {unit} over the limit", speed=low, unit=unit),
        "over_10_20_km_share": say(
            "without the kilometres {low}–{high} {unit} over the limit", low=low, high=high, unit=unit
        ),
        "over_20_km_share": say(
            "without the kilometres more than {speed} {unit} over the limit", speed=high, unit=unit
        ),
        "night_km_share": say("without night driving"),
        "phone_time_share": say("without the phone in hand"),
        "hard_brakes_per_100km": say("without hard brakes"),
        "hard_accelerations_per_100km": say("without hard accelerations"),
        "hard_corners_per_100km": say("without hard corners"),
    }
    return names.get(feature) or say("without {what}", what=wording.words(feature))


def feature_amount(feature: str, value: float) -> str:
    """A feature's value with its unit: shares of the way or the time, events by 100 km or miles."""
    unit = BY_NAME[feature].unit
    if unit == "1":
        share = wording.percent(value, 1)
        return say("{share} of time", share=share) if "time" in feature else say("{share} of the way", share=share)
    if unit == "1/100 km":
        rate = value * wording.METRES[wording.unit()] / 1000
        return say("{rate} per 100 {unit}", rate=wording.number(rate, 1), unit=wording.unit())
    return f"{wording.number(value, 1)} {unit}"


def _points_gained(score: Score, reason: Reason) -> float:
    """Points more if this feature were 0: its effect falls by beta x Z x value."""
    beta = next(weight.beta for weight in score.model.weights if weight.feature == reason.feature)
    gained = score.value * math.expm1(beta * reason.credibility * (reason.value or 0.0))
    return min(gained, 100.0 - score.value)


def _reason_view(reason: Reason, points: float, largest: float) -> ReasonView:
    typical = feature_amount(reason.feature, reason.reference)
    many = wording.number(abs(points), 1)
    if abs(points) < 0.05:
        sentence = say("Hardly moves it; {typical} is typical.", typical=typical)
    elif points > 0:
        sentence = say("Adds {points} points; {typical} is typical.", points=many, typical=typical)
    else:
        sentence = say("Takes {points} points off; {typical} is typical.", points=many, typical=typical)
    sign = "+" if points > 0 else wording.MINUS if points < 0 else "±"
    return ReasonView(
        name=feature_name(reason.feature),
        value=feature_amount(reason.feature, reason.value or 0.0),
        reference=typical,
        points=f"{sign}{many}",
        sentence=sentence,
        bar=charts.effect_bar(points, largest),
    )


def basis(score: Score, trips: int) -> str:
    """What a score is made from."""
    return say_count("{distance} in {count} trip", "{distance} in {count} trips", trips, distance=_whole(score.km))


def _whole(km: float) -> str:
    return f"{wording.number(km * 1000 / wording.METRES[wording.unit()])} {wording.unit()}"
