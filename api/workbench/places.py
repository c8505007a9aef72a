"""Where the book drives: squares of half a kilometre that enough vehicles drove through, and nothing of the others."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from api import wording
from api.languages import say
from api.map_drawing import Bounds, framed, squares_svg
from scoring.roads import RoadMap
from scoring.tracks import unpack

LEAST_VEHICLES = 5  # of fewer nothing is told: not the square, not a sum; for groups of policies as well
MOST_TRIPS = 3_000
SQUARE_DEG = 0.0045  # of latitude: 500 m
LEVELS = 4


@dataclass(frozen=True, slots=True)
class Square:
    """A square and how many vehicles and trips went through it."""

    bounds: Bounds
    vehicles: int
    trips: int


@dataclass(frozen=True, slots=True)
class PlacesView:
    """The map with what it is made of; `svg` "": no square has enough vehicles."""

    svg: Markup
    trips: int
    squares: int
    hidden: int
    most: int


def squares_of(paths: Iterable[tuple[int, bytes]]) -> tuple[list[Square], int, int]:
    """Squares that at least LEAST_VEHICLES vehicles drove through; how many others there are, and how many trips."""
    vehicles: dict[tuple[int, int], set[int]] = defaultdict(set)
    passed: dict[tuple[int, int], int] = defaultdict(int)
    trips = 0
    for device_key, packed in paths:
        track = unpack(packed)
        placed = np.isfinite(track.latitude_deg) & np.isfinite(track.longitude_deg)
        trips += 1
        for row, column in _cells(track.latitude_deg[placed], track.longitude_deg[placed]):
            vehicles[row, column].add(device_key)
            passed[row, column] += 1
    found = [
        Square(_bounds(*cell), len(devices), passed[cell])
        for cell, devices in sorted(vehicles.items())
        if len(devices) >= LEAST_VEHICLES
    ]
    return found, len(vehicles) - len(found), trips


def places_view(paths: Iterable[tuple[int, bytes]], roads: RoadMap | None) -> PlacesView:
    """The map of the squares over our own roads."""
    squares, hidden, trips = squares_of(paths)
    if not squares:
        return PlacesView(Markup(""), trips, 0, hidden, 0)
    most = max(square.vehicles for square in squares)
    edges = np.array([square.bounds for square in squares])
    bounds = framed(
        *(float(one) for one in (edges[:, 0].min(), edges[:, 1].min(), edges[:, 2].max(), edges[:, 3].max()))
    )
    drawn = [(square.bounds, -(-square.vehicles * LEVELS // most), _said(square)) for square in squares]
    title = say(
        "Map of {count} squares of half a kilometre, by the number of vehicles that drove through",
        count=wording.number(len(squares)),
    )
    return PlacesView(squares_svg(drawn, bounds, roads, title), trips, len(squares), hidden, most)


def _said(square: Square) -> str:
    vehicles, trips = wording.number(square.vehicles), wording.number(square.trips)
    return say("{vehicles} vehicles, {trips} trips", vehicles=vehicles, trips=trips)


def _cells(latitude_deg: np.ndarray, longitude_deg: np.ndarray) -> set[tuple[int, int]]:
    """The squares of a path, each once: rows of equal height, columns of the width that is 500 m in their row."""
    rows = np.floor(latitude_deg / SQUARE_DEG).astype(np.int64)
    columns = np.floor(longitude_deg / _width_deg(rows)).astype(np.int64)
    return set(zip(rows.tolist(), columns.tolist(), strict=True))


def _width_deg(rows: np.ndarray) -> np.ndarray:
    return SQUARE_DEG / np.maximum(np.cos(np.radians((rows + 0.5) * SQUARE_DEG)), 0.05)


def _bounds(row: int, column: int) -> Bounds:
    width = float(_width_deg(np.array(row)))
    return column * width, row * SQUARE_DEG, (column + 1) * width, (row + 1) * SQUARE_DEG
