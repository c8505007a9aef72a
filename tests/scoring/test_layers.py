"""Territories and accidents: what is counted, on hand-made shapes and on real files, and what is refused and why."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from scoring.accidents import density_of, read_accidents, smoothed
from scoring.errors import BadLayer
from scoring.extract import demo_extract, read_road_map
from scoring.features import TERRITORY, sum_totals
from scoring.layers import Layers
from scoring.match import HiddenMarkovMatcher
from scoring.path import score_readings
from scoring.territory import ELSEWHERE, read_territories
from tests.scoring.driving import drive, profile
from tests.scoring.test_events import straight_road

DATA = Path(__file__).parents[3] / "shared" / "data"
SPEED = profile((0, 0), (10, 15), (590, 15), (600, 0))
type Ring = list[tuple[float, float]]


def box(west: float, south: float, east: float, north: float) -> Ring:
    return [(west, south), (east, south), (east, north), (west, north), (west, south)]


def write(path: Path, *features: tuple[str | None, list[Ring]], kind: str = "Polygon", crs: str | None = None) -> Path:
    collection: dict[str, object] = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {"name": name}, "geometry": {"type": kind, "coordinates": rings}}
            for name, rings in features
        ],
    }
    if crs:
        collection["crs"] = {"type": "name", "properties": {"name": crs}}
    path.write_text(json.dumps(collection))
    return path


def test_the_smallest_polygon_has_a_place_and_a_hole_has_none(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.geojson",
        ("Land", [box(20, 59, 30, 65), box(26, 62, 27, 63)]),
        ("City", [box(24, 60, 25, 61)]),
    )
    territories = read_territories(path)
    names = (*territories.names, None)
    latitude_deg, longitude_deg = np.array([60.5, 64.0, 62.5, 10.0]), np.array([24.5, 21.0, 26.5, 24.5])
    assert [names[one] for one in territories.at(latitude_deg, longitude_deg)] == ["City", "Land", None, None]
    assert territories.overlaps == (("City", "Land"),)
    again = write(
        tmp_path / "other_order.geojson",
        ("City", [box(24, 60, 25, 61)]),
        ("Land", [box(20, 59, 30, 65), box(26, 62, 27, 63)]),
    )
    assert read_territories(again).version == territories.version


def test_neighbours_that_share_a_border_do_not_overlap(tmp_path: Path) -> None:
    path = write(tmp_path / "t.geojson", ("A", [box(24, 60, 25, 61)]), ("B", [box(25, 60, 26, 61)]))
    assert read_territories(path).overlaps == ()


def test_metres_by_territory_sum_to_the_trip_and_hold_no_coordinate(tmp_path: Path) -> None:
    readings = drive(600.0, SPEED, noise_m=3.0)
    middle = float(np.median(readings.longitude_deg)), float(np.median(readings.latitude_deg))
    along_north = np.ptp(readings.latitude_deg) > np.ptp(readings.longitude_deg)
    half = box(-180, -90, 180, middle[1]) if along_north else box(-180, -90, middle[0], 90)
    layers = Layers(read_territories(write(tmp_path / "t.geojson", ("Half", [half]))))
    (trip,) = score_readings(readings, None, None, device="car-1", layers=layers)
    (bare,) = score_readings(readings, None, None, device="car-1")
    by_territory = {name: metres for name, metres in trip.totals.items() if name.startswith(TERRITORY)}
    assert sum(by_territory.values()) == trip.distance_m
    assert by_territory.keys() == {f"{TERRITORY}Half_m", f"{TERRITORY}{ELSEWHERE}_m"}
    assert trip.features["territory_km_share:Half"] == pytest.approx(0.5, abs=0.02)
    assert trip.totals == bare.totals | by_territory
    assert trip.versions["territories"] == layers.versions["territories"]
    assert bare.versions["territories"] is None
    assert sum_totals([trip.totals, trip.totals])[f"{TERRITORY}Half_m"] == 2 * by_territory[f"{TERRITORY}Half_m"]


BOW = [(24.0, 60.0), (25.0, 61.0), (25.0, 60.0), (24.0, 61.0), (24.0, 60.0)]


@pytest.mark.parametrize(
    ("name", "rings", "said"),
    [
        ("Bow", [BOW], r"feature 1 \(Bow\) is not valid \(Self-intersection"),
        ("Metres", [box(25_496_000, 6_672_000, 25_497_000, 6_673_000)], "are not degrees: declare its CRS"),
        (None, [box(24, 60, 25, 61)], "feature 1 has the name None"),
        ("elsewhere", [box(24, 60, 25, 61)], "other than 'elsewhere'"),
        ("Empty", [], r"feature 1 \(Empty\) has no geometry"),
    ],
)
def test_a_bad_polygon_is_refused_by_file_feature_and_reason(
    tmp_path: Path, name: str | None, rings: list[Ring], said: str
) -> None:
    path = write(tmp_path / "bad.geojson", (name, rings))
    with pytest.raises(BadLayer, match=said) as refused:
        read_territories(path)
    assert str(refused.value).startswith(str(path))


def test_a_file_that_is_none_a_line_and_a_field_that_is_not_there_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.geojson"
    text.write_text("no polygons")
    line = write(tmp_path / "line.geojson", ("Line", [(24, 60), (25, 61)]), kind="LineString")  # type: ignore[list-item]
    good = write(tmp_path / "good.geojson", ("A", [box(24, 60, 25, 61)]))
    for path, field, said in (
        (tmp_path / "none.geojson", None, "no such file"),
        (text, None, "cannot be read"),
        (line, None, r"feature 1 \(Line\) is a LineString"),
        (good, "bairro", "no field bairro holds the names: choose one of name"),
    ):
        with pytest.raises(BadLayer, match=said):
            read_territories(path, field)


def test_a_declared_grid_is_converted(tmp_path: Path) -> None:
    grid = box(25_496_000, 6_672_000, 25_498_000, 6_674_000)  # ETRS-GK25: central Helsinki
    path = write(tmp_path / "grid.geojson", ("Centre", [grid]), crs="urn:ogc:def:crs:EPSG::3879")
    found = read_territories(path).at(np.array([60.17, 60.30]), np.array([24.94, 24.94]))
    assert found.tolist() == [0, -1]


def test_real_neighbourhoods_of_a_city(tmp_path: Path) -> None:
    if not DATA.is_dir():
        pytest.skip("the real data of ../shared/data are not here")
    territories = read_territories(DATA / "curitiba" / "neighbourhoods.geojson.gz")
    assert len(set(territories.names)) == 75
    names = np.array([*territories.names, ""])
    assert names[territories.at(np.array([-25.4525]), np.array([-49.2870]))].tolist() == ["ÁGUA VERDE"]
    plain = tmp_path / "plain.geojson"
    plain.write_bytes(gzip.decompress((DATA / "curitiba" / "neighbourhoods.geojson.gz").read_bytes()))
    assert read_territories(plain).version == territories.version


def test_smoothing_keeps_the_class_mean_without_spread_and_trusts_counts_with_it() -> None:
    road_class = np.zeros(4, dtype=np.intp)
    even = smoothed(np.array([2.0, 2.0, 2.0, 2.0]), np.ones(4), road_class)
    assert even.tolist() == [1.0] * 4
    counts, km = np.array([0.0, 0.0, 0.0, 40.0]), np.ones(4)
    # By hand: expected 10 each; spread = (3 x 100 + 900 - 40) / 400 = 2.9; rate = 10 (1 + 2.9 n) / (1 + 29).
    assert smoothed(counts, km, road_class) == pytest.approx([1 / 30, 1 / 30, 1 / 30, 117 / 30])


def test_a_way_along_the_road_of_the_accidents_has_their_density() -> None:
    roads = straight_road(50.0)
    east, north = roads.shape_longitude_deg, roads.shape_latitude_deg
    at = np.linspace(0, len(roads) - 1, 60).astype(int)
    longitude_deg, latitude_deg = east[roads.shape_offset[at]], north[roads.shape_offset[at]]
    hull = np.array([-0.01, 0.01])
    density = density_of(
        np.concatenate((longitude_deg, longitude_deg.mean() + hull)),
        np.concatenate((latitude_deg, latitude_deg.mean() + hull)),
        roads,
        Path("made.csv"),
    )
    assert density.on_roads >= 60
    layers = Layers(accidents=density)
    readings = drive(600.0, SPEED, noise_m=3.0)
    (trip,) = score_readings(readings, HiddenMarkovMatcher(roads), roads, device="car-1", layers=layers)
    assert trip.features["accident_density_ratio"] == pytest.approx(float(np.nanmean(density.ratio)), rel=0.5)
    (bare,) = score_readings(readings, HiddenMarkovMatcher(roads), roads, device="car-1")
    assert bare.features["accident_density_ratio"] is None


def test_accidents_of_helsinki_in_their_own_grid(tmp_path: Path) -> None:
    if not DATA.is_dir():
        pytest.skip("the real data of ../shared/data are not here")
    roads = read_road_map(demo_extract(), tmp_path)
    path = DATA / "helsinki" / "accidents.csv"
    density = read_accidents(path, roads, "EPSG:3879", ("ita_etrs", "pohj_etrs"))
    assert density.accidents > 52_000
    assert density.on_roads > 4_500
    known = np.isfinite(density.ratio)
    assert known.mean() > 0.99
    weighted = float(np.average(density.ratio[known], weights=roads.edge_length_m[known]))
    assert weighted == pytest.approx(1.0, abs=0.25)  # smoothing pulls short edges, so not exactly 1
    with pytest.raises(BadLayer, match="no column latitude_deg, longitude_deg: name east and north of LAJI"):
        read_accidents(path, roads)
    with pytest.raises(BadLayer, match="no place in EPSG:3879: check the CRS"):
        read_accidents(path, roads, "EPSG:3879", ("pohj_etrs", "ita_etrs"))
    with pytest.raises(BadLayer, match="EPSG:99 is no coordinate reference system"):
        read_accidents(path, roads, "EPSG:99", ("ita_etrs", "pohj_etrs"))


def test_a_cell_that_is_no_number_is_named(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("longitude,latitude\n24.94,60.17\n24.95,north\n")
    with pytest.raises(BadLayer, match="row 3, latitude: 'north' is no number"):
        read_accidents(path, straight_road(50.0))
