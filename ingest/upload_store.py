"""The SQL of storing: the upload ledger, its readings, its quarantine and its dirty windows, many uploads at a time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from psycopg import errors
from psycopg.rows import class_row

from ingest.decoded import Rejected
from ingest.moments import microseconds
from ingest.readings import Bools, Int64s, Readings
from ingest.store import CONTENT_COLUMNS, READING_COLUMNS, Upload
from storage.binary import Arrays, Column, copy_in
from storage.pool import Conn


@dataclass(frozen=True, slots=True)
class EarlierUpload:
    """An upload that the ledger holds already."""

    upload_id: int
    device_key: int
    idempotency_key: str
    body_sha256: bytes
    records_stored: int
    records_duplicate: int
    records_quarantined: int


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of the readings of m uploads, shapes (m,): new ones, and whether old ones' flags were corrected."""

    stored: Int64s
    reflagged: Bools


# Uploads of one device wait for each other, so what one of them counts as duplicate is settled. In the order of the
# keys: two transactions that want the same devices wait for each other, never in a circle.
_LOCK_DEVICES = """
    select device_key from telemetry.device where device_key = any(%(device_keys)s) and revoked_at is null
     order by device_key for no key update
"""
_LOCK_IDLE_DEVICES = _LOCK_DEVICES + " skip locked"
_ACTIVE = "select device_key from telemetry.device where device_key = any(%(device_keys)s) and revoked_at is null"
_EARLIER_UPLOADS = """
    select u.upload_id, u.device_key, u.idempotency_key, u.body_sha256, u.records_stored, u.records_duplicate,
           u.records_quarantined
      from unnest(%(device_keys)s::bigint[], %(keys)s::text[]) as asked (device_key, idempotency_key)
      join telemetry.upload u using (device_key, idempotency_key)
     where u.idempotency_key is not null
"""
_QUARANTINED = """
    select record_index, reason, detail from telemetry.quarantine where upload_id = %(upload_id)s
     order by record_index nulls first, quarantine_id
"""
_TAKE_UPLOAD_IDS = """
    select nextval(pg_get_serial_sequence('telemetry.upload', 'upload_id')) from generate_series(1, %(count)s)
"""
_COPY_UPLOADS = """
    copy telemetry.upload (upload_id, device_key, received_at, channel, tier, decoder_version, body_sha256,
                           idempotency_key, flags, records_received, records_stored, records_duplicate,
                           records_quarantined)
    from stdin
"""
_COPY_QUARANTINE = """
    copy telemetry.quarantine (device_key, upload_id, received_at, channel, reason, detail, record_index, raw)
    from stdin
"""
# Kept by the connection, empty after each transaction: a table made anew for each upload would bloat the catalogue.
_INCOMING = """
    create temporary table if not exists incoming_reading (like telemetry.reading) on commit delete rows
"""
_INCOMING_EXISTS = "select to_regclass('pg_temp.incoming_reading') is not null"
_KEEP_NEW = "insert into telemetry.reading select * from incoming_reading on conflict do nothing"
_COUNT_HELD = """
    select i.upload_id, count(*), bool_or(r.flags <> (r.flags & i.flags))
      from incoming_reading i
      join telemetry.reading r on r.device_key = i.device_key and r.fix_time = i.fix_time
                              and r.content_hash = i.content_hash
     where r.upload_id <> i.upload_id group by i.upload_id
"""
# A remark stays only if every arrival bears it, so that the order of arrival leaves no trace.
_AGREE_ON_FLAGS = """
    update telemetry.reading r set flags = r.flags & i.flags
      from incoming_reading i
     where r.device_key = i.device_key and r.fix_time = i.fix_time and r.content_hash = i.content_hash
       and r.flags <> (r.flags & i.flags)
    returning i.upload_id
"""
_COUNT_BETWEEN = """
    select asked.device_key, count(distinct r.fix_time)
      from unnest(%(device_keys)s::bigint[], %(until)s::timestamptz[]) as asked (device_key, until)
      join telemetry.reading r using (device_key)
     where r.fix_time >= %(since)s and r.fix_time < asked.until
     group by asked.device_key
"""
_WINDOW_COLUMNS = (
    Column("device_key", "bigint"),
    Column("from_time", "timestamptz"),
    Column("to_time", "timestamptz"),
    Column("marked_at", "timestamptz"),
)


