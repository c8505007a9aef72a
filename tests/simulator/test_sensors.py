"""Sensor noise has the sizes and the correlation that it states; tunnels, walls, cold starts, trackers."""

from dataclasses import replace

import numpy as np
import pytest

from scoring.geodesy import haversine_m
from scoring.roads import RoadMap
from simulator.devices import TRACKER_EVERY_S, held
from simulator.drivers import CITY_CENTRE
from simulator.sensors import (
    CANYON_SIGMA_M,
    COLD_START_S,
    HEADING_LEAST_MPS,
    POSITION_SIGMA_M,
    POSITION_TAU_S,
    SPEED_SIGMA_MPS,
    WARM_START_S,
    Sky,
    gauss_markov,
    observe,
)
from simulator.truth import TrueMotion
from simulator.world import SimulatedTrip
from tests.simulator.conftest import fleet


def test_a_gauss_markov_series_has_its_sigma_and_its_correlation_time() -> None:
    series = gauss_markov(200_000, POSITION_SIGMA_M, POSITION_TAU_S, np.random.default_rng(1))
    assert series.std() == pytest.approx(POSITION_SIGMA_M, rel=0.05)
    lag = int(POSITION_TAU_S)
    correlation = np.corrcoef(series[:-lag], series[lag:])[0, 1]
    assert correlation == pytest.approx(np.exp(-1.0), abs=0.03)


def still(count: int, kind: str, sky: Sky, seed: int = 3) -> dict[str, np.ndarray]:
    zero, no = np.zeros(count), np.zeros(count, dtype=np.bool_)
    speed = np.full(count, 10.0)
    place = (np.full(count, 60.17), np.full(count, 24.94))
    time_us = np.arange(count, dtype=np.int64) * 1_000_000
    motion = TrueMotion(time_us, *place, speed, np.full(count, 90.0), zero, zero, np.full(count, np.nan), no)
    return observe(motion, sky, kind, np.random.default_rng(seed))


def median_error_m(canyon: float) -> float:
    sky = Sky(np.zeros(2_000, dtype=np.bool_), np.full(2_000, canyon), 600.0)
    seen = [still(2_000, "phone", sky, seed) for seed in range(40)]
    return float(np.nanmedian([haversine_m(60.17, 24.94, one["latitude_deg"], one["longitude_deg"]) for one in seen]))


def test_positions_err_by_metres_in_the_open_and_by_more_between_walls() -> None:
    # Two axes of sigma s err by a median of s * sqrt(2 ln 2).
    rayleigh = np.sqrt(2 * np.log(2))
    assert median_error_m(0.0) == pytest.approx(POSITION_SIGMA_M * rayleigh, rel=0.15)
    assert median_error_m(1.0) == pytest.approx(np.hypot(POSITION_SIGMA_M, CANYON_SIGMA_M) * rayleigh, rel=0.15)


def test_positions_of_a_fleet_err_as_receivers_in_a_city_do(trips: list[SimulatedTrip]) -> None:
    error_m = np.concatenate([
        haversine_m(
            trip.motion.latitude_deg[trip.rows], trip.motion.longitude_deg[trip.rows],
            trip.columns["latitude_deg"], trip.columns["longitude_deg"],
        )
        for trip in trips
    ])  # fmt: skip
    assert 2.0 < np.median(error_m) < 8.0
    assert 10.0 < np.quantile(error_m, 0.99) < 60.0


def test_a_tunnel_has_no_fix_and_a_tracker_repeats_the_last_one_in_it() -> None:
    inside = np.zeros(300, dtype=np.bool_)
    inside[100:160] = True
    sky = Sky(inside, np.zeros(300), 600.0)
    box = still(300, "box", sky)
    assert np.isnan(box["latitude_deg"][100:160]).all()
    assert np.isfinite(box["latitude_deg"][160:]).all()
    assert np.isfinite(box["acceleration_forward_mps2"]).all()
    tracker = still(300, "tracker", sky)
    rows = np.arange(90, 170)
    records = held(tracker, rows)
    assert (records["latitude_deg"][10:70] == tracker["latitude_deg"][99]).all()
    assert not records["satellites"][10:70].any()
    assert not records["speed_mps"][10:70].any()


def test_a_cold_start_takes_longer_to_its_first_fix_than_a_warm_one() -> None:
    def first(stood_s: float) -> int:
        sky = Sky(np.zeros(200, dtype=np.bool_), np.zeros(200), stood_s)
        return int(np.argmax(np.isfinite(still(200, "box", sky)["latitude_deg"])))

    assert first(8 * 3600.0) >= COLD_START_S[0]
    assert first(1200.0) <= WARM_START_S[1] + 1


def test_a_tracker_records_seconds_apart_and_on_change(roads: RoadMap) -> None:
    trackers = replace(CITY_CENTRE, device_shares=(0.0, 0.0, 1.0))
    for trip in fleet(roads, 2, 5, trackers):
        step_s = np.diff(trip.columns["fix_time_us"]) / 1e6
        driving = trip.columns["ignition"][:-1] == 1.0
        assert step_s.min() >= 1.0
        assert step_s[driving].max() <= TRACKER_EVERY_S
        assert 0.1 <= driving.sum() / step_s[driving].sum() <= 0.7  # records a second
        assert (np.diff(trip.columns["odometer_m"]) >= 0).all()


def test_speeds_err_by_a_tenth_in_the_open() -> None:
    sky = Sky(np.zeros(20_000, dtype=np.bool_), np.zeros(20_000), 600.0)
    assert np.nanstd(still(20_000, "phone", sky)["speed_mps"]) == pytest.approx(SPEED_SIGMA_MPS, rel=0.05)


def test_headings_are_unknown_at_standstill_and_near_the_truth_at_speed(trips: list[SimulatedTrip]) -> None:
    for trip in trips:
        heading, speed = trip.columns["heading_deg"], trip.motion.speed_mps[trip.rows]
        assert (np.isnan(heading) == (speed < HEADING_LEAST_MPS)).all()
        fast = speed > 5.0
        error_deg = (heading[fast] - trip.motion.heading_deg[trip.rows][fast] + 180.0) % 360.0 - 180.0
        assert np.abs(error_deg).max() < 10.0
