"""Sensor noise has the sizes and the correlation that it states; headings are unknown at a standstill."""

import numpy as np
import pytest

from scoring.geodesy import haversine_m
from simulator.noise import HEADING_LEAST_MPS, POSITION_SIGMA_M, POSITION_TAU_S, SPEED_SIGMA_MPS, gauss_markov
from simulator.world import SimulatedTrip


def test_a_gauss_markov_series_has_its_sigma_and_its_correlation_time() -> None:
    series = gauss_markov(200_000, POSITION_SIGMA_M, POSITION_TAU_S, np.random.default_rng(1))
    assert series.std() == pytest.approx(POSITION_SIGMA_M, rel=0.05)
    lag = int(POSITION_TAU_S)
    correlation = np.corrcoef(series[:-lag], series[lag:])[0, 1]
    assert correlation == pytest.approx(np.exp(-1.0), abs=0.03)


def test_positions_err_by_metres_and_speeds_by_a_tenth(trips: list[SimulatedTrip]) -> None:
    error_m = np.concatenate([
        haversine_m(
            trip.motion.latitude_deg, trip.motion.longitude_deg,
            trip.columns["latitude_deg"], trip.columns["longitude_deg"],
        )
        for trip in trips
    ])  # fmt: skip
    # Two axes of sigma s err by a median of s * sqrt(2 ln 2).
    assert np.median(error_m) == pytest.approx(POSITION_SIGMA_M * np.sqrt(2 * np.log(2)), rel=0.2)
    moving = [(trip.columns["speed_mps"] - trip.motion.speed_mps)[trip.motion.speed_mps > 1.0] for trip in trips]
    assert np.concatenate(moving).std() == pytest.approx(SPEED_SIGMA_MPS, rel=0.05)


def test_headings_are_unknown_at_standstill_and_near_the_truth_at_speed(trips: list[SimulatedTrip]) -> None:
    for trip in trips:
        heading, speed = trip.columns["heading_deg"], trip.motion.speed_mps
        assert (np.isnan(heading) == (speed < HEADING_LEAST_MPS)).all()
        fast = speed > 5.0
        error_deg = (heading[fast] - trip.motion.heading_deg[fast] + 180.0) % 360.0 - 180.0
        assert np.abs(error_deg).max() < 10.0
