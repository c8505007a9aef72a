"""What a trip's accelerometer may be believed, compiled: its axes as means over a second, or why it is not used at all.

A sensor that contradicts the GPS is put aside, never corrected: the events then come from the GPS alone.
"""

from typing import NamedTuple

import numpy as np

from ingest.compiled import compiled
from ingest.readings import Float32s
from scoring.series import Bools, Floats, local_mean, median, run_edges
from scoring.settings import Accelerometry
from scoring.signals import Drive, known_share

STANDARD_GRAVITY_MPS2 = 9.80665


class Accelerometer(NamedTuple):
    """Vehicle-axis accelerations of a trip's n readings; NaN where not reported or not believed, () where few are.

    `forward_mps2` and `lateral_mps2` (positive to the right) are means over a second, `shock_mps2` is the largest
    horizontal reading itself, saturated or not. `usable`: the sensor decides on manoeuvres; else what is wrong with it.
    """

    forward_mps2: Floats
    lateral_mps2: Floats
    shock_mps2: Floats
    usable: bool
    saturated: bool
    stuck: bool
    uncalibrated: bool


FLAGS = ("imu_saturated", "imu_stuck", "imu_uncalibrated")  # the certificate's names of the last three


@compiled
def examine(drive: Drive, gps_forward_mps2: Floats, gps_lateral_mps2: Floats, wanted: Accelerometry) -> Accelerometer:
    """The trip's accelerometer judged by itself and beside the GPS accelerations, each of shape (n,), NaN unknown."""
    n = len(drive.t_s)
    enough = min(known_share(drive.forward_mps2), known_share(drive.lateral_mps2)) >= wanted.known_share
    reported = np.isfinite(drive.forward_mps2) & np.isfinite(drive.lateral_mps2) if enough else np.zeros(1, np.bool_)
    if np.mean(reported) < wanted.known_share:
        return Accelerometer(np.empty(0), np.empty(0), np.empty(0), False, False, False, False)
    forward, lateral = drive.forward_mps2.astype(np.float64), drive.lateral_mps2.astype(np.float64)
    shock = np.full(n, np.nan)
    for i in range(n):
        if reported[i]:
            shock[i] = np.hypot(forward[i], lateral[i])
    saturated = reported & (_at_rail(forward, drive, wanted) | _at_rail(lateral, drive, wanted))
    in_range = reported & ~_near(saturated, drive.t_s, wanted.lag_s)
    believed = in_range & ~(shock > wanted.most_mps2)
    stuck = (
        _silent(shock, drive, wanted)
        or _stuck(forward, gps_forward_mps2, drive, wanted)
        or _stuck(lateral, gps_lateral_mps2, drive, wanted)
    )
    uncalibrated = not stuck and not _calibrated(drive, in_range, gps_forward_mps2, gps_lateral_mps2, wanted)
    return Accelerometer(
        _second_means(forward, believed, drive.t_s, wanted),
        _second_means(lateral, believed, drive.t_s, wanted),
        shock,
        not stuck and not uncalibrated and bool(np.mean(believed) >= wanted.known_share),
        bool(saturated.any()),
        stuck,
        uncalibrated,
    )


@compiled
def _second_means(value: Floats, believed: Bools, t_s: Floats, wanted: Accelerometry) -> Floats:
    """At 1 Hz the reading itself; above, vibration and potholes shorter than a manoeuvre are averaged out."""
    means = np.full(len(value), np.nan)
    means[believed] = local_mean(t_s[believed], value[believed], wanted.mean_half_window_s)
    return means


@compiled
def _at_rail(value: Floats, drive: Drive, wanted: Accelerometry) -> Bools:
    """Readings at the end of a usual measuring range for longer than a real peak lasts there."""
    at = np.zeros(len(value), dtype=np.bool_)
    for rail_g in wanted.rails_g:
        rail = rail_g * STANDARD_GRAVITY_MPS2
        for i in range(len(value)):
            at[i] |= abs(abs(value[i]) - rail) <= wanted.rail_tolerance * rail
    for run in run_edges(at):
        if drive.t_s[run[1] - 1] - drive.t_s[run[0]] + drive.interval_s <= wanted.rail_least_s:
            at[run[0] : run[1]] = False
    return at


@compiled
def _near(mask: Bools, t_s: Floats, within_s: float) -> Bools:
    near = mask.copy()
    for run in run_edges(mask):
        first = np.searchsorted(t_s, t_s[run[0]] - within_s)
        after = np.searchsorted(t_s, t_s[run[1] - 1] + within_s, side="right")
        near[first:after] = True
    return near


