"""Simulated driving beside one real driver's: quantiles of speed and |acceleration|, within a stated band."""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.motion import PARKED_S
from simulator.world import SimulatedTrip

CURITIBA = Path(__file__).parents[2].parent / "shared" / "data" / "curitiba" / "driver_A.csv"
QUANTILES = (0.5, 0.9, 0.99)
# Ratios simulated / real. Speeds: central Helsinki is posted 30 and 40 km/h, the real driver's city up to 60 and more.
# Accelerations: both from reported speed over two seconds; the median is mostly standing, holding and noise.
SPEED_BAND = (0.5, 1.5)
ACCELERATION_BANDS = ((0.4, 1.6), (0.7, 1.35), (0.7, 1.35))


def quantiles(speeds: list[NDArray[np.float64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of speed in km/h and of |acceleration| in m/s2 over two seconds."""
    acceleration = np.concatenate([np.abs(speed[2:] - speed[:-2]) / 2.0 for speed in speeds])
    return np.quantile(np.concatenate(speeds) * 3.6, QUANTILES), np.quantile(acceleration, QUANTILES)


@pytest.mark.skipif(not CURITIBA.exists(), reason="needs ../shared/data/curitiba beside the project")
def test_speed_and_acceleration_stand_beside_a_real_drivers(trips: list[SimulatedTrip]) -> None:
    by_trip = defaultdict(list)
    with CURITIBA.open(encoding="latin-1", newline="") as file:
        for row in csv.DictReader(file, delimiter=";"):
            by_trip[row["ID"]].append(float(row["SPD_KMH"].replace(",", ".")) / 3.6)
    real = quantiles([np.array(speeds) for speeds in by_trip.values()])
    simulated = quantiles([trip.motion.speed_mps[PARKED_S:-PARKED_S] for trip in trips])
    for name, of_simulated, of_real in zip(("speed km/h", "|acceleration| m/s2"), simulated, real, strict=True):
        print(f"{name:20} p50/p90/p99  simulated {of_simulated.round(2)}  real {of_real.round(2)}")
    speed_ratio, acceleration_ratio = simulated[0] / real[0], simulated[1] / real[1]
    assert ((speed_ratio >= SPEED_BAND[0]) & (speed_ratio <= SPEED_BAND[1])).all()
    for ratio, (least, most) in zip(acceleration_ratio, ACCELERATION_BANDS, strict=True):
        assert least <= ratio <= most
