"""How a car moves along its line: what road, lights and queues allow, then a driver in it, a tenth of a second a step.

Over the way, a backward pass gives the highest speed from which each slower place ahead is reached by the driver's own
braking. Over time, a driver accelerates towards the speed wanted, follows the flow of the cars ahead, changes gears and
never holds the pedal quite still; those speeds are never exceeded. Numbers and their sources stand beside them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from ingest.compiled import compiled
from simulator.path import STEP_M, Path

type Float64s = NDArray[np.float64]
type Indices = NDArray[np.intp]

TICK_S = 0.1
SECOND_TICKS = 10
JERK_TICKS = 7  # tyres, suspension and foot: acceleration changes within some 0.7 s, no faster (jerk under 10 m/s3)
PARKED_S = 60
SLOWEST_MPS = 0.3  # in a hairpin
ARRIVED_M, ARRIVED_MPS = 1.0, 0.35
LONGEST_DRIVE_S = 6 * 3600

# Stopping is gentle at both ends: drivers lift the foot first, brake hardest at 4 to 8 m/s and release at the end
# (deceleration profiles of Wortman & Matthias 1983, Akcelik & Biggs 1987).
SOFT_STOP, SOFT_STOP_MPS = 0.55, 2.5
LIFTED, LIFTED_FROM_MPS, LIFTED_TO_MPS = 0.7, 8.0, 16.0
# A foot cannot hold a force: the acceleration of a driver who means to hold it wanders by 0.1 to 0.3 m/s2 within a few
# seconds (human-driver model, Treiber, Kesting & Helbing 2006: correlated noise), less on a fast road in a high gear.
FOOT_SIGMA_MPS2, FOOT_TAU_S, FOOT_QUIET_MPS = 0.2, 1.6, 14.0
# The flow ahead breathes over some ten seconds (stop-and-go waves and lane changes have periods of 10 to 60 s).
FLOW_TAU_S, FLOW_LEAST = 15.0, 0.12
# Lifting the foot slows a car by 0.6 to 1 m/s2 in gear; following needs a touch of the brake on top of it.
COAST_MPS2, FOLLOWING_BRAKE_MPS2 = 0.7, 1.2
VEHICLE_LAG_S = 0.35  # from the foot to the wheel
# A manual gearbox: traction is off for 0.5 to 0.9 s at each change up.
SHIFT_S, SHIFT_DRAG_MPS2 = 0.7, 0.15
SHIFT_UP_MPS, SHIFT_DOWN = np.array([4.2, 8.3, 12.5, 17.5]), 0.6
START_MPS, START_SHARE = 1.5, 0.55  # letting the clutch in: the first metre per second is gentler


@dataclass(frozen=True, slots=True)
class Demand:
    """What road, traffic and driver ask for along a path of n points; `halt_*` are points to stand at and how long."""

    cap_mps: Float64s  # (n,) speed never exceeded
    braking_mps2: Float64s  # (n,) how hard the driver brakes there
    acceleration_mps2: Float64s  # (n,) how hard the driver pulls away there
    hurry: Float64s  # (n,) 1 where the brake is an emergency: at once hard, to the end
    flow: Float64s  # (n,) how much the cars ahead hold up the speed wanted, as a share of it: 0 on a free road
    halt_point: Indices  # (h,) rising
    halt_s: Float64s  # (h,)
    response_s: float  # in which a driver closes a difference in speed
    top_mps: float  # of the vehicle: power falls towards it
    is_manual: bool


@dataclass(frozen=True, slots=True)
class Motion:
    """True motion, `TICK_S` apart from a minute before departure to a minute after arrival; shapes (m,)."""

    along_m: Float64s
    speed_mps: Float64s
    acceleration_mps2: Float64s


def speed_cap(path: Path, factor: Float64s, cornering_mps2: float, ceiling_mps: float) -> Float64s:
    """The speed a driver wants at each point: a factor of the limit, slower where the line bends.

    Averaging over `JERK_TICKS` may show a speed a moment early or late, so a lower cap reaches out as far as the car
    gets in that time: then the averaged speed too is never above the cap of its place.
    """
    on_road = np.minimum(path.free_mps * factor, ceiling_mps)
    reach_points = int(np.ceil(0.5 * (JERK_TICKS + 1) * TICK_S * float(on_road.max()) / STEP_M)) + 1
    on_road = minimum_filter1d(on_road, 2 * reach_points + 1)
    bend = np.sqrt(cornering_mps2 / np.maximum(np.abs(path.curvature_per_m), 1e-6))
    bend = minimum_filter1d(np.maximum(bend, SLOWEST_MPS), 5)
    cap: Float64s = np.minimum(on_road, bend)
    return cap


def drive(path: Path, demand: Demand, rng: np.random.Generator) -> Motion:
    """The motion of one trip: a minute parked, the drive with its halts, a minute parked."""
    cap = demand.cap_mps.copy()
    cap[demand.halt_point] = 0.0
    cap[-1] = 0.0
    allowed = _allowed(cap, demand.braking_mps2, demand.hurry, np.diff(path.along_m))
    fastest_s = float(np.sum(np.diff(path.along_m) / np.maximum(allowed[:-1], 1.0))) + float(demand.halt_s.sum())
    room = int(min(8.0 * fastest_s + 600.0, LONGEST_DRIVE_S) * SECOND_TICKS)
    along_m = np.empty(room)
    halt_ticks = np.maximum(np.round(demand.halt_s * SECOND_TICKS), 1).astype(np.int64)
    ticks = _driven(
        path.along_m, demand.cap_mps, allowed, demand.acceleration_mps2, demand.flow, demand.halt_point, halt_ticks,
        demand.response_s, demand.top_mps, demand.is_manual, rng, along_m,
    )  # fmt: skip
    return _with_parking(along_m[:ticks])


@compiled
def _allowed(cap_mps: Float64s, braking_mps2: Float64s, hurry: Float64s, step_m: Float64s) -> Float64s:
    """The highest speeds under the cap from which the driver's braking reaches all that follows; steps (n - 1,)."""
    speed = cap_mps.copy()
    for i in range(len(speed) - 2, -1, -1):
        later = speed[i + 1]
        shape = SOFT_STOP + (1.0 - SOFT_STOP) * min(later / SOFT_STOP_MPS, 1.0)
        if later > LIFTED_FROM_MPS:
            part = min((later - LIFTED_FROM_MPS) / (LIFTED_TO_MPS - LIFTED_FROM_MPS), 1.0)
            shape = 1.0 - (1.0 - LIFTED) * part
        shape = max(shape, hurry[i])
        speed[i] = min(speed[i], np.sqrt(later * later + 2.0 * braking_mps2[i] * shape * step_m[i]))
    return speed