@compiled
def _silent(shock_mps2: Floats, drive: Drive, wanted: Accelerometry) -> bool:
    """Whether both axes are zero throughout a drive: no sensor in a moving car says so."""
    for one in shock_mps2:
        if one > 0.0:
            return False
    return not drive.still.all() and drive.t_s[-1] - drive.t_s[0] >= wanted.zero_least_s


@compiled
def _stuck(value: Floats, gps_mps2: Floats, drive: Drive, wanted: Accelerometry) -> bool:
    """Whether it repeats one value to the last bit while the GPS tells of changing forces."""
    start, n = 0, len(value)
    while start < n:
        stop, low, high = start, np.inf, -np.inf
        while stop < n and value[stop] == value[start]:
            if np.isfinite(gps_mps2[stop]):
                low, high = min(low, gps_mps2[stop]), max(high, gps_mps2[stop])
            stop += 1
        stop = max(stop, start + 1)
        if (
            stop - 1 - start >= wanted.stuck_least_repeats
            and drive.t_s[stop - 1] - drive.t_s[start] >= wanted.stuck_least_s
            and high - low >= wanted.stuck_least_change_mps2
        ):
            return True
        start = stop
    return False


@compiled
def _calibrated(
    drive: Drive, believed: Bools, gps_forward_mps2: Floats, gps_lateral_mps2: Floats, wanted: Accelerometry
) -> bool:
    """Whether units and axes are right: gravity where it belongs, and each axis follows the GPS one to one.

    The second is asked only where enough was accelerated, braked or turned to tell; swapped or turned axes and a unit
    that is wrong by gravity all miss it by far. Of the lateral axis the side is not asked: boxes differ in it.
    """
    if believed.any():
        for axis in (drive.forward_mps2, drive.lateral_mps2):
            if abs(median(axis[believed].astype(np.float64))) > wanted.most_rest_mps2:
                return False
    vertical = drive.vertical_mps2[believed & np.isfinite(drive.vertical_mps2)].astype(np.float64)
    if len(vertical):
        gravity = abs(median(vertical))
        removed = gravity <= wanted.gravity_removed_mps2
        if not removed and not abs(gravity - STANDARD_GRAVITY_MPS2) <= wanted.gravity_off:
            return False
    low, high = wanted.slope_range
    forward = _slope_beside_gps(drive, drive.forward_mps2, 1.0, believed, gps_forward_mps2, wanted)
    if not np.isnan(forward) and not low <= forward <= high:
        return False
    lateral = _slope_beside_gps(drive, drive.lateral_mps2, 1.0, believed, gps_lateral_mps2, wanted)
    opposite = _slope_beside_gps(drive, drive.lateral_mps2, -1.0, believed, gps_lateral_mps2, wanted)
    return np.isnan(lateral) or np.isnan(opposite) or low <= max(lateral, opposite) <= high


@compiled
def _slope_beside_gps(
    drive: Drive, axis: Float32s, sign: float, believed: Bools, gps_mps2: Floats, wanted: Accelerometry
) -> float:
    """How much an axis moves with one m/s2 of the GPS, at the lag where they agree best; NaN: too calm to tell."""
    known = believed & np.isfinite(gps_mps2)
    if np.sum(known) < wanted.slope_least_readings:
        return np.nan
    t_s = drive.t_s[known]
    felt = local_mean(t_s, sign * axis[known].astype(np.float64), wanted.slope_half_s)
    beside = local_mean(t_s, gps_mps2[known], wanted.slope_half_s)
    felt, moved = felt - felt.mean(), beside - beside.mean()
    if _energy(moved, wanted.slope_least_mps2) * drive.interval_s < wanted.slope_least_energy:
        return np.nan
    best, slope = -np.inf, 0.0
    for lag_s in np.arange(0.0, wanted.lag_s + 1.01, 0.5):
        later, product = np.interp(t_s + lag_s, t_s, moved), 0.0
        for i in range(len(later)):
            product += felt[i] * later[i] if abs(later[i]) >= wanted.slope_least_mps2 else 0.0
        if product > best:
            best, slope = product, product / max(_energy(later, wanted.slope_least_mps2), 1e-9)
    return slope


@compiled
def _energy(moved: Floats, least_mps2: float) -> float:
    total = 0.0
    for one in moved:
        total += one * one if abs(one) >= least_mps2 else 0.0
    return total
