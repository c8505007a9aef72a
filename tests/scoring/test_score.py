"""Features come from sums, cells add up exactly, reasons add up to the frequency, and the interval narrows with km."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.classes import OVER_LIMIT_BANDS
from scoring.features import FEATURES, features_of, sum_totals
from scoring.match import HiddenMarkovMatcher
from scoring.path import score_readings
from scoring.place_time import hour_bands, local_quarter, zone_at
from scoring.score import PRIOR_MODEL, Weight, score_totals
from scoring.score_columns import counters_of, predict
from scoring.series import largest_remainder
from scoring.tracks import pack, unpack
from tests.scoring.driving import drive, profile
from tests.scoring.test_events import straight_road

MONTH = {
    "trips": 40, "distance_m": 1_000_000, "measured_s": 90_000, "night_m": 100_000, "limit_known_m": 900_000,
    "limit_known_s": 80_000, "over_0_10_m": 120_000, "over_10_20_m": 40_000, "over_20_m": 10_000,
    "brake_measurable_m": 1_000_000, "hard_brake_events": 30, "acceleration_measurable_m": 1_000_000,
    "hard_acceleration_events": 5, "corner_measurable_m": 1_000_000, "hard_corner_events": 12,
    "phone_measurable_m": 800_000, "phone_measurable_s": 70_000, "phone_s": 7_000,
}  # fmt: skip
WORSE = {
    "night_m": 50_000, "over_0_10_m": 50_000, "over_10_20_m": 50_000, "over_20_m": 50_000, "hard_brake_events": 10,
    "hard_acceleration_events": 10, "hard_corner_events": 10, "phone_s": 5_000,
}  # fmt: skip


def test_reasons_add_up_to_the_log_of_the_frequency() -> None:
    score = score_totals(MONTH, PRIOR_MODEL)
    base = PRIOR_MODEL.base_claims_per_100000_km
    summed = sum(reason.effect for reason in score.reasons)
    assert score.claims_per_100000_km == round(base * math.exp(summed), 4)


@pytest.mark.parametrize("name", WORSE)
def test_more_of_any_risk_never_lowers_the_frequency_nor_raises_the_score(name: str) -> None:
    before, after = (
        score_totals(MONTH, PRIOR_MODEL),
        score_totals(MONTH | {name: MONTH[name] + WORSE[name]}, PRIOR_MODEL),
    )
    assert after.claims_per_100000_km > before.claims_per_100000_km
    assert after.value <= before.value


COUNTERS = {
    "over_0_10_km_share": "over_0_10_m", "over_10_20_km_share": "over_10_20_m", "over_20_km_share": "over_20_m",
    "night_km_share": "night_m", "phone_time_share": "phone_s", "hard_brakes_per_100km": "hard_brake_events",
    "hard_accelerations_per_100km": "hard_acceleration_events", "hard_corners_per_100km": "hard_corner_events",
}  # fmt: skip
DRIVEN = st.fixed_dictionaries(
    {name: st.integers(0, 10_000_000) for name in MONTH if name.endswith("_m")}
    | {"measured_s": st.just(90_000), "limit_known_s": st.just(80_000), "phone_measurable_s": st.integers(0, 70_000)}
    | {name: st.integers(0, 2000) for name in MONTH if name.endswith("_events")}
    | {"phone_s": st.integers(0, 70_000)}
)


@pytest.mark.parametrize("weight", PRIOR_MODEL.weights, ids=lambda weight: weight.feature)
@given(totals=DRIVEN, more=st.integers(1, 100_000))
def test_the_frequency_never_falls_in_any_feature(weight: Weight, totals: dict[str, int], more: int) -> None:
    counter = COUNTERS[weight.feature]
    before, after = (
        score_totals(totals, PRIOR_MODEL),
        score_totals(totals | {counter: totals[counter] + more}, PRIOR_MODEL),
    )
    assert after.claims_per_100000_km >= before.claims_per_100000_km
    assert after.value <= before.value
    low, high = after.interval
    assert low <= after.claims_per_100000_km <= high


@given(totals=DRIVEN)
def test_reasons_are_the_whole_difference_from_the_class_mean(totals: dict[str, int]) -> None:
    score = score_totals(totals, PRIOR_MODEL)
    summed = sum(reason.effect for reason in score.reasons)
    assert score.claims_per_100000_km == round(PRIOR_MODEL.base_claims_per_100000_km * math.exp(summed), 4)
    assert len(score.reasons) == len(PRIOR_MODEL.weights)


@pytest.mark.parametrize("drivers", [2_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_a_driver_scores_the_same_alone_and_in_a_batch(drivers: int) -> None:
    rng = np.random.default_rng(20261123)
    alone = score_totals(MONTH, PRIOR_MODEL)
    places = {0, drivers // 2, drivers - 1}
    scale = rng.uniform(0.0, 3.0, drivers)
    others = 0
    for place, factor in enumerate(scale.tolist()):
        score = score_totals(
            MONTH if place in places else {name: int(n * factor) for name, n in MONTH.items()}, PRIOR_MODEL
        )
        others += score != alone
        if place in places:
            assert score == alone
    assert others == drivers - len(places)


def test_under_the_stated_minimum_a_score_is_preliminary() -> None:
    under, over = (score_totals({"distance_m": metres}, PRIOR_MODEL) for metres in (99_999, 100_000))
    assert (under.preliminary, over.preliminary, under.minimum_km) == (True, False, 100.0)


def test_the_same_driving_over_more_km_narrows_the_interval() -> None:
    widths = []
    for factor in (1, 2, 5, 20, 100):
        low, high = score_totals({name: count * factor for name, count in MONTH.items()}, PRIOR_MODEL).interval
        widths.append(math.log(high / low))
    assert widths == sorted(widths, reverse=True)
    assert len(set(widths)) == len(widths)


def test_a_driver_nobody_knows_is_the_class_mean() -> None:
    score = score_totals({}, PRIOR_MODEL)
    assert score.claims_per_100000_km == PRIOR_MODEL.base_claims_per_100000_km
    assert all(reason.value is None and reason.effect == 0 for reason in score.reasons)
    assert score.preliminary


def test_what_is_not_measurable_is_the_class_mean_and_says_so() -> None:
    score = score_totals(MONTH | {"phone_measurable_m": 0, "phone_measurable_s": 0, "phone_s": 0}, PRIOR_MODEL)
    phone = next(reason for reason in score.reasons if reason.feature == "phone_time_share")
    assert (phone.value, phone.effect, phone.credibility) == (None, 0.0, 0.0)


def test_a_driver_without_any_risk_over_many_km_scores_nearly_100() -> None:
    spotless = {name: 0 if name in WORSE else count * 1000 for name, count in MONTH.items()}
    assert score_totals(spotless, PRIOR_MODEL).value >= 99.5


def test_half_the_score_is_twice_the_claims() -> None:
    one = score_totals(MONTH, PRIOR_MODEL)
    other = score_totals(MONTH | {"over_20_m": 400_000}, PRIOR_MODEL)
    assert one.value / other.value == pytest.approx(other.claims_per_100000_km / one.claims_per_100000_km, rel=0.01)


def test_features_of_a_set_come_from_the_sums_of_its_totals() -> None:
    assert features_of(sum_totals([MONTH, MONTH])) == features_of(MONTH) | {
        "distance_km": 2000.0,
        "trip_count": 80.0,
    }


def test_every_feature_has_a_unit_a_formula_and_a_name_of_its_own() -> None:
    assert len({feature.name for feature in FEATURES}) == len(FEATURES)
    assert all(feature.unit and feature.formula for feature in FEATURES)
    assert all(feature.of({}) is None for feature in FEATURES if getattr(feature, "denominator", True))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60))
def test_largest_remainder_sums_exactly_and_moves_no_cell_by_one(shares: list[float]) -> None:
    array = np.array(shares)
    whole = largest_remainder(array, round(float(array.sum())))
    assert whole.sum() == round(float(array.sum()))
    assert (np.abs(whole - array) <= 1).all()
    assert (whole >= 0).all()


def test_exposure_cells_sum_exactly_to_the_trip() -> None:
    speed = profile((0, 0), (10, 15), (200, 21), (400, 13), (590, 16), (600, 0))
    roads = straight_road(50.0)
    trip = score_readings(drive(600.0, speed, noise_m=3.0), HiddenMarkovMatcher(roads), roads, device="car-1")[0]
    assert sum(cell.distance_m for cell in trip.exposure) == trip.distance_m
    assert sum(cell.duration_s for cell in trip.exposure) == trip.totals["measured_s"]
    assert {cell.over_limit_band for cell in trip.exposure} >= {"within", "over_0_10", "over_20"}
    assert {cell.over_limit_band for cell in trip.exposure} <= set(OVER_LIMIT_BANDS)
    assert all(type(count) is int for count in trip.totals.values())
    assert trip.track is not None
    assert trip.track.matched.mean() > 0.95


@pytest.mark.parametrize(
    ("moment", "place", "band"),
    [
        ("2026-07-01T18:59:00+00:00", (60.17, 24.94), 3),  # 21:59 in Helsinki
        ("2026-07-01T19:00:00+00:00", (60.17, 24.94), 0),  # 22:00
        ("2026-12-01T19:30:00+00:00", (60.17, 24.94), 3),  # winter: 21:30
        ("2026-07-02T02:00:00+00:00", (60.17, 24.94), 1),  # 05:00
        ("2019-08-26T22:17:00+00:00", (-25.45, -49.23), 3),  # 19:17 in Curitiba
        ("2026-03-29T01:30:00+00:00", (48.86, 2.35), 0),  # the hour after the gap: 03:30
    ],
)
def test_night_is_the_local_hour_of_the_place(moment: str, place: tuple[float, float], band: int) -> None:
    time_us = int(datetime.fromisoformat(moment).timestamp() * 1e6)
    latitude, longitude = place
    assert hour_bands(np.array([time_us]), np.array([latitude]), np.array([longitude]))[0] == band


def test_the_month_is_the_local_one() -> None:
    time_us = int(datetime(2026, 9, 30, 21, 30, tzinfo=UTC).timestamp() * 1e6)
    assert local_quarter(time_us, zone_at(60.17, 24.94)).month == "2026-10"
    assert local_quarter(time_us, zone_at(-25.45, -49.23)).month == "2026-09"


def test_a_track_survives_packing() -> None:
    trip = score_readings(drive(300.0, profile((0, 10), (1, 10))), None, None, device="car-1")[0]
    assert trip.track is not None
    again = unpack(pack(trip.track))
    assert np.array_equal(again.latitude_deg, trip.track.latitude_deg)
    assert np.allclose(again.speed_mps, trip.track.speed_mps)
    assert np.isnan(again.limit_mps).all()
    assert pack(again) == pack(trip.track)


def test_columns_are_predicted_as_each_driver_is_alone() -> None:
    rng = np.random.default_rng(20261126)
    count = 3_000
    driven_m = rng.integers(0, 40, count) ** 5
    driven_m[:5] = (0, 1, 500_000, 10**10, 10**15)  # 500 km: Z is one half, and effects are ties of the last digit
    totals = {
        name: (driven_m * rng.choice([0.0, 0.01, 0.25, 1.0], count)).astype(np.int64)
        if name.endswith("_m")
        else rng.integers(0, 60, count)
        for name in counters_of(PRIOR_MODEL)
    }
    found = predict(totals, PRIOR_MODEL, count)
    for row in range(count):
        alone = score_totals({name: int(column[row]) for name, column in totals.items()}, PRIOR_MODEL)
        columns = (found.claims_per_100000_km[row], (found.low[row], found.high[row]))
        assert columns == (alone.claims_per_100000_km, alone.interval), row
    nobody = predict({}, PRIOR_MODEL, 1)
    assert nobody.claims_per_100000_km[0] == score_totals({}, PRIOR_MODEL).claims_per_100000_km
