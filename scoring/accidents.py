"""Accident density: how many recorded accidents the roads of a trip have a kilometre, against the mean road of the map.

Each accident is put on the nearest edge within 30 m, in equal parts where several are as near (a junction). Counts of
short edges are mostly chance, so they are smoothed by empirical Bayes: n of an edge of L km is Poisson, with a rate
Gamma-distributed about the mean of its road class, with the spread of that distribution taken from the counts by
moments. Without spread every edge has the mean of its class; with much, its own count speaks. It is a rate by road, not
by vehicle: busy roads have more accidents and may be safer for each car. No weight of the score reads it.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from scoring.classes import ROAD_CLASSES
from scoring.driven import Driven
from scoring.errors import BadLayer
from scoring.geodesy import local_xy_m
from scoring.roads import RoadMap
from scoring.series import Floats
from scoring.territory import read_table
from scoring.trips import Trip

NEAR_M = 30.0
LEAST_ON_ROADS = 20  # fewer accidents on the map than this make no density
LONGITUDE_LATITUDE = (("longitude_deg", "latitude_deg"), ("longitude", "latitude"), ("lon", "lat"))


@dataclass(frozen=True, slots=True)
class AccidentDensity:
    """Of each edge of one road map, shape (E,): its accidents a km over the mean of the map; NaN beyond the file."""

    version: str
    map_version: str
    ratio: Floats
    accidents: int
    on_roads: int


def accident_totals(trip: Trip, driven: Driven, density: AccidentDensity) -> dict[str, int]:
    """Metres on edges of known density, and the sum of density x metres in thousandths."""
    edge = driven.edge[:-1]
    ratio = np.where(edge >= 0, density.ratio[np.where(edge >= 0, edge, 0)], np.nan)
    known = np.isfinite(ratio)
    return {
        "accident_known_m": round(float(trip.step_m[known].sum())),
        "accident_density_mm": round(1000 * float((trip.step_m * np.nan_to_num(ratio)).sum())),
    }


def read_accidents(
    path: Path, roads: RoadMap, crs: str | None = None, columns: tuple[str, str] | None = None
) -> AccidentDensity:
    """The density on `roads` of accidents in a file: CSV with two columns of coordinates, or points that GDAL reads.

    `columns` names east and north (or longitude and latitude) of a CSV, `crs` their system (default: degrees), such as
    EPSG:3879 for ETRS-GK25. Raises BadLayer.
    """
    table = path.name.removesuffix(".gz").endswith((".csv", ".txt"))
    longitude_deg, latitude_deg = _csv_points(path, crs, columns) if table else _points(path)
    return density_of(longitude_deg, latitude_deg, roads, path)


def density_of(longitude_deg: Floats, latitude_deg: Floats, roads: RoadMap, source: Path) -> AccidentDensity:
    """The smoothed density of accidents at these places, shape (n,). Raises BadLayer where the map has too few."""
    count = _counts(longitude_deg, latitude_deg, roads)
    on_roads = float(count.sum())
    if on_roads < LEAST_ON_ROADS:
        raise BadLayer(
            source,
            f"{on_roads:.0f} of its {len(longitude_deg):,} points lie on the map's roads, a density takes "
            f"{LEAST_ON_ROADS}: check their CRS, the order of their columns, and that the map covers them",
        )
    middle = (roads.shape_offset[:-1] + roads.shape_offset[1:]) // 2
    hull = shapely.convex_hull(shapely.multipoints(np.column_stack((longitude_deg, latitude_deg))))
    covered = shapely.intersects_xy(hull, roads.shape_longitude_deg[middle], roads.shape_latitude_deg[middle])
    km = roads.edge_length_m / 1000
    ratio = np.full(len(roads), np.nan)
    ratio[covered] = smoothed(count[covered], km[covered], roads.edge_class[covered].astype(np.intp))
    digest = hashlib.sha256(roads.version.encode() + ratio.tobytes()).hexdigest()[:12]
    return AccidentDensity(f"accidents-{digest}", roads.version, ratio, len(longitude_deg), round(on_roads))


def smoothed(count: Floats, km: Floats, road_class: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Floats:
    """Posterior mean accidents a km of each edge over the mean of all, shape (n,): a Gamma-Poisson, by moments."""
    class_km = np.bincount(road_class, km, len(ROAD_CLASSES))
    class_rate = np.bincount(road_class, count, len(ROAD_CLASSES)) / np.where(class_km > 0, class_km, 1.0)
    expected = class_rate[road_class] * km
    spread = max(0.0, float(((count - expected) ** 2 - expected).sum() / (expected**2).sum()))
    rate = class_rate[road_class] * (1 + spread * count) / (1 + spread * expected)
    ratio: Floats = rate / (count.sum() / km.sum())
    return ratio


def _counts(longitude_deg: Floats, latitude_deg: Floats, roads: RoadMap) -> Floats:
    """Accidents by edge, shape (E,): each on the nearest within NEAR_M, in equal parts where several are as near."""
    middle_latitude = (roads.node_latitude_deg.min() + roads.node_latitude_deg.max()) / 2
    origin = (middle_latitude, float(roads.node_longitude_deg[0]))
    x_m, y_m = local_xy_m(roads.shape_latitude_deg, roads.shape_longitude_deg, *origin)
    edge = np.repeat(np.arange(len(roads)), np.diff(roads.shape_offset))
    lines = shapely.linestrings(np.column_stack((x_m, y_m)), indices=edge)
    points = shapely.points(*local_xy_m(latitude_deg, longitude_deg, *origin))
    which, nearest = shapely.STRtree(lines).query_nearest(points, max_distance=NEAR_M, all_matches=True)
    as_near = np.bincount(which, minlength=len(points))
    counts: Floats = np.bincount(nearest, 1 / as_near[which], len(roads))
    return counts


def _points(path: Path) -> tuple[Floats, Floats]:
    shapes = read_table(path).geometry.to_numpy()
    if not (shapely.get_type_id(shapes) == shapely.GeometryType.POINT).all():
        raise BadLayer(path, "not all of its features are points")
    return shapely.get_x(shapes), shapely.get_y(shapes)


def _csv_points(path: Path, crs: str | None, columns: tuple[str, str] | None) -> tuple[Floats, Floats]:
    import pandas as pd  # noqa: PLC0415 - it takes a second, and only who has such a file needs it
    from pyproj import CRS, Transformer  # noqa: PLC0415
    from pyproj.exceptions import CRSError  # noqa: PLC0415

    try:
        header = pd.read_csv(path, sep=None, engine="python", nrows=50, encoding="utf-8-sig")
        delimiter = max(";,\t|", key=",".join(map(str, header.columns)).count) if len(header.columns) == 1 else None
        east, north = columns or next(
            (pair for pair in LONGITUDE_LATITUDE if set(pair) <= set(header.columns)), LONGITUDE_LATITUDE[0]
        )
        missing = {east, north} - set(header.columns)
        if missing:
            known = ", ".join(map(str, header.columns))
            raise BadLayer(path, f"no column {', '.join(sorted(missing))}: name east and north of {known}")
        found = pd.read_csv(path, sep=delimiter, engine="python", encoding="utf-8-sig", usecols=[east, north])
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise BadLayer(path, f"it cannot be read as a table ({error})") from error
    for name in (east, north):
        wrong = pd.to_numeric(found[name], errors="coerce").isna() & found[name].notna()
        if wrong.any():
            raise BadLayer(path, f"row {int(wrong.argmax()) + 2}, {name}: {found[name][wrong.argmax()]!r} is no number")
    placed = found.dropna()
    try:
        to_degrees = Transformer.from_crs(CRS.from_user_input(crs or "EPSG:4326"), "EPSG:4326", always_xy=True)
    except CRSError as error:
        raise BadLayer(path, f"{crs} is no coordinate reference system: give its number, such as EPSG:3879") from error
    longitude_deg, latitude_deg = to_degrees.transform(placed[east].to_numpy(float), placed[north].to_numpy(float))
    inside = np.isfinite(longitude_deg) & (np.abs(longitude_deg) <= 180) & (np.abs(latitude_deg) <= 90)
    if not inside.all():
        raise BadLayer(path, f"{(~inside).sum():,} of its points are no place in {crs or 'degrees'}: check the CRS")
    return longitude_deg, latitude_deg
