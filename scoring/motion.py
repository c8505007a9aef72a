"""What a stretch of readings says of the movement: plane coordinates, speed, standing, and whether speeds agree."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled
from ingest.readings import Flag, Int32s, Int64s, Readings
from scoring.geodesy import METRES_PER_DEGREE, NEAR_DEG, cosine_near, wrapped_turn_deg
from scoring.series import Bools, Floats, Indices, local_means, local_speeds, median
from scoring.settings import Cutting
from scoring.smoothing import smoothed_path

type Float32s = NDArray[np.float32]

DENSE_S = 2.5  # up to here a reported speed is integrated; above, the way between positions is closer to the path
PATH_HALF_WINDOW_S = 3.05
STILL_HALF_WINDOW_S = 5.05
LONGEST_STILL_HALF_WINDOW_S = 15.05
SMOOTH_HALF_WINDOW_S = 15.05
_MISMATCH = int(Flag.SPEED_MISMATCH)


class Columns(NamedTuple):
    """What cutting reads of n readings, each array of shape (n,), NaN where it is not reported."""

    fix_time_us: Int64s
    flags: Int32s
    latitude_deg: Floats
    longitude_deg: Floats
    speed_mps: Float32s
    ignition: Float32s


class Motion(NamedTuple):
    """Movement of n readings, each array of shape (n,). `speed_mps` is never NaN."""

    t_s: Floats  # since the first reading
    x_m: Floats  # east and north of the first reading, summed step by step: safe at longitude 180
    y_m: Floats
    smooth_x_m: Floats
    smooth_y_m: Floats
    way_m: Floats  # to the next reading by their positions; means nothing where all speeds are dense and agree
    speed_mps: Floats
    reported: Bools  # where speed_mps is what the device reported
    still: Bools


def new_motion(count: int) -> Motion:
    """Room for the movement of `count` readings."""
    floats = [np.empty(count) for _ in range(7)]
    return Motion._make([*floats, np.empty(count, dtype=np.bool_), np.empty(count, dtype=np.bool_)])


@compiled
def held_positions(latitude_deg: Floats, longitude_deg: Floats, speed_mps: Float32s, moving_mps: float) -> Bools:
    """Readings that repeat the position before them while the speed says they move: the receiver held its last fix."""
    held = np.zeros(len(latitude_deg), dtype=np.bool_)
    for i in range(1, len(held)):
        same = latitude_deg[i] == latitude_deg[i - 1] and longitude_deg[i] == longitude_deg[i - 1]
        held[i] = same and speed_mps[i] > moving_mps
    return held


def taken_rows(readings: Readings, moving_mps: float) -> Indices:
    """The row at which each reading's position was taken, shape (n,): the first of its run of equal positions where the
    car moved at any time in that run, else its own row.
    """
    latitude_deg, longitude_deg = readings.latitude_deg, readings.longitude_deg
    held = held_positions(latitude_deg, longitude_deg, readings.speed_mps, moving_mps)
    own = np.arange(len(readings))
    new_place = np.ones(len(readings), dtype=np.bool_)
    new_place[1:] = (latitude_deg[1:] != latitude_deg[:-1]) | (longitude_deg[1:] != longitude_deg[:-1])
    starts = np.flatnonzero(new_place)
    moved = np.logical_or.reduceat(held, starts)[np.cumsum(new_place) - 1]
    result: Indices = np.where(moved, np.maximum.accumulate(np.where(new_place, own, 0)), own)
    return result


@compiled
def place(columns: Columns, cutting: Cutting, motion: Motion) -> float:
    """Times, plane coordinates and their means over half a minute into `motion`; returns the sampling interval in s.

    Where the receiver held its fix, a place is on the line to the next one, so that motion stays steady.
    """
    t_s, x_m, y_m, n = motion.t_s, motion.x_m, motion.y_m, len(columns.fix_time_us)
    latitude_deg, longitude_deg = columns.latitude_deg, columns.longitude_deg
    t_s[0], x_m[0], y_m[0] = 0.0, 0.0, 0.0
    step_s = np.empty(n - 1)
    near_deg, sine, cosine = np.inf, 0.0, 1.0
    last_own = 0  # the last reading before with a fix of its own
    for i in range(1, n):
        t_s[i] = (columns.fix_time_us[i] - columns.fix_time_us[0]) / 1e6
        step_s[i - 1] = t_s[i] - t_s[i - 1]
        if latitude_deg[i] == latitude_deg[i - 1] and longitude_deg[i] == longitude_deg[i - 1]:
            x_m[i], y_m[i] = x_m[i - 1], y_m[i - 1]
            if columns.speed_mps[i] > cutting.still_reported_mps:
                continue
        else:
            middle_deg = (latitude_deg[i] + latitude_deg[i - 1]) / 2
            if not abs(middle_deg - near_deg) < NEAR_DEG:
                near_deg = middle_deg
                sine, cosine = np.sin(np.radians(near_deg)), np.cos(np.radians(near_deg))
            east_deg = wrapped_turn_deg(longitude_deg[i] - longitude_deg[i - 1])
            x_m[i] = x_m[i - 1] + east_deg * METRES_PER_DEGREE * cosine_near(sine, cosine, middle_deg - near_deg)
            y_m[i] = y_m[i - 1] + (latitude_deg[i] - latitude_deg[i - 1]) * METRES_PER_DEGREE
        if last_own < i - 1:
            lasted_s = t_s[i] - t_s[last_own]
            east_mps, north_mps = (x_m[i] - x_m[last_own]) / lasted_s, (y_m[i] - y_m[last_own]) / lasted_s
            from_x_m, from_y_m = x_m[last_own], y_m[last_own]
            for j in range(last_own + 1, i):
                x_m[j] = east_mps * (t_s[j] - t_s[last_own]) + from_x_m
                y_m[j] = north_mps * (t_s[j] - t_s[last_own]) + from_y_m
        last_own = i
    interval_s = median(step_s) if n > 1 else 0.0
    smooth_s = max(SMOOTH_HALF_WINDOW_S, 1.5 * interval_s)
    local_means(t_s, x_m, y_m, smooth_s, motion.smooth_x_m, motion.smooth_y_m)
    return interval_s


@compiled
def derive_speed(motion: Motion, interval_s: float, cutting: Cutting) -> tuple[Floats, Bools]:
    """Speed from positions, shape (n,): 0 where they stand still over some 10 s, else the slope over some 6 s."""
    t_s, x_m, y_m, n = motion.t_s, motion.x_m, motion.y_m, len(motion.t_s)
    derived_mps, still = np.zeros(n), np.ones(n, dtype=np.bool_)
    if n < 2:
        return derived_mps, still
    # Seven fixes of 3 m noise tell standing from creeping, where they lie near enough in time.
    still_s = min(max(STILL_HALF_WINDOW_S, 3.5 * interval_s), LONGEST_STILL_HALF_WINDOW_S)
    path_s = max(PATH_HALF_WINDOW_S, 1.5 * interval_s)
    over_mps = local_speeds(t_s, x_m, y_m, max(still_s, 1.5 * interval_s))
    path_mps = local_speeds(t_s, x_m, y_m, path_s)
    for i in range(n):
        if np.isnan(over_mps[i]) or np.isnan(path_mps[i]):
            k = min(i, n - 2)
            chord_mps = np.hypot(x_m[k + 1] - x_m[k], y_m[k + 1] - y_m[k]) / (t_s[k + 1] - t_s[k])
            over_mps[i] = chord_mps if np.isnan(over_mps[i]) else over_mps[i]
            path_mps[i] = chord_mps if np.isnan(path_mps[i]) else path_mps[i]
        still[i] = over_mps[i] < cutting.still_derived_mps
        derived_mps[i] = 0.0 if still[i] else path_mps[i]
    return derived_mps, still


@compiled
def speeds_agree(t_s: Floats, reported_mps: Floats, derived_mps: Floats, standing: Bools, cutting: Cutting) -> bool:
    """Whether both speeds tell of the same way within a quarter and 150 m, over intervals where both are known.

    Readings of a stop have no part in it.
    """
    by_speed_m, by_place_m = 0.0, 0.0
    for i in range(len(t_s) - 1):
        step_s = t_s[i + 1] - t_s[i]
        reported_m = (reported_mps[i + 1] + reported_mps[i]) / 2 * step_s
        if not np.isnan(reported_m) and not standing[i + 1] and not standing[i] and step_s <= cutting.gap_floor_s:
            by_speed_m += reported_m
            by_place_m += (derived_mps[i + 1] + derived_mps[i]) / 2 * step_s
    return abs(by_speed_m - by_place_m) <= 0.25 * max(by_speed_m, by_place_m) + 150.0


@compiled
def reported_speed(columns: Columns) -> Floats:
    """The reported speeds that were not found to contradict the fixes, shape (n,); else NaN."""
    reported_mps = np.empty(len(columns.speed_mps))
    for i in range(len(reported_mps)):
        reported_mps[i] = columns.speed_mps[i] if columns.flags[i] & _MISMATCH == 0 else np.nan
    return reported_mps


@compiled
def settle(
    motion: Motion, reported_mps: Floats, derived_mps: Floats, still_derived: Bools, agrees: bool, cutting: Cutting
) -> None:
    """Speed, standing and the way between readings: by the reported speed where it agrees, else by the positions."""
    t_s, x_m, y_m, n = motion.t_s, motion.x_m, motion.y_m, len(motion.t_s)
    dense = agrees
    for i in range(n):
        motion.reported[i] = agrees and not np.isnan(reported_mps[i])
        dense = dense and motion.reported[i] and (i == 0 or t_s[i] - t_s[i - 1] <= DENSE_S)
    if dense:
        motion.speed_mps[:], motion.still[:] = reported_mps, reported_mps < cutting.still_reported_mps
        return
    by_place_mps = derived_mps
    along_m = np.zeros(0)
    if n > 2:
        x_m, y_m, by_place_mps, along_m = smoothed_path(t_s, x_m, y_m)
    for i in range(n - 1):
        follows = n > 2 and t_s[i + 1] - t_s[i] <= DENSE_S
        motion.way_m[i] = along_m[i] if follows else np.hypot(x_m[i + 1] - x_m[i], y_m[i + 1] - y_m[i])
    for i in range(n):
        if motion.reported[i]:
            motion.speed_mps[i] = reported_mps[i]
            motion.still[i] = reported_mps[i] < cutting.still_reported_mps
        else:
            motion.speed_mps[i] = 0.0 if still_derived[i] else by_place_mps[i]
            motion.still[i] = still_derived[i]