@compiled
def _driven(
    point_m: Float64s, cap_mps: Float64s, allowed_mps: Float64s, pull_mps2: Float64s, flow: Float64s,
    halt_point: Indices, halt_ticks: NDArray[np.int64], response_s: float, top_mps: float, is_manual: bool,
    rng: np.random.Generator, along_m: Float64s,
) -> int:  # fmt: skip
    """Fills `along_m`, shape (room,), with the place at each tick; how many ticks until the end of the path."""
    foot_keep, flow_keep = np.exp(-TICK_S / FOOT_TAU_S), np.exp(-TICK_S / FLOW_TAU_S)
    foot_kick = FOOT_SIGMA_MPS2 * np.sqrt(1.0 - foot_keep * foot_keep)
    flow_kick = np.sqrt(1.0 - flow_keep * flow_keep)
    foot, wave = 0.0, rng.standard_normal()
    here, speed, pulled = point_m[0], 0.0, 0.0
    place, halt, waiting, shifting, gear, tick = 0, 0, 0, 0, 0, 0
    last = len(point_m) - 1
    while tick < len(along_m):
        along_m[tick] = here
        tick += 1
        if waiting > 0:
            waiting -= 1
            continue
        next_stop = point_m[halt_point[halt]] if halt < len(halt_point) else point_m[last]
        if next_stop - here < ARRIVED_M and speed < ARRIVED_MPS:
            if halt == len(halt_point):
                break
            waiting, here = halt_ticks[halt], next_stop
            speed, pulled, gear, halt = 0.0, 0.0, 0, halt + 1
            continue
        foot = foot_keep * foot + foot_kick * rng.standard_normal()
        wave = flow_keep * wave + flow_kick * rng.standard_normal()
        wanted = cap_mps[place] * min(max(1.0 - flow[place] * (0.8 + wave), FLOW_LEAST), 1.0)
        change = _asked_mps2((wanted - speed) / response_s, speed, pull_mps2[place], top_mps, flow[place])
        engaged = _gear(gear, speed)
        if is_manual and engaged > gear and change > 0.0:
            shifting = int(SHIFT_S / TICK_S)
        gear, shifting = engaged, max(shifting - 1, 0)
        if shifting > 0:
            change = min(change, -SHIFT_DRAG_MPS2)
        change += foot * min(speed / 2.0, 1.0) * max(0.4, 1.0 - 0.5 * speed / FOOT_QUIET_MPS)
        pulled += (change - pulled) * TICK_S / VEHICLE_LAG_S
        faster = max(speed + pulled * TICK_S, 0.0)
        ahead = here + 0.5 * (speed + faster) * TICK_S
        while place < last - 1 and point_m[place + 1] <= ahead:
            place += 1
        most = _most_mps(point_m, allowed_mps, place, ahead)
        if faster > most:
            faster, pulled = most, min((most - speed) / TICK_S, 0.0)
        here = min(here + 0.5 * (speed + faster) * TICK_S, next_stop)
        speed = faster
    return tick


