"""Where, when and how fast a trip was driven: integer cells that sum exactly to its measured metres and seconds."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS, OVER_LIMIT_BANDS, UNMATCHED
from scoring.driven import Driven
from scoring.events import Event, Findings, over_limit_mps
from scoring.features import LONG_DRIVE_S, SEVERE_FACTOR, SEVERE_OVER_KMH, STARTS
from scoring.place_time import hour_bands, local_start
from scoring.series import Floats, largest_remainder
from scoring.settings import Thresholds
from scoring.trips import Trip

_BAND_EDGES_MPS = np.array([0.0, 10.0, 20.0]) / 3.6
_CELL_SUMS = ("all", *OVER_LIMIT_BANDS, *HOUR_BANDS, *EXPOSURE_CLASSES)  # no name stands in two of the lists
_ROUNDING_MPS = 1e-4  # a float32 speed at the limit is not over it


@dataclass(frozen=True, slots=True)
class Cell:
    """Metres and seconds driven in one road class, hour band and over-limit band."""

    road_class: str
    hour_band: str
    over_limit_band: str
    distance_m: int
    duration_s: int


def exposure_cells(trip: Trip, driven: Driven) -> tuple[Cell, ...]:
    """The trip's measured steps by class, hour and band of the reading they begin at; cells without both are left out.

    Metres sum to the trip's distance, seconds to its duration without gaps, both rounded once.
    """
    readings = trip.readings
    hours = hour_bands(readings.fix_time_us, readings.latitude_deg, readings.longitude_deg)
    number = (driven.road_class * len(HOUR_BANDS) + hours) * len(OVER_LIMIT_BANDS) + over_limit_bands(trip, driven)
    cells = np.flatnonzero(np.bincount(number[:-1]))
    metres = _whole(np.bincount(number[:-1], trip.step_m)[cells])
    seconds = _whole(np.bincount(number[:-1], np.where(trip.in_gap, 0.0, trip.step_s))[cells])
    found = []
    for cell, distance_m, duration_s in zip(cells.tolist(), metres.tolist(), seconds.tolist(), strict=True):
        rest, band = divmod(cell, len(OVER_LIMIT_BANDS))
        road_class, hour = divmod(rest, len(HOUR_BANDS))
        if distance_m or duration_s:
            found.append(
                Cell(EXPOSURE_CLASSES[road_class], HOUR_BANDS[hour], OVER_LIMIT_BANDS[band], distance_m, duration_s)
            )
    return tuple(found)


def over_limit_bands(trip: Trip, driven: Driven) -> NDArray[np.intp]:
    """The index into OVER_LIMIT_BANDS of each reading, shape (n,)."""
    over = over_limit_mps(trip, driven)
    if np.isnan(over).all():
        return np.full(len(over), OVER_LIMIT_BANDS.index("unknown"), dtype=np.intp)
    band = np.searchsorted(_BAND_EDGES_MPS + _ROUNDING_MPS, np.nan_to_num(over), side="left")
    return np.where(np.isnan(over), OVER_LIMIT_BANDS.index("unknown"), band).astype(np.intp)


def cell_totals(cells: Iterable[Cell]) -> dict[str, int]:
    """Metres and seconds by cell under the names that CELL_FEATURES read; of any number of trips."""
    totals: dict[str, int] = {}
    for cell in cells:
        name = f"{cell.road_class}_{cell.hour_band}_{cell.over_limit_band}"
        totals[f"{name}_m"] = totals.get(f"{name}_m", 0) + cell.distance_m
        totals[f"{name}_s"] = totals.get(f"{name}_s", 0) + cell.duration_s
    return totals


def trip_totals(
    trip: Trip, driven: Driven, findings: Findings, cells: tuple[Cell, ...], limits: Thresholds, zone: str
) -> dict[str, int]:
    """The additive counters of one trip: the features of any set of trips are made of their sums.

    `zone`: the time zone whose clock says at which hour the trip began.
    """
    totals = _cell_totals(cells)
    distance_m = totals["distance_m"]
    totals |= {
        "trips": 1,
        "gap_m": round(trip.gap_m),
        "duration_s": round(float(trip.t_s[-1])),
        "gap_s": round(float(trip.step_s[trip.in_gap].sum())),
    }
    for kind, name in (("hard_brake", "brake"), ("hard_acceleration", "acceleration"), ("hard_corner", "corner")):
        totals[f"{name}_measurable_m"] = 0 if kind in findings.not_measurable else distance_m
    for kind in ("hard_brake", "hard_acceleration", "hard_corner", "speeding"):
        found = [event for event in findings.events if event.kind == kind]
        totals[f"{kind}_events"] = len(found)
        totals[f"severe_{kind}_events"] = sum(_severe(event, limits) for event in found)
    driving_s = float(trip.step_s[~trip.in_gap].sum())
    totals["long_drives"] = int(driving_s > LONG_DRIVE_S)
    totals["long_drive_s"] = round(max(driving_s - LONG_DRIVE_S, 0.0))
    totals[f"{STARTS}{local_start(int(trip.readings.fix_time_us[0]), zone)}"] = 1
    return totals | _state_totals(trip, findings, limits)


def with_totals(trip: Trip, driven: Driven, findings: Findings, limits: Thresholds) -> tuple[Event, ...]:
    """The events, each with what it adds to the trip's totals: where it turns out to be none, a subtraction undoes it.

    Of speeding that is the way over the limit within it, in whole metres and seconds of its own.
    """
    bands = over_limit_bands(trip, driven)[:-1] if any(event.kind == "speeding" for event in findings.events) else None
    return tuple(replace(event, totals=_event_totals(trip, event, bands, limits)) for event in findings.events)


def _event_totals(trip: Trip, event: Event, bands: NDArray[np.intp] | None, limits: Thresholds) -> dict[str, int]:
    at = trip.readings.fix_time_us[:-1]
    within = (at >= event.started_us) & (at <= event.ended_us) & ~trip.in_gap
    if event.kind in ("phone_use", "seat_belt_off"):
        held, name = {
            "phone_use": (trip.readings.phone_in_use[:-1] == 1.0, "phone_s"),
            "seat_belt_off": (trip.readings.belt_fastened[:-1] == 0.0, "belt_off_s"),
        }[event.kind]
        moving = trip.speed_mps[:-1] >= limits.phone_least_speed_mps
        return {name: round(float(trip.step_s[within & held & moving].sum()))}
    if event.kind not in ("hard_brake", "hard_acceleration", "hard_corner", "speeding"):
        return {}
    totals = {f"{event.kind}_events": 1, f"severe_{event.kind}_events": int(_severe(event, limits))}
    if event.kind == "speeding" and bands is not None:
        for band in OVER_LIMIT_BANDS[1:4]:
            over = within & (bands == OVER_LIMIT_BANDS.index(band))
            totals[f"{band}_m"] = round(float(trip.step_m[over].sum()))
            totals[f"{band}_s"] = round(float(trip.step_s[over].sum()))
    return totals


def _severe(event: Event, limits: Thresholds) -> bool:
    """Whether a manoeuvre reached `SEVERE_FACTOR` thresholds of its class, or speeding 20 km/h over the limit."""
    severe = {
        "hard_brake": SEVERE_FACTOR * limits.brake_mps2,
        "hard_acceleration": SEVERE_FACTOR * limits.acceleration_mps2,
        "hard_corner": SEVERE_FACTOR * limits.corner_mps2,
        "speeding": SEVERE_OVER_KMH,
    }
    return event.peak >= severe[event.kind]


def _cell_totals(cells: tuple[Cell, ...]) -> dict[str, int]:
    metres, seconds = dict.fromkeys(_CELL_SUMS, 0), dict.fromkeys(_CELL_SUMS, 0)
    for cell in cells:
        for name in ("all", cell.over_limit_band, cell.hour_band, cell.road_class):
            metres[name] += cell.distance_m
            seconds[name] += cell.duration_s
    totals = {
        "distance_m": metres["all"],
        "measured_s": seconds["all"],
        "limit_known_m": metres["all"] - metres["unknown"],
        "limit_known_s": seconds["all"] - seconds["unknown"],
    }
    for name in (*OVER_LIMIT_BANDS[1:4], *HOUR_BANDS, *EXPOSURE_CLASSES):
        totals[f"{name}_m"], totals[f"{name}_s"] = metres[name], seconds[name]
    totals["matched_m"] = totals["distance_m"] - totals[f"{EXPOSURE_CLASSES[UNMATCHED]}_m"]
    return totals


def _state_totals(trip: Trip, findings: Findings, limits: Thresholds) -> dict[str, int]:
    """Seconds and metres of what the device reports: phone, belt and its own posted limit."""
    readings = trip.readings
    moving = (trip.speed_mps >= limits.phone_least_speed_mps)[:-1] & ~trip.in_gap
    phone, belt = readings.phone_in_use[:-1], readings.belt_fastened[:-1]
    reported = readings.reported_limit_mps[:-1].astype(np.float64)
    has_limit = np.isfinite(reported) & ~trip.in_gap
    phone_known = moving & np.isfinite(phone) & ("phone_use" not in findings.not_measurable)
    belt_known = moving & np.isfinite(belt) & ("seat_belt_off" not in findings.not_measurable)
    over_reported = has_limit & (trip.speed_mps[:-1] > reported + _ROUNDING_MPS)

    def seconds(mask: NDArray[np.bool_]) -> int:
        return round(float(trip.step_s[mask].sum()))

    return {
        "phone_measurable_s": seconds(phone_known),
        "phone_measurable_m": round(float(trip.step_m[phone_known].sum())),
        "phone_s": seconds(phone_known & (phone == 1.0)),
        "belt_measurable_s": seconds(belt_known),
        "belt_off_s": seconds(belt_known & (belt == 0.0)),
        "reported_limit_s": seconds(has_limit),
        "reported_over_s": seconds(over_reported),
    }


def _whole(shares: Floats) -> NDArray[np.int64]:
    return largest_remainder(shares, round(float(shares.sum())))
