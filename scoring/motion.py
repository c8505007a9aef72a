"""What a stretch of readings says of the movement: plane coordinates, speed, standing, and whether speeds agree."""

from dataclasses import dataclass

import numpy as np

from ingest.readings import Flag, Readings
from scoring.geodesy import METRES_PER_DEGREE, wrapped_deg
from scoring.series import Bools, Floats, Indices, local_mean, local_slopes, median, steps
from scoring.settings import Cutting
from scoring.smoothing import smoothed_path

DENSE_S = 2.5  # up to here a reported speed is integrated; above, the way between positions is closer to the path
PATH_HALF_WINDOW_S = 3.05
STILL_HALF_WINDOW_S = 5.05
LONGEST_STILL_HALF_WINDOW_S = 15.05
SMOOTH_HALF_WINDOW_S = 15.05


@dataclass(frozen=True, slots=True)
class Motion:
    """Movement of n readings, each array of shape (n,). `speed_mps` is never NaN.

    `speed_agrees` says that the reported speed and the positions tell of the same way; if not, positions win.
    """

    t_s: Floats  # since the first reading
    x_m: Floats  # east and north of the first reading, summed step by step: safe at longitude 180
    y_m: Floats
    smooth_x_m: Floats
    smooth_y_m: Floats
    way_m: Floats  # between readings by their positions, shape (n - 1,)
    speed_mps: Floats
    reported: Bools  # where speed_mps is what the device reported
    still: Bools
    speed_agrees: bool


def held_positions(readings: Readings, moving_mps: float) -> Bools:
    """Readings that repeat the position before them while the speed says they move: the receiver held its last fix."""
    held = np.zeros(len(readings), dtype=np.bool_)
    same = _same_place(readings)
    if same.any():
        held[1:] = same & (readings.speed_mps[1:] > moving_mps)
    return held


def _same_place(readings: Readings) -> Bools:
    latitude_deg, longitude_deg = readings.latitude_deg, readings.longitude_deg
    same: Bools = (latitude_deg[1:] == latitude_deg[:-1]) & (longitude_deg[1:] == longitude_deg[:-1])
    return same


def taken_rows(readings: Readings, moving_mps: float) -> Indices:
    """The row at which each reading's position was taken, shape (n,): the first of its run of equal positions where the
    car moved at any time in that run, else its own row.
    """
    held = held_positions(readings, moving_mps)
    own = np.arange(len(readings))
    new_place = np.ones(len(readings), dtype=np.bool_)
    new_place[1:] = ~_same_place(readings)
    starts = np.flatnonzero(new_place)
    moved = np.logical_or.reduceat(held, starts)[np.cumsum(new_place) - 1]
    result: Indices = np.where(moved, np.maximum.accumulate(np.where(new_place, own, 0)), own)
    return result


def observe(readings: Readings, standing: Bools | None, cutting: Cutting) -> Motion:
    """The movement of one stretch. `standing` marks readings known to stand: they have no part in the agreement."""
    t_s = seconds(readings)
    x_m, y_m = _plane(readings, t_s, cutting)
    interval_s = _interval_s(t_s)
    derived_mps, still_derived = _derived_speed(t_s, x_m, y_m, interval_s, cutting)
    reported_mps = readings.speed_mps.astype(np.float64)
    reported_mps[(readings.flags & int(Flag.SPEED_MISMATCH)) != 0] = np.nan
    outside = np.ones(len(t_s), dtype=np.bool_) if standing is None else ~standing
    step_s = steps(t_s)
    smooth_s = max(SMOOTH_HALF_WINDOW_S, 1.5 * interval_s)
    agrees = _agree(t_s, reported_mps, derived_mps, outside, cutting)
    reported = np.isfinite(reported_mps) & agrees
    if len(t_s) > 2 and not (reported.all() and float(step_s.max()) <= DENSE_S):
        path = smoothed_path(t_s, x_m, y_m)
        way_m = np.where(step_s <= DENSE_S, path.way_m, np.hypot(steps(path.x_m), steps(path.y_m)))
        derived_mps = np.where(still_derived, 0.0, path.speed_mps)
    else:
        way_m = np.hypot(steps(x_m), steps(y_m))
    return Motion(
        t_s=t_s,
        x_m=x_m,
        y_m=y_m,
        smooth_x_m=local_mean(t_s, x_m, smooth_s),
        smooth_y_m=local_mean(t_s, y_m, smooth_s),
        way_m=way_m,
        speed_mps=np.where(reported, reported_mps, derived_mps),
        reported=reported,
        still=np.where(reported, reported_mps < cutting.still_reported_mps, still_derived),
        speed_agrees=agrees,
    )


