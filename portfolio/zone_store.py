"""The SQL of privacy zones: the circle (role telemetry), and whose it is (role link). No room holds both."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from storage.pool import Conn

_OWN = "insert into link.zone_owner (zone_id, person_key) values (%s, %s)"
_OF_PEOPLE = "select zone_id from link.zone_owner where person_key = any(%s)"
_DISOWN = "delete from link.zone_owner where zone_id = %s and person_key = %s"
_LOCK = "select pg_advisory_xact_lock(hashtextextended('zones', hashtextextended(%s::text, 0)))"
_INSERT = """
    insert into telemetry.privacy_zone (zone_id, latitude_deg, longitude_deg, radius_m, set_at)
    values (%s, %s, %s, %s, %s)
"""
_ZONES = """
    select zone_id, latitude_deg, longitude_deg, radius_m, set_at from telemetry.privacy_zone
     where zone_id = any(%s) order by set_at, zone_id
"""
_DELETE = "delete from telemetry.privacy_zone where zone_id = %s"
# Who is concerned by where a trip was: whoever pays, and whoever drove.
_CONCERNED = "select policyholder, driver from link.driver_of_trip where trip_id = %s"


@dataclass(frozen=True, slots=True)
class Zone:
    """A circle within which nothing is shown."""

    zone_id: UUID
    latitude_deg: float
    longitude_deg: float
    radius_m: float
    set_at: datetime


def own_zone(conn: Conn, zone_id: UUID, person_key: UUID) -> None:
    """Whose it is (role link)."""
    conn.execute(_OWN, (zone_id, person_key))


def lock_zones(conn: Conn, person_key: UUID) -> None:
    """One zone of a person at a time (role link)."""
    conn.execute(_LOCK, (person_key,))


def fetch_zone_ids(conn: Conn, people: Iterable[UUID]) -> list[UUID]:
    """The zones of these people (role link)."""
    return [UUID(str(row[0])) for row in conn.execute(_OF_PEOPLE, (list(people),)).fetchall()]


def disown_zone(conn: Conn, zone_id: UUID, person_key: UUID) -> bool:
    """False where it is not this person's (role link)."""
    return conn.execute(_DISOWN, (zone_id, person_key)).rowcount == 1


def fetch_concerned(conn: Conn, trip_id: UUID) -> set[UUID]:
    """The people whose zones hold for a trip (role link)."""
    rows = conn.execute(_CONCERNED, (trip_id,)).fetchall()
    return {UUID(str(key)) for row in rows for key in row if key is not None}


def insert_zone(conn: Conn, zone: Zone) -> None:
    """A circle (role telemetry)."""
    conn.execute(_INSERT, (zone.zone_id, zone.latitude_deg, zone.longitude_deg, zone.radius_m, zone.set_at))


def fetch_zones(conn: Conn, zone_ids: Sequence[UUID]) -> list[Zone]:
    """The circles of these ids, the oldest first (role telemetry)."""
    with conn.cursor(row_factory=class_row(Zone)) as cur:
        return cur.execute(_ZONES, (list(zone_ids),)).fetchall()


def delete_zone(conn: Conn, zone_id: UUID) -> None:
    """The circle goes (role telemetry)."""
    conn.execute(_DELETE, (zone_id,))
