"""Rows 47 to 79 of the bad-inputs contract that scoring answers for: each test names its row."""

import itertools

import numpy as np
import pytest

from ingest.decoded import Decoded
from ingest.readings import Flag, Readings, concatenate, make_readings
from ingest.validate import validate
from scoring.path import ScoredTrip, score_readings
from scoring.segments import Place
from scoring.settings import THRESHOLDS, settings_for
from tests.scoring.conformance.cases import flags, kinds, metres, only, score
from tests.scoring.conformance.physics import G, Journey, Leg, World, journey, seen

STRAIGHT = journey(20, [Leg(900)])
BRAKED = journey(20, [Leg(300), Leg(2, -0.45 * G), Leg(300)])


def plain(world: World | None = None) -> Readings:
    return seen(STRAIGHT, world or World())


def validated(readings: Readings) -> Readings:
    count = len(readings)
    return validate(Decoded(readings, count, (), np.arange(count), lambda place: b""), None).readings


@pytest.mark.parametrize("accuracy_m", [0.0, -5.0, 150.0])
def test_row_47_a_fix_without_accuracy_weighs_nothing(accuracy_m: float) -> None:
    readings = plain()
    rows = np.arange(len(readings))
    bad = (rows >= 400) & (rows < 410)
    wrong = validated(
        readings.replace(
            accuracy_m=np.where(bad, accuracy_m, 5.0), latitude_deg=readings.latitude_deg + np.where(bad, 0.003, 0.0)
        )
    )
    assert ((wrong.flags & Flag.LOW_ACCURACY) != 0).sum() == 10
    trip = only(score(wrong))
    assert metres([trip]) == pytest.approx(STRAIGHT.way_m, rel=0.002)
    assert trip.quality["readings"] == len(readings) - 10


def test_row_48_the_antimeridian_is_one_short_segment() -> None:
    trip = only(score(plain(World(latitude_deg=0.0, longitude_deg=179.95))))
    assert trip.distance_m == pytest.approx(STRAIGHT.way_m, rel=0.001)


@pytest.mark.parametrize("with_speed", [True, False])
def test_row_49_the_pole_is_a_finite_distance(with_speed: bool) -> None:
    trip = only(score(plain(World(latitude_deg=89.93, bearing_deg=0.0, with_speed=with_speed))))
    assert trip.distance_m == pytest.approx(STRAIGHT.way_m, rel=0.01)
    at_the_pole = plain().replace(latitude_deg=np.full(901, 90.0), longitude_deg=np.linspace(-180, 180, 901))
    assert metres(score(at_the_pole.replace(speed_mps=np.zeros(901)))) == 0


@pytest.mark.parametrize(("jitter_m", "noise"), itertools.product([5.0, 15.0, 30.0], ["white", "correlated"]))
def test_row_50_eight_hours_of_standing_jitter_are_0_km(jitter_m: float, noise: str) -> None:
    still = Journey(np.array([0.0, 28_800.0]), *[np.zeros(2)] * 7)
    readings = seen(still, World(hz=0.1, noise=noise, noise_m=jitter_m))
    assert score(readings) == []
    assert score(readings.replace(speed_mps=np.full(len(readings), np.nan))) == []


def test_row_51_a_teleport_breaks_the_trip_and_its_km_are_excluded() -> None:
    readings = plain()
    later = readings.latitude_deg - np.where(np.arange(len(readings)) >= 450, 4.5, 0.0)
    trips = score(readings.replace(latitude_deg=later))
    assert len(trips) == 2
    assert "teleport" in flags(trips[1])
    assert metres(trips) == pytest.approx(STRAIGHT.way_m, rel=0.002)


def test_row_52_where_speed_and_positions_contradict_the_positions_win() -> None:
    readings = seen(journey(50 / 3.6, [Leg(900)]), World())
    trip = only(score(readings.replace(speed_mps=np.full(len(readings), 300 / 3.6))))
    assert trip.distance_m == pytest.approx(12_500, rel=0.002)
    assert "speed_mismatch" in flags(trip)
    assert {"hard_brake", "hard_acceleration", "hard_corner"} <= set(trip.not_measurable)


def test_row_53_an_unknown_speed_is_not_reported_and_a_low_altitude_is_one() -> None:
    readings = validated(plain().replace(speed_mps=np.full(901, -1.0), altitude_m=np.full(901, -400.0)))
    assert len(readings) == 901
    assert np.isnan(readings.speed_mps).all()
    assert only(score(readings)).distance_m == pytest.approx(STRAIGHT.way_m, rel=0.002)


