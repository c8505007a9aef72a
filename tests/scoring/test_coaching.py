"""What a change is worth is what the score says when that change is made, and nothing is advised that is not known."""

import pytest

from scoring.coaching import coach
from scoring.score import PRIOR_MODEL, score_totals

# 2000 km: 30 % of them at night, 5 hard brakes in 100 km, limits unknown.
TOTALS = {
    "distance_m": 2_000_000,
    "night_m": 600_000,
    "hard_brake_events": 100,
    "brake_measurable_m": 2_000_000,
}


def test_each_change_is_worth_what_the_score_says_of_it() -> None:
    changes = {change.feature: change for change in coach(TOTALS, PRIOR_MODEL)}
    assert list(changes) == ["night_km_share", "hard_brakes_per_100km"]
    now = score_totals(TOTALS, PRIOR_MODEL)
    after = {
        "night_km_share": score_totals(TOTALS | {"night_m": 160_000}, PRIOR_MODEL),  # the class mean, 8 %
        "hard_brakes_per_100km": score_totals(TOTALS | {"hard_brake_events": 30}, PRIOR_MODEL),  # 1.5 in 100 km
    }
    for feature, other in after.items():
        saved = now.claims_per_100000_km - other.claims_per_100000_km
        assert changes[feature].claims_saved_per_100000_km == pytest.approx(saved, abs=3e-4)
        assert changes[feature].points == pytest.approx(other.value - now.value, abs=0.21)


def test_who_is_better_than_the_mean_is_shown_half_of_what_is_left() -> None:
    change = coach({"distance_m": 2_000_000, "night_m": 80_000}, PRIOR_MODEL)[0]
    assert (change.value, change.target) == (0.04, 0.02)
    assert change.claims_saved_per_100000_km > 0


def test_nothing_is_advised_on_what_is_not_measured_or_not_done() -> None:
    assert coach({"distance_m": 2_000_000, "night_m": 0}, PRIOR_MODEL) == ()
    assert coach({}, PRIOR_MODEL) == ()


def test_on_few_kilometres_little_is_promised() -> None:
    few = {name: count // 100 for name, count in TOTALS.items()}
    assert (
        coach(few, PRIOR_MODEL)[0].claims_saved_per_100000_km
        < 0.1 * coach(TOTALS, PRIOR_MODEL)[0].claims_saved_per_100000_km
    )
