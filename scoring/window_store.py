"""The SQL of what waits to be scored: dirty windows, and the readings that they lead to. Role: telemetry."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from psycopg import sql

from ingest.moments import from_microseconds, microseconds
from ingest.readings import Int64s
from ingest.store import fetch_readings
from scoring.clean import BAD_FIX, HELD, UNSCORED, clean_readings
from scoring.segments import Place
from storage.pool import Conn

FROM_1970_TO_2000_US = 946_684_800_000_000  # the server counts from 2000

# Dirty windows


@dataclass(frozen=True, slots=True)
class Window:
    """A span of one device's readings that changed since its trips were cut."""

    dirty_window_id: int
    from_us: int
    to_us: int


@dataclass(frozen=True, slots=True)
class Gone:
    """A time [from, to) whose readings were deleted, and why: `expired` or `erased`.

    What had been received `by` then was cut before they went.
    """

    from_us: int
    to_us: int
    by: datetime
    reason: str

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last microsecond."""
        return self.from_us, self.to_us - 1


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
_REFUSE_WINDOW = """
    insert into telemetry.refused_window (device_key, from_time, to_time, reason, refused_at)
    values (%(device_key)s, %(from_time)s, %(to_time)s, %(reason)s, %(at)s)
"""
_GONE = """
    select from_time, least(to_time, '9999-01-01') as to_time, received_by as by, 'erased' as reason
      from telemetry.erased_span where device_key = %(device_key)s and to_time > from_time
    union all
    (select 'epoch', expired_before, announced_at, 'expired' from telemetry.reading_expiry
      where exists (select from telemetry.upload where device_key = %(device_key)s and records_expired > 0)
      order by expired_before desc limit 1)
"""
_RECEIVED = """
    select fix_time from telemetry.reading r
     where device_key = %(device_key)s and fix_time between %(from_time)s and %(to_time)s
       and exists (select from telemetry.upload u where u.upload_id = r.upload_id and u.received_at <= %(by)s)
     order by fix_time
"""
_RECEIVED_ENDS = f"(({_RECEIVED} limit 1) union all ({_RECEIVED} desc limit 1)) order by 1"
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


def hold_readings(conn: Conn, device_key: int) -> None:
    """No reading expires until the transaction ends: it has looked into every week. Call it before `gone_spans`."""
    placed_time_after(conn, device_key, 0)


def gone_spans(conn: Conn, device_key: int) -> list[Gone]:
    """Times of the device whose readings were deleted: with a person, and what has expired."""
    spans = []
    for from_time, to_time, by, reason in conn.execute(_GONE, {"device_key": device_key}).fetchall():
        assert isinstance(from_time, datetime)
        assert isinstance(to_time, datetime)
        assert isinstance(by, datetime)
        spans.append(Gone(microseconds(from_time), microseconds(to_time), by, str(reason)))
    return spans


def received_times(conn: Conn, device_key: int, from_us: int, to_us: int, by: datetime) -> tuple[int, ...]:
    """The first and the last fix time in from <= time <= to of what had been received by then; () where nothing had."""
    span = {"from_time": from_microseconds(from_us), "to_time": from_microseconds(to_us)}
    rows = conn.execute(_RECEIVED_ENDS, span | {"device_key": device_key, "by": by}).fetchall()
    return tuple(microseconds(row[0]) for row in rows if isinstance(row[0], datetime))


def refuse_window(conn: Conn, device_key: int, from_us: int, to_us: int, reason: str, at: datetime) -> None:
    """Keep that this span was not cut again, because it lies beside time whose readings are gone."""
    span = {"from_time": from_microseconds(from_us), "to_time": from_microseconds(to_us)}
    conn.execute(_REFUSE_WINDOW, span | {"device_key": device_key, "reason": reason, "at": at})


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
    """Fix times of usable readings with from <= time <= to, rising, in microseconds since 1970.

    They come as one value of big-endian integers: a message for each row costs more than all else that the worker does.
    """
    query = sql.SQL(
        "select string_agg(timestamptz_send(fix_time), ''::bytea order by fix_time) from telemetry.reading "
        "where device_key = {} and fix_time between {} and {} and {}"
    ).format(device_key, from_microseconds(from_us), from_microseconds(to_us), _USABLE)
    row = conn.execute(query, binary=True).fetchone()
    packed = row[0] if row and isinstance(row[0], bytes) else b""
    return np.frombuffer(packed, ">i8").astype(np.int64) + FROM_1970_TO_2000_US


def placed_time_after(conn: Conn, device_key: int, time_us: int) -> int | None:
    """The first fix time after `time_us` of a reading that says where the device was."""
    return _one_time(conn, sql.SQL("min(fix_time)"), sql.SQL(">"), device_key, time_us)


def placed_time_before(conn: Conn, device_key: int, time_us: int) -> int | None:
    """The last fix time before `time_us` of a reading that says where the device was."""
    return _one_time(conn, sql.SQL("max(fix_time)"), sql.SQL("<"), device_key, time_us)


def last_place(conn: Conn, device_key: int, before_us: int) -> Place | None:
    """Where the device was last seen before a time; of clashing readings the one that scoring picks."""
    time_us = placed_time_before(conn, device_key, before_us)
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
