"""Omaha's graded drives beside what scoring finds. Graded: a reading of 0.35 g or more on one axis."""

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingest.files.mapping import find_mapping
from ingest.files.read import read_file
from ingest.readings import Readings
from ingest.validate import validate
from scoring.path import ScoredTrip, score_readings

DRIVES = Path(__file__).parents[2].parent / "shared" / "data" / "omaha" / "drives_1_9.csv.gz"
NEAR_US = 2_000_000  # GPS speed follows the accelerometer by up to two seconds
MANOEUVRES = ("hard_brake", "hard_acceleration", "hard_corner")


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of `graded` events `found` are near one of ours; of `ours`, `right` are near a graded one."""

    graded: int
    found: int
    ours: int
    right: int

    @property
    def recall(self) -> float:
        return self.found / self.graded

    @property
    def precision(self) -> float:
        return self.right / self.ours if self.ours else 1.0


def omaha_readings() -> Readings:
    return validate(read_file(DRIVES, find_mapping("omaha"))[0][1], None).readings


def graded_times_us() -> list[int]:
    """The instant of every graded reading."""
    with gzip.open(DRIVES, "rt", encoding="utf-8") as lines:
        return [int(float(row["time_utc"]) * 1e6) for row in csv.DictReader(lines) if row["accel_event_cat"]]


def scored_with(accelerometer: bool) -> list[ScoredTrip]:
    readings = omaha_readings()
    if not accelerometer:
        nothing = np.full(len(readings), np.nan)
        readings = readings.replace(acceleration_forward_mps2=nothing, acceleration_lateral_mps2=nothing)
    return score_readings(readings, None, None, device="omaha")


def agreement(trips: list[ScoredTrip]) -> Agreement:
    graded = graded_times_us()
    ours = [event for trip in trips for event in trip.events if event.kind in MANOEUVRES]
    near = [[event.started_us - NEAR_US <= time_us <= event.ended_us + NEAR_US for time_us in graded] for event in ours]
    return Agreement(
        graded=len(graded),
        found=sum(any(row[index] for row in near) for index in range(len(graded))),
        ours=len(ours),
        right=sum(any(row) for row in near),
    )
