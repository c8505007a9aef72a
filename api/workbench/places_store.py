"""The SQL behind the map of where the book drives. It leaves as counts of squares only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row

from storage.pool import Conn

# Trip ids are hashes: their order is a lot.
_CHOSEN = """
    select trip_id from telemetry.trip join telemetry.trip_path using (trip_id)
     where local_month = %s and excluded is null order by trip_id limit %s
"""
_PATHS = "select trip_id, path from telemetry.trip_path where trip_id = any(%s)"
_LATEST = """
    select coalesce(max(local_month) filter (where local_month < %(month)s), max(local_month))
      from telemetry.trip join telemetry.trip_path using (trip_id) where excluded is null
"""
_WHOSE = """
    select trip_id, policy_key, array_remove(array[policyholder, driver], null) as people
      from link.driver_of_trip where trip_id = any(%s)
"""
_ZONES = "select person_key, zone_id from link.zone_owner where person_key = any(%s)"


@dataclass(frozen=True, slots=True)
class Whose:
    """The policy of a trip, which insures one vehicle, and the people whose privacy zones hold for it."""

    trip_id: UUID
    policy_key: UUID
    people: list[UUID]


def fetch_chosen(conn: Conn, period: str, most: int) -> list[UUID]:
    """At most so many trips of a month of which a path is kept, chosen by lot (role telemetry)."""
    return [UUID(str(trip_id)) for (trip_id,) in conn.execute(_CHOSEN, (period, most)).fetchall()]


def each_path(conn: Conn, trip_ids: Sequence[UUID]) -> Iterator[tuple[UUID, bytes]]:
    """(trip, packed path) of these (role telemetry)."""
    with conn.cursor(name="paths") as cursor:
        cursor.itersize = 200
        for trip_id, path in cursor.execute(_PATHS, (list(trip_ids),)):
            yield UUID(str(trip_id)), bytes(path)  # type: ignore[call-overload]


def fetch_latest_driven_month(conn: Conn, month: str) -> str | None:
    """The latest month before this one of which a path is kept, else this one (role telemetry)."""
    row = conn.execute(_LATEST, {"month": month}).fetchone()
    return None if row is None or row[0] is None else str(row[0])


def fetch_whose(conn: Conn, trip_ids: Sequence[UUID]) -> list[Whose]:
    """Of these trips those under a policy (role link)."""
    with conn.cursor(row_factory=class_row(Whose)) as cursor:
        return cursor.execute(_WHOSE, (list(trip_ids),)).fetchall()


def fetch_zone_owners(conn: Conn, people: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
    """(person, zone) of these people (role link)."""
    rows = conn.execute(_ZONES, (list(people),)).fetchall()
    return [(UUID(str(person)), UUID(str(zone))) for person, zone in rows]
