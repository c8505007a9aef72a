"""Events of a trip: one manoeuvre is one event, and what the sampling cannot resolve is not measurable, never 0."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from scoring.accelerometer import Accelerometer, examine
from scoring.driven import Driven
from scoring.geodesy import wrapped_deg
from scoring.series import Bools, Floats, exceedances, held_runs, local_slope, steps
from scoring.settings import Thresholds
from scoring.trips import Trip

KINDS = (
    "hard_brake",
    "hard_acceleration",
    "hard_corner",
    "speeding",
    "phone_use",
    "seat_belt_off",
    "suspected_crash",
)
_SOURCE_AND_UNIT = {
    "hard_brake": ("gps_speed", "mps2"),
    "hard_acceleration": ("gps_speed", "mps2"),
    "hard_corner": ("gps_heading", "mps2"),
    "speeding": ("map_limit", "kmh_over"),
    "phone_use": ("device", "s"),
    "seat_belt_off": ("device", "s"),
    "suspected_crash": ("accelerometer", "mps2"),
}
KNOWN_SHARE = 0.9  # of a trip's readings must report what a kind of event is read from
DEVICE_SHARE = 0.5  # phone and belt: held states, reported on change by some devices


@dataclass(frozen=True, slots=True)
class Event:
    """One finding. `peak` is in `peak_unit`: mps2 (positive), kmh_over, or s for a state that lasted."""

    kind: str
    started_us: int
    ended_us: int
    peak: float
    peak_unit: str
    latitude_deg: float
    longitude_deg: float
    source: str
    sampling_interval_s: float
    thresholds_version: str
    totals: Mapping[str, int] = field(
        default_factory=dict
    )  # what it adds to the trip's totals: without it they are less


@dataclass(frozen=True, slots=True)
class Findings:
    """The events of a trip in order of start, the kinds that could not be measured on it, and why not the sensor."""

    events: tuple[Event, ...]
    not_measurable: tuple[str, ...]
    flags: tuple[str, ...] = ()  # what is wrong with the accelerometer


@dataclass(frozen=True, slots=True)
class _Signals:
    """What manoeuvres are read from, worked out once a trip: accelerations of shape (n,), NaN unknown."""

    gps_forward_mps2: Floats
    gps_lateral_mps2: Floats
    imu: Accelerometer
    dense_speed: bool
    dense_heading: bool


@dataclass(frozen=True, slots=True)
class _Finder:
    kind: str
    measurable: Callable[[Trip, Driven, Thresholds, _Signals], bool]
    find: Callable[[Trip, Driven, Thresholds, _Signals], list[Event]]


def find_events(trip: Trip, driven: Driven, limits: Thresholds) -> Findings:
    """Every kind of `KINDS` either looked for or named as not measurable."""
    signals = _signals(trip, limits)
    events: list[Event] = []
    unmeasured = []
    for finder in FINDERS:
        if finder.measurable(trip, driven, limits, signals):
            events += finder.find(trip, driven, limits, signals)
        else:
            unmeasured.append(finder.kind)
    events.sort(key=lambda event: (event.started_us, KINDS.index(event.kind)))
    return Findings(tuple(events), tuple(unmeasured), signals.imu.flags)


def _signals(trip: Trip, limits: Thresholds) -> _Signals:
    forward, lateral = acceleration_mps2(trip, limits), lateral_mps2(trip, limits)
    dense_speed = _dense_speed(trip, limits)
    return _Signals(
        gps_forward_mps2=forward,
        gps_lateral_mps2=lateral,
        imu=examine(trip, forward, lateral, limits.accelerometer),
        dense_speed=dense_speed,
        dense_heading=dense_speed and _dense_heading(trip, limits),
    )


def forces(trip: Trip, driven: Driven, limits: Thresholds) -> tuple[Floats | None, Floats | None]:
    """Forward and lateral acceleration by the sensor that decides at each reading, shape (n,); None: not measurable."""
    signals = _signals(trip, limits)
    forward, lateral = signals.gps_forward_mps2, signals.gps_lateral_mps2
    if (imu := signals.imu).usable:
        forward = np.where(np.isfinite(imu.forward_mps2), imu.forward_mps2, forward)
        lateral = np.where(np.isfinite(imu.lateral_mps2), imu.lateral_mps2, lateral)
    return (
        forward if _forces_known(trip, driven, limits, signals) else None,
        lateral if _turns_known(trip, driven, limits, signals) else None,
    )


def acceleration_mps2(trip: Trip, limits: Thresholds) -> Floats:
    """Forward acceleration of the reported speed, shape (n,): line fitted over some 2 s, NaN over silences."""
    return local_slope(trip.t_s, _reported_speed(trip), limits.derivative_half_window_s)


def lateral_mps2(trip: Trip, limits: Thresholds) -> Floats:
    """Lateral acceleration speed x turn rate, shape (n,), positive to the right; NaN where too slow for a heading.

    Headings are unwound first, so north is no jump: 359 to 1 is 2 degrees; nor does north turn near a pole.
    """
    speed = _reported_speed(trip)
    heading = trip.readings.heading_deg.astype(np.float64)
    known = np.isfinite(heading) & (speed >= limits.corner_least_speed_mps)
    turn = np.full(len(heading), np.nan)
    at = trip.readings
    turn[known] = _unwound_deg(heading[known], at.latitude_deg[known], at.longitude_deg[known])
    rate = np.radians(local_slope(trip.t_s, turn, limits.derivative_half_window_s))
    return np.where(known, rate * speed, np.nan)


def over_limit_mps(trip: Trip, driven: Driven) -> Floats:
    """Speed minus the map's posted limit, shape (n,); NaN where no limit is known."""
    over: Floats = trip.speed_mps - driven.limit_mps
    return over


