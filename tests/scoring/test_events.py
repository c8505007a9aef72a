"""Events are physics: what happened once is one event at every rate that resolves it, and no event at any other."""

import numpy as np
import pytest

from ingest.readings import Readings
from scoring.match import HiddenMarkovMatcher
from scoring.path import ScoredTrip, score_readings
from scoring.roads import RoadMap
from tests.scoring.driving import RATES_S, START_US, drive, profile

G = 9.80665
DENSE_S = (0.1, 1.0)
SPARSE_S = (2.0, 5.0, 10.0)


def straight_road(limit_kmh: float, length_m: float = 20_000.0) -> RoadMap:
    """One two-way primary road due east from (60.17, 24.94), cut into edges of 1 km."""
    count = round(length_m / 1000)
    per_km = 1000 / (111_195.08 * np.cos(np.radians(60.17)))
    longitude = 24.94 - 2 * per_km + per_km * np.arange(count + 1)
    latitude = np.full(count + 1, 60.17)
    shapes = np.repeat(np.arange(count + 1), 2)[1:-1]
    return RoadMap(
        version="straight",
        node_latitude_deg=latitude,
        node_longitude_deg=longitude,
        edge_from_node=np.arange(count, dtype=np.int32),
        edge_to_node=np.arange(1, count + 1, dtype=np.int32),
        edge_length_m=np.full(count, 1000.0),
        edge_class=np.full(count, 2, dtype=np.uint8),
        edge_name=np.zeros(count, dtype=np.int32),
        edge_forward=np.ones(count, dtype=np.bool_),
        edge_backward=np.ones(count, dtype=np.bool_),
        edge_limit_mps=np.full(count, limit_kmh / 3.6),
        edge_limit_source=np.ones(count, dtype=np.uint8),
        shape_offset=np.arange(0, 2 * count + 1, 2, dtype=np.int64),
        shape_latitude_deg=latitude[shapes],
        shape_longitude_deg=longitude[shapes],
        names=("",),
    )


def score(readings: Readings, roads: RoadMap | None = None) -> ScoredTrip:
    matcher = HiddenMarkovMatcher(roads) if roads else None
    trips = score_readings(readings, matcher, roads, device="car-1")
    assert len(trips) == 1
    return trips[0]


def kinds(trip: ScoredTrip) -> list[str]:
    return [event.kind for event in trip.events]


def braking(share_of_g: float, at_s: float = 100.0) -> list[tuple[float, float]]:
    """From 15 m/s to standstill at a constant deceleration, and off again gently."""
    stop_s = at_s + 15 / (share_of_g * G)
    return [(at_s, 15.0), (stop_s, 0.0), (stop_s + 5, 0.0), (stop_s + 25, 15.0)]


@pytest.mark.parametrize("interval_s", RATES_S)
@pytest.mark.parametrize("noise_m", [0.0, 3.0])
@pytest.mark.parametrize("with_speed", [True, False])
def test_a_gentle_stop_is_no_event_at_any_rate(interval_s: float, noise_m: float, with_speed: bool) -> None:
    speed = profile((0, 15), *braking(0.1), (300, 15))
    trip = score(drive(300.0, speed, interval_s=interval_s, noise_m=noise_m, with_speed=with_speed))
    assert kinds(trip) == []


@pytest.mark.parametrize("interval_s", DENSE_S)
@pytest.mark.parametrize("noise_m", [0.0, 3.0])
@pytest.mark.parametrize("phase_s", [0.0, 0.25, 0.5, 0.75])
def test_one_hard_brake_is_one_event(interval_s: float, noise_m: float, phase_s: float) -> None:
    speed = profile((0, 15), *braking(0.45, 100 + phase_s), (300, 15))
    trip = score(drive(300.0, speed, interval_s=interval_s, noise_m=noise_m))
    assert kinds(trip) == ["hard_brake"]
    event = trip.events[0]
    assert event.peak == pytest.approx(0.45 * G, rel=0.06)
    assert abs(event.started_us - START_US - (100 + phase_s) * 1e6) < 1.5e6
    assert (event.source, event.peak_unit, event.sampling_interval_s) == ("gps_speed", "mps2", interval_s)


@pytest.mark.parametrize("interval_s", SPARSE_S)
def test_below_1_hz_a_hard_brake_is_not_measurable(interval_s: float) -> None:
    trip = score(drive(300.0, profile((0, 15), *braking(0.45), (300, 15)), interval_s=interval_s))
    assert kinds(trip) == []
    assert {"hard_brake", "hard_acceleration", "hard_corner"} <= set(trip.not_measurable)