@compiled
def _asked_mps2(change_mps2: float, speed_mps: float, pull_mps2: float, top_mps: float, flow: float) -> float:
    """What the driver asks of the car for the speed wanted: no more than it pulls, or than a lifted foot holds back."""
    if change_mps2 <= 0.0:
        return max(change_mps2, -COAST_MPS2 - FOLLOWING_BRAKE_MPS2 * min(flow * 4.0, 1.0))
    power = pull_mps2 * max(0.1, 1.0 - speed_mps / top_mps)
    if speed_mps < START_MPS:
        power *= START_SHARE + (1.0 - START_SHARE) * speed_mps / START_MPS
    return min(change_mps2, power)


@compiled
def _gear(gear: int, speed_mps: float) -> int:
    """The gear engaged at a speed: changed up at `SHIFT_UP_MPS`, down well under it."""
    while gear < len(SHIFT_UP_MPS) and speed_mps > SHIFT_UP_MPS[gear]:
        gear += 1
    while gear > 0 and speed_mps < SHIFT_DOWN * SHIFT_UP_MPS[gear - 1]:
        gear -= 1
    return gear


@compiled
def _most_mps(point_m: Float64s, allowed_mps: Float64s, place: int, here_m: float) -> float:
    """The speed allowed between two points, a hair over nothing: whoever is to stand at the next one must reach it."""
    span = max(point_m[place + 1] - point_m[place], 1e-9)
    part = min((here_m - point_m[place]) / span, 1.0)
    squared = allowed_mps[place] ** 2 * (1.0 - part) + allowed_mps[place + 1] ** 2 * part
    return float(max(np.sqrt(squared), SLOWEST_MPS))


def _with_parking(driven_m: Float64s) -> Motion:
    """Parked minutes at both ends, whole seconds in between; speed and acceleration averaged over `JERK_TICKS`."""
    driving = -(-len(driven_m) // SECOND_TICKS) * SECOND_TICKS
    before, after = PARKED_S * SECOND_TICKS, PARKED_S * SECOND_TICKS + driving - len(driven_m) + 1
    raw_m = np.pad(driven_m, (before, after), mode="edge")
    along_m = uniform_filter1d(uniform_filter1d(raw_m, JERK_TICKS, mode="nearest"), 3, mode="nearest")
    speed = np.maximum(np.gradient(along_m, TICK_S), 0.0)
    speed[speed < 1e-6] = 0.0
    return Motion(along_m, speed, np.gradient(speed, TICK_S))