def lock_devices(conn: Conn, device_keys: Iterable[int], *, wait: bool) -> tuple[set[int], set[int]]:
    """Of these devices the ones that are this transaction's to store for, and the ones that somebody else holds.

    With `wait` their other uploads are waited for and nobody else holds any. A device in neither set is revoked.
    """
    keys = {"device_keys": list(device_keys)}
    ours = _keys(conn, _LOCK_DEVICES if wait else _LOCK_IDLE_DEVICES, keys)
    missing = [key for key in keys["device_keys"] if key not in ours]
    if wait or not missing:
        return ours, set()
    return ours, active_devices(conn, missing)


def active_devices(conn: Conn, device_keys: Iterable[int]) -> set[int]:
    """Of these devices the ones that may send."""
    return _keys(conn, _ACTIVE, {"device_keys": list(device_keys)})


def _keys(conn: Conn, query: str, values: dict[str, list[int]]) -> set[int]:
    return {int(str(row[0])) for row in conn.execute(query, values).fetchall()}


def fetch_earlier_uploads(conn: Conn, asked: Sequence[tuple[int, str]]) -> dict[tuple[int, str], EarlierUpload]:
    """The uploads that these devices sent before under these idempotency keys."""
    values = {"device_keys": [device_key for device_key, _ in asked], "keys": [key for _, key in asked]}
    with conn.cursor(row_factory=class_row(EarlierUpload)) as cursor:
        cursor.execute(_EARLIER_UPLOADS, values)
        return {(one.device_key, one.idempotency_key): one for one in cursor.fetchall()}


def fetch_quarantined(conn: Conn, upload_id: int) -> list[tuple[int | None, str, str]]:
    """Record index, reason and detail of what was refused of an upload."""
    rows = conn.execute(_QUARANTINED, {"upload_id": upload_id}).fetchall()
    return [(None if index is None else int(str(index)), str(reason), str(detail)) for index, reason, detail in rows]


def take_upload_ids(conn: Conn, count: int) -> Int64s:
    """Numbers for as many ledger rows, shape (count,)."""
    rows = conn.execute(_TAKE_UPLOAD_IDS, {"count": count}).fetchall()
    return np.array([row[0] for row in rows], dtype=np.int64)


def insert_uploads(
    conn: Conn, uploads: Sequence[Upload], upload_ids: Int64s, stored: Int64s, duplicate: Int64s, quarantined: Int64s
) -> None:
    """The ledger's rows, one an upload; counts of shape (m,)."""
    counts = np.stack((stored + duplicate + quarantined, stored, duplicate, quarantined)).T.tolist()
    with conn.cursor() as cursor, cursor.copy(_COPY_UPLOADS) as copy:
        for upload, upload_id, row in zip(uploads, upload_ids.tolist(), counts, strict=True):
            copy.write_row(
                (upload_id, upload.device_key, upload.received_at, upload.channel, upload.tier, upload.decoder_version,
                 upload.body_sha256, upload.idempotency_key, list(upload.flags) or None, *row)
            )  # fmt: skip


def insert_quarantine(conn: Conn, refused: Sequence[tuple[Upload, int, Rejected]]) -> None:
    """The refused records, whole, each with its upload and that upload's id."""
    if not refused:
        return
    with conn.cursor() as cursor, cursor.copy(_COPY_QUARANTINE) as copy:
        for upload, upload_id, one in refused:
            copy.write_row(
                (upload.device_key, upload_id, upload.received_at, upload.channel, one.reason.value, one.detail,
                 one.record_index, one.raw)
            )  # fmt: skip


def mark_dirty(conn: Conn, uploads: Sequence[Upload], from_us: Int64s, to_us: Int64s) -> None:
    """Trips of the uploads' devices within [from, to] must be cut again; microseconds since 1970, shapes (m,)."""
    if uploads:
        windows = {
            "device_key": np.array([upload.device_key for upload in uploads], dtype=np.int64),
            "from_time": from_us,
            "to_time": to_us,
            "marked_at": np.array([microseconds(upload.received_at) for upload in uploads], dtype=np.int64),
        }
        copy_in(conn, "telemetry.dirty_window", _WINDOW_COLUMNS, windows)