@pytest.mark.parametrize("interval_s", DENSE_S)
def test_two_brakes_five_seconds_apart_are_two_events(interval_s: float) -> None:
    drop = 0.45 * G * 2
    speed = profile((0, 25), (100, 25), (102, 25 - drop), (107, 25 - drop), (109, 25 - 2 * drop), (300, 20))
    assert kinds(score(drive(300.0, speed, interval_s=interval_s))) == ["hard_brake", "hard_brake"]


def test_a_hard_acceleration_is_one_event() -> None:
    assert kinds(score(drive(300.0, profile((0, 5), (100, 5), (104, 5 + 4 * 0.4 * G), (300, 20))))) == [
        "hard_acceleration"
    ]


@pytest.mark.parametrize("interval_s", RATES_S)
@pytest.mark.parametrize("speed_mps", [10.0, 35.0])
def test_heading_through_north_is_no_corner(interval_s: float, speed_mps: float) -> None:
    wobble = lambda t_s: 2.0 * np.sin(t_s / 5)  # noqa: E731
    trip = score(drive(300.0, profile((0, speed_mps), (1, speed_mps)), interval_s=interval_s, heading_deg=wobble))
    assert kinds(trip) == []


@pytest.mark.parametrize("interval_s", DENSE_S)
@pytest.mark.parametrize("start_deg", [90.0, 330.0])
@pytest.mark.parametrize("side", [1, -1])
def test_a_hard_corner_is_one_event(interval_s: float, start_deg: float, side: int) -> None:
    rate_deg_s = np.degrees(0.5 * G / 12)
    heading = profile((0, start_deg), (100, start_deg), (104, start_deg + side * 4 * rate_deg_s))
    trip = score(drive(300.0, profile((0, 12), (1, 12)), interval_s=interval_s, heading_deg=heading))
    assert kinds(trip) == ["hard_corner"]
    assert trip.events[0].peak == pytest.approx(0.5 * G, rel=0.06)


@pytest.mark.parametrize("interval_s", RATES_S)
@pytest.mark.parametrize(("speed_kmh", "over_share"), [(40.0, 0.0), (50.0, 0.0), (60.0, 1.0)])
def test_steady_speed_against_a_limit_of_50(interval_s: float, speed_kmh: float, over_share: float) -> None:
    steady = profile((0, speed_kmh / 3.6), (1, speed_kmh / 3.6))
    trip = score(drive(600.0, steady, interval_s=interval_s), straight_road(50.0))
    assert trip.features["over_limit_time_share"] == over_share
    assert kinds(trip) == ["speeding"] * int(over_share)
    assert "speeding" not in trip.not_measurable
    if over_share:
        assert trip.events[0].peak == pytest.approx(10.0, abs=0.01)
        assert trip.events[0].source == "map_limit"


def test_without_roads_speeding_is_not_measurable_and_the_reported_limit_is_counted_beside_it() -> None:
    readings = drive(600.0, profile((0, 20), (1, 20)))
    trip = score(readings.replace(reported_limit_mps=np.full(len(readings), 50 / 3.6)))
    assert "speeding" in trip.not_measurable
    assert trip.features["over_limit_time_share"] is None
    assert trip.totals["reported_over_s"] == trip.totals["reported_limit_s"] == 600


def test_phone_and_belt_are_measured_only_where_the_device_reports_them() -> None:
    readings = drive(600.0, profile((0, 12), (1, 12)))
    t_s = np.arange(len(readings))
    silent = score(readings)
    assert {"phone_use", "seat_belt_off"} <= set(silent.not_measurable)
    said = score(
        readings.replace(
            phone_in_use=((t_s >= 100) & (t_s < 130)).astype(float), belt_fastened=(t_s >= 20).astype(float)
        )
    )
    assert [(event.kind, event.peak, event.peak_unit) for event in said.events] == [
        ("seat_belt_off", 20.0, "s"),
        ("phone_use", 30.0, "s"),
    ]
    assert (said.totals["phone_s"], said.totals["belt_off_s"]) == (30, 20)


def test_nothing_is_an_event_across_a_gap() -> None:
    readings = drive(600.0, profile((0, 30), (300, 30), (340, 5), (600, 5)))
    t_s = np.arange(len(readings))
    assert kinds(score(readings.take((t_s < 300) | (t_s > 340)))) == []
