"""Territories as drawings: shapes without coordinates, so that a map can be kept where no place may stand.

Each outline is an SVG path in a frame WIDTH wide, north up, simplified to what a page can show. Without polygons each
territory is a tile, largest first: a map of names, and it says so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from scoring.territory import read_territories

WIDTH = 1000.0
LEAST_STEP = 2.0  # of the frame: finer corners are left out
TILE, BETWEEN = 180.0, 20.0


@dataclass(frozen=True, slots=True)
class Outlines:
    """The frame's height, a path a territory by its name, and whether they are shapes or tiles."""

    height: float
    paths: dict[str, str]
    drawn: bool


def outlines_of(path: Path, field: str | None = None) -> Outlines:
    """The polygons of a territory file as drawings; of a name in several features all parts. Raises BadLayer."""
    territories = read_territories(path, field)
    shapes = np.asarray(territories.tree.geometries)
    west, south, east, north = shapely.total_bounds(shapes)
    narrowing = math.cos(math.radians((south + north) / 2.0))  # a degree east is shorter than one north
    scale = WIDTH / max((east - west) * narrowing, 1e-9)

    def onto_paper(
        points: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    ) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        return np.column_stack(((points[:, 0] - west) * narrowing * scale, (north - points[:, 1]) * scale))

    drawn = shapely.simplify(shapely.transform(shapes, onto_paper), LEAST_STEP)
    paths: dict[str, str] = {}
    for name, shape in zip(territories.names, drawn, strict=True):
        paths[name] = paths.get(name, "") + "".join(_ring(ring) for ring in _rings(shape))
    return Outlines(float((north - south) * scale), paths, True)


def tiles(names: Sequence[str]) -> Outlines:
    """A square for each name, in rows of five."""
    step = TILE + BETWEEN
    paths = {}
    for place, name in enumerate(names):
        x, y = (place % 5) * step, (place // 5) * step
        paths[name] = f"M{x:.0f} {y:.0f}h{TILE:.0f}v{TILE:.0f}h-{TILE:.0f}z"
    return Outlines(math.ceil(len(names) / 5) * step - BETWEEN, paths, False)


def _rings(shape: shapely.Geometry) -> list[shapely.Geometry]:
    return [ring for part in shapely.get_parts(shape) for ring in shapely.get_rings(part)]


def _ring(ring: shapely.Geometry) -> str:
    points = [f"{x:.0f} {y:.0f}" for x, y in shapely.get_coordinates(ring).tolist()]
    return f"M{'L'.join(points[:-1])}z" if len(points) > 3 else ""
