"""Matching against drives whose route is known, and against real ones."""

import csv
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.matching import accuracy, known_drives, noisy
from scoring.extract import demo_extract, read_road_map
from scoring.geodesy import from_local_xy_m
from scoring.match import HiddenMarkovMatcher, Matched, white_noise_m
from scoring.roads import RoadMap

DATA = Path(__file__).parents[2].parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared real data is not on this machine")

type Float64s = NDArray[np.float64]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("roads")


@pytest.fixture(scope="module")
def helsinki(cache: Path) -> RoadMap:
    return read_road_map(demo_extract(), cache)


def match(matcher: HiddenMarkovMatcher, latitude_deg: Float64s, longitude_deg: Float64s, step_s: int = 1) -> Matched:
    count = len(latitude_deg)
    times_us = np.arange(count, dtype=np.int64) * step_s * 1_000_000
    return matcher.match(times_us, latitude_deg, longitude_deg, np.full(count, np.nan))


def cross(folder: Path, origin: tuple[float, float] = (60.0, 25.0), oneway: str = "no") -> RoadMap:
    """A street of 400 m to the east, edges 0 and 1, and one of 200 m to the north from its middle, edge 2."""
    latitude_deg, longitude_deg = from_local_xy_m([0, 200, 400, 200], [0, 0, 0, 200], *origin)
    west, middle, east, north = zip(longitude_deg.tolist(), latitude_deg.tolist(), strict=True)
    ways = [([west, middle, east], oneway), ([middle, north], "no")]
    features = [
        {
            "properties": {"highway": "residential", "oneway": direction},
            "geometry": {"type": "LineString", "coordinates": points},
        }
        for points, direction in ways
    ]
    path = folder / "cross.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return read_road_map(path, folder)


def drive(
    x_m: Float64s, y_m: Float64s | float, origin: tuple[float, float] = (60.0, 25.0)
) -> tuple[Float64s, Float64s]:
    x_m, y_m = np.broadcast_arrays(x_m, y_m)
    return from_local_xy_m(x_m, y_m, *origin)


@pytest.mark.parametrize(
    ("sigma_m", "correlated", "recall", "precision"),
    [(0.0, False, 0.99, 0.99), (5.0, False, 0.98, 0.98), (5.0, True, 0.98, 0.98), (15.0, False, 0.97, 0.96)],
)
def test_noisy_drives_with_a_known_route_find_its_edges(
    helsinki: RoadMap, sigma_m: float, correlated: bool, recall: float, precision: float
) -> None:
    rng = np.random.default_rng(11)
    matcher = HiddenMarkovMatcher(helsinki)
    drives = known_drives(helsinki, 20, rng)
    found = [match(matcher, *noisy(known, sigma_m, correlated, rng)).route_edge for known in drives]
    told = accuracy(helsinki, drives, found)
    assert told.recall >= recall
    assert told.precision >= precision


def test_the_reported_accuracy_helps_where_the_noise_is_large_and_slow(helsinki: RoadMap) -> None:
    rng = np.random.default_rng(12)
    matcher = HiddenMarkovMatcher(helsinki)
    drives = known_drives(helsinki, 20, rng)
    found = []
    for known in drives:
        positions = noisy(known, 15.0, True, rng)
        found.append(matcher.match(known.fix_time_us, *positions, np.full(len(known.edge), 22.0)).route_edge)
    assert accuracy(helsinki, drives, found).precision >= 0.95


def test_a_drive_of_one_fix_in_10_s_keeps_its_route(helsinki: RoadMap) -> None:
    rng = np.random.default_rng(13)
    matcher = HiddenMarkovMatcher(helsinki)
    drives = known_drives(helsinki, 20, rng)
    found = []
    for known in drives:
        latitude_deg, longitude_deg = noisy(known, 5.0, False, rng)
        found.append(match(matcher, latitude_deg[::10], longitude_deg[::10], 10).route_edge)
    told = accuracy(helsinki, drives, found)
    assert told.recall >= 0.93
    assert told.precision >= 0.93


