import json
import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from scoring.classes import ROAD_CLASSES
from scoring.errors import BadRoadFile, ExtractMissing, NoDrivableRoads, NotAnExtract, UnknownCountry
from scoring.extract import demo_extract, map_version, read_road_map
from scoring.geodesy import haversine_m
from scoring.road_file import save_road_map
from scoring.road_tags import (
    DEFAULT,
    TAGGED,
    UNKNOWN,
    directions,
    parse_limit,
    road_class,
    speed_limit,
    with_default,
)
from scoring.roads import RoadMap, describe

DATA = Path(__file__).parents[2].parent / "shared" / "data"


@pytest.fixture(scope="module")
def helsinki(tmp_path_factory: pytest.TempPathFactory) -> RoadMap:
    return read_road_map(demo_extract(), tmp_path_factory.mktemp("roads"))


def write_roads(folder: Path, *ways: tuple[dict[str, str], list[tuple[float, float]]]) -> Path:
    """A GeoJSON of ways, each its tags and (longitude, latitude) points."""
    features = [
        {"type": "Feature", "properties": tags, "geometry": {"type": "LineString", "coordinates": points}}
        for tags, points in ways
    ]
    path = folder / "roads.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


STREET = {"highway": "residential"}


@pytest.mark.parametrize(
    ("value", "kmh", "source"),
    [
        ("50", 50.0, TAGGED),
        ("50 km/h", 50.0, TAGGED),
        ("30 mph", 48.28032, TAGGED),
        ("50 mph", 80.4672, TAGGED),
        ("DE:zone30", 30.0, TAGGED),
        ("FI:30", 30.0, TAGGED),
        ("walk", 7.0, TAGGED),
        ("none", math.nan, TAGGED),
        ("DE:motorway", math.nan, TAGGED),
        ("FI:urban", 50.0, DEFAULT),
        ("XX:urban", math.nan, UNKNOWN),
        ("signals", math.nan, UNKNOWN),
        ("NPI", math.nan, UNKNOWN),
        ("0", math.nan, UNKNOWN),
        ("5000", math.nan, UNKNOWN),
        ("-30", math.nan, UNKNOWN),
        ("", math.nan, UNKNOWN),
    ],
)
def test_a_maxspeed_value_is_a_limit_in_metres_per_second(value: str, kmh: float, source: int) -> None:
    limit_mps, told = parse_limit(value)
    assert told == source
    assert limit_mps * 3.6 == pytest.approx(kmh, nan_ok=True)


def test_of_limits_that_differ_by_direction_the_higher_counts() -> None:
    assert speed_limit({"maxspeed:forward": "50", "maxspeed:backward": "70"}) == (pytest.approx(70 / 3.6), TAGGED)


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ({"highway": "motorway_link"}, "motorway"),
        ({"highway": "unclassified"}, "residential"),
        ({"highway": "living_street"}, "residential"),
        ({"highway": "residential", "access": "private"}, "service"),
        ({"highway": "residential", "access": "no", "motor_vehicle": "yes"}, "residential"),
        ({"highway": "residential", "access": "no"}, None),
        ({"highway": "service", "motor_vehicle": "no"}, None),
        ({"highway": "footway"}, None),
        ({"highway": "cycleway"}, None),
        ({"highway": "service", "area": "yes"}, None),
        ({"building": "yes"}, None),
    ],
)
def test_a_way_belongs_to_a_class_or_is_not_drivable(tags: dict[str, str], name: str | None) -> None:
    found = road_class(tags)
    assert (None if found is None else ROAD_CLASSES[found]) == name


@pytest.mark.parametrize(
    ("tags", "allowed"),
    [
        ({"highway": "residential"}, (True, True)),
        ({"highway": "residential", "oneway": "yes"}, (True, False)),
        ({"highway": "residential", "oneway": "-1"}, (False, True)),
        ({"highway": "residential", "junction": "roundabout"}, (True, False)),
        ({"highway": "motorway"}, (True, False)),
        ({"highway": "motorway", "oneway": "no"}, (True, True)),
    ],
)
def test_oneway_closes_one_direction(tags: dict[str, str], allowed: tuple[bool, bool]) -> None:
    assert directions(tags) == allowed


def test_central_helsinki_has_these_roads(helsinki: RoadMap) -> None:
    facts = describe(helsinki)
    assert (facts["nodes"], facts["edges"]) == (939, 1021)
    assert facts["length_km"] == pytest.approx(28.56, abs=0.01)
    assert len(helsinki.largest_component_nodes()) == 833
    assert "Mannerheimintie" in helsinki.names
    by_class = helsinki.edge_class != ROAD_CLASSES.index("service")
    assert np.isfinite(helsinki.edge_limit_mps[by_class]).mean() > 0.98


