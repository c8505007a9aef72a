"""The streets of a trip: constructed, and those of a filed route."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.files.read import read_file
from scoring.extract import map_version, read_road_map
from scoring.files import score_files
from scoring.match import HiddenMarkovMatcher
from scoring.streets import Street, streets_of
from tests.scoring.test_match import cross, drive, match

MATCH = Path(__file__).parents[2].parent / "shared" / "data" / "match"


def test_streets_stand_in_the_order_they_were_driven_with_their_kilometres(tmp_path: Path) -> None:
    roads = replace(cross(tmp_path), names=("", "Long", "North"), edge_name=np.array([1, 1, 2], dtype=np.int32))
    x_m = np.concatenate((np.arange(50.0, 200.0, 10.0), np.full(15, 200.0)))
    y_m = np.concatenate((np.zeros(15), np.arange(0.0, 150.0, 10.0)))
    found = match(HiddenMarkovMatcher(roads), *drive(x_m, y_m))
    assert streets_of(found, roads) == (Street("Long", pytest.approx(0.15, abs=0.002)), Street("North", 0.14))
    back = match(HiddenMarkovMatcher(roads), *drive(x_m[::-1], y_m[::-1]))
    assert [street.name for street in streets_of(back, roads)] == ["North", "Long"]
    nowhere = match(HiddenMarkovMatcher(roads), *drive(x_m + 5_000.0, y_m))
    assert streets_of(nowhere, roads) == ()


FILED = ["Милана Видака", "Бранка Радичевића", "Здравка Челара"]
needs_data = pytest.mark.skipif(not MATCH.is_dir(), reason="the shared real data is not on this machine")


@needs_data
def test_the_filed_route_is_told_by_its_streets() -> None:
    roads = read_road_map(MATCH / "issue-70.osm.gz")
    [(_, decoded)] = read_file(MATCH / "issue-70.gpx", None)
    readings = decoded.readings
    found = HiddenMarkovMatcher(roads).match(
        readings.fix_time_us, readings.latitude_deg, readings.longitude_deg, np.full(len(readings), np.nan)
    )
    streets = streets_of(found, roads)
    assert [street.name for street in streets] == FILED
    assert all(street.km > 0.0 for street in streets)


@needs_data
def test_a_scored_file_tells_the_streets_of_its_trip() -> None:
    """The file's times are made up, a minute apart: its last 100 m are slower than a walk and taken for the stop."""
    late = datetime(2026, 11, 1, tzinfo=UTC)
    files = [MATCH / "issue-70.gpx"]
    [trip] = score_files(files, None, MATCH / "issue-70.osm.gz", as_of=late, on_refused=lambda path, row: None)
    streets: Any = trip["streets"]
    assert [street["name"] for street in streets] == FILED[:2]
    assert trip["versions"]["map"] == map_version(MATCH / "issue-70.osm.gz")  # type: ignore[index]