def _reported_speed(trip: Trip) -> Floats:
    return np.where(trip.reported, trip.speed_mps, np.nan)


def _unwound_deg(heading_deg: Floats, latitude_deg: Floats, longitude_deg: Floats) -> Floats:
    """Headings as one angle that runs on; a straight line's heading turns with the meridians, by sin(latitude)."""
    if not len(heading_deg):
        return heading_deg
    middle = np.radians((latitude_deg[1:] + latitude_deg[:-1]) / 2)
    meridians_deg = wrapped_deg(steps(longitude_deg)) * np.sin(middle)
    unwound: Floats = np.concatenate(([0.0], np.cumsum(wrapped_deg(steps(heading_deg) - meridians_deg))))
    return unwound


def _dense_speed(trip: Trip, limits: Thresholds) -> bool:
    return trip.sampling_interval_s <= limits.longest_interval_s and float(trip.reported.mean()) >= KNOWN_SHARE


def _dense_heading(trip: Trip, limits: Thresholds) -> bool:
    moving = trip.speed_mps >= limits.corner_least_speed_mps
    known = np.isfinite(trip.readings.heading_deg[moving])
    return len(known) > 0 and float(known.mean()) >= KNOWN_SHARE


def _forces_known(trip: Trip, driven: Driven, limits: Thresholds, signals: _Signals) -> bool:
    sensed = signals.imu.usable and trip.sampling_interval_s <= limits.longest_interval_s
    return sensed or signals.dense_speed


def _turns_known(trip: Trip, driven: Driven, limits: Thresholds, signals: _Signals) -> bool:
    sensed = signals.imu.usable and trip.sampling_interval_s <= limits.longest_interval_s
    return sensed or signals.dense_heading


def _impacts_known(trip: Trip, driven: Driven, limits: Thresholds, signals: _Signals) -> bool:
    wanted = limits.accelerometer
    reported = float(np.isfinite(signals.imu.shock_mps2).mean()) >= wanted.known_share
    broken = "imu_stuck" in signals.imu.flags or "imu_uncalibrated" in signals.imu.flags
    return reported and not broken and trip.sampling_interval_s <= wanted.crash_longest_interval_s


def _limit_known(trip: Trip, driven: Driven, limits: Thresholds, signals: _Signals) -> bool:
    frequent = trip.sampling_interval_s <= limits.speeding_longest_interval_s
    return frequent and bool(np.isfinite(driven.limit_mps).any())


def _phone_reported(trip: Trip, driven: Driven, limits: Thresholds, signals: _Signals) -> bool:
    return float(np.isfinite(trip.readings.phone_in_use).mean()) >= DEVICE_SHARE


def _belt_reported(trip: Trip, driven: Driven, limits: Thresholds, signals: _Signals) -> bool:
    return float(np.isfinite(trip.readings.belt_fastened).mean()) >= DEVICE_SHARE


def _hard_brakes(trip: Trip, driven: Driven, limits: Thresholds, signals: _Signals) -> list[Event]:
    sensed = _sensed("hard_brake", trip, -signals.imu.forward_mps2, limits.brake_mps2, limits, signals.imu)
    if not signals.dense_speed:
        return sensed
    seen = _manoeuvres("hard_brake", trip, -signals.gps_forward_mps2, limits.brake_mps2, limits)
    return _fused(sensed, seen, trip, limits, signals.imu)


