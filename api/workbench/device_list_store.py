"""The SQL of the devices' list and of what the system is doing. Role: telemetry. No place, no person."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from storage.pool import Conn

# The state of a device, by the code that stands in the address: closed sets, nothing of a request is SQL.
STATES = {
    "sending": "d.revoked_at is null and u.last_upload > %(now)s - interval '3 days'",
    "silent": "d.revoked_at is null and u.last_upload <= %(now)s - interval '3 days'",
    "never": "d.revoked_at is null and u.last_upload is null",
    "ended": "d.revoked_at is not null",
}
_SORTS = {"device": "d.device_id", "enrolled": "d.enrolled_at", "last": "u.last_upload"}
SORTS = tuple(_SORTS)
_DEVICES = """
      from telemetry.device d
      left join lateral (select max(received_at) as last_upload from telemetry.upload
                          where upload.device_key = d.device_key) u on true
"""
_COLUMNS = """
    select d.device_id, d.vehicle_class, d.enrolled_at, d.revoked_at, u.last_upload,
           (select count(*) from telemetry.quarantine q where q.device_key = d.device_key and q.replayed_at is null
               and q.expired_at is null) as waiting
"""
_STANDING = """
    select current_setting('server_version') as server, pg_database_size(current_database()) as size_bytes,
           (select count(*) from telemetry.dirty_window) as dirty_windows,
           (select min(marked_at) from telemetry.dirty_window) as dirty_since,
           (select max(received_at) from telemetry.upload) as last_upload,
           (select count(*) from telemetry.quarantine where replayed_at is null and expired_at is null) as quarantined,
           (select greatest(reltuples, 0)::bigint from pg_class where oid = 'telemetry.trip'::regclass) as trips,
           exists (select from pg_extension where extname = 'timescaledb') as has_timescale
"""


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device, when it last uploaded, and how many of its records wait in quarantine."""

    device_id: str
    vehicle_class: str
    enrolled_at: datetime
    revoked_at: datetime | None
    last_upload: datetime | None
    waiting: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How the system stands: what waits for the worker, and how large it is. `trips` is the planner's estimate."""

    server: str
    size_bytes: int
    dirty_windows: int
    dirty_since: datetime | None
    last_upload: datetime | None
    quarantined: int
    trips: int
    has_timescale: bool


def fetch_devices(
    conn: Conn, find: str, state: str, sort: str, now: datetime, skip: int, count: int
) -> list[DeviceRow]:
    """`count` devices whose id begins so, in a state ("": any), after the first `skip`."""
    with conn.cursor(row_factory=class_row(DeviceRow)) as cursor:
        values = _values(find, now) | {"count": count, "skip": skip}
        return cursor.execute(f"{_rows(find, state, sort)} limit %(count)s offset %(skip)s", values).fetchall()


def each_device(conn: Conn, find: str, state: str, sort: str, now: datetime) -> Iterator[DeviceRow]:
    """All of them, some thousands in memory at a time."""
    with conn.cursor(name="devices", row_factory=class_row(DeviceRow)) as cursor:
        cursor.itersize = 5000
        yield from cursor.execute(_rows(find, state, sort), _values(find, now))


def count_devices(conn: Conn, find: str, state: str, now: datetime) -> int:
    """How many there are."""
    row = conn.execute(f"select count(*) {_DEVICES}{_where(find, state)}", _values(find, now)).fetchone()
    assert row is not None
    return int(str(row[0]))


def fetch_standing(conn: Conn) -> Standing:
    """How the system stands now."""
    with conn.cursor(row_factory=class_row(Standing)) as cursor:
        found = cursor.execute(_STANDING).fetchone()
    assert found is not None
    return found


def _rows(find: str, state: str, sort: str) -> str:
    order = _SORTS.get(sort.removeprefix("-"), "d.device_id")
    turn = "desc nulls last" if sort.startswith("-") else "nulls last"
    return f"{_COLUMNS}{_DEVICES}{_where(find, state)} order by {order} {turn}, d.device_id"


def _where(find: str, state: str) -> str:
    asked = ["d.device_id like %(like)s"] if find else []
    asked += [STATES.get(state, "false")] if state else []
    return f" where {' and '.join(asked)}" if asked else ""


def _values(find: str, now: datetime) -> dict[str, object]:
    begins = find.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return {"like": f"{begins}%", "now": now}