@pytest.mark.parametrize("fault", ["falls", "rolls over", "in km"])
def test_row_54_an_odometer_that_falls_is_flagged_and_takes_no_km(fault: str) -> None:
    readings = plain()
    way_m = 20.0 * np.arange(len(readings))
    odometer = {
        "falls": np.where(np.arange(901) < 450, 80_000 + way_m, way_m),
        "rolls over": np.mod(2.0**32 - 9000 + way_m, 2.0**32),
        "in km": (5_000_000 + way_m) / 1000,
    }[fault]
    trip = only(score(readings.replace(odometer_m=odometer, ignition=np.ones(901))))
    assert trip.distance_m == pytest.approx(STRAIGHT.way_m, rel=0.002)
    assert ("odometer_mismatch" if fault == "in km" else "odo_reset") in flags(trip)
    assert trip.excluded is None


def test_row_55_no_input_makes_a_negative_or_unknown_distance() -> None:
    rng = np.random.default_rng(55)
    for _ in range(20):
        count = int(rng.integers(1, 300))
        wild = make_readings(
            count,
            fix_time_us=1_790_000_000_000_000 + rng.integers(0, 10 ** int(rng.integers(3, 11)), count),
            latitude_deg=np.clip(60 + rng.standard_normal(count) * 10.0 ** rng.integers(-6, 2), -90, 90),
            longitude_deg=rng.uniform(-180, 180, count)
            if rng.random() < 0.3
            else 24 + rng.standard_normal(count) / 100,
            speed_mps=np.where(rng.random(count) < 0.3, np.nan, rng.uniform(0, 150, count)),
            heading_deg=rng.uniform(0, 360, count),
            odometer_m=rng.uniform(0, 1e9, count),
            acceleration_forward_mps2=rng.standard_normal(count) * 50,
            acceleration_lateral_mps2=rng.standard_normal(count) * 50,
        )
        for trip in score(wild):
            assert trip.distance_m >= 0
            assert trip.gap_m >= 0
            assert trip.duration_s >= 0
            assert all(np.isfinite(event.peak) for event in trip.events)


def test_row_57_a_clock_ahead_is_unscored_until_review() -> None:
    assert score(plain().replace(flags=np.full(901, int(Flag.CLOCK_AHEAD)))) == []


def test_row_68_two_readings_in_one_millisecond_are_chosen_by_content() -> None:
    readings = plain().replace(satellites=np.full(901, 7.0))
    better = readings.take(slice(300, 301)).replace(satellites=np.array([11.0]), speed_mps=np.array([20.5]))
    one = score(concatenate([readings, better]))
    other = score(concatenate([better, readings]))
    assert [trip.content_digest for trip in one] == [trip.content_digest for trip in other]
    assert only(one).quality["conflicts"] == 1


def _with_forces(world: World) -> Readings:
    readings = seen(BRAKED, world)
    t_s = (readings.fix_time_us - world.start_us) / 1e6
    shake = 0.1 * np.random.default_rng(1).standard_normal((2, len(t_s)))
    forward = np.interp(t_s, BRAKED.t_s, BRAKED.forward_mps2) + shake[0]
    return readings.replace(acceleration_forward_mps2=forward, acceleration_lateral_mps2=shake[1])


def test_row_71_a_saturated_or_stuck_sensor_brakes_nothing() -> None:
    readings = _with_forces(World())
    saturated = readings.acceleration_forward_mps2.copy()
    saturated[100:103] = -4 * G
    assert "imu_saturated" in flags(only(score(readings.replace(acceleration_forward_mps2=saturated))))
    for value, said in ((0.0, "imu_stuck"), (-3.3, "imu_stuck")):
        trip = only(score(readings.replace(acceleration_forward_mps2=np.full(len(readings), value))))
        assert said in flags(trip)
        assert [event.source for event in trip.events] == ["gps_speed"]


def test_row_72_swapped_axes_and_readings_in_g_are_not_believed() -> None:
    readings = _with_forces(World())
    forward, lateral = readings.acceleration_forward_mps2, readings.acceleration_lateral_mps2
    swapped = readings.replace(acceleration_forward_mps2=lateral, acceleration_lateral_mps2=forward)
    in_g = readings.replace(acceleration_forward_mps2=forward / G, acceleration_lateral_mps2=lateral / G)
    for wrong in (swapped, in_g):
        trip = only(score(wrong))
        assert "imu_uncalibrated" in flags(trip)
        assert [(event.kind, event.source) for event in trip.events] == [("hard_brake", "gps_speed")]


