"""What happens on the way: lights and queues to stand at, slower traffic, errands, and surprises to brake hard for."""

import numpy as np
from numpy.typing import NDArray

from simulator.drivers import Driver
from simulator.motion import Demand, speed_cap
from simulator.path import STEP_M, Path
from simulator.routes import Route

type Float64s = NDArray[np.float64]
type Indices = NDArray[np.intp]

# Chance to stand at a junction (light, queue, giving way), and for how long: exponential with a floor.
STAND_CHANCE_BY_DAY, STAND_CHANCE_BY_NIGHT = 0.13, 0.07
STAND_FLOOR_S, STAND_MEAN_S = 2.0, 16.0
LONGEST_STAND_S = 90.0
QUEUE_CHANCE, QUEUE_M = 0.25, (12.0, 45.0)  # a second stand before the line, then moving up
STOP_LINE_M = 5.0
LEAST_BETWEEN_HALTS_M = 12.0
ERRAND_S = (25.0, 110.0)  # well under what would end a trip
SLOW_STRETCH_M, SLOW_CHANCE, SLOW_FACTOR = 150.0, 0.12, (0.5, 0.85)  # behind somebody slower
FOOT_STRETCH_M, FOOT_SIGMA = 20.0, 0.12  # nobody holds a speed: the foot, the car ahead, a look aside
EFFORT_STRETCH_M, EFFORT = (
    80.0,
    (0.45, 1.0),
)  # of the driver's own acceleration and braking, by how hurried the moment is
SURPRISE_BRAKING_MPS2 = (5.0, 7.5)
SURPRISE_REACH_M = 22.0
SURPRISE_LEAST_MPS = 7.0  # slower than that no hard brake comes of it


def make_demand(path: Path, route: Route, driver: Driver, is_night: bool, rng: np.random.Generator) -> Demand:
    """The demand of one trip; everything by chance comes from `rng`."""
    count = len(path.along_m)
    cap = speed_cap(path, _speed_factor(count, driver, rng), driver.lateral_mps2)
    points, stands_s = _halts(path, route, STAND_CHANCE_BY_NIGHT if is_night else STAND_CHANCE_BY_DAY, rng)
    effort = _along(count, EFFORT_STRETCH_M, rng.uniform(*EFFORT, _stretches(count, EFFORT_STRETCH_M)))
    braking, acceleration = driver.braking_mps2 * effort, driver.acceleration_mps2 * effort
    _surprise(path, points, cap, braking, driver.hard_brakes_per_stop, rng)
    return Demand(cap, braking, acceleration, points, stands_s)


def _speed_factor(count: int, driver: Driver, rng: np.random.Generator) -> Float64s:
    """The driver's own factor of the limit at most, less by the day's mood, by unsteadiness, and behind slower cars."""
    mood = np.exp(-abs(rng.standard_normal()) * driver.unsteadiness)
    stretches = _stretches(count, SLOW_STRETCH_M)
    steadiness = np.exp(-np.abs(rng.standard_normal(stretches)) * driver.unsteadiness)
    behind = np.where(rng.random(stretches) < SLOW_CHANCE, rng.uniform(*SLOW_FACTOR, stretches), 1.0)
    foot = np.exp(-np.abs(rng.standard_normal(_stretches(count, FOOT_STRETCH_M))) * FOOT_SIGMA)
    slower = _along(count, SLOW_STRETCH_M, steadiness * behind) * _along(count, FOOT_STRETCH_M, foot)
    return driver.speed_factor * float(mood) * slower


def _stretches(count: int, stretch_m: float) -> int:
    return int(count * STEP_M // stretch_m) + 2


def _along(count: int, stretch_m: float, values: Float64s) -> Float64s:
    """Values that belong to every `stretch_m`, at each of `count` points, joined by straight lines."""
    joined: Float64s = np.interp(np.arange(count) * STEP_M, np.arange(len(values)) * stretch_m, values)
    return joined


def _halts(path: Path, route: Route, chance: float, rng: np.random.Generator) -> tuple[Indices, Float64s]:
    """Where the car stands and for how long; shapes (h,), rising and apart."""
    network = path.network
    ends = np.searchsorted(path.route_place, np.arange(1, len(route.streets)))  # the point where each street ends
    at_junction = network.junction[network.head_node[route.streets[:-1]]]
    stands: dict[int, float] = {}
    for point in ends[at_junction & (rng.random(len(ends)) < chance)].tolist():
        line = point - int(STOP_LINE_M / STEP_M)
        stands[line] = _stand_s(rng)
        if rng.random() < QUEUE_CHANCE:
            stands[line - int(rng.uniform(*QUEUE_M) / STEP_M)] = _stand_s(rng)
    for place in route.errand_after:
        if place < len(ends):
            stands[int(ends[place])] = float(rng.uniform(*ERRAND_S))
    kept: list[int] = []
    apart = int(LEAST_BETWEEN_HALTS_M / STEP_M)
    for point in sorted(stands):
        if apart <= point < len(path.along_m) - apart and (not kept or point - kept[-1] >= apart):
            kept.append(point)
    return np.array(kept, dtype=np.intp), np.array([stands[point] for point in kept])


def _stand_s(rng: np.random.Generator) -> float:
    return min(STAND_FLOOR_S + float(rng.exponential(STAND_MEAN_S)), LONGEST_STAND_S)


def _surprise(
    path: Path, halts: Indices, cap: Float64s, braking: Float64s, chance_a_stop: float, rng: np.random.Generator
) -> None:
    """Some stops are seen late, and as often something steps out on a free road: braking there is hard.

    Changes `cap` and `braking` in place.
    """
    reach = int(SURPRISE_REACH_M / STEP_M)
    late = halts[rng.random(len(halts)) < chance_a_stop]
    free = rng.integers(reach, max(len(cap) - reach, reach + 1), rng.poisson(chance_a_stop * max(len(halts), 1)))
    for point in late.tolist():
        braking[max(point - reach, 0) : point] = rng.uniform(*SURPRISE_BRAKING_MPS2)
    for point in free.tolist():
        if point < len(cap) and cap[max(point - reach, 0) : point].min(initial=0.0) >= SURPRISE_LEAST_MPS:
            cap[point] = min(cap[point], float(rng.uniform(0.5, 2.0)))
            braking[point - reach : point] = rng.uniform(*SURPRISE_BRAKING_MPS2)
