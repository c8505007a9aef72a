"""Matching where roads lie close or over each other, or nothing was heard: constructed maps with one true answer."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scoring.extract import read_road_map
from scoring.geodesy import from_local_xy_m
from scoring.match import HiddenMarkovMatcher, Matched
from scoring.roads import RoadMap

ORIGIN = (60.0, 25.0)

type Floats = NDArray[np.float64]
type Way = tuple[str, list[tuple[float, float]], str]  # name, points in metres east and north, oneway


def map_of(folder: Path, *ways: Way) -> RoadMap:
    features = []
    for name, points, oneway in ways:
        latitude, longitude = from_local_xy_m(*np.array(points).T, *ORIGIN)
        line = {"type": "LineString", "coordinates": np.column_stack((longitude, latitude)).tolist()}
        tags = {"highway": "primary", "name": name, "oneway": oneway}
        features.append({"type": "Feature", "properties": tags, "geometry": line})
    path = folder / "roads.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return read_road_map(path, folder)


def match(roads: RoadMap, x_m: Floats, y_m: Floats, noise_m: float = 0.0) -> Matched:
    rng = np.random.default_rng(3)
    noisy = [np.asarray(axis, dtype=np.float64) + rng.normal(0.0, noise_m, len(x_m)) for axis in (x_m, y_m)]
    times_us = np.arange(len(x_m), dtype=np.int64) * 1_000_000
    return HiddenMarkovMatcher(roads).match(times_us, *from_local_xy_m(*noisy, *ORIGIN), np.full(len(x_m), np.nan))


def names(roads: RoadMap, matched: Matched) -> list[str]:
    return list(dict.fromkeys(roads.names[name] for name in roads.edge_name[matched.route_edge]))


@pytest.mark.parametrize("noise_m", [0.0, 5.0])
def test_under_a_bridge_the_car_stays_on_its_road(tmp_path: Path, noise_m: float) -> None:
    roads = map_of(
        tmp_path,
        ("Under", [(0.0, 0.0), (600.0, 0.0)], "no"),
        ("Bridge", [(300.0, -300.0), (300.0, 300.0)], "no"),  # they share no point
    )
    x_m = np.arange(5.0, 595.0, 10.0)
    matched = match(roads, x_m, np.zeros(len(x_m)), noise_m)
    assert names(roads, matched) == ["Under"]
    assert np.all(matched.edge == 0)
    assert not matched.breaks.any()


@pytest.mark.parametrize(("x_from", "x_to", "name"), [(10.0, 790.0, "East"), (790.0, 10.0, "West")])
def test_of_two_carriageways_the_one_of_the_direction_driven(
    tmp_path: Path, x_from: float, x_to: float, name: str
) -> None:
    roads = map_of(
        tmp_path,
        ("East", [(0.0, 0.0), (800.0, 0.0)], "yes"),
        ("West", [(800.0, 14.0), (0.0, 14.0)], "yes"),
    )
    x_m = np.linspace(x_from, x_to, 79)
    for y_m in (2.0, 7.0, 12.0):  # on either, and between them
        assert names(roads, match(roads, x_m, np.full(79, y_m), 3.0)) == [name]


def test_a_side_road_that_runs_along_is_not_taken(tmp_path: Path) -> None:
    roads = map_of(
        tmp_path,
        ("Main", [(0.0, 0.0), (100.0, 0.0), (700.0, 0.0), (800.0, 0.0)], "no"),
        ("Frontage", [(100.0, 0.0), (120.0, 20.0), (680.0, 20.0), (700.0, 0.0)], "no"),
    )
    x_m = np.arange(5.0, 795.0, 10.0)
    assert names(roads, match(roads, x_m, np.full(len(x_m), 1.0), 5.0)) == ["Main"]
    y_m = np.interp(x_m, [100.0, 120.0, 680.0, 700.0], [0.0, 20.0, 20.0, 0.0])
    assert names(roads, match(roads, x_m, y_m, 5.0)) == ["Main", "Frontage"]


def test_a_tunnel_without_fixes_is_driven_through(tmp_path: Path) -> None:
    bend = [(900.0, 0.0), (1200.0, 200.0), (1500.0, 200.0), (1800.0, 0.0)]
    roads = map_of(
        tmp_path,
        ("Before", [(0.0, 0.0), (900.0, 0.0)], "no"),
        ("Tunnel", bend, "no"),
        ("After", [(1800.0, 0.0), (2700.0, 0.0)], "no"),
        ("Detour", [(900.0, 0.0), (900.0, -900.0), (1800.0, -900.0), (1800.0, 0.0)], "no"),
    )
    x_m = np.concatenate((np.arange(10.0, 880.0, 15.0), np.arange(1820.0, 2690.0, 15.0)))
    matched = match(roads, x_m, np.zeros(len(x_m)), 4.0)
    assert names(roads, matched) == ["Before", "Tunnel", "After"]
    assert not matched.breaks.any()


def test_a_roundabout_is_driven_round_in_its_direction(tmp_path: Path) -> None:
    at = {"south": (0.0, -20.0), "east": (20.0, 0.0), "north": (0.0, 20.0), "west": (-20.0, 0.0)}
    ring = [(20 * np.sin(turn), -20 * np.cos(turn)) for turn in np.radians(np.arange(0.0, 361.0, 15.0))]
    ring[0], ring[6], ring[12], ring[18], ring[24] = (at[n] for n in ("south", "east", "north", "west", "south"))
    arms: list[Way] = [(name, [(x, y), (x * 15, y * 15)], "no") for name, (x, y) in at.items()]
    roads = map_of(tmp_path, ("Ring", ring, "yes"), *arms)
    inbound = np.column_stack((np.zeros(28), np.arange(-290.0, -10.0, 10.0)))
    three_quarters = np.array(ring[1:19:2])
    outbound = np.column_stack((np.arange(-30.0, -290.0, -10.0), np.zeros(26)))
    x_m, y_m = np.concatenate((inbound, three_quarters, outbound)).T
    matched = match(roads, x_m, y_m)
    assert names(roads, matched) == ["south", "Ring", "west"]
    on_ring = roads.edge_name[matched.route_edge] == roads.names.index("Ring")
    assert np.count_nonzero(on_ring) == 3
    assert not matched.route_backward[on_ring].any()
    assert not matched.breaks.any()


def test_a_road_against_its_one_way_is_never_told_as_driven_backward(tmp_path: Path) -> None:
    roads = map_of(
        tmp_path,
        ("OneWay", [(0.0, 0.0), (500.0, 0.0)], "yes"),
        ("Beside", [(500.0, 40.0), (0.0, 40.0)], "no"),
    )
    x_m = np.linspace(490.0, 10.0, 49)
    matched = match(roads, x_m, np.full(49, 4.0))
    assert not matched.backward[matched.edge == 0].any()


def test_off_the_road_nothing_is_matched_and_the_way_back_is(tmp_path: Path) -> None:
    roads = map_of(tmp_path, ("Road", [(0.0, 0.0), (2000.0, 0.0)], "no"))
    x_m = np.arange(5.0, 1995.0, 10.0)
    y_m = 120.0 * ((x_m > 700.0) & (x_m < 1300.0))
    matched = match(roads, x_m, y_m)
    np.testing.assert_array_equal(matched.edge >= 0, y_m == 0.0)
    assert np.all(np.isnan(matched.distance_m[y_m > 0.0]))