def test_row_73_a_burst_at_10_khz_is_thinned_and_an_irregular_rate_is_the_same_drive() -> None:
    burst = seen(journey(20, [Leg(30)]), World(hz=10_000.0))
    trip = only(score(burst))
    assert trip.quality["readings"] == pytest.approx(3000, abs=2)
    assert trip.distance_m == pytest.approx(600, rel=0.01)
    assert kinds(trip) == []
    rng = np.random.default_rng(73)
    whole = seen(BRAKED, World(hz=10.0))
    kept = np.sort(rng.choice(len(whole), len(whole) // 4, replace=False))
    trip = only(score(whole.take(kept)))
    assert kinds(trip) == ["hard_brake"]
    assert trip.distance_m == pytest.approx(BRAKED.way_m, rel=0.01)


def test_row_74_six_hours_of_silence_and_then_far_away_is_an_estimated_way() -> None:
    first, later = plain(), plain(World(latitude_deg=62.0, start_us=World().start_us + 6 * 3_600_000_000))
    trips = score(concatenate([first, later]))
    assert [trip.gap_m > 100_000 for trip in trips] == [False, True]
    assert "gap_before" in flags(trips[1])
    here = seen(journey(0, [Leg(600)]), World(noise="white"))
    (unseen,) = score_readings(
        here, None, None, device=1, previous=Place(World().start_us - 21_600_000_000, 61.0, 25.0)
    )
    assert (unseen.distance_m, unseen.grade) == (0, "uncertified")
    assert unseen.gap_m > 90_000


def test_row_75_a_toggling_contact_is_debounced_and_flagged() -> None:
    readings = seen(STRAIGHT, World(hz=10.0))
    steady, toggling = np.ones(len(readings)), np.arange(len(readings)) % 2
    trip = only(score(readings.replace(ignition=toggling)))
    assert "ignition_toggling" in flags(trip)
    assert trip.distance_m == only(score(readings.replace(ignition=steady))).distance_m
    assert "ignition_toggling" not in flags(only(score(readings.replace(ignition=steady))))


def test_what_the_declared_vehicle_cannot_do_is_certified_for_no_surcharge() -> None:
    readings = seen(journey(42, [Leg(900)]), World())  # 151 km/h
    said = {name: only(score_readings(readings, None, None, settings_for(name), device="car")) for name in THRESHOLDS}
    assert {name: "too_fast_for_vehicle" in flags(trip) for name, trip in said.items()} == {
        "car": False, "light_truck": False, "heavy_truck": True,
    }  # fmt: skip
    assert (said["heavy_truck"].grade, said["car"].grade) == ("uncertified", "A")


@pytest.mark.parametrize(("stands_s", "said"), [(60, False), (170, False), (200, True), (280, True)])
def test_two_trips_that_may_be_merged_are_flagged_by_the_stop_between(stands_s: float, said: bool) -> None:
    legs = [Leg(300), Leg(10, -1.5), Leg(stands_s), Leg(10, 1.5), Leg(300)]
    trip = only(score(seen(journey(15, legs), World(noise="white"))))
    assert ("long_stop" in flags(trip)) is said
    assert trip.grade == "A"


def test_row_78_over_a_day_is_listed_and_not_scored_and_one_point_is_no_error() -> None:
    east = np.arange(9000.0)
    day = make_readings(
        9000,
        fix_time_us=1_790_000_000_000_000 + (east * 1e7).astype(np.int64),
        latitude_deg=60.0,
        longitude_deg=24 + east * 0.003,
    )
    trip = only(score(day))
    assert (trip.excluded, trip.score) == ("too_long", None)
    for count in (0, 1):
        assert score(day.take(slice(0, count))) == []
    assert score(make_readings(50, fix_time_us=1_790_000_000_000_000, latitude_deg=60.0, longitude_deg=24.0)) == []


def test_row_79_a_tow_with_the_contact_off_or_the_odometer_standing_is_excluded() -> None:
    readings = plain()
    off = only(score(readings.replace(ignition=np.zeros(901))))
    standing = only(score(readings.replace(odometer_m=np.full(901, 81_234_000.0))))
    assert [(trip.excluded, trip.score) for trip in (off, standing)] == [("towed", None)] * 2


def alike(legs: list[Leg], start_mps: float = 0.0, noise: str = "white") -> ScoredTrip:
    return only(score(seen(journey(start_mps, legs), World(noise=noise))))


def test_a_bicycle_and_a_bus_are_flagged_for_their_rider_to_relabel() -> None:
    rides = [Leg(5), Leg(8, 0.6), *[Leg(40, 0, curve) for curve in (0.0, 0.004, -0.004, 0.0) * 3], Leg(8, -0.6), Leg(5)]
    assert "bicycle_like" in flags(alike(rides))
    hop = [Leg(10, 1.1), Leg(28), Leg(10, -1.1), Leg(18)]
    longer = [Leg(10, 1.1), Leg(32), Leg(10, -1.1), Leg(22)]
    assert "bus_like" in flags(alike([Leg(5), *(hop + longer) * 6]))
    assert {"bus_like", "bicycle_like"}.isdisjoint(flags(only(score(plain()))))
