"""Distance and cutting: parked cars and teleports add nothing, gaps are seen, any rate gives the true way."""

import numpy as np
import pytest

from ingest.readings import Flag, Readings, concatenate, make_readings
from scoring.path import ScoredTrip, score_readings
from scoring.segments import Place
from tests.scoring.driving import RATES_S, START_US, drive, profile, travelled_m

ERRAND = profile((0, 0), (10, 15), (300, 15), (310, 0), (330, 0), (340, 20), (600, 20), (615, 0), (640, 0))
ERRAND_S = 640.0
WAY_M = travelled_m(ERRAND, ERRAND_S)


def score(readings: Readings, previous: Place | None = None) -> list[ScoredTrip]:
    return score_readings(readings, None, None, device="car-1", previous=previous)


def parked(hours: float, *, sigma_m: float, interval_s: float, with_speed: bool, seed: int = 1) -> Readings:
    count = int(hours * 3600 / interval_s)
    rng = np.random.default_rng(seed)
    return make_readings(
        count,
        fix_time_us=START_US + (np.arange(count) * interval_s * 1e6).astype(np.int64),
        latitude_deg=60.17 + rng.standard_normal(count) * sigma_m / 111_195,
        longitude_deg=24.94 + rng.standard_normal(count) * sigma_m / 111_195 * 2,
        speed_mps=np.abs(rng.standard_normal(count)) * 0.2 if with_speed else np.nan,
    )


@pytest.mark.parametrize("interval_s", RATES_S)
@pytest.mark.parametrize("noise_m", [0.0, 3.0])
@pytest.mark.parametrize("with_speed", [True, False])
def test_distance_is_within_one_percent_of_the_true_way_at_any_rate(
    interval_s: float, noise_m: float, with_speed: bool
) -> None:
    readings = drive(ERRAND_S, ERRAND, interval_s=interval_s, noise_m=noise_m, with_speed=with_speed)
    trips = score(readings)
    assert len(trips) == 1
    assert trips[0].distance_m + trips[0].gap_m == pytest.approx(WAY_M, rel=0.01)
    assert trips[0].gap_m == 0


@pytest.mark.parametrize("interval_s", [1.0, 10.0, 60.0])
@pytest.mark.parametrize("sigma_m", [3.0, 10.0, 30.0])
@pytest.mark.parametrize("with_speed", [True, False])
def test_a_car_parked_for_eight_hours_with_drift_has_no_trip(
    interval_s: float, sigma_m: float, with_speed: bool
) -> None:
    assert score(parked(8, sigma_m=sigma_m, interval_s=interval_s, with_speed=with_speed)) == []


def test_drift_that_wanders_slowly_has_no_trip() -> None:
    count = 8 * 3600
    rng = np.random.default_rng(3)
    wander = np.zeros((2, count))
    for row in range(1, count):  # a bounded random walk of some 15 m
        wander[:, row] = 0.998 * wander[:, row - 1] + rng.standard_normal(2)
    readings = make_readings(
        count,
        fix_time_us=START_US + np.arange(count) * 1_000_000,
        latitude_deg=60.17 + wander[0] / 111_195,
        longitude_deg=24.94 + wander[1] / 111_195 * 2,
    )
    assert sum(trip.distance_m for trip in score(readings)) == 0


def test_a_stop_longer_than_the_limit_ends_a_trip_and_a_shorter_one_does_not() -> None:
    for stop_s, expected in ((240, 1), (400, 2)):
        end = 200 + stop_s
        speed = profile(
            (0, 0), (10, 15), (190, 15), (200, 0), (end, 0), (end + 10, 15), (end + 190, 15), (end + 200, 0)
        )
        trips = score(drive(end + 200.0, speed, noise_m=2.0))
        assert len(trips) == expected
        assert sum(trip.distance_m for trip in trips) == pytest.approx(2 * 2850, rel=0.01)


def test_ignition_off_ends_a_trip_before_the_stop_limit_and_a_toggling_contact_does_not() -> None:
    speed = profile((0, 0), (10, 15), (190, 15), (200, 0), (300, 0), (310, 15), (490, 15), (500, 0))
    readings = drive(500.0, speed)
    t_s = np.arange(len(readings))
    off = readings.replace(ignition=np.where((t_s > 205) & (t_s < 290), 0.0, 1.0))
    toggling = readings.replace(ignition=(t_s % 2).astype(float))
    assert len(score(off)) == 2
    assert len(score(toggling)) == 1