def _hard_accelerations(trip: Trip, driven: Driven, limits: Thresholds, signals: _Signals) -> list[Event]:
    felt_mps2 = limits.acceleration_mps2 + limits.accelerometer.slope_mps2
    sensed = _sensed("hard_acceleration", trip, signals.imu.forward_mps2, felt_mps2, limits, signals.imu)
    if not signals.dense_speed:
        return sensed
    forward = signals.gps_forward_mps2
    seen = _manoeuvres("hard_acceleration", trip, forward, limits.acceleration_mps2, limits)
    return _fused(sensed, seen, trip, limits, signals.imu)


def _hard_corners(trip: Trip, driven: Driven, limits: Thresholds, signals: _Signals) -> list[Event]:
    sensed = [
        event
        for side in (signals.imu.lateral_mps2, -signals.imu.lateral_mps2)
        for event in _sensed("hard_corner", trip, side, limits.corner_mps2, limits, signals.imu)
    ]
    if not signals.dense_heading:
        return sensed
    return _fused(sensed, _turned_hard(trip, signals.gps_lateral_mps2, limits), trip, limits, signals.imu)


def _turned_hard(trip: Trip, lateral: Floats, limits: Thresholds) -> list[Event]:
    heading = trip.readings.heading_deg.astype(np.float64)
    columns = (heading, trip.readings.latitude_deg, trip.readings.longitude_deg)
    found = []
    # Left and right apart: the two bends of an S are two manoeuvres.
    for side in (lateral, -lateral):
        for start, stop, peak in _exceedances(trip, side, limits.corner_mps2, limits):
            around = slice(max(start - 1, 0), stop + 1)
            known = np.isfinite(heading[around])
            turned = abs(_unwound_deg(*(column[around][known] for column in columns))[-1])
            if turned >= limits.corner_least_turn_deg:
                found.append(_event(trip, start, stop, limits, kind="hard_corner", peak=peak))
    return found


def _speeding(trip: Trip, driven: Driven, limits: Thresholds, signals: _Signals) -> list[Event]:
    over = over_limit_mps(trip, driven)
    found = []
    for start, stop in _held_runs(trip, over > 0.0, limits):
        above = over[start:stop] > limits.speeding_tolerance_mps
        rows = start + np.flatnonzero(above)
        # Only the stretch from the first to the last reading above the tolerance, so creeping over the limit is none.
        if len(rows) >= 2 and trip.t_s[rows[-1]] - trip.t_s[rows[0]] >= limits.speeding_least_s:
            first, last = int(rows[0]), int(rows[-1])
            peak = float(over[first : last + 1].max()) * 3.6
            found.append(_event(trip, first, last + 1, limits, kind="speeding", peak=peak))
    return found


def _phone_use(trip: Trip, driven: Driven, limits: Thresholds, signals: _Signals) -> list[Event]:
    using = (trip.readings.phone_in_use == 1.0) & (trip.speed_mps >= limits.phone_least_speed_mps)
    return _states("phone_use", trip, using, limits.phone_least_s, limits)


def _seat_belt_off(trip: Trip, driven: Driven, limits: Thresholds, signals: _Signals) -> list[Event]:
    off = (trip.readings.belt_fastened == 0.0) & (trip.speed_mps >= limits.phone_least_speed_mps)
    return _states("seat_belt_off", trip, off, limits.belt_least_s, limits)


def _suspected_crashes(trip: Trip, driven: Driven, limits: Thresholds, signals: _Signals) -> list[Event]:
    """An impact of 2 g or more from which the car loses speed that no brake takes, and then stands."""
    wanted = limits.accelerometer
    with np.errstate(invalid="ignore"):
        struck = signals.imu.shock_mps2 >= wanted.crash_least_mps2
    found: list[Event] = []
    for start, stop in _held_runs(trip, struck, limits):
        at_s, t_s = trip.t_s[start], trip.t_s
        before = trip.speed_mps[(t_s >= at_s - wanted.lag_s) & (t_s <= at_s)].max()
        settled_s = at_s + 2 * wanted.lag_s
        after = (t_s >= settled_s) & (t_s <= settled_s + wanted.crash_still_s)
        rest = trip.speed_mps[after] if after.any() else trip.speed_mps[-1:]
        if before - rest.max() >= wanted.crash_least_loss_mps and rest.max() <= wanted.least_speed_mps:
            peak = float(np.nanmax(signals.imu.shock_mps2[start:stop]))
            found.append(_event(trip, start, stop, limits, kind="suspected_crash", peak=peak))
    return found


