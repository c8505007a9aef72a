"""The SQL of scoring: dirty windows, the readings that scoring reads, and trips in and out. Role: telemetry."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Json

from ingest.moments import from_microseconds, microseconds
from ingest.readings import Int64s
from ingest.store import fetch_readings
from scoring.clean import BAD_FIX, HELD, UNSCORED, clean_readings
from scoring.path import ScoredTrip
from scoring.tracks import Track, pack, unpack
from scoring.trips import Place
from storage.binary import Column, copy_out
from storage.pool import Conn

# Dirty windows


@dataclass(frozen=True, slots=True)
class Window:
    """A span of one device's readings that changed since its trips were cut."""

    dirty_window_id: int
    from_us: int
    to_us: int


_DIRTY_DEVICES = "select device_key from telemetry.dirty_window group by device_key order by min(dirty_window_id)"
_COUNT_DIRTY = "select count(*) from telemetry.dirty_window"
# Held to the end of the transaction. Not a row lock: an upload must never wait for scoring.
_LOCK_DEVICE = "select pg_try_advisory_xact_lock(%(device_key)s)"
_WINDOWS = """
    select dirty_window_id, from_time, to_time from telemetry.dirty_window
     where device_key = %(device_key)s order by from_time, to_time for update skip locked
"""
_MARK_MATCHED_ELSEWHERE = """
    insert into telemetry.dirty_window (device_key, from_time, to_time, marked_at)
    select device_key, min(started_at), max(ended_at), %(as_of)s
      from telemetry.trip where versions ->> 'map' is distinct from %(map)s group by device_key
"""
_COUNT_UNMATCHED = """
    select count(*) from telemetry.trip
     where versions ->> 'map' = %(map)s and distance_m > 0 and coalesce((totals ->> 'matched_m')::bigint, 0) = 0
"""
_DROP_WINDOWS = "delete from telemetry.dirty_window where dirty_window_id = any(%(ids)s)"
_VEHICLE_CLASS = "select vehicle_class from telemetry.device where device_key = %(device_key)s"


def dirty_devices(conn: Conn) -> list[int]:
    """Keys of the devices with dirty windows, the longest waiting first."""
    return [int(str(row[0])) for row in conn.execute(_DIRTY_DEVICES).fetchall()]


def mark_matched_elsewhere(conn: Conn, map_version: str | None, as_of: datetime) -> int:
    """Mark dirty what was not matched on this map (None: on none); the number of devices."""
    return conn.execute(_MARK_MATCHED_ELSEWHERE, {"map": map_version, "as_of": as_of}).rowcount


def count_unmatched(conn: Conn, map_version: str) -> int:
    """Trips scored with this map of which no metre lies on its roads."""
    row = conn.execute(_COUNT_UNMATCHED, {"map": map_version}).fetchone()
    return int(str(row[0])) if row else 0


def count_dirty(conn: Conn) -> int:
    """How many windows wait."""
    row = conn.execute(_COUNT_DIRTY).fetchone()
    return int(str(row[0])) if row else 0


def take_windows(conn: Conn, device_key: int) -> list[Window]:
    """The device's dirty windows; [] when another worker has the device. Delete exactly these in this transaction."""
    locked = conn.execute(_LOCK_DEVICE, {"device_key": device_key}).fetchone()
    if not locked or not locked[0]:
        return []
    windows = []
    for window_id, from_time, to_time in conn.execute(_WINDOWS, {"device_key": device_key}).fetchall():
        assert isinstance(from_time, datetime)
        assert isinstance(to_time, datetime)
        windows.append(Window(int(str(window_id)), microseconds(from_time), microseconds(to_time)))
    return windows


def drop_windows(conn: Conn, windows: Sequence[Window]) -> None:
    """These windows are done."""
    conn.execute(_DROP_WINDOWS, {"ids": [window.dirty_window_id for window in windows]})


def vehicle_class(conn: Conn, device_key: int) -> str:
    """The class whose thresholds the device's vehicle has."""
    row = conn.execute(_VEHICLE_CLASS, {"device_key": device_key}).fetchone()
    return str(row[0]) if row else "car"


