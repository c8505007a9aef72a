"""What the sensors make of true motion: GNSS errors correlated in time, worse between walls, none in tunnels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from scoring.geodesy import from_local_xy_m
from simulator.truth import TrueMotion

type Float64s = NDArray[np.float64]
type Bools = NDArray[np.bool_]

# Position error of each axis as a first-order Gauss-Markov process, the usual model of a single receiver's drift.
POSITION_SIGMA_M, POSITION_TAU_S = 2.5, 30.0
SIGMA_SPREAD = 0.25  # of the logarithm, from trip to trip: sky, mounting, receiver
WHITE_M = 0.3
# Between walls signals come by reflection: errors of 10 to 30 m that last for some seconds (a street's length), and
# half the satellites are hidden. This adds to the drift in proportion to how built-up the street is.
CANYON_SIGMA_M, CANYON_TAU_S, FILTER_TAU_S = 8.0, 20.0, 6.0  # the receiver's own filter hides the jumps
TUNNEL_SIGMA_M, TUNNEL_SETTLES_S = 15.0, 8.0  # after a tunnel: the filter's guess is off, then converges
COLD_START_S, WARM_START_S = (22.0, 45.0), (1.0, 6.0)  # to the first fix: almanac or ephemeris to be received, or kept
COLD_AFTER_S = 2 * 3600  # ephemeris is good for two to four hours
COLD_SIGMA_M, COLD_SETTLES_S = 18.0, 15.0  # the first fixes of a cold start have few satellites
SPEED_SIGMA_MPS = 0.1  # Doppler
CANYON_SPEED_SIGMA_MPS = 0.25
HEADING_SIGMA_MPS = 0.12  # across the track; as an angle it grows as the car slows
HEADING_LEAST_MPS = 1.0  # slower than that the receiver gives no heading
ACCELEROMETER_SIGMA_MPS2 = 0.12  # engine and road
ACCELEROMETER_BIAS_MPS2 = 0.05  # after calibration
SLOPE_SIGMA, SLOPE_TAU_S, GRAVITY_MPS2 = 0.018, 25.0, 9.81  # hills: an accelerometer cannot tell them from braking
GOOD_HDOP = 0.9
SATELLITES_MEAN = 11.0
ACCURACY_FACTOR = 1.5  # receivers report some 68 % radius of both axes


@dataclass(frozen=True, slots=True)
class Sky:
    """What the receiver sees at each of n seconds: tunnels, walls (0 to 1); `stood_s`: how long it was off."""

    in_tunnel: Bools
    canyon: Float64s
    stood_s: float


def gauss_markov(count: int, sigma: float, tau_s: float, rng: np.random.Generator) -> Float64s:
    """A first-order Gauss-Markov series at 1 Hz in its steady state, shape (count,)."""
    keep = float(np.exp(-1.0 / tau_s))
    drive = sigma * np.sqrt(1.0 - keep**2) * rng.standard_normal(count)
    drive[0] = sigma * rng.standard_normal()
    series: Float64s = lfilter([1.0], [1.0, -keep], drive)
    return series


def observe(truth: TrueMotion, sky: Sky, device_kind: str, rng: np.random.Generator) -> dict[str, Float64s]:
    """What a device measures each second, by `Readings`' names, shape (n,), rounded as devices do; NaN: nothing.

    A "box" has an accelerometer in the vehicle's axes, a "phone" knows when its screen is used, a "tracker" the contact
    and the way driven. Without a fix all that the receiver says is NaN but for the satellites, which are 0.
    """
    count = len(truth.time_us)
    quality = float(np.exp(SIGMA_SPREAD * rng.standard_normal()))
    start_s = rng.uniform(*(COLD_START_S if sky.stood_s >= COLD_AFTER_S else WARM_START_S))
    if device_kind == "phone":
        start_s = min(start_s, WARM_START_S[1])  # phones are told the satellites' orbits over the air
    has_fix = ~sky.in_tunnel & (np.arange(count) >= start_s)
    spread = _spread_m(sky, quality, start_s, rng)
    east_m, north_m = (
        spread * gauss_markov(count, 1.0, POSITION_TAU_S, rng)
        + sky.canyon * quality * _filtered(gauss_markov(count, CANYON_SIGMA_M, CANYON_TAU_S, rng))
        + WHITE_M * rng.standard_normal(count)
        for _ in range(2)
    )
    latitude_deg, longitude_deg = from_local_xy_m(east_m, north_m, truth.latitude_deg, truth.longitude_deg)
    speed_sigma = SPEED_SIGMA_MPS + sky.canyon * CANYON_SPEED_SIGMA_MPS * (truth.speed_mps > HEADING_LEAST_MPS)
    speed = np.maximum(truth.speed_mps + speed_sigma * rng.standard_normal(count), 0.0)
    turn = np.degrees(np.arctan2(HEADING_SIGMA_MPS * rng.standard_normal(count), np.maximum(truth.speed_mps, 0.1)))
    heading = np.where(truth.speed_mps >= HEADING_LEAST_MPS, (truth.heading_deg + turn) % 360.0, np.nan)
    hidden = spread / POSITION_SIGMA_M + 2.0 * sky.canyon
    hdop = GOOD_HDOP * hidden + np.abs(gauss_markov(count, 0.15, POSITION_TAU_S, rng))
    seen = np.clip(np.round(SATELLITES_MEAN / np.sqrt(hidden) + gauss_markov(count, 1.0, 60.0, rng)), 4, 20)
    columns = {
        "latitude_deg": np.round(latitude_deg, 7),
        "longitude_deg": np.round(longitude_deg, 7),
        "speed_mps": np.round(speed, 2),
        "heading_deg": np.round(heading, 1) % 360.0,
        "hdop": np.round(hdop, 1),
        "accuracy_m": np.round(ACCURACY_FACTOR * POSITION_SIGMA_M * hdop / GOOD_HDOP, 1),
    }
    columns = {name: np.where(has_fix, values, np.nan) for name, values in columns.items()}
    columns["satellites"] = np.where(has_fix, seen, 0.0)
    return columns | _beside_the_receiver(truth, device_kind, rng)


def _spread_m(sky: Sky, quality: float, start_s: float, rng: np.random.Generator) -> Float64s:
    """The drift's standard deviation at each second: more after a start and after tunnels, until it has converged."""
    seconds = np.arange(len(sky.in_tunnel), dtype=np.float64)
    spread = np.full(len(seconds), POSITION_SIGMA_M * quality)
    if start_s > WARM_START_S[1]:
        spread += COLD_SIGMA_M * np.exp(-np.maximum(seconds - start_s, 0.0) / COLD_SETTLES_S)
    since = seconds - np.maximum.accumulate(np.where(sky.in_tunnel, seconds, -np.inf))
    settled: Float64s = spread + TUNNEL_SIGMA_M * np.exp(-since / TUNNEL_SETTLES_S)
    return settled


