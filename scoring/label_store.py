"""The SQL of labels, which never change and are never overwritten. Role: link, which alone knows whose a device is."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from scoring.labels import DRIVER
from storage.pool import Conn

_TRIP = "select device_key, started_at, ended_at, local_month from telemetry.trip where trip_id = %(trip_id)s"
# Held to the end of the transaction: who says the same twice at once says it once.
_LOCK = "select pg_advisory_xact_lock(hashtextextended('label', %(device_key)s))"
_LABEL = "select coalesce(label, %(driver)s) from link.trip_of_policy where trip_id = %(trip_id)s"
_SAY = """
    insert into link.trip_label (device_key, from_time, to_time, label, said_by, said_at)
    values (%(device_key)s, %(started_at)s, %(ended_at)s, %(label)s, %(said_by)s, %(said_at)s)
"""
_NOTE_CHANGE = """
    insert into telemetry.trip_change (device_key, from_month, changed_at)
    values (%(device_key)s, %(local_month)s, %(said_at)s)
"""
_SAID = """
    select l.label, l.said_by, l.said_at
      from link.trip_label l join telemetry.trip t using (device_key)
     where t.trip_id = %(trip_id)s and l.from_time <= t.ended_at and l.to_time >= t.started_at
     order by l.trip_label_id
"""


@dataclass(frozen=True, slots=True)
class Said:
    """One statement about a trip's time: what, by which account (a random key), and when."""

    label: str
    said_by: UUID
    said_at: datetime


def label_trip(conn: Conn, trip_id: UUID, label: str, *, said_by: UUID, said_at: datetime) -> bool:
    """Keep what a person says of the time of a trip, and note the change for pricing in the same transaction.

    False when it is said already, or when there is no such trip (any more). `label` must be one of LABELS.
    """
    with conn.cursor() as cursor:
        found = cursor.execute(_TRIP, {"trip_id": trip_id}).fetchone()
        if found is None:
            return False
        device_key, started_at, ended_at, local_month = found
        cursor.execute(_LOCK, {"device_key": device_key})
        held = cursor.execute(_LABEL, {"driver": DRIVER, "trip_id": trip_id}).fetchone()
        if held is None or held[0] == label:
            return False
        fact = {
            "device_key": device_key,
            "started_at": started_at,
            "ended_at": ended_at,
            "local_month": local_month,
            "label": label,
            "said_by": said_by,
            "said_at": said_at,
        }
        cursor.execute(_SAY, fact)
        cursor.execute(_NOTE_CHANGE, fact)
    return True


def fetch_said(conn: Conn, trip_id: UUID) -> list[Said]:
    """Everything that was said of the time of a trip, in the order in which it was said."""
    with conn.cursor(row_factory=class_row(Said)) as cursor:
        return cursor.execute(_SAID, {"trip_id": trip_id}).fetchall()