def test_edges_meet_their_nodes_and_their_lengths(helsinki: RoadMap) -> None:
    for edge in range(0, len(helsinki), 7):
        latitude_deg, longitude_deg = helsinki.edge_shape(edge)
        first, last = helsinki.edge_from_node[edge], helsinki.edge_to_node[edge]
        assert (latitude_deg[0], longitude_deg[0]) == (
            helsinki.node_latitude_deg[first],
            helsinki.node_longitude_deg[first],
        )
        assert (latitude_deg[-1], longitude_deg[-1]) == (
            helsinki.node_latitude_deg[last],
            helsinki.node_longitude_deg[last],
        )
        steps_m = haversine_m(latitude_deg[:-1], longitude_deg[:-1], latitude_deg[1:], longitude_deg[1:])
        assert helsinki.edge_length_m[edge] == pytest.approx(steps_m.sum())
    assert helsinki.edge_length_m.min() > 0.0


def test_a_place_on_an_edge_is_as_far_along_as_asked(tmp_path: Path) -> None:
    roads = read_road_map(write_roads(tmp_path, (STREET, [(179.999, 0.0), (-179.999, 0.0), (-179.998, 0.0)])), tmp_path)
    along_m = np.array([-5.0, 0.0, 50.0, 300.0, 1e9])
    latitude_deg, longitude_deg = roads.position_on_edge(np.zeros(5, dtype=np.int32), along_m)
    told_m = haversine_m(0.0, 179.999, latitude_deg, longitude_deg)
    assert told_m == pytest.approx(np.clip(along_m, 0.0, roads.edge_length_m[0]), abs=1e-6)


def test_ways_are_cut_into_edges_where_they_share_a_point(tmp_path: Path) -> None:
    path = write_roads(
        tmp_path,
        (STREET, [(25.0, 60.0), (25.001, 60.0), (25.002, 60.0)]),
        ({"highway": "primary", "name": "Across", "oneway": "yes"}, [(25.001, 60.001), (25.001, 60.0)]),
        ({"highway": "footway"}, [(25.002, 60.0), (25.003, 60.0)]),
    )
    roads = read_road_map(path, tmp_path)
    assert (len(roads.node_latitude_deg), len(roads)) == (4, 3)
    assert [roads.names[name] for name in roads.edge_name] == ["", "", "Across"]
    assert roads.edge_backward.tolist() == [True, True, False]
    graph = roads.directed_csr()
    assert graph.matrix.nnz == 5
    across = roads.edge_from_node[2], roads.edge_to_node[2], roads.edge_to_node[1]
    edges, backward = graph.path_edges(np.array(across))
    assert (edges.tolist(), backward.tolist()) == ([2, 1], [False, False])
    with pytest.raises(KeyError):
        graph.path_edges(np.array(across[1::-1]))


def test_a_built_map_is_the_same_map_wherever_it_lies(helsinki: RoadMap, tmp_path: Path) -> None:
    path = tmp_path / "central.npz"
    save_road_map(helsinki, path)
    again = read_road_map(path, tmp_path)
    for field in fields(RoadMap):
        np.testing.assert_array_equal(getattr(helsinki, field.name), getattr(again, field.name))


@pytest.mark.parametrize("name", ["shape_offset", "edge_name", "edge_to_node", "edge_length_m"])
def test_a_built_map_whose_arrays_do_not_fit_is_refused_by_the_array(
    helsinki: RoadMap, tmp_path: Path, name: str
) -> None:
    broken = getattr(helsinki, name) + 1_000_000 if name != "edge_length_m" else helsinki.edge_length_m[:-1]
    save_road_map(replace(helsinki, **{name: broken}), tmp_path / "broken.npz")
    with pytest.raises(BadRoadFile, match=name):
        read_road_map(tmp_path / "broken.npz", tmp_path)
    (tmp_path / "text.npz").write_text("no arrays")
    with pytest.raises(BadRoadFile, match="wayrate roads build"):
        read_road_map(tmp_path / "text.npz", tmp_path)


@pytest.mark.parametrize(
    ("tags", "kmh", "source"),
    [
        ({"highway": "residential"}, 50.0, DEFAULT),
        ({"highway": "primary"}, 80.0, DEFAULT),  # in a town 50: the higher, for nothing says where it lies
        ({"highway": "motorway_link"}, 120.0, DEFAULT),
        ({"highway": "residential", "maxspeed": "30"}, 30.0, TAGGED),
        ({"highway": "residential", "maxspeed": "none"}, math.nan, TAGGED),
        ({"highway": "service"}, math.nan, UNKNOWN),
    ],
)
def test_with_a_country_its_law_limits_what_no_sign_does(tags: dict[str, str], kmh: float, source: int) -> None:
    limit_mps, told = with_default(tags, "FI")
    assert told == source
    assert limit_mps * 3.6 == pytest.approx(kmh, nan_ok=True)