def test_positions_on_a_street_are_told_in_metres_along_it(tmp_path: Path) -> None:
    roads = cross(tmp_path)
    x_m = np.arange(10.0, 390.0, 10.0)
    matched = match(HiddenMarkovMatcher(roads), *drive(x_m, 4.0))
    inside = x_m != 200.0  # the crossing itself belongs to both edges
    np.testing.assert_array_equal(matched.edge[inside], np.where(x_m < 200.0, 0, 1)[inside])
    np.testing.assert_allclose(matched.along_m[inside], (x_m % 200.0)[inside], atol=0.1)
    np.testing.assert_allclose(matched.distance_m, 4.0, atol=0.01)
    assert not matched.backward.any()
    assert not matched.breaks.any()
    assert matched.map_version == roads.version


def test_the_way_back_is_driven_backward(tmp_path: Path) -> None:
    matched = match(HiddenMarkovMatcher(cross(tmp_path)), *drive(np.arange(390.0, 10.0, -10.0), 4.0))
    assert matched.backward.all()
    assert matched.route_edge.tolist() == [1, 0]


def test_a_one_way_street_is_not_driven_backward(tmp_path: Path) -> None:
    matched = match(HiddenMarkovMatcher(cross(tmp_path, oneway="yes")), *drive(np.arange(390.0, 10.0, -10.0), 4.0))
    assert not matched.backward.any()


def test_a_side_street_that_noise_touches_is_not_entered(tmp_path: Path) -> None:
    x_m = np.arange(10.0, 390.0, 9.0)
    y_m = np.where(np.abs(x_m - 200.0) < 9.0, 9.0, 2.0)
    assert match(HiddenMarkovMatcher(cross(tmp_path)), *drive(x_m, y_m)).route_edge.tolist() == [0, 1]


def test_a_real_turn_round_is_followed(tmp_path: Path) -> None:
    x_m = np.concatenate((np.arange(10.0, 150.0, 10.0), np.arange(150.0, 10.0, -10.0)))
    matched = match(HiddenMarkovMatcher(cross(tmp_path)), *drive(x_m, 3.0))
    assert set(matched.edge.tolist()) == {0}
    assert (matched.backward[3], matched.backward[-3]) == (False, True)
    assert not matched.breaks.any()


