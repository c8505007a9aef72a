"""A trip's drawing: bands by speed against the limit, gaps not drawn across, roads of the surroundings below it."""

import numpy as np
import pytest

from api.map_drawing import (
    Marker,
    bounds_of,
    edges_to_draw,
    roads_geojson,
    speed_bands,
    stretches,
    track_geojson,
    trip_svg,
)
from scoring.classes import ROAD_CLASSES
from scoring.roads import RoadMap
from scoring.tracks import Track

NAN = float("nan")


def track(speed_kmh: list[float], limit_kmh: float = 50.0, gap_after: int | None = None, east: float = 24.9) -> Track:
    count = len(speed_kmh)
    elapsed = np.arange(count, dtype=np.float64)
    if gap_after is not None:
        elapsed[gap_after + 1 :] += 600
    north = 60.17 + np.arange(count) * 1e-4
    longitude = (np.full(count, east) + np.arange(count) * 1e-3 + 180) % 360 - 180
    speed_mps = np.array(speed_kmh, dtype=np.float64) / 3.6
    return Track(elapsed, north, longitude, speed_mps, np.full(count, limit_kmh / 3.6), np.ones(count, dtype=np.bool_))


def crossroads() -> RoadMap:
    """A primary road west to east and a service road south to north, meeting at (60.17, 24.9); another far away."""
    return RoadMap(
        version="test",
        node_latitude_deg=np.array([60.17, 60.17, 60.16, 61.0, 61.0]),
        node_longitude_deg=np.array([24.89, 24.91, 24.9, 25.0, 25.1]),
        edge_from_node=np.array([0, 2, 3], dtype=np.int32),
        edge_to_node=np.array([1, 0, 4], dtype=np.int32),
        edge_length_m=np.array([1100.0, 1100, 5400]),
        edge_class=np.array([ROAD_CLASSES.index(name) for name in ("primary", "service", "primary")], dtype=np.uint8),
        edge_name=np.array([1, 0, 0], dtype=np.int32),
        edge_forward=np.ones(3, dtype=np.bool_),
        edge_backward=np.ones(3, dtype=np.bool_),
        edge_limit_mps=np.array([50 / 3.6, NAN, NAN]),
        edge_limit_source=np.array([1, 0, 0], dtype=np.uint8),
        shape_offset=np.array([0, 2, 4, 6]),
        shape_latitude_deg=np.array([60.17, 60.17, 60.16, 60.17, 61.0, 61.0]),
        shape_longitude_deg=np.array([24.89, 24.91, 24.9, 24.9, 25.0, 25.1]),
        names=("", "Main & <Street>"),
    )


def test_the_band_counts_from_above_the_limit() -> None:
    drawn = track([49.0, 50, 50.1, 60, 60.1, 70, 70.1, NAN])
    assert speed_bands(drawn).tolist() == [0, 0, 1, 1, 2, 2, 3, 4]
    assert speed_bands(track([30.0], limit_kmh=NAN)).tolist() == [4]


def test_stretches_join_where_the_band_changes_and_part_at_a_gap() -> None:
    assert [(band, rows.tolist()) for band, rows in stretches(track([40, 40, 55, 55]))] == [
        ("within", [0, 1, 2]),
        ("over_0_10", [2, 3]),
    ]
    assert [rows.tolist() for _, rows in stretches(track([40] * 4, gap_after=1))] == [[0, 1], [2, 3]]


@pytest.mark.parametrize("east", [24.9, 179.999])
def test_the_box_is_as_wide_as_the_trip_also_across_the_antimeridian(east: float) -> None:
    bounds = bounds_of(track([40] * 5, east=east))
    assert bounds is not None
    west, _, edge, _ = bounds
    assert 0.004 < edge - west < 0.02


def test_a_trip_without_any_place_has_no_drawing() -> None:
    nowhere = Track(*(np.full(3, NAN) for _ in range(5)), np.zeros(3, dtype=np.bool_))
    assert bounds_of(nowhere) is None
    assert trip_svg(nowhere, [], None) == ""


def test_roads_of_the_surroundings_only_and_main_roads_last_to_go() -> None:
    bounds = (24.88, 60.15, 24.92, 60.18)
    assert edges_to_draw(crossroads(), bounds, 100).tolist() == [0, 1]
    assert edges_to_draw(crossroads(), bounds, 2).tolist() == [0]
    features = roads_geojson(crossroads(), bounds)["features"]
    assert isinstance(features, list)
    assert [feature["properties"] for feature in features] == [
        {"class": "primary", "name": "Main & <Street>", "limit_kmh": 50},
        {"class": "service", "name": "", "limit_kmh": None},
    ]


def test_the_svg_has_the_path_the_roads_and_escaped_events() -> None:
    marker = Marker(1, "Hard <brake>", "3.4 m/s²", 60.1701, 24.9)
    svg = trip_svg(track([40, 40, 65, 65]), [marker], crossroads())
    assert 'class="path within"' in svg
    assert 'class="path over_10_20"' in svg
    assert 'class="road primary"' in svg
    assert "Hard &lt;brake&gt;" in svg
    assert "style=" not in svg


def test_geojson_coordinates_are_longitude_first() -> None:
    collection = track_geojson(track([40, 40]), [Marker(1, "a", "b", 60.2, 24.95)])
    features = collection["features"]
    assert isinstance(features, list)
    assert features[0]["geometry"]["coordinates"][0] == [24.9, 60.17]
    assert features[1]["geometry"]["coordinates"] == [24.95, 60.2]
