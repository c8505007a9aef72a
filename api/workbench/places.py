"""Where the book drives: squares of half a kilometre that enough vehicles drove through, and nothing of the others.

A vehicle is what one policy insures, however many devices are in it. What lies in a privacy zone of whoever pays for a
trip or drove it is on no map, and counts nowhere.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from markupsafe import Markup

from api import wording
from api.languages import say
from api.map_drawing import Bounds, framed, squares_svg
from api.workbench import places_store as store
from api.zones import without_zones
from portfolio.zone_store import Zone, fetch_zones
from scoring.roads import RoadMap
from scoring.tracks import unpack
from storage.pool import Database

LEAST_VEHICLES = 5  # of fewer nothing is told: not the square, not a sum; for groups of policies as well
MOST_TRIPS = 3_000
SQUARE_DEG = 0.0045  # of latitude: 500 m
LEVELS = 4


@dataclass(frozen=True, slots=True)
class Driven:
    """A trip's packed path, the policy whose vehicle drove it, and the zones that hold for it."""

    policy_key: UUID
    path: bytes
    zones: Sequence[Zone]


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


def driven_trips(database: Database, period: str) -> Iterator[Driven]:
    """At most MOST_TRIPS trips of a month under a policy, chosen by lot."""
    with database.role("telemetry") as conn:
        chosen = store.fetch_chosen(conn, period, MOST_TRIPS)
    with database.role("link") as conn:
        whose = {one.trip_id: one for one in store.fetch_whose(conn, chosen)}
        owners = store.fetch_zone_owners(conn, sorted({person for one in whose.values() for person in one.people}))
    with database.role("telemetry") as conn:
        zones = {zone.zone_id: zone for zone in fetch_zones(conn, [zone_id for _, zone_id in owners])}
        own: dict[UUID, list[Zone]] = defaultdict(list)
        for person, zone_id in owners:
            own[person] += [zones[zone_id]] if zone_id in zones else []
        for trip_id, path in store.each_path(conn, list(whose)):
            held = [zone for person in set(whose[trip_id].people) for zone in own.get(person, ())]
            yield Driven(whose[trip_id].policy_key, path, held)


def squares_of(trips: Iterable[Driven]) -> tuple[list[Square], int, int]:
    """Squares that at least LEAST_VEHICLES vehicles drove through; how many others there are, and how many trips."""
    vehicles: dict[tuple[int, int], set[UUID]] = defaultdict(set)
    passed: dict[tuple[int, int], int] = defaultdict(int)
    count = 0
    for trip in trips:
        track = without_zones(unpack(trip.path), trip.zones)
        count += 1
        if track is None:
            continue
        placed = np.isfinite(track.latitude_deg) & np.isfinite(track.longitude_deg)
        for row, column in _cells(track.latitude_deg[placed], track.longitude_deg[placed]):
            vehicles[row, column].add(trip.policy_key)
            passed[row, column] += 1
    found = [
        Square(_bounds(*cell), len(policies), passed[cell])
        for cell, policies in sorted(vehicles.items())
        if len(policies) >= LEAST_VEHICLES
    ]
    return found, len(vehicles) - len(found), count


def places_view(driven: Iterable[Driven], roads: RoadMap | None) -> PlacesView:
    """The map of the squares over our own roads."""
    squares, hidden, trips = squares_of(driven)
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
