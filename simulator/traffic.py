"""What happens on the way: lights and queues to stand at, giving way, slower traffic, errands, and surprises."""

import numpy as np
from numpy.typing import NDArray

from simulator.drivers import Driver
from simulator.junctions import Junctions
from simulator.motion import Demand, speed_cap
from simulator.path import STEP_M, Path
from simulator.routes import Route
from simulator.vehicles import VEHICLES

type Float64s = NDArray[np.float64]
type Indices = NDArray[np.intp]

# Lights: cycles of 60 to 110 s; a main street has red for 45 % of it, a side street for 60 %. A car comes at any moment
# of the red, but many greens of main streets are set for those who come from the last light.
CYCLE_S = (60.0, 110.0)
RED_MAJOR, RED_MINOR, PROGRESSION = 0.45, 0.6, 0.6
ROLLING_S, ROLLING_MPS = 4.0, (2.5, 5.0)  # so little red left is rolled up to
# A car in a queue takes 7 m and, when it turns green, 1.9 s (saturation flow of 1,900 cars an hour).
QUEUE_M, QUEUE_S, QUEUE_MEAN = 7.0, 1.9, 2.5
SECOND_STOP_FROM = 5  # cars ahead: that queue stops once more before the line
START_S = 1.2  # until the first one has seen the green
# Giving way: most wait for a gap of some seconds or roll through at a jogger's pace.
YIELD_STOP_CHANCE, YIELD_FLOOR_S, YIELD_MEAN_S, YIELD_ROLL_MPS = 0.45, 1.0, 5.0, (2.0, 5.0)
OPEN_STOP_CHANCE, OPEN_SLOW_CHANCE, OPEN_SLOW_MPS = 0.06, 0.4, (4.0, 7.0)
CROSSING_STOPS_PER_KM, CROSSING_S = 0.5, (2.0, 9.0)  # people on crossings, buses, cars that turn or park
STOP_LINE_M = 5.0
LEAST_BETWEEN_HALTS_M = 12.0
LONGEST_STAND_S = 110.0
ERRAND_S = (25.0, 110.0)  # well under what would end a trip
SLOW_STRETCH_M, SLOW_CHANCE, SLOW_FACTOR = 300.0, 0.15, (0.5, 0.85)  # behind somebody slower
# In the flow of others the speed wanted is held up by a breathing share; alone, by the odd look aside.
FLOW_STRETCH_M, FLOW_FREE, FLOW_FOLLOWING = 250.0, (0.02, 0.05), (0.1, 0.25)
USUAL_GAP_S = 1.5  # to the car ahead
EFFORT_STRETCH_M, EFFORT = 60.0, (0.5, 1.25)  # of the driver's own rates, by how hurried the moment is
SURPRISE_BRAKING_MPS2 = (5.0, 7.5)
SURPRISE_REACH_M = 22.0
SURPRISE_LEAST_MPS = 7.0  # slower than that no hard brake comes of it


def make_demand(
    path: Path, route: Route, driver: Driver, junctions: Junctions, density: float, rng: np.random.Generator
) -> Demand:
    """The demand of one trip; everything by chance comes from `rng`.

    `density` is how full the streets are, from 0 (deep night) to 1 (rush hour).
    """
    count = len(path.along_m)
    vehicle = VEHICLES[driver.vehicle_class]
    factor = _speed_factor(count, driver, density, rng)
    cap = speed_cap(path, factor, driver.lateral_mps2 * vehicle.cornering, vehicle.ceiling_mps)
    points, stands_s = _halts(path, route, junctions, density, cap, rng)
    effort = _along(count, EFFORT_STRETCH_M, rng.uniform(*EFFORT, _stretches(count, EFFORT_STRETCH_M)))
    braking, acceleration = driver.braking_mps2 * vehicle.braking * effort, driver.acceleration_mps2 * effort
    hurry = _surprise(path, points, cap, braking, driver.hard_brakes_per_stop, rng)
    return Demand(
        cap_mps=cap,
        braking_mps2=braking,
        acceleration_mps2=acceleration * vehicle.acceleration,
        hurry=hurry,
        flow=_flow(count, driver, density, rng),
        halt_point=points,
        halt_s=stands_s,
        response_s=driver.following_gap_s,
        top_mps=vehicle.top_mps,
        is_manual=driver.is_manual,
    )


def _speed_factor(count: int, driver: Driver, density: float, rng: np.random.Generator) -> Float64s:
    """The driver's own factor of the limit at most, less by the day's mood, by unsteadiness, and behind slower cars."""
    mood = np.exp(-abs(rng.standard_normal()) * driver.unsteadiness)
    stretches = _stretches(count, SLOW_STRETCH_M)
    steadiness = np.exp(-np.abs(rng.standard_normal(stretches)) * driver.unsteadiness)
    is_behind = rng.random(stretches) < 2.0 * SLOW_CHANCE * density
    behind = np.where(is_behind, rng.uniform(*SLOW_FACTOR, stretches), 1.0)
    return driver.speed_factor * float(mood) * _along(count, SLOW_STRETCH_M, steadiness * behind)


def _flow(count: int, driver: Driver, density: float, rng: np.random.Generator) -> Float64s:
    """The share of the wanted speed that the cars ahead hold up, shape (count,); close followers feel more of it."""
    stretches = _stretches(count, FLOW_STRETCH_M)
    follows = rng.random(stretches) < density
    held = np.where(follows, rng.uniform(*FLOW_FOLLOWING, stretches), rng.uniform(*FLOW_FREE, stretches))
    closeness = float(np.sqrt(USUAL_GAP_S / driver.following_gap_s))
    return closeness * _along(count, FLOW_STRETCH_M, held)


