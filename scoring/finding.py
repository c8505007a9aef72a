"""Events of a trip, compiled: one manoeuvre is one row, and what the sampling cannot resolve is not measurable."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled
from ingest.readings import Float32s, Int64s
from scoring.accelerometer import Accelerometer, examine
from scoring.series import Bools, Floats, exceedances, held_runs
from scoring.settings import Thresholds
from scoring.signals import (
    Drive,
    dense_heading,
    dense_speed,
    forward_by_speed,
    known_share,
    lateral_by_heading,
    turned_deg,
)

KINDS = (
    "hard_brake",
    "hard_acceleration",
    "hard_corner",
    "speeding",
    "phone_use",
    "seat_belt_off",
    "suspected_crash",
)
BRAKE, ACCELERATION, CORNER, SPEEDING, PHONE, BELT, CRASH = range(len(KINDS))
DEVICE_SHARE = 0.5  # phone and belt: held states, reported on change by some devices
_PEAK_STEPS = 1000.0  # a peak is kept to three decimals
_MICROSECOND_S = 1e-6


class EventRows(NamedTuple):
    """Events as columns: of trip `trip`, from its reading `start` to the one before `stop`.

    `peak` is in m/s2 (positive), km/h over the limit, or s of a state that lasted; `sensed`: by the accelerometer.
    """

    trip: Int64s
    kind: Int64s  # index into KINDS
    start: Int64s
    stop: Int64s
    peak: Floats
    sensed: Bools


class Looked(NamedTuple):
    """What could be looked for on t trips: shape (t, kinds), and what is wrong with the accelerometer, shape (t, 3)."""

    measurable: NDArray[np.bool_]
    sensor_faults: NDArray[np.bool_]


def new_event_rows(readings: int) -> EventRows:
    """Room for all events of so many readings: of no kind are there more, nor for either sensor."""
    most = (len(KINDS) + 2) * readings
    integers = [np.empty(most, dtype=np.int64) for _ in range(4)]
    return EventRows._make([*integers, np.empty(most), np.empty(most, dtype=np.bool_)])


@compiled
def find(drive: Drive, trip: int, limits: Thresholds, rows: EventRows, count: int, looked: Looked) -> int:
    """Appends the events of one trip in order of start, and says what was measurable; returns how many rows there are.

    Where the accelerometer decides, those seen by GPS count only where it said nothing.
    """
    forward, lateral = forward_by_speed(drive, limits), lateral_by_heading(drive, limits)
    imu = examine(drive, forward, lateral, limits.accelerometer)
    speeds = dense_speed(drive, limits)
    headings = speeds and dense_heading(drive, limits)
    sensed = imu.usable and drive.interval_s <= limits.longest_interval_s
    measurable = looked.measurable[trip]
    measurable[BRAKE] = measurable[ACCELERATION] = sensed or speeds
    measurable[CORNER] = sensed or headings
    measurable[SPEEDING] = drive.interval_s <= limits.speeding_longest_interval_s and np.isfinite(drive.limit_mps).any()
    measurable[PHONE] = known_share(drive.phone_in_use) >= DEVICE_SHARE
    measurable[BELT] = known_share(drive.belt_fastened) >= DEVICE_SHARE
    measurable[CRASH] = _impacts_known(drive, imu, limits)
    faults = looked.sensor_faults[trip]
    faults[0], faults[1], faults[2] = imu.saturated, imu.stuck, imu.uncalibrated
    first = count
    if measurable[BRAKE]:
        count = _strong(drive, BRAKE, forward, -1.0, limits.brake_mps2, limits, imu, speeds, rows, count)
        count = _strong(drive, ACCELERATION, forward, 1.0, limits.acceleration_mps2, limits, imu, speeds, rows, count)
    if measurable[CORNER]:
        for side in (1.0, -1.0):  # left and right apart: the two bends of an S are two manoeuvres
            count = _strong(drive, CORNER, lateral, side, limits.corner_mps2, limits, imu, headings, rows, count)
    if measurable[SPEEDING]:
        count = _speeding(drive, limits, rows, count)
    if measurable[PHONE]:
        count = _states(drive, PHONE, drive.phone_in_use, 1.0, limits.phone_least_s, limits, rows, count)
    if measurable[BELT]:
        count = _states(drive, BELT, drive.belt_fastened, 0.0, limits.belt_least_s, limits, rows, count)
    if measurable[CRASH]:
        count = _crashes(drive, imu, limits, rows, count)
    rows.trip[first:count] = trip
    _sort(rows, first, count)
    return count


@compiled
def _impacts_known(drive: Drive, imu: Accelerometer, limits: Thresholds) -> bool:
    reported = len(imu.shock_mps2) > 0
    return (
        reported
        and not imu.stuck
        and not imu.uncalibrated
        and drive.interval_s <= limits.accelerometer.crash_longest_interval_s
    )


@compiled
def _append(rows: EventRows, count: int, kind: int, start: int, stop: int, peak: float, sensed: bool) -> int:
    rows.kind[count], rows.start[count], rows.stop[count] = kind, start, stop
    rows.peak[count], rows.sensed[count] = np.rint(peak * _PEAK_STEPS) / _PEAK_STEPS, sensed
    return count + 1


@compiled
def _strong(
    drive: Drive,
    kind: int,
    gps_mps2: Floats,
    sign: float,
    threshold_mps2: float,
    limits: Thresholds,
    imu: Accelerometer,
    by_gps: bool,
    rows: EventRows,
    count: int,
) -> int:
    """Manoeuvres in which sign x acceleration stays above the leaving level and somewhere reaches the threshold."""
    t_s, wanted = drive.t_s, limits.accelerometer
    if imu.usable:
        felt_mps2 = threshold_mps2 + (wanted.slope_mps2 if kind == ACCELERATION else 0.0)
        signal = imu.lateral_mps2 if kind == CORNER else imu.forward_mps2
        leave = limits.leave_share * felt_mps2
        found, peaks = exceedances(t_s, signal, sign, drive.in_gap, leave, felt_mps2, limits.merge_s)
        for k in range(len(peaks)):
            start, stop = found[k, 0], found[k, 1]
            first, after = _within(t_s, t_s[start] - wanted.lag_s, t_s[stop - 1] + wanted.lag_s)
            if drive.speed_mps[first:after].max() >= wanted.least_speed_mps:  # of a car that moves
                count = _append(rows, count, kind, start, stop, peaks[k], True)
    if by_gps:
        leave = limits.leave_share * threshold_mps2
        found, peaks = exceedances(t_s, gps_mps2, sign, drive.in_gap, leave, threshold_mps2, limits.merge_s)
        for k in range(len(peaks)):
            start, stop = found[k, 0], found[k, 1]
            if kind == CORNER:
                turned = turned_deg(drive, max(start - 1, 0), min(stop + 1, len(t_s)))
                if abs(turned) < limits.corner_least_turn_deg:
                    continue
            if imu.usable:
                early_s = t_s[start] - wanted.lag_s - _MICROSECOND_S
                first, after = _within(t_s, early_s, t_s[stop - 1])
                if np.isfinite(imu.forward_mps2[first:after]).any():
                    continue
            count = _append(rows, count, kind, start, stop, peaks[k], False)
    return count


@compiled
def _within(t_s: Floats, low_s: float, high_s: float) -> tuple[int, int]:
    """The half-open rows with low <= t <= high."""
    return int(np.searchsorted(t_s, low_s)), int(np.searchsorted(t_s, high_s, side="right"))


@compiled
def _speeding(drive: Drive, limits: Thresholds, rows: EventRows, count: int) -> int:
    """Stretches over the limit, from the first to the last reading above the tolerance: creeping over it is none."""
    over = drive.speed_mps - drive.limit_mps
    for run in held_runs(drive.t_s, over > 0.0, drive.in_gap, limits.merge_s):
        first, last = -1, -1
        for i in range(run[0], run[1]):
            if over[i] > limits.speeding_tolerance_mps:
                first, last = (i if first < 0 else first), i
        if last > first and drive.t_s[last] - drive.t_s[first] >= limits.speeding_least_s:
            peak_kmh = np.nanmax(over[first : last + 1]) * 3.6
            count = _append(rows, count, SPEEDING, first, last + 1, peak_kmh, False)
    return count


@compiled
def _states(
    drive: Drive,
    kind: int,
    said: Float32s,
    wanted: float,
    least_s: float,
    limits: Thresholds,
    rows: EventRows,
    count: int,
) -> int:
    """What the device reports of a moving car, where it lasts."""
    holds = (said == wanted) & (drive.speed_mps >= limits.phone_least_speed_mps)
    for run in held_runs(drive.t_s, holds, drive.in_gap, limits.merge_s):
        start, stop = run[0], run[1]
        last = min(stop, len(drive.t_s) - 1)  # a state holds until the next reading says otherwise
        if last == stop and drive.in_gap[stop - 1]:
            last = stop - 1
        lasted_s = drive.t_s[last] - drive.t_s[start]
        if lasted_s >= least_s:
            count = _append(rows, count, kind, start, last + 1, lasted_s, False)
    return count


@compiled
def _crashes(drive: Drive, imu: Accelerometer, limits: Thresholds, rows: EventRows, count: int) -> int:
    """Impacts of 2 g or more from which the car loses speed that no brake takes, and then stands."""
    wanted, t_s, speed_mps = limits.accelerometer, drive.t_s, drive.speed_mps
    for run in held_runs(t_s, imu.shock_mps2 >= wanted.crash_least_mps2, drive.in_gap, limits.merge_s):
        start, stop = run[0], run[1]
        first, after = _within(t_s, t_s[start] - wanted.lag_s, t_s[start])
        before_mps = speed_mps[first:after].max()
        settled_s = t_s[start] + 2 * wanted.lag_s
        first, after = _within(t_s, settled_s, settled_s + wanted.crash_still_s)
        rest_mps = speed_mps[first:after].max() if after > first else speed_mps[-1]
        if before_mps - rest_mps >= wanted.crash_least_loss_mps and rest_mps <= wanted.least_speed_mps:
            count = _append(rows, count, CRASH, start, stop, np.nanmax(imu.shock_mps2[start:stop]), True)
    return count


@compiled
def _sort(rows: EventRows, first: int, after: int) -> None:
    """Rows in order of start, then of kind; they are few, and nearly in order."""
    for end in range(first + 1, after):
        place = end
        while place > first and (rows.start[place - 1], rows.kind[place - 1]) > (rows.start[place], rows.kind[place]):
            for column in (rows.kind, rows.start, rows.stop):
                column[place - 1], column[place] = column[place], column[place - 1]
            rows.peak[place - 1], rows.peak[place] = rows.peak[place], rows.peak[place - 1]
            rows.sensed[place - 1], rows.sensed[place] = rows.sensed[place], rows.sensed[place - 1]
            place -= 1