# Readings that scoring reads: the same rules as `placed` and `usable` of scoring/clean.py; a test compares them

_PLACED = sql.SQL("(flags & {} = 0 and latitude_deg is not null and longitude_deg is not null)").format(
    int(UNSCORED | BAD_FIX | HELD)
)
_USABLE = sql.SQL("({} or (flags & {} = {} and speed_mps is not null))").format(
    _PLACED, int(UNSCORED | BAD_FIX | HELD), int(HELD)
)


def usable_times(conn: Conn, device_key: int, from_us: int, to_us: int) -> Int64s:
    """Fix times of usable readings with from <= time <= to, rising, in microseconds since 1970."""
    source = sql.SQL("from telemetry.reading where device_key = {} and fix_time between {} and {} and {} order by 1")
    composed = source.format(device_key, from_microseconds(from_us), from_microseconds(to_us), _USABLE)
    return copy_out(conn, composed, (Column("fix_time", "timestamptz"),))["fix_time"].astype(np.int64)


def placed_time_after(conn: Conn, device_key: int, time_us: int) -> int | None:
    """The first fix time after `time_us` of a reading that says where the device was."""
    return _one_time(conn, sql.SQL("min(fix_time)"), sql.SQL(">"), device_key, time_us)


def last_place(conn: Conn, device_key: int, before_us: int) -> Place | None:
    """Where the device was last seen before a time; of clashing readings the one that scoring picks."""
    time_us = _one_time(conn, sql.SQL("max(fix_time)"), sql.SQL("<"), device_key, before_us)
    if time_us is None:
        return None
    at = clean_readings(fetch_readings(conn, device_key, time_us, time_us)).readings
    return Place(time_us, float(at.latitude_deg[0]), float(at.longitude_deg[0]))


def _one_time(conn: Conn, wanted: sql.SQL, side: sql.SQL, device_key: int, time_us: int) -> int | None:
    query = sql.SQL("select {} from telemetry.reading where device_key = {} and fix_time {} {} and {}").format(
        wanted, device_key, side, from_microseconds(time_us), _PLACED
    )
    row = conn.execute(query).fetchone()
    return microseconds(row[0]) if row and isinstance(row[0], datetime) else None


# Trips in

_HELD = """
    select started_at, content_digest, local_month, trip_id from telemetry.trip
     where device_key = %(device_key)s and started_at between %(from_time)s and %(to_time)s
"""
_DELETE = "delete from telemetry.trip where trip_id = any(%(ids)s)"
_INSERT_TRIP = """
    insert into telemetry.trip (
        trip_id, device_key, started_at, ended_at, time_zone, local_month, distance_m, gap_m, duration_s,
        sampling_interval_s, excluded, grade, quality, not_measurable, totals, features, score, versions,
        content_digest)
    values (
        %(trip_id)s, %(device_key)s, %(started_at)s, %(ended_at)s, %(time_zone)s, %(local_month)s, %(distance_m)s,
        %(gap_m)s, %(duration_s)s, %(sampling_interval_s)s, %(excluded)s, %(grade)s, %(quality)s, %(not_measurable)s,
        %(totals)s, %(features)s, %(score)s, %(versions)s, %(content_digest)s)
"""
_INSERT_EXPOSURE = """
    insert into telemetry.trip_exposure (trip_id, road_class, hour_band, over_limit_band, distance_m, duration_s)
    values (%(trip_id)s, %(road_class)s, %(hour_band)s, %(over_limit_band)s, %(distance_m)s, %(duration_s)s)
"""
_INSERT_EVENT = """
    insert into telemetry.event (trip_id, ordinal, kind, started_at, ended_at, peak, peak_unit, latitude_deg,
                                 longitude_deg, source, sampling_interval_s, thresholds_version)
    values (%(trip_id)s, %(ordinal)s, %(kind)s, %(started_at)s, %(ended_at)s, %(peak)s, %(peak_unit)s,
            %(latitude_deg)s, %(longitude_deg)s, %(source)s, %(sampling_interval_s)s, %(thresholds_version)s)
"""
_INSERT_PATH = "insert into telemetry.trip_path (trip_id, path) values (%(trip_id)s, %(path)s)"
_INSERT_CHANGE = """
    insert into telemetry.trip_change (device_key, from_month, changed_at)
    values (%(device_key)s, %(from_month)s, %(changed_at)s)
"""


