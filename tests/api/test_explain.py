"""What a page says of a score agrees with the model: points, what would change it, where it settles."""

import math
from decimal import Decimal

import pytest

from api.explain import outlook, score_view, settled_value
from scoring.score import PRIOR_MODEL, score_of_frequency, score_totals

TOTALS = {
    "trips": 10, "distance_m": 400_000, "limit_known_m": 400_000, "over_0_10_m": 40_000, "over_10_20_m": 12_000,
    "over_20_m": 40_000, "night_m": 4_000, "brake_measurable_m": 400_000, "hard_brake_events": 4,
}  # fmt: skip


def test_what_would_change_it_is_what_the_model_says_then() -> None:
    score = score_totals(TOTALS, PRIOR_MODEL)
    better = score_totals(TOTALS | {"over_20_m": 0}, PRIOR_MODEL)
    assert f"more than 20 km/h over the limit it would be {better.value:.0f}." in outlook(score)


def test_it_settles_where_a_million_kilometres_of_the_same_driving_stand() -> None:
    score = score_totals(TOTALS, PRIOR_MODEL)
    # The same shares over 2,500 times the way; hard brakes alone have a larger K.
    long_run = score_totals({name: count * 2500 for name, count in TOTALS.items()}, PRIOR_MODEL)
    assert settled_value(score) == pytest.approx(long_run.value, abs=0.2)


def test_points_lead_from_a_typical_drivers_score_to_this_one() -> None:
    score = score_totals(TOTALS, PRIOR_MODEL)
    view = score_view(score, 10)
    assert view.reasons[0].name == "More than 20 km/h over the limit"
    assert view.reasons[0].value == "10.0\xa0% of the way"
    typical = score_of_frequency(PRIOR_MODEL.base_claims_per_100000_km, PRIOR_MODEL)
    speeding = next(reason for reason in score.reasons if reason.feature == "over_20_km_share")
    assert view.reasons[0].points == f"−{typical - typical * math.exp(-speeding.effect):.1f}"
    points = [Decimal(reason.points.replace("−", "-").replace("±", "")) for reason in view.reasons]
    assert Decimal(view.typical) + sum(points) == Decimal(view.exact) == Decimal(str(score.value))


def test_what_was_not_measurable_says_so_and_is_no_bar() -> None:
    view = score_view(score_totals(TOTALS, PRIOR_MODEL), 10)
    assert "phone in hand while driving, hard accelerations, hard corners" in view.unmeasured
    assert len(view.reasons) == len(PRIOR_MODEL.weights) - 3
