"""Where, when and how fast trips were driven, compiled: integer counters that features are made of by summing.

Metres and seconds by cell (road class x hour band x over-limit band) sum exactly to the measured way and time of a
trip, both rounded once; every other counter is rounded by itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ingest.compiled import compiled
from ingest.readings import Int64s
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS, OVER_LIMIT_BANDS, UNMATCHED
from scoring.features import LONG_DRIVE_S, SEVERE_FACTOR, SEVERE_OVER_KMH
from scoring.finding import ACCELERATION, BELT, BRAKE, CORNER, KINDS, PHONE, SPEEDING, EventRows
from scoring.series import Bools, largest_remainder
from scoring.settings import Thresholds
from scoring.signals import Drive

CELLS = len(EXPOSURE_CLASSES) * len(HOUR_BANDS) * len(OVER_LIMIT_BANDS)
OVER = OVER_LIMIT_BANDS[1:4]
COUNTED_KINDS = KINDS[: SPEEDING + 1]
# What `count_trip` writes, in its order.
TOTALS: tuple[str, ...] = (
    "distance_m",
    "measured_s",
    "limit_known_m",
    "limit_known_s",
    *(f"{name}_{unit}" for name in (*OVER, *HOUR_BANDS, *EXPOSURE_CLASSES) for unit in ("m", "s")),
    "matched_m",
    "trips",
    "gap_m",
    "duration_s",
    "gap_s",
    "brake_measurable_m",
    "acceleration_measurable_m",
    "corner_measurable_m",
    *(f"{severe}{kind}_events" for kind in COUNTED_KINDS for severe in ("", "severe_")),
    "long_drives",
    "long_drive_s",
    "phone_measurable_s",
    "phone_measurable_m",
    "phone_s",
    "belt_measurable_s",
    "belt_off_s",
    "reported_limit_s",
    "reported_over_s",
)
_AMOUNTS = tuple(f"{band}_{unit}" for band in OVER for unit in ("m", "s"))
_HOURS, _BANDS, _CLASSES = len(HOUR_BANDS), len(OVER_LIMIT_BANDS), len(EXPOSURE_CLASSES)
_UNKNOWN = OVER_LIMIT_BANDS.index("unknown")
_ROUNDING_MPS = 1e-4  # a float32 speed at the limit is not over it
_BAND_EDGES_MPS = np.array([0.0, 10.0, 20.0]) / 3.6 + _ROUNDING_MPS


@dataclass(frozen=True, slots=True)
class Cell:
    """Metres and seconds driven in one road class, hour band and over-limit band."""

    road_class: str
    hour_band: str
    over_limit_band: str
    distance_m: int
    duration_s: int


def cells_of(metres: Int64s, seconds: Int64s) -> tuple[Cell, ...]:
    """The cells of one trip, each of shape (CELLS,), without those that have neither metres nor seconds."""
    found = []
    for cell in np.flatnonzero(metres | seconds).tolist():
        rest, band = divmod(cell, _BANDS)
        road_class, hour = divmod(rest, _HOURS)
        found.append(
            Cell(
                EXPOSURE_CLASSES[road_class],
                HOUR_BANDS[hour],
                OVER_LIMIT_BANDS[band],
                int(metres[cell]),
                int(seconds[cell]),
            )
        )
    return tuple(found)


def cell_totals(cells: Iterable[Cell]) -> dict[str, int]:
    """Metres and seconds by cell under the names that CELL_FEATURES read; of any number of trips."""
    totals: dict[str, int] = {}
    for cell in cells:
        name = f"{cell.road_class}_{cell.hour_band}_{cell.over_limit_band}"
        totals[f"{name}_m"] = totals.get(f"{name}_m", 0) + cell.distance_m
        totals[f"{name}_s"] = totals.get(f"{name}_s", 0) + cell.duration_s
    return totals


@compiled
def over_limit_band(drive: Drive, i: int) -> int:
    """The index into OVER_LIMIT_BANDS of reading i."""
    over = drive.speed_mps[i] - drive.limit_mps[i] if len(drive.limit_mps) else np.nan
    if np.isnan(over):
        return _UNKNOWN
    return int((over > _BAND_EDGES_MPS[0]) + (over > _BAND_EDGES_MPS[1]) + (over > _BAND_EDGES_MPS[2]))


@compiled
def fill_cells(
    drive: Drive, road_class: Int64s, hour_row: Int64s, hour_band: Int64s, metres: Int64s, seconds: Int64s
) -> None:
    """Measured steps by class, hour and band of the reading they begin at, each of shape (CELLS,).

    `road_class` is () where no map was asked; from reading hour_row[k] on it is hour_band[k].
    """
    way_m, time_s, used = np.zeros(CELLS), np.zeros(CELLS), np.zeros(CELLS, dtype=np.bool_)
    k, matched = 0, len(road_class) > 0
    for i in range(len(drive.step_m)):
        while k + 1 < len(hour_row) and hour_row[k + 1] <= i:
            k += 1
        of_class = road_class[i] if matched else UNMATCHED
        cell = (of_class * _HOURS + hour_band[k]) * _BANDS + over_limit_band(drive, i)
        way_m[cell] += drive.step_m[i]
        time_s[cell] += 0.0 if drive.in_gap[i] else drive.step_s[i]
        used[cell] = True
    cells = np.flatnonzero(used)
    for shares, whole in ((way_m[cells], metres), (time_s[cells], seconds)):
        parts = largest_remainder(shares, int(np.rint(shares.sum())))
        for place in range(len(cells)):
            whole[cells[place]] = parts[place]


@compiled
def count_trip(
    drive: Drive,
    gap_m: float,
    metres: Int64s,
    seconds: Int64s,
    measurable: Bools,
    events: EventRows,
    first: int,
    after: int,
    limits: Thresholds,
    totals: Int64s,
) -> None:
    """Writes the counters of `TOTALS` in their order; events `first` to `after` are those of the trip."""
    at = _count_cells(metres, seconds, totals)
    distance_m = totals[0]
    silent_s, driving_s = 0.0, 0.0
    for i in range(len(drive.step_s)):
        silent_s += drive.step_s[i] if drive.in_gap[i] else 0.0
        driving_s += 0.0 if drive.in_gap[i] else drive.step_s[i]
    totals[at] = 1
    totals[at + 1] = np.rint(gap_m)
    totals[at + 2] = np.rint(drive.t_s[-1] - drive.t_s[0])
    totals[at + 3] = np.rint(silent_s)
    at += 4
    for kind in (BRAKE, ACCELERATION, CORNER):
        totals[at] = distance_m if measurable[kind] else 0
        at += 1
    for row in range(first, after):
        if events.kind[row] <= SPEEDING:
            totals[at + 2 * events.kind[row]] += 1
            totals[at + 2 * events.kind[row] + 1] += severe(events.kind[row], events.peak[row], limits)
    at += 2 * (SPEEDING + 1)
    totals[at] = driving_s > LONG_DRIVE_S
    totals[at + 1] = np.rint(max(driving_s - LONG_DRIVE_S, 0.0))
    _count_states(drive, measurable, limits, totals[at + 2 :])


@compiled
def severe(kind: int, peak: float, limits: Thresholds) -> bool:
    """Whether a manoeuvre reached `SEVERE_FACTOR` thresholds of its class, or speeding 20 km/h over the limit."""
    if kind == SPEEDING:
        return peak >= SEVERE_OVER_KMH
    thresholds = (limits.brake_mps2, limits.acceleration_mps2, limits.corner_mps2)
    return peak >= SEVERE_FACTOR * thresholds[kind]


@compiled
def _count_cells(metres: Int64s, seconds: Int64s, totals: Int64s) -> int:
    """Sums over the cells; returns where the next counter stands."""
    over, hours = 4, 4 + 2 * (_UNKNOWN - 1)
    classes = hours + 2 * _HOURS
    after = classes + 2 * _CLASSES
    for cell in range(CELLS):
        if not metres[cell] and not seconds[cell]:
            continue
        band, hour, of_class = cell % _BANDS, cell // _BANDS % _HOURS, cell // (_BANDS * _HOURS)
        for unit, amount in ((0, metres[cell]), (1, seconds[cell])):
            totals[unit] += amount
            if band != _UNKNOWN:
                totals[2 + unit] += amount
                if band > 0:
                    totals[over + 2 * (band - 1) + unit] += amount
            totals[hours + 2 * hour + unit] += amount
            totals[classes + 2 * of_class + unit] += amount
    totals[after] = totals[0] - totals[classes + 2 * UNMATCHED]
    return after + 1


@compiled
def _count_states(drive: Drive, measurable: Bools, limits: Thresholds, totals: Int64s) -> None:
    """Seconds and metres of what the device reports: phone, belt and its own posted limit."""
    sums = np.zeros(7)
    for i in range(len(drive.step_s)):
        if drive.in_gap[i]:
            continue
        step_s = drive.step_s[i]
        limit_mps = np.float64(drive.reported_limit_mps[i])
        if np.isfinite(limit_mps):
            sums[5] += step_s
            sums[6] += step_s if drive.speed_mps[i] > limit_mps + _ROUNDING_MPS else 0.0
        if drive.speed_mps[i] < limits.phone_least_speed_mps:
            continue
        if measurable[PHONE] and np.isfinite(drive.phone_in_use[i]):
            sums[0] += step_s
            sums[1] += drive.step_m[i]
            sums[2] += step_s if drive.phone_in_use[i] == 1.0 else 0.0
        if measurable[BELT] and np.isfinite(drive.belt_fastened[i]):
            sums[3] += step_s
            sums[4] += step_s if drive.belt_fastened[i] == 0.0 else 0.0
    for k in range(len(sums)):
        totals[k] = np.rint(sums[k])


@compiled
def event_amounts(drive: Drive, kind: int, start: int, stop: int, limits: Thresholds, amounts: Int64s) -> None:
    """What one event lasted, shape (6,): of speeding metres and seconds in each band over the limit; of phone and belt
    the seconds of a moving car, first. In whole metres and seconds of its own.
    """
    sums = np.zeros(len(amounts))
    for i in range(start, min(stop, len(drive.step_s))):
        if drive.in_gap[i]:
            continue
        if kind == SPEEDING:
            band = over_limit_band(drive, i)
            if 0 < band < _UNKNOWN:
                sums[2 * (band - 1)] += drive.step_m[i]
                sums[2 * (band - 1) + 1] += drive.step_s[i]
        elif drive.speed_mps[i] >= limits.phone_least_speed_mps:
            holds = drive.phone_in_use[i] == 1.0 if kind == PHONE else drive.belt_fastened[i] == 0.0
            sums[0] += drive.step_s[i] if holds else 0.0
    for k in range(len(sums)):
        amounts[k] = np.rint(sums[k])


def event_totals(kind: str, is_severe: bool, amounts: Sequence[int]) -> dict[str, int]:
    """What an event adds to its trip's totals: where it turns out to be none, a subtraction undoes it."""
    if kind in ("phone_use", "seat_belt_off"):
        return {"phone_s" if kind == "phone_use" else "belt_off_s": amounts[0]}
    if kind not in COUNTED_KINDS:
        return {}
    totals = {f"{kind}_events": 1, f"severe_{kind}_events": int(is_severe)}
    if kind == "speeding":
        totals |= dict(zip(_AMOUNTS, amounts, strict=True))
    return totals
