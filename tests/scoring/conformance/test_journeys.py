"""Journeys that fool a naive sum: no false kilometre, no lost one unsaid, no false event on any of them."""

from datetime import UTC, datetime

import numpy as np
import pytest

from ingest.readings import Flag, Readings, concatenate, make_readings
from scoring.path import ScoredTrip
from tests.scoring.conformance.cases import WORLDS, flags, kinds, metres, only, sampled_way_m, score, worlds
from tests.scoring.conformance.physics import G, Journey, Leg, World, journey, on_sphere, seen

RATES = pytest.mark.parametrize("hz", [10.0, 1.0, 0.5, 0.2, 0.1])
SPEEDS = pytest.mark.parametrize("with_speed", [True, False])
GENTLE = (Leg(5), Leg(15, 1.0), Leg(300), Leg(15, -1.0), Leg(5))
STRAIGHT = journey(20, [Leg(900)])
LATITUDE_M = 111_195.08


def in_town() -> Journey:
    """Eight blocks with a stop and a right-angled corner each, 2.4 km."""
    block = [Leg(6, 1.5), Leg(20), Leg(4, -1.5), Leg(np.pi / 2 * 10 / 3, 0, 0.1), Leg(4, 1.5), Leg(6, -1.5), Leg(10)]
    return journey(0, [Leg(5), *block * 8])


def parked(hours: float) -> Journey:
    """No movement at all: two instants say it."""
    nothing = np.zeros(2)
    return Journey(np.array([0.0, hours * 3600]), *[nothing] * 7)


@RATES
@SPEEDS
@pytest.mark.parametrize("drift", ["white", "correlated"])
def test_parked_for_eight_hours_is_0_km(hz: float, with_speed: bool, drift: str) -> None:
    hours = 8 if hz <= 1.0 else 1  # a reading every 0.1 s for one hour is enough of them
    count = int(hours * 3600 * hz)
    rng = np.random.default_rng(3)
    for metres_of_drift in (3.0, 8.0):
        world = World(noise=drift, noise_m=metres_of_drift, seed=4, hz=hz)
        still = seen(parked(hours), world)
        moves = np.abs(rng.standard_normal(len(still))) * 0.2
        assert score(still.replace(speed_mps=moves if with_speed else np.full(len(still), np.nan))) == []
        assert len(still) == count + 1


@WORLDS
def test_a_tunnel_is_a_gap_whose_way_is_estimated_beside_the_measured(hz: float, noise: str, with_speed: bool) -> None:
    for world in worlds(1, hz, noise, with_speed):
        whole = seen(STRAIGHT, world)
        t_s = (whole.fix_time_us - world.start_us) / 1e6
        trip = only(score(whole.take((t_s < 400) | (t_s > 520))))
        assert kinds(trip) == []
        assert trip.quality["gaps"] == 1
        assert "gap" in flags(trip)
        assert trip.gap_m == pytest.approx(120 * 20, abs=2 * 20 / hz + 15)
        assert metres([trip]) == pytest.approx(sampled_way_m(STRAIGHT, world), rel=0.01)


