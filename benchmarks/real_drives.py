"""What scoring says of real drives, beside what their own files say: streets, limits, seconds over, graded events.

Run `uv run python -m benchmarks.real_drives [FOLDER]`; the folder of the real files is `../shared/data` by default.
Nothing here is a target to tune by: two honest sources of a limit disagree, and a grade is a threshold on one reading.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ingest.files.mapping import find_mapping
from ingest.files.read import read_file
from ingest.readings import Readings
from ingest.validate import validate
from scoring.extract import read_road_map
from scoring.files import score_files
from scoring.match import HiddenMarkovMatcher
from scoring.roads import LIMIT_SOURCES, RoadMap
from scoring.streets import streets_of
from tests.scoring.omaha import agreement, scored_with

DATA = Path(__file__).parents[2] / "shared" / "data"
NEAR_M = 25.0
ROUNDING_MPS = 0.02  # the files' speeds have two decimals of a km/h or mph
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)


def matched_readings(readings: Readings, roads: RoadMap) -> Any:
    """The readings of one trip through the matcher alone, without cutting."""
    nothing = np.full(len(readings), np.nan)
    return HiddenMarkovMatcher(roads).match(
        readings.fix_time_us, readings.latitude_deg, readings.longitude_deg, nothing
    )


def streets_of_the_filed_route(folder: Path) -> None:
    roads = read_road_map(folder / "issue-70.osm.gz")
    [(_, decoded)] = read_file(folder / "issue-70.gpx", None)
    found = matched_readings(decoded.readings, roads)
    print("filed route:", "; ".join(f"{street.name} {street.km} km" for street in streets_of(found, roads)))


def curitiba(folder: Path) -> None:
    """Each trip as cut by scoring; the file's own street, limit and speed by the second of each reading."""
    mapping, extract = find_mapping("curitiba"), folder / "curitiba.osm.pbf"
    roads = read_road_map(extract)
    readings = validate(read_file(folder / "driver_A.csv", mapping)[0][1], None).readings
    table = pd.read_csv(folder / "driver_A.csv", sep=";", decimal=",", encoding="latin-1")
    assert len(table) == len(readings)
    cuts = np.flatnonzero(np.diff(readings.fix_time_us) > 3.6e9) + 1
    parts = [readings.take(rows) for rows in np.split(np.arange(len(readings)), cuts)]
    every = [matched_readings(part, roads) for part in parts]
    edge = np.concatenate([found.edge for found in every])
    distance_m = np.concatenate([found.distance_m for found in every])
    near = (edge >= 0) & (np.nan_to_num(distance_m, nan=np.inf) <= NEAR_M)
    print(f"Curitiba: {near.sum()} of {len(edge)} fixes within {NEAR_M:g} m of their edge ({near.mean():.2%})")
    street_agreement(edge, table["NOME_RUA"].to_numpy())
    limit_agreement(edge, roads, readings)
    scored = score_files([folder / "driver_A.csv"], mapping, extract, as_of=AS_OF, on_refused=lambda path, row: None)
    for trip in scored:
        over_s = sum(cell["duration_s"] for cell in trip["exposure"] if cell["over_limit_band"].startswith("over"))  # type: ignore[attr-defined]
        kinds = pd.Series([event["kind"] for event in trip["events"]]).value_counts().to_dict()  # type: ignore[attr-defined]
        totals: Any = trip["totals"]
        print(
            f"  {trip['started_at']} {trip['distance_km']} km, grade {trip['quality']['grade']}; over the map's limit "  # type: ignore[index]
            f"{over_s} of {totals['limit_known_s']} s; the file's {totals['reported_over_s']} of "
            f"{totals['reported_limit_s']} s, row by row {rows_over_s(readings, trip)[0]}; {kinds}"
        )


def rows_over_s(readings: Readings, trip: dict[str, Any]) -> tuple[int, int]:
    """Rows of the trip whose speed is over the limit of the same row, and rows with a limit, at 1 Hz."""
    first, last = (datetime.fromisoformat(str(trip[key])).timestamp() * 1e6 for key in ("started_at", "ended_at"))
    rows = (readings.fix_time_us >= first) & (readings.fix_time_us <= last)
    limit_mps = readings.reported_limit_mps[rows]
    return int((readings.speed_mps[rows] > limit_mps + ROUNDING_MPS).sum()), int(np.isfinite(limit_mps).sum())


def street_agreement(edge: np.ndarray[Any, Any], street: np.ndarray[Any, Any]) -> None:
    """The extract has no street names. So: does an edge lie in one street of the file? Each edge's name is what most of
    the other fixes on it are called, so that a fix does not vote for itself.
    """
    known = (edge >= 0) & (street != "NPI")
    counts = pd.crosstab(edge[known], street[known])
    names, table = np.array(counts.columns), counts.to_numpy()
    row = np.searchsorted(counts.index.to_numpy(), edge[known])
    own = np.searchsorted(names, street[known].astype(str))
    others = table[row].copy()
    others[np.arange(len(row)), own] -= 1
    voted = others.sum(axis=1) > 0
    agree = names[others.argmax(axis=1)][voted] == street[known][voted]
    print(f"  street by the other fixes of the same edge: {agree.mean():.1%} of {voted.sum()} fixes agree")


def limit_agreement(edge: np.ndarray[Any, Any], roads: RoadMap, readings: Readings) -> None:
    """Whose limit agrees with the file's, by where the map has it from."""
    theirs = readings.reported_limit_mps
    for number, source in enumerate(LIMIT_SOURCES):
        of_source = (edge >= 0) & np.isfinite(theirs) & (roads.edge_limit_source[edge] == number)
        ours = roads.edge_limit_mps[edge[of_source]]
        same = np.isclose(ours, theirs[of_source], atol=0.1).mean() if of_source.any() else np.nan
        print(f"  limit {source}: {of_source.sum()} fixes, {same:.1%} as the file says")


def rabat(paths: list[Path]) -> None:
    for path in paths:
        for trip in score_files([path], find_mapping("rabat"), None, as_of=AS_OF, on_refused=lambda path, row: None):
            totals: Any = trip["totals"]
            readings = validate(read_file(path, find_mapping("rabat"))[0][1], None).readings
            over_s, known_s = rows_over_s(readings, trip)
            file_share = over_s / max(known_s, 1)
            ours = totals["reported_over_s"] / max(totals["reported_limit_s"], 1)
            print(
                f"Rabat {path.stem}: {trip['distance_km']} km, over the posted limit {totals['reported_over_s']} of "
                f"{totals['reported_limit_s']} s ({ours:.1%}); rows of the file {file_share:.1%}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=DATA)
    folder: Path = parser.parse_args().folder
    if not folder.is_dir():
        raise SystemExit(f"{folder} is no folder: name the one with curitiba/, match/, omaha/, rabat/")
    streets_of_the_filed_route(folder / "match")
    curitiba(folder / "curitiba")
    for name, fused in (("GPS alone", False), ("with the accelerometer", True)):
        found = agreement(scored_with(accelerometer=fused))
        print(f"Omaha, {name}: recall {found.recall:.2f}, precision {found.precision:.2f}; {found}")
    rabat(sorted((folder / "rabat").glob("T1_*.csv")))


if __name__ == "__main__":
    main()
