"""Territories: named polygons of the insurer, and the metres of a trip in each. Pricing reads shares, never a place."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import STRtree

from scoring.errors import BadLayer
from scoring.features import TERRITORY
from scoring.series import Floats, largest_remainder
from scoring.trips import Trip

ELSEWHERE = "elsewhere"
NAME_FIELDS = ("territory", "name", "nome", "nimi")  # whatever their case
LEAST_OVERLAP = 1e-4  # of the smaller polygon: less is how two files draw one border
WGS84 = 4326


@dataclass(frozen=True, slots=True)
class Territories:
    """P polygons in degrees (x longitude, y latitude), the smallest first, and the name of each.

    A place in several polygons belongs to the smallest: a district within its city. On a border both touch it.
    """

    version: str
    names: tuple[str, ...]
    tree: STRtree
    overlaps: tuple[tuple[str, str], ...]  # of different names

    def at(self, latitude_deg: Floats, longitude_deg: Floats) -> NDArray[np.intp]:
        """The index of the polygon at each place, -1 where there is none, shape (n,)."""
        found = np.full(len(latitude_deg), len(self.names), dtype=np.intp)
        places, polygons = self.tree.query(shapely.points(longitude_deg, latitude_deg), predicate="intersects")
        np.minimum.at(found, places, polygons)
        return np.where(found == len(self.names), -1, found)


def territory_totals(trip: Trip, territories: Territories) -> dict[str, int]:
    """Whole metres of a trip by territory, and `elsewhere`; they sum exactly to its distance."""
    readings = trip.readings
    polygon = territories.at(readings.latitude_deg[:-1], readings.longitude_deg[:-1])
    metres = largest_remainder(
        np.bincount(polygon + 1, trip.step_m, len(territories.names) + 1), round(float(trip.step_m.sum()))
    )
    totals: dict[str, int] = {}
    for name, driven_m in zip((ELSEWHERE, *territories.names), metres.tolist(), strict=True):
        if driven_m:
            totals[f"{TERRITORY}{name}_m"] = totals.get(f"{TERRITORY}{name}_m", 0) + driven_m
    return totals


def read_territories(path: Path, field: str | None = None) -> Territories:
    """The polygons of a file that GDAL reads (GeoJSON, also .gz, GeoPackage, Shapefile), in any declared CRS.

    `field` holds the name of each; without it, one called `territory` or `name`. Raises BadLayer: what, where, the fix.
    """
    table = read_table(path)
    field = field or next((name for name in table.columns if str(name).lower() in NAME_FIELDS), None)
    if field not in table.columns:
        known = ", ".join(str(name) for name in table.columns if name != "geometry")
        raise BadLayer(path, f"no field {field or 'territory or name'} holds the names: choose one of {known}")
    names = [_name(path, row, value) for row, value in enumerate(table[field].tolist(), 1)]
    shapes = table.geometry.to_numpy()
    for row, (name, shape) in enumerate(zip(names, shapes, strict=True), 1):
        _check(path, f"feature {row} ({name})", shape)
    order = np.lexsort((np.array(names), shapely.area(shapes)))
    names, shapes = [names[one] for one in order.tolist()], shapes[order]
    digest = hashlib.sha256("\0".join(names).encode() + b"".join(shapely.to_wkb(shapes)))
    return Territories(
        f"territories-{digest.hexdigest()[:12]}", tuple(names), STRtree(shapes), _overlaps(names, shapes)
    )


def read_table(path: Path) -> Any:
    """The features of a file as a geopandas table in WGS 84 degrees. Raises BadLayer."""
    import geopandas  # noqa: PLC0415 - it takes a second, and only who has such a file needs it

    if not path.is_file():
        raise BadLayer(path, "there is no such file")
    try:
        table = geopandas.read_file(f"/vsigzip/{path.resolve()}" if path.suffix == ".gz" else path)
    except (RuntimeError, ValueError, OSError) as error:  # pyogrio's DataSourceError is a RuntimeError
        raise BadLayer(path, f"it cannot be read ({error}): give GeoJSON, GeoPackage or a shapefile") from error
    if "geometry" not in table.columns or not len(table):
        raise BadLayer(path, "it holds no features with a geometry")
    if table.crs is None:
        table = table.set_crs(WGS84)
    table = table.to_crs(WGS84)
    west, south, east, north = table.total_bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise BadLayer(
            path,
            f"its coordinates ({west:g}, {south:g}) are not degrees: declare its CRS (a GeoPackage does), "
            "or convert it to EPSG:4326",
        )
    return table


def _name(path: Path, row: int, value: object) -> str:
    name = "" if value is None or value != value else str(value).strip()  # noqa: PLR0124 - NaN
    if not name or name == ELSEWHERE or "\0" in name:
        raise BadLayer(path, f"feature {row} has the name {value!r}: give each a name, other than {ELSEWHERE!r}")
    return name


def _check(path: Path, where: str, shape: Any) -> None:
    if shape is None or shape.is_empty:
        raise BadLayer(path, f"{where} has no geometry: take it out")
    if shape.geom_type not in ("Polygon", "MultiPolygon"):
        raise BadLayer(path, f"{where} is a {shape.geom_type}: territories are polygons")
    if not shape.is_valid:
        raise BadLayer(
            path, f"{where} is not valid ({shapely.is_valid_reason(shape)}): repair it, say with ST_MakeValid"
        )


def _overlaps(names: list[str], shapes: Any) -> tuple[tuple[str, str], ...]:
    """Pairs of different names whose polygons share more than a border."""
    first, second = STRtree(shapes).query(shapes, predicate="intersects")
    pairs = [(a, b) for a, b in zip(first.tolist(), second.tolist(), strict=True) if a < b and names[a] != names[b]]
    found = {
        tuple(sorted((names[a], names[b])))
        for a, b in pairs
        if shapes[a].intersection(shapes[b]).area > LEAST_OVERLAP * shapes[a].area
    }
    return tuple((a, b) for a, b in sorted(found))