def _filtered(series: Float64s) -> Float64s:
    """A Gauss-Markov series through the receiver's filter, at its own standard deviation again."""
    keep = float(np.exp(-1.0 / FILTER_TAU_S))
    smooth: Float64s = lfilter([1.0 - keep], [1.0, -keep], series)
    return smooth * float(np.sqrt((CANYON_TAU_S + FILTER_TAU_S) / CANYON_TAU_S))


def _beside_the_receiver(truth: TrueMotion, device_kind: str, rng: np.random.Generator) -> dict[str, Float64s]:
    count = len(truth.time_us)
    if device_kind == "box":
        slope = GRAVITY_MPS2 * gauss_markov(count, SLOPE_SIGMA, SLOPE_TAU_S, rng)
        moves = truth.speed_mps > 0.0
        held = np.maximum.accumulate(np.where(moves, np.arange(count), 0))  # who stands feels the hill he stands on
        return {
            "acceleration_forward_mps2": _accelerometer(truth.acceleration_forward_mps2 + slope[held], moves, rng),
            "acceleration_lateral_mps2": _accelerometer(truth.acceleration_lateral_mps2, moves, rng),
        }
    if device_kind == "tracker":
        moving = np.flatnonzero(truth.speed_mps > 0.0)
        contact = np.zeros(count)
        contact[max(int(moving[0]) - 8, 0) : int(moving[-1]) + 12] = 1.0
        return {"ignition": contact, "odometer_m": np.round(np.cumsum(truth.speed_mps))}
    return {"phone_in_use": truth.phone_in_use.astype(np.float64)}


def _accelerometer(true_mps2: Float64s, moves: Bools, rng: np.random.Generator) -> Float64s:
    bias = ACCELEROMETER_BIAS_MPS2 * rng.standard_normal()
    shaken = ACCELEROMETER_SIGMA_MPS2 * np.where(moves, 1.0, 0.2) * rng.standard_normal(len(true_mps2))
    return np.round(true_mps2 + bias + shaken, 2)
