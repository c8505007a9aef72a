"""The SQL of scored trips, in for the worker and out for pages. Role: telemetry."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Json

from ingest.moments import from_microseconds, microseconds
from scoring.path import ScoredTrip
from scoring.tracks import Track, pack, unpack
from storage.pool import Conn

# Trips in

_HELD = """
    select started_at, content_digest, local_month, trip_id, shape from telemetry.trip
     where device_key = %(device_key)s and started_at between %(from_time)s and %(to_time)s
"""
_DELETE = "delete from telemetry.trip where trip_id = any(%(ids)s)"
_INSERT_TRIP = """
    insert into telemetry.trip (
        trip_id, device_key, started_at, ended_at, time_zone, local_month, distance_m, gap_m, duration_s,
        sampling_interval_s, excluded, grade, quality, not_measurable, totals, features, score, versions,
        content_digest, shape)
    values (
        %(trip_id)s, %(device_key)s, %(started_at)s, %(ended_at)s, %(time_zone)s, %(local_month)s, %(distance_m)s,
        %(gap_m)s, %(duration_s)s, %(sampling_interval_s)s, %(excluded)s, %(grade)s, %(quality)s, %(not_measurable)s,
        %(totals)s, %(features)s, %(score)s, %(versions)s, %(content_digest)s, %(shape)s)
"""
_INSERT_EXPOSURE = """
    insert into telemetry.trip_exposure (trip_id, road_class, hour_band, over_limit_band, distance_m, duration_s)
    values (%(trip_id)s, %(road_class)s, %(hour_band)s, %(over_limit_band)s, %(distance_m)s, %(duration_s)s)
"""
_INSERT_EVENT = """
    insert into telemetry.event (trip_id, ordinal, kind, started_at, ended_at, peak, peak_unit, latitude_deg,
                                 longitude_deg, source, sampling_interval_s, thresholds_version, totals)
    values (%(trip_id)s, %(ordinal)s, %(kind)s, %(started_at)s, %(ended_at)s, %(peak)s, %(peak_unit)s,
            %(latitude_deg)s, %(longitude_deg)s, %(source)s, %(sampling_interval_s)s, %(thresholds_version)s,
            %(totals)s)
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
    shape: tuple[int, ...]


def held_trips(conn: Conn, device_key: int, from_us: int, to_us: int) -> list[HeldTrip]:
    """The stored trips of a device that started in [from, to]."""
    span = {"device_key": device_key, "from_time": from_microseconds(from_us), "to_time": from_microseconds(to_us)}
    held = []
    for started_at, digest, month, trip_id, shape in conn.execute(_HELD, span).fetchall():
        assert isinstance(started_at, datetime)
        assert isinstance(digest, bytes)
        assert isinstance(trip_id, UUID)
        assert isinstance(shape, list)
        held.append(HeldTrip(microseconds(started_at), digest, str(month), trip_id, tuple(shape)))
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
        "shape": list(trip.shape),
        "totals": Json(trip.totals),
        "features": Json(trip.features),
        "score": None if trip.score is None else Json(trip.score),
        "versions": Json(trip.versions),
    }


def _event_rows(trip: ScoredTrip) -> list[dict[str, Any]]:
    rows = []
    for ordinal, event in enumerate(trip.events):
        row = asdict(event) | {"trip_id": trip.trip_id, "ordinal": ordinal, "totals": Json(event.totals)}
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