@WORLDS
def test_a_teleport_breaks_the_trip_and_counts_nowhere(hz: float, noise: str, with_speed: bool) -> None:
    for world in worlds(1, hz, noise, with_speed):
        whole = seen(STRAIGHT, world)
        later = np.arange(len(whole)) >= len(whole) // 2
        shift = np.where(later, -np.sign(world.latitude_deg) * 4.5, 0.0)
        trips = score(whole.replace(latitude_deg=whole.latitude_deg + shift))
        assert len(trips) == 2
        assert "teleport" in flags(trips[1])
        assert [kinds(trip) for trip in trips] == [[], []]
        # East and west are shorter or longer at another latitude: only the first half keeps its own length.
        half_m = (len(whole) // 2 - 1) * 20 / hz
        assert trips[0].distance_m == pytest.approx(half_m, rel=0.012)
        assert metres(trips) < 500_000 / 10


@RATES
@SPEEDS
@pytest.mark.parametrize(
    ("latitude_deg", "longitude_deg"),
    [(0.0, 179.99), (-16.5, -179.99), (65.0, 179.999), (89.5, 12.0), (89.95, 12.0), (-89.9, -100.0), (0.0, 0.0)],
)
@pytest.mark.parametrize("bearing_deg", [0.0, 90.0, 255.0])
def test_the_antimeridian_the_poles_and_null_island_are_places_like_others(
    hz: float, with_speed: bool, latitude_deg: float, longitude_deg: float, bearing_deg: float
) -> None:
    world = World(
        hz=hz,
        noise="white",
        with_speed=with_speed,
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        bearing_deg=bearing_deg,
    )
    truth = journey(0, GENTLE)
    trip = only(score(seen(truth, world)))
    assert kinds(trip) == []
    assert metres([trip]) == pytest.approx(sampled_way_m(truth, world), rel=0.01)


@SPEEDS
@pytest.mark.parametrize("hz", [10.0, 1.0])
def test_over_the_pole_itself(hz: float, with_speed: bool) -> None:
    for bearing_deg in (0.0, 1.0, 20.0):
        world = World(hz=hz, with_speed=with_speed, latitude_deg=89.98, bearing_deg=bearing_deg)
        truth = journey(0, GENTLE)
        trip = only(score(seen(truth, world)))
        assert kinds(trip) == []
        assert metres([trip]) == pytest.approx(truth.way_m, rel=0.01)


@pytest.mark.parametrize(
    ("starts", "offset_hours"),
    [(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "fold"), (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), "gap")],
)
@RATES
def test_the_hour_that_comes_twice_or_never_changes_no_length(starts: datetime, offset_hours: str, hz: float) -> None:
    """Helsinki's clock is put back at 01:00 UTC in October and on in March: an hour's drive through it."""
    world = World(hz=hz, start_us=round(starts.timestamp() * 1e6))
    truth = journey(15, [Leg(3600)])
    trip = only(score(seen(truth, world)))
    assert (trip.time_zone, trip.duration_s) == ("Europe/Helsinki", pytest.approx(3600, abs=2 / hz))
    assert trip.distance_m == pytest.approx(54_000, rel=0.001)
    assert sum(cell.duration_s for cell in trip.exposure) == trip.duration_s
    assert {cell.hour_band for cell in trip.exposure} == {"night"}  # 03:30 to 04:30 or 03:30; 02:30 to 04:30
    assert kinds(trip) == []


@RATES
def test_reversed_doubled_and_shuffled_input_is_the_same_trip_to_the_bit(hz: float) -> None:
    for world in worlds(2, hz, "white", with_speed=True):
        readings = seen(in_town(), world)
        digest = [trip.content_digest for trip in score(readings)]
        order = np.random.default_rng(5).permutation(len(readings))
        for variant in (readings.take(slice(None, None, -1)), concatenate([readings] * 2), readings.take(order)):
            assert [trip.content_digest for trip in score(variant)] == digest


@pytest.mark.parametrize("count", [0, 1, 2, 3])
@SPEEDS
def test_hardly_any_readings_are_no_trip_and_no_error(count: int, with_speed: bool) -> None:
    assert score(seen(STRAIGHT, World(with_speed=with_speed)).take(slice(0, count))) == []


@RATES
def test_readings_that_never_move_are_no_trip(hz: float) -> None:
    assert score(seen(journey(0, [Leg(600)]), World(hz=hz, noise="white"))) == []


