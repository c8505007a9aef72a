"""Physics for tests: a speed and a turn rate over time, sampled at any rate. Nothing of the simulator is used."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ingest.readings import Readings, make_readings
from scoring.geodesy import from_local_xy_m

type Floats = NDArray[np.float64]

START_US = 1_790_000_000_000_000  # 2026-09-21T14:13:20Z
FINE_S = 0.01
RATES_S = (0.1, 1.0, 2.0, 5.0, 10.0)


def drive(
    duration_s: float,
    speed_mps: Callable[[Floats], Floats],
    *,
    interval_s: float = 1.0,
    heading_deg: Callable[[Floats], Floats] | None = None,
    noise_m: float = 0.0,
    with_speed: bool = True,
    origin: tuple[float, float] = (60.17, 24.94),
    start_us: int = START_US,
    seed: int = 7,
) -> Readings:
    """Readings of a car whose speed and heading are functions of time, its path integrated at 100 Hz."""
    fine_s = np.arange(0.0, duration_s + FINE_S / 2, FINE_S)
    speed = speed_mps(fine_s)
    heading = heading_deg(fine_s) if heading_deg else np.full(len(fine_s), 90.0)
    east = np.concatenate(([0.0], np.cumsum(speed * np.sin(np.radians(heading)))[:-1])) * FINE_S
    north = np.concatenate(([0.0], np.cumsum(speed * np.cos(np.radians(heading)))[:-1])) * FINE_S
    rows = np.arange(0, len(fine_s), round(interval_s / FINE_S))
    rng = np.random.default_rng(seed)
    latitude, longitude = from_local_xy_m(
        east[rows] + noise_m * rng.standard_normal(len(rows)),
        north[rows] + noise_m * rng.standard_normal(len(rows)),
        *origin,
    )
    return make_readings(
        len(rows),
        fix_time_us=start_us + np.round(fine_s[rows] * 1e6).astype(np.int64),
        latitude_deg=latitude,
        longitude_deg=longitude,
        speed_mps=speed[rows] if with_speed else np.nan,
        heading_deg=np.mod(heading[rows], 360.0),
    )


def profile(*points: tuple[float, float]) -> Callable[[Floats], Floats]:
    """A quantity that runs straight between (time, value) points and keeps the last value."""
    times, values = zip(*points, strict=True)
    return lambda t_s: np.interp(t_s, times, values)


def travelled_m(speed_mps: Callable[[Floats], Floats], duration_s: float) -> float:
    """The true way."""
    fine_s = np.arange(0.0, duration_s, FINE_S)
    return float(speed_mps(fine_s).sum() * FINE_S)