def test_a_teleport_breaks_the_trip_and_its_km_never_count() -> None:
    readings = drive(1200.0, profile((0, 15), (1200, 15)))
    jumped = readings.replace(
        latitude_deg=np.where(np.arange(len(readings)) >= 600, readings.latitude_deg + 4.5, readings.latitude_deg)
    )
    trips = score(jumped)
    assert len(trips) == 2
    assert sum(trip.distance_m + trip.gap_m for trip in trips) == pytest.approx(1199 * 15, abs=30)
    assert "teleport" in trips[1].quality["flags"]  # type: ignore[operator]


def test_a_single_bad_fix_breaks_nothing() -> None:
    readings = drive(1200.0, profile((0, 15), (1200, 15)))
    latitude = readings.latitude_deg.copy()
    latitude[600:603] += 0.5
    trips = score(readings.replace(latitude_deg=latitude))
    assert len(trips) == 1
    assert trips[0].distance_m + trips[0].gap_m == pytest.approx(1200 * 15, abs=30)
    assert trips[0].quality["spikes"] == 3


def test_a_tunnel_is_a_gap_inside_the_trip_with_its_way_estimated() -> None:
    readings = drive(1200.0, profile((0, 20), (1200, 20)))
    t_s = np.arange(len(readings))
    trips = score(readings.take((t_s < 500) | (t_s > 600)))
    assert len(trips) == 1
    assert trips[0].gap_m == pytest.approx(102 * 20, rel=0.01)
    assert trips[0].distance_m == pytest.approx(1098 * 20, rel=0.01)
    assert trips[0].quality["gaps"] == 1


def test_a_tunnel_whose_readings_have_no_fix_is_the_same_gap() -> None:
    readings = drive(1200.0, profile((0, 20), (1200, 20)))
    t_s = np.arange(len(readings))
    inside = (t_s >= 500) & (t_s <= 600)
    lost = readings.replace(
        latitude_deg=np.where(inside, np.nan, readings.latitude_deg),
        longitude_deg=np.where(inside, np.nan, readings.longitude_deg),
        speed_mps=np.where(inside, 0, readings.speed_mps),
        flags=np.where(inside, int(Flag.NO_FIX), 0),
    )
    assert score(lost)[0].content_digest == score(readings.take(~inside))[0].content_digest


def test_a_long_gap_in_motion_is_estimated_and_carried_by_the_trip_after_it() -> None:
    readings = drive(9000.0, profile((0, 20), (9000, 20)))
    t_s = np.arange(len(readings))
    trips = score(readings.take((t_s < 1000) | (t_s > 8000)))
    assert [trip.gap_m for trip in trips] == [0, pytest.approx(7002 * 20, rel=0.01)]
    assert [trip.distance_m for trip in trips] == [pytest.approx(19_980, rel=0.01)] * 2


def test_a_way_that_nobody_reported_is_listed_and_never_priced_as_measured() -> None:
    here = parked(0.2, sigma_m=2.0, interval_s=10.0, with_speed=True)
    trips = score(here, previous=Place(START_US - 3_600_000_000, 60.30, 24.94))
    assert [(trip.distance_m, trip.grade, trip.score) for trip in trips] == [(0, "uncertified", None)]
    assert trips[0].gap_m == pytest.approx(0.13 * 111_195, rel=0.01)


@pytest.mark.parametrize("origin", [(0.0, 179.99), (-16.5, 179.95), (89.99, 10.0)])
def test_the_antimeridian_and_the_pole_are_no_distance(origin: tuple[float, float]) -> None:
    trips = score(drive(ERRAND_S, ERRAND, origin=origin))
    assert sum(trip.distance_m + trip.gap_m for trip in trips) == pytest.approx(WAY_M, rel=0.01)


def test_positions_held_for_thirteen_seconds_change_neither_cutting_nor_distance() -> None:
    readings = drive(ERRAND_S, ERRAND)
    shown = np.arange(len(readings)) // 13 * 13
    held = readings.replace(latitude_deg=readings.latitude_deg[shown], longitude_deg=readings.longitude_deg[shown])
    nulled = readings.replace(
        latitude_deg=np.where(shown == np.arange(len(readings)), readings.latitude_deg, np.nan),
        longitude_deg=np.where(shown == np.arange(len(readings)), readings.longitude_deg, np.nan),
        flags=np.where(shown == np.arange(len(readings)), 0, int(Flag.IMPUTED_RECEIVER_POSITION)),
    )
    for variant in (held, nulled):
        trips = score(variant)
        assert len(trips) == 1
        assert trips[0].distance_m == pytest.approx(WAY_M, rel=0.01)