@pytest.mark.parametrize("hz", [0.2, 0.1])
@pytest.mark.parametrize(("hours", "excluded"), [(23.9, None), (24.5, "too_long")])
def test_a_day_of_driving_is_scored_and_more_is_listed_only(hz: float, hours: float, excluded: str | None) -> None:
    count = int(hours * 3600 * hz)
    t_s = np.arange(count) / hz
    latitude, longitude = on_sphere(20 * t_s, np.zeros(count), World(bearing_deg=80.0, latitude_deg=30.0))
    readings = make_readings(
        count,
        fix_time_us=1_790_000_000_000_000 + (t_s * 1e6).astype(np.int64),
        latitude_deg=latitude,
        longitude_deg=longitude,
        speed_mps=20.0,
    )
    trip = only(score(readings))
    assert trip.excluded == excluded
    assert (trip.score is None) is (excluded is not None)
    assert trip.distance_m == pytest.approx(20 * t_s[-1], rel=0.002)
    assert kinds(trip) == []


@pytest.mark.parametrize("hz", [10.0, 1.0])  # below, corners between two readings are cut: documented
@pytest.mark.parametrize("noise", ["none", "white", "correlated"])
@SPEEDS
def test_town_driving_keeps_its_length_where_it_is_seen_often_enough(hz: float, noise: str, with_speed: bool) -> None:
    for world in worlds(2, hz, noise, with_speed):
        trips = score(seen(in_town(), world))
        tolerance = 0.01 if with_speed or noise == "none" else 0.025
        assert metres(trips) == pytest.approx(sampled_way_m(in_town(), world), rel=tolerance)
        assert [kinds(trip) for trip in trips] == [[]]


@RATES
def test_a_car_on_a_ferry_moves_with_the_contact_off(hz: float) -> None:
    trip = _with_contact(seen(journey(9, [Leg(1800)]), World(hz=hz, noise="white")), 0.0)
    assert (trip.excluded, trip.score, kinds(trip)) == ("towed", None, [])


@RATES
def test_a_towed_car_braked_hard_by_its_tug_is_not_scored(hz: float) -> None:
    truth = journey(20, [Leg(300), Leg(2, -0.45 * G), Leg(300)])
    trip = _with_contact(seen(truth, World(hz=hz)), 0.0)
    assert (trip.excluded, trip.score) == ("towed", None)


@RATES
def test_a_fast_train_is_no_car(hz: float) -> None:
    trip = only(score(seen(journey(68, [Leg(1800)]), World(hz=hz, noise="white"))))
    assert (trip.excluded, trip.score, kinds(trip)) == ("not_driving", None, [])


@RATES
@SPEEDS
def test_a_plane_is_no_car(hz: float, with_speed: bool) -> None:
    flight = journey(0, [Leg(30), Leg(5, 1.0), Leg(300), Leg(30, 2.5), Leg(60, 2.0), Leg(1200)])
    trips = score(seen(flight, World(hz=hz, noise="white", with_speed=with_speed)))
    assert metres([trip for trip in trips if not trip.excluded]) < 8_000  # taxiing and the run-up, of 250 km
    assert [kinds(trip) for trip in trips] == [[] for _ in trips]


@WORLDS
def test_a_walk_is_no_drive(hz: float, noise: str, with_speed: bool) -> None:
    for world in worlds(1, hz, noise, with_speed):
        for trip in score(seen(journey(1.4, [Leg(1800)]), world)):
            assert (trip.excluded, trip.score, kinds(trip)) == ("not_driving", None, [])


def _with_contact(readings: Readings, contact: float) -> ScoredTrip:
    return only(score(readings.replace(ignition=np.full(len(readings), contact))))


def test_readings_without_a_fix_are_silence() -> None:
    readings = seen(STRAIGHT, World())
    lost = (np.arange(len(readings)) >= 300) & (np.arange(len(readings)) < 400)
    nowhere = np.where(lost, np.nan, readings.latitude_deg)
    dark = readings.replace(latitude_deg=nowhere, flags=np.where(lost, int(Flag.NO_FIX), 0))
    assert [trip.content_digest for trip in score(dark)] == [
        trip.content_digest for trip in score(readings.take(~lost))
    ]