@dataclass(frozen=True, slots=True)
class HeldTrip:
    """What replacing needs to know of a stored trip."""

    started_us: int
    content_digest: bytes
    local_month: str
    trip_id: UUID


def held_trips(conn: Conn, device_key: int, from_us: int, to_us: int) -> list[HeldTrip]:
    """The stored trips of a device that started in [from, to]."""
    span = {"device_key": device_key, "from_time": from_microseconds(from_us), "to_time": from_microseconds(to_us)}
    held = []
    for started_at, digest, month, trip_id in conn.execute(_HELD, span).fetchall():
        assert isinstance(started_at, datetime)
        assert isinstance(digest, bytes)
        assert isinstance(trip_id, UUID)
        held.append(HeldTrip(microseconds(started_at), digest, str(month), trip_id))
    return held


def delete_trips(conn: Conn, trip_ids: Sequence[UUID]) -> None:
    """Trips with their exposure, events and paths."""
    conn.execute(_DELETE, {"ids": list(trip_ids)})


def insert_trips(conn: Conn, device_key: int, trips: Sequence[ScoredTrip]) -> None:
    """Scored trips with their exposure, events and paths."""
    with conn.cursor() as cursor:
        cursor.executemany(_INSERT_TRIP, [_trip_row(device_key, trip) for trip in trips])
        cursor.executemany(
            _INSERT_EXPOSURE, [{"trip_id": trip.trip_id, **asdict(cell)} for trip in trips for cell in trip.exposure]
        )
        cursor.executemany(_INSERT_EVENT, [row for trip in trips for row in _event_rows(trip)])
        cursor.executemany(
            _INSERT_PATH, [{"trip_id": trip.trip_id, "path": pack(trip.track)} for trip in trips if trip.track]
        )


def insert_change(conn: Conn, device_key: int, from_month: str, changed_at: datetime) -> None:
    """Tell pricing that trips of the device changed from this local month on."""
    conn.execute(_INSERT_CHANGE, {"device_key": device_key, "from_month": from_month, "changed_at": changed_at})


def _trip_row(device_key: int, trip: ScoredTrip) -> dict[str, Any]:
    as_they_are = (
        "trip_id", "time_zone", "local_month", "distance_m", "gap_m", "duration_s", "sampling_interval_s", "excluded",
        "grade", "content_digest",
    )  # fmt: skip
    return {name: getattr(trip, name) for name in as_they_are} | {
        "device_key": device_key,
        "started_at": from_microseconds(trip.started_us),
        "ended_at": from_microseconds(trip.ended_us),
        "quality": Json(trip.quality),
        "not_measurable": list(trip.not_measurable),
        "totals": Json(trip.totals),
        "features": Json(trip.features),
        "score": None if trip.score is None else Json(trip.score),
        "versions": Json(trip.versions),
    }


def _event_rows(trip: ScoredTrip) -> list[dict[str, Any]]:
    rows = []
    for ordinal, event in enumerate(trip.events):
        row = asdict(event) | {"trip_id": trip.trip_id, "ordinal": ordinal}
        row["started_at"] = from_microseconds(row.pop("started_us"))
        row["ended_at"] = from_microseconds(row.pop("ended_us"))
        rows.append(row)
    return rows


# Trips out, for pages