def count_fix_times(conn: Conn, until: Mapping[int, datetime], since: datetime) -> dict[int, int]:
    """Of each device how many fix times it has in [since, until of that device); 0 where it is left out."""
    values = {"device_keys": list(until), "until": list(until.values()), "since": since}
    return {int(str(row[0])): int(str(row[1])) for row in conn.execute(_COUNT_BETWEEN, values).fetchall()}


def merge_readings(
    conn: Conn, readings: Readings, content_hash: Int64s, upload: Int64s, upload_ids: Int64s, expect_new: Bools
) -> Merged:
    """Store what is not there yet, found by (device, fix time, content hash); equal readings among these are one.

    `upload`, shape (n,), is the place of each reading's upload in `upload_ids`, shape (m,), by order of arrival: the
    first to bring a reading stored it. `expect_new`, shape (n,), marks readings that are probably not there: they go
    the short way first, which fails as a whole where one is.
    """
    if not len(readings):
        return Merged(np.zeros(len(upload_ids), dtype=np.int64), np.zeros(len(upload_ids), dtype=bool))
    rows, arrays = _distinct(readings, content_hash, upload)
    arrays["upload_id"] = upload_ids[upload[rows]]
    stored = np.bincount(upload[rows], minlength=len(upload_ids))
    reflagged = np.zeros(len(upload_ids), dtype=bool)
    short = expect_new[rows]
    if short.any() and not _append(conn, _only(arrays, short)):
        short[:] = False
    if not short.all():
        held, corrected = _merge(conn, _only(arrays, ~short))
        place = {upload_id: number for number, upload_id in enumerate(upload_ids.tolist())}
        for upload_id, count in held:
            stored[place[upload_id]] -= count
        reflagged[[place[upload_id] for upload_id in corrected]] = True
    return Merged(stored, reflagged)


def _append(conn: Conn, arrays: Arrays) -> bool:
    """The rows straight into the table: half the work of a merge. False, and none of them, when one is there."""
    try:
        with conn.transaction():
            copy_in(conn, "telemetry.reading", READING_COLUMNS, arrays)
    except errors.UniqueViolation:
        return False
    return True


def _merge(conn: Conn, arrays: Arrays) -> tuple[list[tuple[int, int]], list[int]]:
    """How many rows of which uploads were there, and the uploads whose arrival corrected an old row's flags."""
    exists = conn.execute(_INCOMING_EXISTS).fetchone()
    if not (exists and exists[0]):
        conn.execute(_INCOMING)
    copy_in(conn, "incoming_reading", READING_COLUMNS, arrays)
    if conn.execute(_KEEP_NEW).rowcount == len(arrays["fix_time"]):
        return [], []
    rows = conn.execute(_COUNT_HELD).fetchall()
    held = [(int(str(upload_id)), int(str(count))) for upload_id, count, _ in rows]
    if not any(differ for _, _, differ in rows):
        return held, []
    return held, [int(str(row[0])) for row in conn.execute(_AGREE_ON_FLAGS).fetchall()]


def _distinct(
    readings: Readings, content_hash: Int64s, upload: Int64s
) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], dict[str, np.ndarray]]:
    """The rows of the distinct readings, each its first arrival, in the order of the key; and the table's columns."""
    key = readings.device_key, readings.fix_time_us, content_hash
    order = np.lexsort((upload, *reversed(key)))
    differs = np.zeros(len(order) - 1, dtype=bool)
    for column in key:
        differs |= np.diff(column[order]) != 0
    first = np.flatnonzero(np.concatenate(([True], differs)))
    rows = order[first]
    kept = readings.take(rows)
    arrays: dict[str, np.ndarray] = {column.name: getattr(kept, column.name) for column in CONTENT_COLUMNS}
    return rows, arrays | {
        "device_key": kept.device_key,
        "fix_time": kept.fix_time_us,
        "content_hash": content_hash[rows],
        "flags": np.bitwise_and.reduceat(readings.flags[order], first),
    }


def _only(arrays: Arrays, rows: Bools) -> Arrays:
    return arrays if rows.all() else {name: values[rows] for name, values in arrays.items()}
