"""Looks at where somebody was, with their reasons (role link); and territories with enough vehicles (role policy)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from storage.pool import Conn

LEAST_VEHICLES = 5  # of a territory about which anything is told; the database holds to it whatever is asked
LOOK_REASONS = {
    "asked": "The person asked for it",
    "crash": "Help after a suspected crash",
    "theft": "The car was stolen",
    "court": "A court or an authority ordered it",
    "fault": "A fault in the data of this trip is looked into",
}

_INSERT = """
    insert into link.location_look (policy_key, trip_id, reason, words, seen_by, seen_at)
    values (%s, %s, %s, %s, %s, %s)
"""
_LOOKS = """
    select policy_key, trip_id, reason, words, seen_by, seen_at from link.location_look
     where policy_key = any(%s) order by seen_at desc, location_look_id desc
"""
_COUNTS = "select territory, vehicles, distance_m from link.territory_counts(%s)"


@dataclass(frozen=True, slots=True)
class LocationLook:
    """Somebody looked at where a trip went, and why."""

    policy_key: UUID
    trip_id: UUID
    reason: str
    words: str
    seen_by: UUID
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class TerritoryCount:
    """A territory, how many vehicles drove there, and how far."""

    territory: str
    vehicles: int
    distance_m: int


def insert_look(
    conn: Conn, policy_key: UUID, trip_id: UUID, reason: str, words: str, seen_by: UUID, as_of: datetime
) -> None:
    """Keeps a look (role link)."""
    conn.execute(_INSERT, (policy_key, trip_id, reason, words, seen_by, as_of))


def fetch_looks(conn: Conn, policy_keys: Sequence[UUID]) -> list[LocationLook]:
    """The looks at trips of these policies, the latest first (role link)."""
    with conn.cursor(row_factory=class_row(LocationLook)) as cur:
        return cur.execute(_LOOKS, (list(policy_keys),)).fetchall()


def territory_counts(conn: Conn, least_vehicles: int = LEAST_VEHICLES) -> list[TerritoryCount]:
    """Vehicles and metres by the insurer's territories, of those with at least so many vehicles (role policy).

    Never of fewer than LEAST_VEHICLES, whatever is asked for. A policy is one vehicle, however many devices are in it.
    """
    with conn.cursor(row_factory=class_row(TerritoryCount)) as cur:
        return cur.execute(_COUNTS, (least_vehicles,)).fetchall()
