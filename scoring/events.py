"""Events of a trip as values: one manoeuvre is one event, and what cannot be measured is named, never 0."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from scoring.accelerometer import FLAGS, Accelerometer, examine
from scoring.driven import Driven
from scoring.exposure import event_totals
from scoring.finding import KINDS
from scoring.measuring import Measured
from scoring.series import Floats
from scoring.settings import Thresholds
from scoring.signals import Drive, dense_heading, dense_speed, forward_by_speed, lateral_by_heading
from scoring.trips import Trip

__all__ = ["KINDS", "Event", "Findings", "findings_of", "forces", "over_limit_mps"]

_SOURCE_AND_UNIT = {
    "hard_brake": ("gps_speed", "mps2"),
    "hard_acceleration": ("gps_speed", "mps2"),
    "hard_corner": ("gps_heading", "mps2"),
    "speeding": ("map_limit", "kmh_over"),
    "phone_use": ("device", "s"),
    "seat_belt_off": ("device", "s"),
    "suspected_crash": ("accelerometer", "mps2"),
}


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


def findings_of(measured: Measured, number: int, trip: Trip, limits: Thresholds) -> Findings:
    """What was found on one of the measured trips."""
    rows = slice(int(measured.first_event[number]), int(measured.first_event[number + 1]))
    return Findings(
        tuple(_events(measured, rows, trip, limits)) if rows.stop > rows.start else (),
        tuple(kind for kind, seen in zip(KINDS, measured.looked.measurable[number].tolist(), strict=True) if not seen),
        tuple(flag for flag, holds in zip(FLAGS, measured.looked.sensor_faults[number].tolist(), strict=True) if holds),
    )


def _events(measured: Measured, rows: slice, trip: Trip, limits: Thresholds) -> Iterator[Event]:
    found, at, version = measured.events, trip.readings, limits.version
    start, last = found.start[rows], found.stop[rows] - 1
    columns = (
        found.kind[rows], at.fix_time_us[start], at.fix_time_us[last], found.peak[rows], at.latitude_deg[start],
        at.longitude_deg[start], found.sensed[rows], measured.severe[rows], measured.amounts[rows],
    )  # fmt: skip
    for number, started_us, ended_us, peak, latitude_deg, longitude_deg, sensed, severe, amounts in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        kind = KINDS[number]
        source, unit = _SOURCE_AND_UNIT[kind]
        yield Event(
            kind=kind,
            started_us=started_us,
            ended_us=ended_us,
            peak=peak,
            peak_unit=unit,
            latitude_deg=latitude_deg,
            longitude_deg=longitude_deg,
            source="accelerometer" if sensed else source,
            sampling_interval_s=round(trip.sampling_interval_s, 3),
            thresholds_version=version,
            totals=event_totals(kind, severe, amounts),
        )


def over_limit_mps(trip: Trip, driven: Driven) -> Floats:
    """Speed minus the map's posted limit, shape (n,); NaN where no limit is known."""
    over: Floats = trip.speed_mps - driven.limit_mps
    return over


def forces(trip: Trip, driven: Driven, limits: Thresholds) -> tuple[Floats | None, Floats | None]:
    """Forward and lateral acceleration by the sensor that decides at each reading, shape (n,); None: not measurable."""
    drive = _drive_of(trip, driven)
    forward, lateral = forward_by_speed(drive, limits), lateral_by_heading(drive, limits)
    imu: Accelerometer = examine(drive, forward, lateral, limits.accelerometer)
    speeds = dense_speed(drive, limits)
    headings = speeds and dense_heading(drive, limits)
    sensed = imu.usable and drive.interval_s <= limits.longest_interval_s
    if imu.usable:
        forward = np.where(np.isfinite(imu.forward_mps2), imu.forward_mps2, forward)
        lateral = np.where(np.isfinite(imu.lateral_mps2), imu.lateral_mps2, lateral)
    return forward if sensed or speeds else None, lateral if sensed or headings else None


def _drive_of(trip: Trip, driven: Driven) -> Drive:
    at = trip.readings
    return Drive(
        trip.t_s,
        trip.speed_mps,
        trip.reported,
        trip.still,
        trip.step_s,
        trip.step_m,
        trip.in_gap,
        at.latitude_deg,
        at.longitude_deg,
        at.heading_deg,
        at.acceleration_forward_mps2,
        at.acceleration_lateral_mps2,
        at.acceleration_vertical_mps2,
        at.phone_in_use,
        at.belt_fastened,
        at.reported_limit_mps,
        driven.limit_mps,
        trip.sampling_interval_s,
    )