def _sensed(
    kind: str, trip: Trip, signal: Floats, threshold: float, limits: Thresholds, imu: Accelerometer
) -> list[Event]:
    """Manoeuvres by the accelerometer: of a car that moves."""
    if not imu.usable:
        return []
    wanted = limits.accelerometer
    found = []
    for start, stop, peak in _exceedances(trip, signal, threshold, limits):
        first_s, last_s = trip.t_s[start] - wanted.lag_s, trip.t_s[stop - 1] + wanted.lag_s
        around = trip.speed_mps[(trip.t_s >= first_s) & (trip.t_s <= last_s)]
        if around.max() >= wanted.least_speed_mps:
            event = _event(trip, start, stop, limits, kind=kind, peak=peak)
            found.append(replace(event, source="accelerometer"))
    return found


def _fused(sensed: list[Event], seen: list[Event], trip: Trip, limits: Thresholds, imu: Accelerometer) -> list[Event]:
    """The accelerometer's, and of the GPS's only those around which the accelerometer said nothing."""
    if not imu.usable:
        return seen
    lag_us = int(limits.accelerometer.lag_s * 1e6)
    times_us = trip.readings.fix_time_us[np.isfinite(imu.forward_mps2)]
    alone = [
        event for event in seen if not ((times_us >= event.started_us - lag_us) & (times_us <= event.ended_us)).any()
    ]
    return sensed + alone


def _manoeuvres(kind: str, trip: Trip, signal: Floats, threshold: float, limits: Thresholds) -> list[Event]:
    return [
        _event(trip, start, stop, limits, kind=kind, peak=peak)
        for start, stop, peak in _exceedances(trip, signal, threshold, limits)
    ]


def _exceedances(trip: Trip, signal: Floats, threshold: float, limits: Thresholds) -> list[tuple[int, int, float]]:
    """Half-open rows where the signal stays above the leaving level and somewhere reaches the threshold; its peak."""
    leave = limits.leave_share * threshold
    rows, peaks = exceedances(trip.t_s, signal, trip.in_gap, leave, threshold, limits.merge_s)
    return [(start, stop, peak) for (start, stop), peak in zip(rows.tolist(), peaks.tolist(), strict=True)]


def _held_runs(trip: Trip, mask: Bools, limits: Thresholds) -> list[tuple[int, int]]:
    """Runs of `mask`, cut at gaps, joined where at most `merge_s` lies between two."""
    return [(start, stop) for start, stop in held_runs(trip.t_s, mask, trip.in_gap, limits.merge_s).tolist()]


def _states(kind: str, trip: Trip, mask: Bools, least_s: float, limits: Thresholds) -> list[Event]:
    found = []
    for start, stop in _held_runs(trip, mask, limits):
        last = min(stop, len(trip.t_s) - 1)  # a state holds until the next reading says otherwise
        if last == stop and trip.in_gap[stop - 1]:
            last = stop - 1
        duration_s = float(trip.t_s[last] - trip.t_s[start])
        if duration_s >= least_s:
            found.append(_event(trip, start, last + 1, limits, kind=kind, peak=duration_s))
    return found


def _event(trip: Trip, start: int, stop: int, limits: Thresholds, *, kind: str, peak: float) -> Event:
    """An event from reading `start` to the one before `stop`."""
    source, unit = _SOURCE_AND_UNIT[kind]
    readings = trip.readings
    return Event(
        kind=kind,
        started_us=int(readings.fix_time_us[start]),
        ended_us=int(readings.fix_time_us[stop - 1]),
        peak=round(peak, 3),
        peak_unit=unit,
        latitude_deg=float(readings.latitude_deg[start]),
        longitude_deg=float(readings.longitude_deg[start]),
        source=source,
        sampling_interval_s=round(trip.sampling_interval_s, 3),
        thresholds_version=limits.version,
    )


# The list: what is looked for, when it can be measured, and how.
FINDERS = (
    _Finder("hard_brake", _forces_known, _hard_brakes),
    _Finder("hard_acceleration", _forces_known, _hard_accelerations),
    _Finder("hard_corner", _turns_known, _hard_corners),
    _Finder("speeding", _limit_known, _speeding),
    _Finder("phone_use", _phone_reported, _phone_use),
    _Finder("seat_belt_off", _belt_reported, _seat_belt_off),
    _Finder("suspected_crash", _impacts_known, _suspected_crashes),
)