def seconds(readings: Readings) -> Floats:
    """Fix times as seconds since the first reading, shape (n,)."""
    if not len(readings):
        return np.zeros(0)
    since: Floats = (readings.fix_time_us - readings.fix_time_us[0]) / 1e6
    return since


def _interval_s(t_s: Floats) -> float:
    return median(steps(t_s)) if len(t_s) > 1 else 0.0


def _plane(readings: Readings, t_s: Floats, cutting: Cutting) -> tuple[Floats, Floats]:
    """Positions in metres; where the receiver held its fix, the line to the next one, so that motion stays steady."""
    middle_deg = (readings.latitude_deg[1:] + readings.latitude_deg[:-1]) / 2
    east_m = wrapped_deg(steps(readings.longitude_deg)) * METRES_PER_DEGREE * np.cos(np.radians(middle_deg))
    north_m = steps(readings.latitude_deg) * METRES_PER_DEGREE
    x_m, y_m = np.concatenate(([0.0], np.cumsum(east_m))), np.concatenate(([0.0], np.cumsum(north_m)))
    held = held_positions(readings, cutting.still_reported_mps)
    if held.any():
        x_m[held] = np.interp(t_s[held], t_s[~held], x_m[~held])
        y_m[held] = np.interp(t_s[held], t_s[~held], y_m[~held])
    return x_m, y_m


def _derived_speed(t_s: Floats, x_m: Floats, y_m: Floats, interval_s: float, cutting: Cutting) -> tuple[Floats, Bools]:
    """Speed from positions: 0 where they stand still over some 10 s, else the slope over some 6 s."""
    if len(t_s) < 2:
        return np.zeros(len(t_s)), np.ones(len(t_s), dtype=np.bool_)
    chord = np.hypot(steps(x_m), steps(y_m)) / steps(t_s)
    chord = np.concatenate((chord, chord[-1:]))

    def speed(half_window_s: float) -> Floats:
        half = max(half_window_s, 1.5 * interval_s)
        slope = np.hypot(*local_slopes(t_s, x_m, y_m, half))
        result: Floats = np.where(np.isnan(slope), chord, slope)
        return result

    # Seven fixes of 3 m noise tell standing from creeping, where they lie near enough in time.
    still_s = min(max(STILL_HALF_WINDOW_S, 3.5 * interval_s), LONGEST_STILL_HALF_WINDOW_S)
    still = speed(still_s) < cutting.still_derived_mps
    return np.where(still, 0.0, speed(PATH_HALF_WINDOW_S)), still


def _agree(t_s: Floats, reported_mps: Floats, derived_mps: Floats, outside: Bools, cutting: Cutting) -> bool:
    """Whether both speeds tell of the same way within a quarter and 150 m, over intervals where both are known."""
    step_s = steps(t_s)
    reported_m = (reported_mps[1:] + reported_mps[:-1]) / 2 * step_s
    derived_m = (derived_mps[1:] + derived_mps[:-1]) / 2 * step_s
    both = np.isfinite(reported_m) & outside[1:] & outside[:-1] & (step_s <= cutting.gap_floor_s)
    by_speed, by_place = float(reported_m[both].sum()), float(derived_m[both].sum())
    return abs(by_speed - by_place) <= 0.25 * max(by_speed, by_place) + 150.0