def test_where_the_speed_field_contradicts_the_positions_the_positions_win() -> None:
    readings = drive(ERRAND_S, ERRAND)
    trips = score(readings.replace(speed_mps=readings.speed_mps * 6))
    assert trips[0].distance_m == pytest.approx(WAY_M, rel=0.01)
    assert "speed_mismatch" in trips[0].quality["flags"]  # type: ignore[operator]
    assert "hard_brake" in trips[0].not_measurable


def test_reversed_doubled_and_shuffled_readings_give_the_same_trips() -> None:
    readings = drive(ERRAND_S, ERRAND, noise_m=3.0)
    expected = [trip.content_digest for trip in score(readings)]
    order = np.random.default_rng(5).permutation(len(readings))
    for variant in (readings.take(slice(None, None, -1)), concatenate([readings, readings]), readings.take(order)):
        assert [trip.content_digest for trip in score(variant)] == expected


def test_of_clashing_readings_content_decides_never_arrival() -> None:
    readings = drive(ERRAND_S, ERRAND).replace(satellites=np.full(int(ERRAND_S) + 1, 8.0))
    other = readings.replace(latitude_deg=readings.latitude_deg + 0.01, satellites=np.full(len(readings), 5.0))
    first, second = score(concatenate([readings, other])), score(concatenate([other, readings]))
    assert [trip.content_digest for trip in first] == [trip.content_digest for trip in second]
    assert first[0].quality["conflicts"] == first[0].quality["readings"]
    assert first[0].grade == "uncertified"
    assert first[0].track is not None
    assert np.array_equal(np.unique(first[0].track.latitude_deg), np.unique(readings.latitude_deg))


def test_readings_ahead_of_the_clock_are_not_scored() -> None:
    readings = drive(ERRAND_S, ERRAND)
    assert score(readings.replace(flags=np.full(len(readings), int(Flag.CLOCK_AHEAD)))) == []


@pytest.mark.parametrize("count", [0, 1, 2])
def test_hardly_any_readings_make_no_trip(count: int) -> None:
    assert score(drive(1.0, profile((0, 10), (1, 10))).take(slice(0, count))) == []


def test_a_day_without_a_stop_is_one_trip() -> None:
    readings = drive(3600.0, profile((0, 25), (3600, 25)), interval_s=10.0)
    parts = []
    for hour in range(26):
        shifted = readings.fix_time_us + hour * 3_610_000_000
        east = readings.longitude_deg + hour * (readings.longitude_deg[-1] - readings.longitude_deg[0]) * 3610 / 3600
        parts.append(readings.replace(fix_time_us=shifted, longitude_deg=east))
    trips = score(concatenate(parts))
    assert len(trips) == 1
    assert trips[0].distance_m == pytest.approx(26 * 3610 * 25 - 250, rel=0.01)


def test_a_walk_is_not_driving() -> None:
    trips = score(drive(1800.0, profile((0, 1.5), (1800, 1.5)), noise_m=3.0))
    assert [trip.excluded for trip in trips] == ["not_driving"]
    assert trips[0].score is None


def test_circling_one_block_is_driving_and_not_a_stop() -> None:
    """1 km north, ten minutes round a circle of 80 m across, 1 km on, all at 5 m/s: 5 km and one trip."""
    t_s = np.arange(1120.0)
    driven_m = np.clip(t_s - 60, 0, 1000) * 5.0
    angle = np.clip(driven_m - 1000, 0, 3000) / 40.0
    north_m = np.minimum(driven_m, 1000) + 40 * np.sin(angle) + np.maximum(driven_m - 4000, 0)
    east_m = 40 * (1 - np.cos(angle))
    readings = make_readings(
        len(t_s),
        device_key=1,
        fix_time_us=(1_790_000_000 + t_s) * 1e6,
        latitude_deg=60.17 + north_m / 111_194.93,
        longitude_deg=24.94 + east_m / 111_194.93 / np.cos(np.radians(60.17)),
        speed_mps=np.where((t_s > 60) & (t_s <= 1060), 5.0, 0.0),
    )
    (trip,) = score_readings(readings, None, None, device=1)
    assert trip.distance_m == pytest.approx(5000, rel=0.01)
