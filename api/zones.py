"""Privacy zones: circles round home within which no fix is drawn, handed on or shown as evidence.

The circle that is kept is not the one that was asked for: its middle is moved at random and its radius grown, so that
it holds the asked one, and neither it nor the ends of the ways that it cuts tell where that was.
"""

import math
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

import numpy as np
from numpy.typing import NDArray

from api.errors import BadZone, NotFound
from portfolio import zone_store as store
from portfolio.zone_store import Zone
from scoring.geodesy import haversine_m
from scoring.store import EventRow
from scoring.tracks import Track
from storage.pool import Database

RADIUS_M = (100.0, 2000.0)  # that may be asked for
RADII_M = (200, 400, 800)  # offered on a trip's page
MOST_ZONES = 10
MOVED = (0.25, 0.75)  # of the asked radius
METRES_PER_DEGREE = 111_195.0


def set_zone(
    database: Database, person_key: UUID, latitude_deg: float, longitude_deg: float, radius_m: float, as_of: datetime
) -> tuple[Zone, bool]:
    """A zone that holds the asked circle, and whether it was there. Raises BadZone."""
    if not (RADIUS_M[0] <= radius_m <= RADIUS_M[1]):
        raise BadZone("radius_m", f"is from {RADIUS_M[0]:.0f} to {RADIUS_M[1]:.0f}")
    if not (abs(latitude_deg) <= 85 and abs(longitude_deg) <= 180):
        raise BadZone("latitude_deg and longitude_deg", "are degrees of a place on a road")
    with database.role("link") as conn:
        store.lock_zones(conn, person_key)
        held = zones_of(database, [person_key])
        for zone in held:  # a second circle round the same home would help to guess the middle
            if distance_m(zone, latitude_deg, longitude_deg) + radius_m <= zone.radius_m:
                return zone, True
        if len(held) >= MOST_ZONES:
            raise BadZone("zones", f"are {MOST_ZONES} at most: take one away first")
        zone = moved(latitude_deg, longitude_deg, radius_m, as_of)
        with database.role("telemetry") as places:
            store.insert_zone(places, zone)
        store.own_zone(conn, zone.zone_id, person_key)
    return zone, False


def moved(latitude_deg: float, longitude_deg: float, radius_m: float, as_of: datetime) -> Zone:
    """A larger circle round another middle that holds the asked one."""
    chance = secrets.SystemRandom()
    by_m, towards = radius_m * chance.uniform(*MOVED), chance.uniform(0, 2 * math.pi)
    narrow = math.cos(math.radians(latitude_deg))
    latitude = latitude_deg + by_m * math.cos(towards) / METRES_PER_DEGREE
    longitude = longitude_deg + by_m * math.sin(towards) / METRES_PER_DEGREE / narrow
    return Zone(uuid4(), latitude, (longitude + 180) % 360 - 180, float(math.ceil(radius_m + by_m + 1)), as_of)


def take_away(database: Database, person_key: UUID, zone_id: UUID) -> None:
    """The zone goes, and what it hid is shown again. Raises NotFound."""
    with database.role("link") as conn:
        if not store.disown_zone(conn, zone_id, person_key):
            raise NotFound("zone", str(zone_id))
        with database.role("telemetry") as places:
            store.delete_zone(places, zone_id)


def zones_of(database: Database, people: Iterable[UUID]) -> list[Zone]:
    """The zones of these people."""
    with database.role("link") as conn:
        ids = store.fetch_zone_ids(conn, people)
    if not ids:
        return []
    with database.role("telemetry") as conn:
        return store.fetch_zones(conn, ids)


def zones_of_trip(database: Database, trip_id: UUID) -> list[Zone]:
    """The zones that hold for a trip: those of whoever pays and of whoever drove."""
    with database.role("link") as conn:
        people = store.fetch_concerned(conn, trip_id)
    return zones_of(database, people)


def without_zones(track: Track | None, zones: Sequence[Zone]) -> Track | None:
    """The track without its places in the zones; None where fewer than two are left."""
    if track is None or not zones:
        return track
    inside = np.zeros(len(track.t_s), dtype=np.bool_)
    for zone in zones:
        inside |= away_m(track, zone.latitude_deg, zone.longitude_deg) <= zone.radius_m
    return hidden(track, inside) if inside.any() else track


def hidden(track: Track, rows: NDArray[np.bool_]) -> Track | None:
    """The track without the places of these rows; None where fewer than two are left.

    A hidden place is infinite and not NaN, which is not known: a way is never drawn across what is hidden.
    """
    latitude = np.where(rows, np.inf, track.latitude_deg)
    longitude = np.where(rows, np.inf, track.longitude_deg)
    if (np.isfinite(latitude) & np.isfinite(longitude)).sum() < 2:
        return None
    return replace(track, latitude_deg=latitude, longitude_deg=longitude)


def events_without_zones(events: Sequence[EventRow], zones: Sequence[Zone]) -> list[EventRow]:
    """The events; those in the zones without their place."""
    return [without_place(event) if any(_is_in(event, zone) for zone in zones) else event for event in events]


def without_place(event: EventRow) -> EventRow:
    """The event, and not where it was."""
    return replace(event, latitude_deg=None, longitude_deg=None)


def away_m(track: Track, latitude_deg: float, longitude_deg: float) -> NDArray[np.float64]:
    """How far each fix is from a place, shape (n,); NaN where it has none."""
    there = np.full(len(track.t_s), latitude_deg), np.full(len(track.t_s), longitude_deg)
    with np.errstate(invalid="ignore"):
        return haversine_m(track.latitude_deg, track.longitude_deg, *there)


def distance_m(zone: Zone, latitude_deg: float, longitude_deg: float) -> float:
    """From the middle of a zone to a place."""
    here = np.array([latitude_deg]), np.array([longitude_deg])
    return float(haversine_m(np.array([zone.latitude_deg]), np.array([zone.longitude_deg]), *here)[0])


def _is_in(event: EventRow, zone: Zone) -> bool:
    if event.latitude_deg is None or event.longitude_deg is None:
        return False
    return distance_m(zone, event.latitude_deg, event.longitude_deg) <= zone.radius_m