def test_a_parked_car_stays_where_it_came_to(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    x_m = np.concatenate((np.arange(10.0, 180.0, 10.0), 180.0 + rng.normal(0.0, 3.0, 600)))
    matched = match(HiddenMarkovMatcher(cross(tmp_path)), *drive(x_m, 2.0))
    assert set(matched.edge.tolist()) == {0}
    assert matched.route_edge.tolist() == [0]


def test_fixes_without_a_position_or_far_from_every_road_are_unmatched(tmp_path: Path) -> None:
    latitude_deg, longitude_deg = drive(np.arange(10.0, 390.0, 10.0), 4.0)
    latitude_deg[5:8] = np.nan
    latitude_deg[20:23] -= 0.002
    matched = match(HiddenMarkovMatcher(cross(tmp_path)), latitude_deg, longitude_deg)
    lost = np.r_[5:8, 20:23]
    assert np.all(matched.edge[lost] == -1)
    assert np.all(np.isnan(matched.distance_m[lost]) & np.isnan(matched.along_m[lost]))
    assert np.all(np.delete(matched.edge, lost) >= 0)
    assert not matched.breaks.any()


def test_a_trip_outside_the_map_and_an_empty_one_are_no_errors(tmp_path: Path) -> None:
    matcher = HiddenMarkovMatcher(cross(tmp_path))
    assert np.all(match(matcher, *drive(np.arange(0.0, 300.0, 10.0), 0.0, (-33.0, 151.0))).edge == -1)
    assert np.all(match(matcher, np.full(4, np.nan), np.full(4, np.nan)).edge == -1)
    assert len(match(matcher, np.empty(0), np.empty(0))) == 0
    assert match(matcher, *drive(np.array([50.0]), 3.0)).edge.tolist() == [0]


def test_where_no_road_joins_two_streets_the_path_breaks(tmp_path: Path) -> None:
    roads = cross(tmp_path, oneway="yes")  # from its end nothing leads back to its start
    x_m = np.concatenate((np.arange(210.0, 390.0, 10.0), np.arange(10.0, 190.0, 10.0)))
    matched = match(HiddenMarkovMatcher(roads), *drive(x_m, 0.0))
    assert np.flatnonzero(matched.breaks).tolist() == [18]
    assert matched.route_edge.tolist() == [1, 0]


def test_a_single_wild_fix_does_not_break_the_path(tmp_path: Path) -> None:
    roads = cross(tmp_path, oneway="yes")
    x_m = np.arange(10.0, 390.0, 20.0)
    x_m[12] = 30.0
    matched = match(HiddenMarkovMatcher(roads), *drive(x_m, 0.0))
    assert not matched.breaks.any()
    assert matched.route_edge.tolist() == [0, 1]


@pytest.mark.parametrize("longitude_deg", [179.998, -180.0])
def test_longitude_180_is_no_wall(tmp_path: Path, longitude_deg: float) -> None:
    origin = (0.0, longitude_deg)
    matched = match(HiddenMarkovMatcher(cross(tmp_path, origin)), *drive(np.arange(10.0, 390.0, 10.0), 4.0, origin))
    assert matched.route_edge.tolist() == [0, 1]
    np.testing.assert_allclose(matched.distance_m, 4.0, atol=0.01)


def test_one_trip_has_one_answer_whatever_was_matched_before_and_beside_it(helsinki: RoadMap) -> None:
    rng = np.random.default_rng(14)
    traces = [noisy(known, 8.0, False, rng) for known in known_drives(helsinki, 6, rng)]
    fresh = [match(HiddenMarkovMatcher(helsinki), *trace) for trace in traces]
    shared = HiddenMarkovMatcher(helsinki)
    with ThreadPoolExecutor(2) as pool:
        beside = list(pool.map(lambda trace: match(shared, *trace), traces[::-1]))[::-1]
    for first, second in zip(fresh, beside, strict=True):
        for name in ("edge", "distance_m", "along_m", "backward", "breaks", "route_edge", "route_backward"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_times_that_fall_and_shapes_that_differ_are_refused(tmp_path: Path) -> None:
    matcher = HiddenMarkovMatcher(cross(tmp_path))
    with pytest.raises(ValueError, match="order"):
        matcher.match(np.array([2, 1]), np.zeros(2), np.zeros(2), np.zeros(2))
    with pytest.raises(ValueError, match="shape"):
        matcher.match(np.array([1, 2]), np.zeros(3), np.zeros(2), np.zeros(2))


@pytest.mark.parametrize("sigma_m", [5.0, 10.0, 20.0])
def test_independent_noise_is_measured_from_the_trip(sigma_m: float) -> None:
    rng = np.random.default_rng(15)
    x_m, y_m = np.arange(500) * 10.0 + rng.normal(0.0, sigma_m, 500), rng.normal(0.0, sigma_m, 500)
    times_us = np.arange(500, dtype=np.int64) * 1_000_000
    assert white_noise_m(times_us, *drive(x_m, y_m)) == pytest.approx(sigma_m, rel=0.1)
    assert white_noise_m(times_us, *drive(np.arange(500) * 10.0, 0.0)) < 0.01


@needs_data
def test_a_sparse_trace_takes_exactly_the_streets_of_the_filed_route(cache: Path) -> None:
    roads = read_road_map(DATA / "match" / "issue-70.osm.gz", cache)
    text = (DATA / "match" / "issue-70.gpx").read_text(encoding="utf-8")
    points = np.array(re.findall(r'<trkpt lat="([-\d.]+)" lon="([-\d.]+)"', text), dtype=np.float64)
    matched = match(HiddenMarkovMatcher(roads), points[:, 0], points[:, 1], 60)
    names = [roads.names[name] for name in roads.edge_name[matched.route_edge]]
    assert list(dict.fromkeys(names)) == ["Милана Видака", "Бранка Радичевића", "Здравка Челара"]


@needs_data
def test_real_trips_in_curitiba_lie_on_its_roads(cache: Path) -> None:
    roads = read_road_map(DATA / "curitiba" / "curitiba.osm.pbf", cache)
    matcher = HiddenMarkovMatcher(roads)
    trips: dict[str, list[tuple[float, float]]] = {}
    with (DATA / "curitiba" / "driver_A.csv").open(encoding="latin-1", newline="") as file:
        for row in csv.DictReader(file, delimiter=";"):
            position = float(row["LAT"].replace(",", ".")), float(row["LONG"].replace(",", "."))
            trips.setdefault(row["ID"], []).append(position)
    traces = [np.array(positions) for positions in trips.values()]
    matched = [match(matcher, trace[:, 0], trace[:, 1]) for trace in traces]
    assert sum(map(len, matched)) == 3623
    assert np.mean(np.concatenate([trip.distance_m for trip in matched]) <= 25.0) >= 0.97
    assert sum(int(trip.breaks.sum()) for trip in matched) == 0