@dataclass(frozen=True, slots=True)
class TripRow:
    """A stored trip. `score` None: not scored, `excluded` or `quality` says why."""

    trip_id: UUID
    device_key: int
    started_at: datetime
    ended_at: datetime
    time_zone: str
    local_month: str
    distance_m: int
    gap_m: int
    duration_s: int
    sampling_interval_s: float | None
    excluded: str | None
    grade: str
    quality: dict[str, Any]
    not_measurable: list[str]
    totals: dict[str, int]
    features: dict[str, float | None]
    score: dict[str, Any] | None
    versions: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class EventRow:
    """A stored event of a trip."""

    ordinal: int
    kind: str
    started_at: datetime
    ended_at: datetime
    peak: float
    peak_unit: str
    latitude_deg: float | None
    longitude_deg: float | None
    source: str
    sampling_interval_s: float
    thresholds_version: str


_TRIP_COLUMNS = sql.SQL(", ").join(sql.Identifier(name) for name in TripRow.__dataclass_fields__)
_TRIPS = sql.SQL("""
    select {} from telemetry.trip
     where device_key = any(%(device_keys)s) and started_at >= %(from_time)s and started_at < %(to_time)s
     order by started_at desc, trip_id limit %(limit)s
""").format(_TRIP_COLUMNS)
_TRIP = sql.SQL("select {} from telemetry.trip where trip_id = %(trip_id)s").format(_TRIP_COLUMNS)
_EVENTS = sql.SQL("select {} from telemetry.event where trip_id = %(trip_id)s order by ordinal").format(
    sql.SQL(", ").join(sql.Identifier(name) for name in EventRow.__dataclass_fields__)
)
_PATH = "select path from telemetry.trip_path where trip_id = %(trip_id)s"


def fetch_trips(
    conn: Conn,
    device_keys: Sequence[int],
    limit: int = 100,
    *,
    from_time: datetime | None = None,
    to_time: datetime | None = None,
) -> list[TripRow]:
    """Trips of these devices that started in [from, to), the latest first."""
    with conn.cursor(row_factory=class_row(TripRow)) as cursor:
        cursor.execute(
            _TRIPS,
            {
                "device_keys": list(device_keys),
                "from_time": from_time or "-infinity",
                "to_time": to_time or "infinity",
                "limit": limit,
            },
        )
        return cursor.fetchall()


def fetch_trip(conn: Conn, trip_id: UUID) -> TripRow | None:
    """One trip, None when there is none of that id."""
    with conn.cursor(row_factory=class_row(TripRow)) as cursor:
        cursor.execute(_TRIP, {"trip_id": trip_id})
        return cursor.fetchone()


def fetch_events(conn: Conn, trip_id: UUID) -> list[EventRow]:
    """The events of a trip in order of start."""
    with conn.cursor(row_factory=class_row(EventRow)) as cursor:
        cursor.execute(_EVENTS, {"trip_id": trip_id})
        return cursor.fetchall()


def fetch_track(conn: Conn, trip_id: UUID) -> Track | None:
    """The path of a trip for drawing; None when it has none, or it has expired with its readings."""
    row = conn.execute(_PATH, {"trip_id": trip_id}).fetchone()
    return unpack(row[0]) if row and isinstance(row[0], bytes) else None


# Verification: text that does not depend on random keys, upload ids or times of receipt

_CONSERVATION = """
    with held as (select upload_id, count(*) as stored from telemetry.reading group by upload_id),
         refused as (select upload_id, count(*) as quarantined from telemetry.quarantine
                      where upload_id is not null group by upload_id)
    select d.device_id, (u.received_at at time zone 'UTC')::date, sum(u.records_received)::bigint,
           sum(u.records_stored)::bigint, sum(u.records_duplicate)::bigint, sum(u.records_quarantined)::bigint,
           coalesce(sum(h.stored), 0)::bigint, coalesce(sum(r.quarantined), 0)::bigint
      from telemetry.upload u
      join telemetry.device d using (device_key)
      left join held h using (upload_id)
      left join refused r using (upload_id)
     group by 1, 2 order by 1, 2
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
    """One device and day of receipt: what the upload ledger says, and what the tables hold of those uploads."""

    device_id: str
    day: str
    received: int
    stored: int
    duplicate: int
    quarantined: int
    readings_held: int
    quarantine_held: int


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
