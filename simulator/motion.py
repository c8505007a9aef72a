"""How a car moves along its line: speed under limits, corners, lights and surprises, then motion over time.

Speed over distance comes from the limits of the road and the driver by a forward pass (acceleration) and a backward
pass (braking), exact for constant acceleration within a step. Over time it is averaged over about a second, which is
the driver's foot and the tyre: acceleration then has no jumps.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d

from ingest.compiled import compiled
from simulator.path import STEP_M, Path

type Float64s = NDArray[np.float64]
type Indices = NDArray[np.intp]

TICK_S = 0.1
SECOND_TICKS = 10
SOFTENING_TICKS = 7  # a second average, so that jerk is bounded too
AVERAGING_HALF_S = 0.5 * (1.0 + SOFTENING_TICKS * TICK_S)
PARKED_S = 60
TOP_ACCELERATION_SPEED_MPS = 45.0  # acceleration falls towards it as power does
SLOWEST_MPS = 0.3  # in a hairpin


@dataclass(frozen=True, slots=True)
class Demand:
    """What road, traffic and driver ask for along a path of n points; `halt_*` are points to stand at and how long."""

    cap_mps: Float64s  # (n,) speed never exceeded
    braking_mps2: Float64s  # (n,) how hard the driver brakes there
    acceleration_mps2: Float64s  # (n,) how hard the driver pulls away there
    halt_point: Indices  # (h,) rising
    halt_s: Float64s  # (h,)


@dataclass(frozen=True, slots=True)
class Motion:
    """True motion, `TICK_S` apart from a minute before departure to a minute after arrival; shapes (m,)."""

    along_m: Float64s
    speed_mps: Float64s
    acceleration_mps2: Float64s


def speed_cap(path: Path, factor: Float64s, cornering_mps2: float) -> Float64s:
    """The speed a driver wants at each point: a factor of the limit, slower where the line bends.

    Averaging over time may show a speed a moment early or late, so a lower cap reaches out as far as the car gets in
    that time: then the averaged speed too is never above the cap of its place.
    """
    on_road = path.free_mps * factor
    reach_points = int(np.ceil(AVERAGING_HALF_S * float(on_road.max()) / STEP_M)) + 1
    on_road = minimum_filter1d(on_road, 2 * reach_points + 1)
    bend = np.sqrt(cornering_mps2 / np.maximum(np.abs(path.curvature_per_m), 1e-6))
    bend = minimum_filter1d(np.maximum(bend, SLOWEST_MPS), 5)
    cap: Float64s = np.minimum(on_road, bend)
    return cap


@compiled
def _speeds(
    cap_mps: Float64s, braking_mps2: Float64s, step_m: Float64s, acceleration_mps2: Float64s, top_mps: float
) -> Float64s:
    """The highest speeds under the cap that acceleration and braking allow; steps of shape (n - 1,), others (n,)."""
    speed = cap_mps.copy()
    for i in range(len(speed) - 2, -1, -1):
        reachable = np.sqrt(speed[i + 1] ** 2 + 2.0 * braking_mps2[i] * step_m[i])
        speed[i] = min(speed[i], reachable)
    for i in range(len(speed) - 1):
        pull = acceleration_mps2[i] * max(0.1, 1.0 - speed[i] / top_mps)
        speed[i + 1] = min(speed[i + 1], np.sqrt(speed[i] ** 2 + 2.0 * pull * step_m[i]))
    return speed


def drive(path: Path, demand: Demand) -> Motion:
    """The motion of one trip: a minute parked, the drive with its halts, a minute parked."""
    cap = demand.cap_mps.copy()
    cap[demand.halt_point] = 0.0
    cap[[0, -1]] = 0.0
    step_m = np.diff(path.along_m)
    speed = _speeds(cap, demand.braking_mps2, step_m, demand.acceleration_mps2, TOP_ACCELERATION_SPEED_MPS)
    step_s = 2.0 * step_m / np.maximum(speed[:-1] + speed[1:], 1e-3)
    waited_s = np.zeros(len(speed))
    waited_s[demand.halt_point] = demand.halt_s
    leaves_s = np.cumsum(waited_s) + np.concatenate(([0.0], np.cumsum(step_s)))
    arrives_s = leaves_s - waited_s
    raw_m = _distance_at_ticks(path.along_m, speed, step_m, arrives_s, leaves_s)
    return _averaged(raw_m)


def _distance_at_ticks(
    along_m: Float64s, speed: Float64s, step_m: Float64s, arrives_s: Float64s, leaves_s: Float64s
) -> Float64s:
    """Metres at each tick, exact within a step of constant acceleration, with parked time and margins at both ends."""
    driving_s = np.ceil(arrives_s[-1])
    tick_s = np.arange(-PARKED_S * SECOND_TICKS, int((driving_s + PARKED_S) * SECOND_TICKS) + 1) * TICK_S
    here = np.clip(np.searchsorted(leaves_s, tick_s, side="right") - 1, 0, len(step_m) - 1)
    since_s = np.clip(tick_s - leaves_s[here], 0.0, arrives_s[here + 1] - leaves_s[here])
    pull = (speed[here + 1] ** 2 - speed[here] ** 2) / (2.0 * np.maximum(step_m[here], 1e-9))
    within_m = speed[here] * since_s + 0.5 * pull * since_s**2
    distance_m: Float64s = np.clip(along_m[here] + within_m, along_m[here], along_m[here + 1])
    return distance_m


def _averaged(raw_m: Float64s) -> Motion:
    """Speed as the mean over a second around each tick (so that 1 Hz samples add up to the distance), softened."""
    half, soft = SECOND_TICKS // 2, SOFTENING_TICKS // 2
    padded = np.pad(raw_m, half + soft, mode="edge")
    second_speed = padded[SECOND_TICKS:] - padded[:-SECOND_TICKS]
    weights = np.full(SECOND_TICKS + 1, 1.0 / SECOND_TICKS)
    weights[[0, -1]] /= 2.0  # the trapezoid rule over one second
    second_m = np.convolve(padded, weights, mode="valid")
    kernel = np.full(SOFTENING_TICKS, 1.0 / SOFTENING_TICKS)
    speed = np.maximum(np.convolve(second_speed, kernel, mode="valid"), 0.0)
    speed[speed < 1e-9] = 0.0
    return Motion(np.convolve(second_m, kernel, mode="valid"), speed, np.gradient(speed, TICK_S))
