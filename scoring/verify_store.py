"""The SQL of `verify`: text that does not depend on random keys, upload ids or times of receipt. Role: telemetry."""

import hashlib
from dataclasses import dataclass

import numpy as np
from psycopg import sql

from ingest.readings import Readings, content_hash
from ingest.store import READING_COLUMNS
from storage.binary import copy_out
from storage.pool import Conn

_CONSERVATION = """
    with held as (select upload_id, count(*) as stored from telemetry.reading group by upload_id),
         refused as (select upload_id, count(*) as quarantined from telemetry.quarantine
                      where upload_id is not null group by upload_id)
    select d.device_id, (u.received_at at time zone 'UTC')::date, sum(u.records_received)::bigint,
           sum(u.records_stored)::bigint, sum(u.records_duplicate)::bigint, sum(u.records_quarantined)::bigint,
           (coalesce(sum(h.stored), 0) + sum(u.records_expired))::bigint, coalesce(sum(r.quarantined), 0)::bigint
      from telemetry.upload u
      join telemetry.device d using (device_key)
      left join held h using (upload_id)
      left join refused r using (upload_id)
     group by 1, 2 order by 1, 2
"""
_ONE_SNAPSHOT = "set transaction isolation level repeatable read"
_DEVICES = "select device_key, device_id from telemetry.device order by device_id"
_UNACCOUNTED = """
    select count(*) from telemetry.reading r
     where not exists (select from telemetry.upload u where u.upload_id = r.upload_id and u.device_key = r.device_key)
"""
DIGESTED = {
    "readings": """
        select d.device_id, r.fix_time, r.content_hash, r.flags, r.latitude_deg, r.longitude_deg, r.odometer_m,
               r.altitude_m, r.speed_mps, r.heading_deg, r.hdop, r.accuracy_m, r.acceleration_forward_mps2,
               r.acceleration_lateral_mps2, r.acceleration_vertical_mps2, r.reported_limit_mps, r.satellites,
               r.ignition, r.phone_in_use, r.belt_fastened
          from telemetry.reading r join telemetry.device d using (device_key)
         order by d.device_id collate "C", r.fix_time, r.content_hash
    """,
    "trips": """
        select d.device_id, t.started_at, t.ended_at, t.time_zone, t.local_month, t.distance_m, t.gap_m, t.duration_s,
               t.sampling_interval_s, t.excluded, t.grade, t.quality, t.not_measurable, t.totals, t.features, t.score,
               t.versions, t.content_digest
          from telemetry.trip t join telemetry.device d using (device_key)
         order by d.device_id collate "C", t.started_at
    """,
    "events": """
        select d.device_id, t.started_at as trip_started_at, e.ordinal, e.kind, e.started_at, e.ended_at, e.peak,
               e.peak_unit, e.latitude_deg, e.longitude_deg, e.source, e.sampling_interval_s, e.thresholds_version
          from telemetry.event e join telemetry.trip t using (trip_id) join telemetry.device d using (device_key)
         order by d.device_id collate "C", t.started_at, e.ordinal
    """,
    "exposure": """
        select d.device_id, t.started_at, x.road_class, x.hour_band, x.over_limit_band, x.distance_m, x.duration_s
          from telemetry.trip_exposure x join telemetry.trip t using (trip_id)
          join telemetry.device d using (device_key)
         order by d.device_id collate "C", t.started_at, x.road_class collate "C", x.hour_band collate "C",
                  x.over_limit_band collate "C"
    """,
}


@dataclass(frozen=True, slots=True)
class LedgerDay:
    """One device and day of receipt: what the upload ledger says, and what the tables hold of those uploads.

    `readings_held` counts the expired ones too, by the ledger's word.
    """

    device_id: str
    day: str
    received: int
    stored: int
    duplicate: int
    quarantined: int
    readings_held: int
    quarantine_held: int


def see_one_moment(conn: Conn) -> None:
    """Let every query of the transaction see the same moment of a live system. Call it before any query."""
    conn.execute(_ONE_SNAPSHOT)


def count_unaccounted(conn: Conn) -> int:
    """Readings that no upload of their device brought."""
    row = conn.execute(_UNACCOUNTED).fetchone()
    return int(str(row[0])) if row else 0


def count_altered(conn: Conn) -> dict[str, int]:
    """Readings whose content is not what their key says, by device id; devices without any are left out."""
    altered = {}
    for device_key, device_id in conn.execute(_DEVICES).fetchall():
        source = sql.SQL("from telemetry.reading where device_key = {}").format(device_key)
        arrays = copy_out(conn, source, READING_COLUMNS)
        stored_hash = arrays.pop("content_hash")
        del arrays["upload_id"]
        arrays["fix_time_us"] = arrays.pop("fix_time")
        differs = int(np.count_nonzero(content_hash(Readings(**arrays)) != stored_hash))  # type: ignore[arg-type]
        if differs:
            altered[str(device_id)] = differs
    return altered


def fetch_ledger(conn: Conn) -> list[LedgerDay]:
    """Every device and day on which something was received."""
    rows = conn.execute(_CONSERVATION).fetchall()
    return [LedgerDay(str(row[0]), str(row[1]), *(int(str(count)) for count in row[2:])) for row in rows]


def digest_rows(conn: Conn, name: str) -> tuple[int, str]:
    """How many rows `DIGESTED[name]` has, and the SHA-256 of their text in order, streamed."""
    digest, rows = hashlib.sha256(), 0
    statement = sql.SQL("copy ({}) to stdout").format(sql.SQL(DIGESTED[name]))
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        for line in copy:
            digest.update(line)
            rows += bytes(line).count(b"\n")
    return rows, digest.hexdigest()
