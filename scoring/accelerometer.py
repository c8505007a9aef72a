"""What a trip's accelerometer may be believed: its axes as means over a second, and why it is not used at all.

A sensor that contradicts the GPS is put aside, never corrected: the events then come from the GPS alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.series import Bools, Floats, local_mean, runs
from scoring.settings import Accelerometry
from scoring.trips import Trip

STANDARD_GRAVITY_MPS2 = 9.80665


@dataclass(frozen=True, slots=True)
class Accelerometer:
    """Vehicle-axis accelerations of a trip's n readings; NaN where not reported or not believed.

    `forward_mps2` and `lateral_mps2` (positive to the right) are means over a second, `shock_mps2` is the largest
    horizontal reading itself, saturated or not. `flags` say what is wrong; `usable`: the sensor decides on manoeuvres.
    """

    forward_mps2: Floats
    lateral_mps2: Floats
    shock_mps2: Floats
    usable: bool
    flags: tuple[str, ...]


def examine(trip: Trip, gps_forward_mps2: Floats, gps_lateral_mps2: Floats, wanted: Accelerometry) -> Accelerometer:
    """The trip's accelerometer judged by itself and beside the GPS accelerations, each of shape (n,), NaN unknown."""
    forward = trip.readings.acceleration_forward_mps2.astype(np.float64)
    lateral = trip.readings.acceleration_lateral_mps2.astype(np.float64)
    reported = np.isfinite(forward) & np.isfinite(lateral)
    shock = np.where(reported, np.hypot(forward, lateral), np.nan)
    if float(reported.mean()) < wanted.known_share:
        nothing = np.full(len(forward), np.nan)
        return Accelerometer(nothing, nothing, shock, False, ())
    saturated = reported & (_at_rail(forward, trip, wanted) | _at_rail(lateral, trip, wanted))
    with np.errstate(invalid="ignore"):
        in_range = reported & ~_near(saturated, trip.t_s, wanted.lag_s)
        believed = in_range & ~(shock > wanted.most_mps2)
    stuck = (
        _silent(shock, trip, wanted)
        or _stuck(forward, gps_forward_mps2, trip, wanted)
        or _stuck(lateral, gps_lateral_mps2, trip, wanted)
    )
    faults = {
        "imu_saturated": bool(saturated.any()),
        "imu_stuck": stuck,
        "imu_uncalibrated": not stuck and not _calibrated(trip, in_range, gps_forward_mps2, gps_lateral_mps2, wanted),
    }
    usable = not faults["imu_stuck"] and not faults["imu_uncalibrated"] and float(believed.mean()) >= wanted.known_share
    return Accelerometer(
        forward_mps2=_second_means(forward, believed, trip.t_s, wanted),
        lateral_mps2=_second_means(lateral, believed, trip.t_s, wanted),
        shock_mps2=shock,
        usable=usable,
        flags=tuple(name for name, holds in faults.items() if holds),
    )


def _second_means(value: Floats, believed: Bools, t_s: Floats, wanted: Accelerometry) -> Floats:
    """At 1 Hz the reading itself; above, vibration and potholes shorter than a manoeuvre are averaged out."""
    means = np.full(len(value), np.nan)
    means[believed] = local_mean(t_s[believed], value[believed], wanted.mean_half_window_s)
    return means


def _at_rail(value: Floats, trip: Trip, wanted: Accelerometry) -> Bools:
    """Readings at the end of a usual measuring range for longer than a real peak lasts there."""
    rails = np.array(wanted.rails_g) * STANDARD_GRAVITY_MPS2
    with np.errstate(invalid="ignore"):
        at = (np.abs(np.abs(value)[:, None] - rails) <= wanted.rail_tolerance * rails).any(axis=1)
    for start, stop in runs(at):
        if trip.t_s[stop - 1] - trip.t_s[start] + trip.sampling_interval_s <= wanted.rail_least_s:
            at[start:stop] = False
    return at


def _near(mask: Bools, t_s: Floats, within_s: float) -> Bools:
    near = mask.copy()
    for start, stop in runs(mask):
        near |= (t_s >= t_s[start] - within_s) & (t_s <= t_s[stop - 1] + within_s)
    return near


