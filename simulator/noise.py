"""What the sensors make of true motion: GNSS errors that are correlated in time, a speed and a heading with theirs."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from scoring.geodesy import from_local_xy_m
from simulator.truth import TrueMotion

type Float64s = NDArray[np.float64]

# Position error of each axis as a first-order Gauss-Markov process, the usual model of a single receiver's drift.
POSITION_SIGMA_M, POSITION_TAU_S = 3.0, 30.0
SIGMA_SPREAD = 0.25  # of the logarithm, from trip to trip: sky, mounting, receiver
WHITE_M = 0.3
SPEED_SIGMA_MPS = 0.1  # Doppler
HEADING_SIGMA_MPS = 0.12  # across the track; as an angle it grows as the car slows
HEADING_LEAST_MPS = 1.0  # slower than that the receiver gives no heading
ACCELEROMETER_SIGMA_MPS2 = 0.12
ACCELEROMETER_BIAS_MPS2 = 0.05
GOOD_HDOP = 0.9
SATELLITES_MEAN = 11.0
ACCURACY_FACTOR = 1.5  # receivers report some 68 % radius of both axes


def gauss_markov(count: int, sigma: float, tau_s: float, rng: np.random.Generator) -> Float64s:
    """A first-order Gauss-Markov series at 1 Hz in its steady state, shape (count,)."""
    keep = float(np.exp(-1.0 / tau_s))
    drive = sigma * np.sqrt(1.0 - keep**2) * rng.standard_normal(count)
    drive[0] = sigma * rng.standard_normal()
    series: Float64s = lfilter([1.0], [1.0, -keep], drive)
    return series


def observe(truth: TrueMotion, device_kind: str, rng: np.random.Generator) -> dict[str, Float64s]:
    """The columns that a device reports, by `Readings`' names, each of shape (n,), rounded as devices do; NaN: none.

    A "box" has an accelerometer in the vehicle's axes, a "phone" knows when its screen is used.
    """
    count = len(truth.time_us)
    sky = float(np.exp(SIGMA_SPREAD * rng.standard_normal()))
    sigma_m = POSITION_SIGMA_M * sky
    east_m = gauss_markov(count, sigma_m, POSITION_TAU_S, rng) + WHITE_M * rng.standard_normal(count)
    north_m = gauss_markov(count, sigma_m, POSITION_TAU_S, rng) + WHITE_M * rng.standard_normal(count)
    latitude_deg, longitude_deg = from_local_xy_m(east_m, north_m, truth.latitude_deg, truth.longitude_deg)
    speed = np.maximum(truth.speed_mps + SPEED_SIGMA_MPS * rng.standard_normal(count), 0.0)
    turn = np.degrees(np.arctan2(HEADING_SIGMA_MPS * rng.standard_normal(count), np.maximum(truth.speed_mps, 0.1)))
    heading = np.where(truth.speed_mps >= HEADING_LEAST_MPS, (truth.heading_deg + turn) % 360.0, np.nan)
    hdop = GOOD_HDOP * sky + np.abs(gauss_markov(count, 0.15, POSITION_TAU_S, rng))
    columns = {
        "latitude_deg": np.round(latitude_deg, 7),
        "longitude_deg": np.round(longitude_deg, 7),
        "speed_mps": np.round(speed, 2),
        "heading_deg": np.round(heading, 1) % 360.0,
        "hdop": np.round(hdop, 1),
        "satellites": np.clip(np.round(SATELLITES_MEAN / sky + gauss_markov(count, 1.0, 60.0, rng)), 5, 20),
        "accuracy_m": np.round(ACCURACY_FACTOR * POSITION_SIGMA_M * hdop / GOOD_HDOP, 1),
    }
    if device_kind == "box":
        columns["acceleration_forward_mps2"] = _accelerometer(truth.acceleration_forward_mps2, rng)
        columns["acceleration_lateral_mps2"] = _accelerometer(truth.acceleration_lateral_mps2, rng)
    else:
        columns["phone_in_use"] = truth.phone_in_use.astype(np.float64)
    return columns


def _accelerometer(true_mps2: Float64s, rng: np.random.Generator) -> Float64s:
    bias = ACCELEROMETER_BIAS_MPS2 * rng.standard_normal()
    measured: Float64s = true_mps2 + bias + ACCELEROMETER_SIGMA_MPS2 * rng.standard_normal(len(true_mps2))
    return np.round(measured, 2)