def test_another_country_is_another_version_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    path = write_roads(tmp_path, (STREET, [(25.0, 60.0), (25.001, 60.0)]))
    bare, finnish = read_road_map(path, tmp_path), read_road_map(path, tmp_path, "FI")
    assert bare.version != finnish.version
    assert np.isnan(bare.edge_limit_mps).all()
    assert finnish.edge_limit_mps * 3.6 == pytest.approx([50.0])
    with pytest.raises(UnknownCountry, match="XX"):
        read_road_map(path, tmp_path, "XX")


def test_a_bad_line_is_refused_by_feature_and_field(tmp_path: Path) -> None:
    swapped = write_roads(tmp_path, (STREET, [(25.0, 60.0), (25.1, 60.0)]), (STREET, [(60.0, 125.0), (60.0, 125.1)]))
    with pytest.raises(NotAnExtract, match=r"feature 2: .*geometry\.coordinates: \[60, 125\]"):
        read_road_map(swapped, tmp_path)


def test_odd_ways_give_a_map_that_can_be_described(tmp_path: Path) -> None:
    here, there = (25.0, 60.0), (25.001, 60.0)
    for points in ([here, there], [here, here, there, there], [here, there, here], [here, here]):
        path = write_roads(tmp_path, (STREET, points))
        if points == [here, here]:
            with pytest.raises(NoDrivableRoads):
                read_road_map(path, tmp_path)
            continue
        facts = describe(read_road_map(path, tmp_path))
        assert facts["edges"] == 1


def test_the_kept_map_equals_the_built_one_and_a_damaged_one_is_built_anew(tmp_path: Path) -> None:
    built, kept = read_road_map(demo_extract(), tmp_path), read_road_map(demo_extract(), tmp_path)
    (tmp_path / f"{built.version}.npz").write_bytes(b"not an archive")
    again = read_road_map(demo_extract(), tmp_path)
    for field in fields(RoadMap):
        for other in (kept, again):
            np.testing.assert_array_equal(getattr(built, field.name), getattr(other, field.name))


def test_the_version_follows_the_content_of_the_file(tmp_path: Path) -> None:
    first = map_version(write_roads(tmp_path, (STREET, [(25.0, 60.0), (25.001, 60.0)])))
    second = map_version(write_roads(tmp_path, (STREET, [(25.0, 60.0), (25.002, 60.0)])))
    assert first != second
    assert len(first) == 16


def test_what_is_not_an_extract_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ExtractMissing, match=r"no road extract at .*nowhere\.osm\.pbf"):
        read_road_map(tmp_path / "nowhere.osm.pbf", tmp_path)
    for name, content in {"a.osm.pbf": b"\x00\x01junk", "b.geojson": b"{", "c.geojson.gz": b"no", "d.txt": b""}.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(NotAnExtract):
            read_road_map(path, tmp_path)
    with pytest.raises(NoDrivableRoads):
        read_road_map(write_roads(tmp_path, ({"highway": "footway"}, [(25.0, 60.0), (25.1, 60.0)])), tmp_path)


def test_edges_within_a_box_over_the_antimeridian_are_those_that_touch_it(tmp_path: Path) -> None:
    near = ({"highway": "primary", "name": "Near", "maxspeed": "40"}, [(179.999, 0.0), (-179.999, 0.0)])
    far = (STREET, [(179.5, 1.0), (179.6, 1.0)])
    roads = read_road_map(write_roads(tmp_path, near, far), tmp_path)
    assert roads.edges_within(-0.1, 179.9, 0.1, -179.9).tolist() == [0]


def test_one_city_read_as_geojson_and_as_pbf_is_one_network(tmp_path: Path) -> None:
    if not DATA.is_dir():
        pytest.skip("the shared real data is not on this machine")
    geojson = read_road_map(DATA / "curitiba" / "roads.geojson.gz", tmp_path)
    pbf = read_road_map(DATA / "curitiba" / "curitiba.osm.pbf", tmp_path)
    assert (len(geojson), len(geojson.node_latitude_deg)) == (len(pbf), len(pbf.node_latitude_deg))
    assert geojson.edge_length_m.sum() == pytest.approx(pbf.edge_length_m.sum(), rel=1e-9)