def _silent(shock_mps2: Floats, trip: Trip, wanted: Accelerometry) -> bool:
    """Whether both axes are zero throughout a drive: no sensor in a moving car says so."""
    known = shock_mps2[np.isfinite(shock_mps2)]
    return not known.any() and not trip.still.all() and bool(trip.t_s[-1] >= wanted.zero_least_s)


def _stuck(value: Floats, gps_mps2: Floats, trip: Trip, wanted: Accelerometry) -> bool:
    """Whether it repeats one value to the last bit while the GPS tells of changing forces."""
    same = np.concatenate((value[1:] == value[:-1], [False]))
    for start, stop in runs(same):
        seen = gps_mps2[start : stop + 1]
        seen = seen[np.isfinite(seen)]
        if (
            stop - start >= wanted.stuck_least_repeats
            and trip.t_s[stop] - trip.t_s[start] >= wanted.stuck_least_s
            and len(seen)
            and float(np.ptp(seen)) >= wanted.stuck_least_change_mps2
        ):
            return True
    return False


def _calibrated(
    trip: Trip, believed: Bools, gps_forward_mps2: Floats, gps_lateral_mps2: Floats, wanted: Accelerometry
) -> bool:
    """Whether units and axes are right: gravity where it belongs, and each axis follows the GPS one to one.

    The second is asked only where enough was accelerated, braked or turned to tell; swapped or turned axes and a unit
    that is wrong by gravity all miss it by far. Of the lateral axis the side is not asked: boxes differ in it.
    """
    readings = trip.readings
    rests = [readings.acceleration_forward_mps2, readings.acceleration_lateral_mps2]
    if any(abs(float(np.median(axis[believed]))) > wanted.most_rest_mps2 for axis in rests if believed.any()):
        return False
    vertical = readings.acceleration_vertical_mps2[believed & np.isfinite(readings.acceleration_vertical_mps2)]
    if len(vertical):
        gravity = abs(float(np.median(vertical)))
        removed, kept = (
            gravity <= wanted.gravity_removed_mps2,
            abs(gravity - STANDARD_GRAVITY_MPS2) <= wanted.gravity_off,
        )
        if not (removed or kept):
            return False
    low, high = wanted.slope_range
    forward = _slope_beside_gps(trip, rests[0], believed, gps_forward_mps2, wanted)
    if forward is not None and not low <= forward <= high:
        return False
    lateral = _slope_beside_gps(trip, rests[1], believed, gps_lateral_mps2, wanted)
    opposite = _slope_beside_gps(trip, -rests[1], believed, gps_lateral_mps2, wanted)
    return lateral is None or opposite is None or low <= max(lateral, opposite) <= high


def _slope_beside_gps(
    trip: Trip, axis: NDArray[np.float32], believed: Bools, gps_mps2: Floats, wanted: Accelerometry
) -> float | None:
    """How much an axis moves with one m/s2 of the GPS, at the lag where they agree best; None: too calm."""
    known = believed & np.isfinite(gps_mps2)
    if int(known.sum()) < wanted.slope_least_readings:
        return None
    t_s = trip.t_s[known]
    felt = local_mean(t_s, axis[known].astype(np.float64), wanted.slope_half_s)
    beside = local_mean(t_s, gps_mps2[known], wanted.slope_half_s)
    moved = beside - beside.mean()
    strong = np.abs(moved) >= wanted.slope_least_mps2
    if float((moved[strong] ** 2).sum()) * trip.sampling_interval_s < wanted.slope_least_energy:
        return None
    best, slope = -np.inf, 0.0
    for lag_s in np.arange(0.0, wanted.lag_s + 1.01, 0.5):
        later = np.interp(t_s + lag_s, t_s, moved)
        strong = np.abs(later) >= wanted.slope_least_mps2
        product = float(((felt - felt.mean()) * later)[strong].sum())
        if product > best:
            best, slope = product, product / max(float((later[strong] ** 2).sum()), 1e-9)
    return slope
