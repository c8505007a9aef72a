"""Facts of real files: three trips of one driver in Curitiba, drives in Rabat whose positions are held for 13 s."""

import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.files.mapping import find_mapping
from ingest.files.read import read_file
from ingest.readings import Readings
from ingest.validate import validate
from scoring.files import score_files

DATA = Path(__file__).parents[2].parent / "shared" / "data"
CURITIBA, RABAT = DATA / "curitiba", DATA / "rabat"

LATER: Any = {"as_of": datetime(2026, 11, 1, tzinfo=UTC), "on_refused": lambda path, row: None}


def readings_of(path: Path, mapping: str) -> Readings:
    return validate(read_file(path, find_mapping(mapping))[0][1], None).readings


def integral_m(readings: Readings, from_us: int, to_us: int) -> float:
    rows = (readings.fix_time_us >= from_us) & (readings.fix_time_us <= to_us)
    speed, t_s = readings.speed_mps[rows].astype(float), readings.fix_time_us[rows] / 1e6
    return float(((speed[1:] + speed[:-1]) / 2 * np.diff(t_s)).sum())


@pytest.mark.skipif(not CURITIBA.exists(), reason="the real drives of Curitiba are not on this machine")
def test_curitiba_is_three_trips_within_a_hundredth_of_their_own_speed() -> None:
    trips = list(
        score_files([CURITIBA / "driver_A.csv"], find_mapping("curitiba"), CURITIBA / "curitiba.osm.pbf", **LATER)
    )
    readings = readings_of(CURITIBA / "driver_A.csv", "curitiba")
    cuts = np.flatnonzero(np.diff(readings.fix_time_us) > 3.6e9)
    edges = [0, *(cuts + 1), len(readings)]
    files_m = [
        integral_m(readings, int(readings.fix_time_us[start]), int(readings.fix_time_us[stop - 1]))
        for start, stop in itertools.pairwise(edges)
    ]
    assert [trip["distance_km"] for trip in trips] == pytest.approx([way / 1000 for way in files_m], rel=0.01)
    assert [trip["time_zone"] for trip in trips] == ["America/Sao_Paulo"] * 3
    for trip in trips:
        assert trip["quality"]["matched_share"] > 0.95
        assert trip["not_measurable"] == ["suspected_crash"]
        assert trip["totals"]["phone_s"] > 0
        assert trip["totals"]["belt_off_s"] == 0


@pytest.mark.skipif(not RABAT.exists(), reason="the real drives of Rabat are not on this machine")
@pytest.mark.parametrize("name", ["T1_03_29_2021", "T1_07_01_2021"])
def test_rabat_is_one_trip_although_its_positions_are_held(name: str) -> None:
    path = RABAT / f"{name}.csv"
    trips = list(score_files([path], find_mapping("rabat"), None, **LATER))
    readings = readings_of(path, "rabat")
    way_m = integral_m(readings, int(readings.fix_time_us[0]), int(readings.fix_time_us[-1]))
    assert len(trips) == 1
    assert trips[0]["distance_km"] == pytest.approx(way_m / 1000, rel=0.01)
    assert trips[0]["totals"]["reported_over_s"] > 60
    assert "speeding" in trips[0]["not_measurable"]


@pytest.mark.skipif(not RABAT.exists(), reason="the real drives are not on this machine")
def test_no_real_drive_is_taken_for_other_travel() -> None:
    files = [
        (CURITIBA / "driver_A.csv", "curitiba"),
        (DATA / "omaha" / "drives_1_9.csv.gz", "omaha"),
        *((path, "rabat") for path in sorted(RABAT.glob("*.csv"))),
    ]
    trips = [trip for path, name in files for trip in score_files([path], find_mapping(name), None, **LATER)]
    assert len(trips) >= 17
    assert [trip["excluded"] for trip in trips] == [None] * len(trips)
    said = {flag for trip in trips for flag in trip["quality"]["flags"]}
    assert said.isdisjoint({"bicycle_like", "bus_like", "off_road", "odometer_mismatch"})