def _stretches(count: int, stretch_m: float) -> int:
    return int(count * STEP_M // stretch_m) + 2


def _along(count: int, stretch_m: float, values: Float64s) -> Float64s:
    """Values that belong to every `stretch_m`, at each of `count` points, joined by straight lines."""
    joined: Float64s = np.interp(np.arange(count) * STEP_M, np.arange(len(values)) * stretch_m, values)
    return joined


def _halts(
    path: Path, route: Route, junctions: Junctions, density: float, cap: Float64s, rng: np.random.Generator
) -> tuple[Indices, Float64s]:
    """Where the car stands and for how long; shapes (h,), rising and apart. Lowers `cap` where it rolls slowly."""
    ends = np.searchsorted(path.route_place, np.arange(1, len(route.streets)))  # the point where each street ends
    streets = route.streets[:-1]
    stands: dict[int, float] = {}
    _at_lights(ends, streets, junctions, density, stands, cap, rng)
    _at_signs(ends, streets, junctions, density, stands, cap, rng)
    crossings = int(rng.poisson(CROSSING_STOPS_PER_KM * density * path.along_m[-1] / 1000.0))
    for point in rng.integers(0, len(cap), crossings).tolist():
        stands[point] = float(rng.uniform(*CROSSING_S))
    for place in route.errand_after:
        if place < len(ends):
            stands[int(ends[place])] = float(rng.uniform(*ERRAND_S))
    return _apart(stands, len(cap))


def _at_lights(
    ends: Indices, streets: Indices, junctions: Junctions, density: float, stands: dict[int, float], cap: Float64s,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    lit = np.flatnonzero(junctions.has_signal[streets])
    draws = rng.random((len(lit), 3))
    for row, (place, (is_red, when, length)) in enumerate(zip(lit.tolist(), draws.tolist(), strict=True)):
        major = bool(junctions.is_major[streets[place]])
        red = (RED_MAJOR * PROGRESSION if major else RED_MINOR) * (0.4 + 0.6 * density)
        if is_red >= red or (row and ends[place] - ends[lit[row - 1]] < 20):  # one light of a wide junction is enough
            continue
        left_s = when * (RED_MAJOR if major else RED_MINOR) * (CYCLE_S[0] + length * (CYCLE_S[1] - CYCLE_S[0]))
        line = int(ends[place]) - int(STOP_LINE_M / STEP_M)
        if left_s < ROLLING_S:
            cap[max(line - 8, 0) : line] = np.minimum(cap[max(line - 8, 0) : line], rng.uniform(*ROLLING_MPS))
            continue
        ahead = int(rng.poisson(QUEUE_MEAN * density))
        stands[line - int(QUEUE_M * ahead / STEP_M)] = min(left_s + START_S + QUEUE_S * ahead, LONGEST_STAND_S)
        if ahead >= SECOND_STOP_FROM:
            stands[line] = float(rng.uniform(2.0, 20.0))


def _at_signs(
    ends: Indices, streets: Indices, junctions: Junctions, density: float, stands: dict[int, float], cap: Float64s,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    for place in np.flatnonzero(junctions.gives_way[streets] | junctions.is_open[streets]).tolist():
        line = int(ends[place]) - int(STOP_LINE_M / STEP_M)
        yields = bool(junctions.gives_way[streets[place]])
        chance = (YIELD_STOP_CHANCE if yields else OPEN_STOP_CHANCE) * (0.3 + 0.7 * density)
        if rng.random() < chance:
            wait_s = YIELD_FLOOR_S + float(rng.exponential(YIELD_MEAN_S * (0.3 + 0.7 * density)))
            stands[line] = min(wait_s, LONGEST_STAND_S)
        elif yields or rng.random() < OPEN_SLOW_CHANCE:
            slow = float(rng.uniform(*(YIELD_ROLL_MPS if yields else OPEN_SLOW_MPS)))
            cap[max(line - 4, 0) : line + 2] = np.minimum(cap[max(line - 4, 0) : line + 2], slow)


def _apart(stands: dict[int, float], count: int) -> tuple[Indices, Float64s]:
    kept: list[int] = []
    apart = int(LEAST_BETWEEN_HALTS_M / STEP_M)
    for point in sorted(stands):
        if apart <= point < count - apart and (not kept or point - kept[-1] >= apart):
            kept.append(point)
    return np.array(kept, dtype=np.intp), np.array([stands[point] for point in kept])


def _surprise(
    path: Path, halts: Indices, cap: Float64s, braking: Float64s, chance_a_stop: float, rng: np.random.Generator
) -> Float64s:
    """Some stops are seen late, and as often something steps out on a free road: braking there is hard.

    Changes `cap` and `braking` in place; 1 where the brake is such a one, shape (n,).
    """
    reach = int(SURPRISE_REACH_M / STEP_M)
    hurry = np.zeros(len(cap))
    late = halts[rng.random(len(halts)) < chance_a_stop]
    free = rng.integers(reach, max(len(cap) - reach, reach + 1), rng.poisson(chance_a_stop * max(len(halts), 1)))
    for point in late.tolist():
        braking[max(point - reach, 0) : point] = rng.uniform(*SURPRISE_BRAKING_MPS2)
        hurry[max(point - reach, 0) : point] = 1.0
    for point in free.tolist():
        if point < len(cap) and cap[max(point - reach, 0) : point].min(initial=0.0) >= SURPRISE_LEAST_MPS:
            cap[point] = min(cap[point], float(rng.uniform(0.5, 2.0)))
            braking[point - reach : point] = rng.uniform(*SURPRISE_BRAKING_MPS2)
            hurry[point - reach : point] = 1.0
    return hurry
