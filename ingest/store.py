"""The SQL of ingest: devices and credentials, the upload ledger with its readings and quarantine, readings back out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from psycopg import sql
from psycopg.rows import class_row

from ingest.decoded import Rejected
from ingest.errors import DeviceRevoked
from ingest.moments import from_microseconds
from ingest.readings import Int64s, Readings
from storage.binary import Column, copy_in, copy_out
from storage.pool import Conn

# Devices and credentials


@dataclass(frozen=True, slots=True)
class Device:
    """An enrolled device and the trust tier of the credential that it showed."""

    device_key: int
    device_id: str
    tier: str


_INSERT_DEVICE = """
    insert into telemetry.device (device_key, device_id, enrolled_at, vehicle_class)
    values (%(device_key)s, %(device_id)s, %(as_of)s, %(vehicle_class)s) on conflict (device_id) do nothing
"""
_INSERT_CREDENTIAL = """
    insert into telemetry.credential (token_hash, device_key, tier, issued_at, broker_password)
    values (%(token_hash)s, %(device_key)s, %(tier)s, %(as_of)s, %(broker_password)s)
"""
_END_CREDENTIALS = """
    update telemetry.credential set revoked_at = least(revoked_at, %(at)s) where device_key = %(device_key)s
"""
_END_DEVICE = "update telemetry.device set revoked_at = %(at)s where device_key = %(device_key)s and revoked_at is null"
_CREDENTIAL_HOLDER = """
    select d.device_key, d.device_id, c.tier
      from telemetry.credential c join telemetry.device d using (device_key)
     where c.token_hash = %(token_hash)s and d.revoked_at is null
       and (c.revoked_at is null or c.revoked_at > %(as_of)s)
"""
_BROKER_USERS = """
    select distinct on (d.device_id) d.device_id, c.broker_password
      from telemetry.credential c join telemetry.device d using (device_key)
     where d.revoked_at is null and (c.revoked_at is null or c.revoked_at > %(as_of)s)
     order by d.device_id, c.issued_at desc, c.token_hash
"""
_BROKER_DEVICE = """
    select d.device_key, d.device_id, c.tier
      from telemetry.credential c join telemetry.device d using (device_key)
     where d.device_id = %(device_id)s and d.revoked_at is null
       and (c.revoked_at is null or c.revoked_at > %(as_of)s)
     order by c.issued_at desc, c.token_hash limit 1
"""
_DEVICE = """
    select device_key, device_id, 'signed' as tier from telemetry.device
     where device_id = %(device_id)s and revoked_at is null
"""


def insert_device(conn: Conn, device_key: int, device_id: str, as_of: datetime, vehicle_class: str) -> bool:
    """A device; False when the id is taken."""
    values = {"device_key": device_key, "device_id": device_id, "as_of": as_of, "vehicle_class": vehicle_class}
    return conn.execute(_INSERT_DEVICE, values).rowcount == 1


def insert_credential(
    conn: Conn, token_hash: bytes, device_key: int, tier: str, as_of: datetime, broker_password: str
) -> None:
    """A device's token, by its hash, and by the hash that a broker's password file holds."""
    values = {
        "token_hash": token_hash,
        "device_key": device_key,
        "tier": tier,
        "as_of": as_of,
        "broker_password": broker_password,
    }
    conn.execute(_INSERT_CREDENTIAL, values)


def end_credentials(conn: Conn, device_key: int, at: datetime) -> None:
    """Let all tokens of the device end at `at`, or earlier where they do."""
    conn.execute(_END_CREDENTIALS, {"device_key": device_key, "at": at})


def end_device(conn: Conn, device_key: int, at: datetime) -> None:
    """Revoke the device."""
    conn.execute(_END_DEVICE, {"device_key": device_key, "at": at})


def fetch_device_by_token(conn: Conn, token_hash: bytes, as_of: datetime) -> Device | None:
    """The device that the token's hash belongs to at `as_of`."""
    with conn.cursor(row_factory=class_row(Device)) as cursor:
        cursor.execute(_CREDENTIAL_HOLDER, {"token_hash": token_hash, "as_of": as_of})
        return cursor.fetchone()


def fetch_broker_users(conn: Conn, as_of: datetime) -> list[tuple[str, str | None]]:
    """Each device that may send at `as_of`, by id, with the hash of its newest token that a broker's file holds."""
    rows = conn.execute(_BROKER_USERS, {"as_of": as_of}).fetchall()
    return [(str(device_id), None if password is None else str(password)) for device_id, password in rows]


def fetch_broker_device(conn: Conn, device_id: str, as_of: datetime) -> Device | None:
    """The device that a broker let in under this id, with its newest token's tier; None: it may not send any more."""
    with conn.cursor(row_factory=class_row(Device)) as cursor:
        cursor.execute(_BROKER_DEVICE, {"device_id": device_id, "as_of": as_of})
        return cursor.fetchone()


def fetch_device(conn: Conn, device_id: str) -> Device | None:
    """The device of that id; who opens the database himself is trusted like a signature."""
    with conn.cursor(row_factory=class_row(Device)) as cursor:
        cursor.execute(_DEVICE, {"device_id": device_id})
        return cursor.fetchone()


# The upload ledger


@dataclass(frozen=True, slots=True)
class Upload:
    """One frame as it arrived, before anything is known of its records."""

    device_key: int
    received_at: datetime
    channel: str
    tier: str
    decoder_version: str
    body_sha256: bytes
    idempotency_key: str | None


@dataclass(frozen=True, slots=True)
class EarlierUpload:
    """An upload that the ledger holds already."""

    upload_id: int
    body_sha256: bytes
    records_stored: int
    records_duplicate: int
    records_quarantined: int


# Uploads of one device wait for each other, so what one of them counts as duplicate is settled.
_LOCK_DEVICE = """
    select from telemetry.device where device_key = %(device_key)s and revoked_at is null for no key update
"""
_EARLIER_UPLOAD = """
    select upload_id, body_sha256, records_stored, records_duplicate, records_quarantined from telemetry.upload
     where device_key = %(device_key)s and idempotency_key = %(idempotency_key)s
"""
_QUARANTINED = """
    select record_index, reason, detail from telemetry.quarantine where upload_id = %(upload_id)s
     order by record_index nulls first, quarantine_id
"""
_INSERT_UPLOAD = """
    insert into telemetry.upload (device_key, received_at, channel, tier, decoder_version, body_sha256, idempotency_key,
                                  records_received, records_stored, records_duplicate, records_quarantined)
    values (%(device_key)s, %(received_at)s, %(channel)s, %(tier)s, %(decoder_version)s, %(body_sha256)s,
            %(idempotency_key)s, %(quarantined)s, 0, 0, %(quarantined)s)
    returning upload_id
"""
_COUNT_RECORDS = """
    update telemetry.upload
       set records_received = records_received + %(stored)s + %(duplicate)s,
           records_stored = %(stored)s, records_duplicate = %(duplicate)s
     where upload_id = %(upload_id)s
"""
_COPY_QUARANTINE = """
    copy telemetry.quarantine (device_key, upload_id, received_at, channel, reason, detail, record_index, raw)
    from stdin
"""


def lock_device(conn: Conn, device_key: int) -> None:
    """Wait for the device's other uploads to end. Raises `DeviceRevoked`."""
    if conn.execute(_LOCK_DEVICE, {"device_key": device_key}).rowcount != 1:
        raise DeviceRevoked(device_key)


def fetch_earlier_upload(conn: Conn, device_key: int, idempotency_key: str) -> EarlierUpload | None:
    """The upload that the device sent under this key before."""
    with conn.cursor(row_factory=class_row(EarlierUpload)) as cursor:
        cursor.execute(_EARLIER_UPLOAD, {"device_key": device_key, "idempotency_key": idempotency_key})
        return cursor.fetchone()


def fetch_quarantined(conn: Conn, upload_id: int) -> list[tuple[int | None, str, str]]:
    """Record index, reason and detail of what was refused of an upload."""
    rows = conn.execute(_QUARANTINED, {"upload_id": upload_id}).fetchall()
    return [(None if index is None else int(str(index)), str(reason), str(detail)) for index, reason, detail in rows]


def insert_upload(conn: Conn, upload: Upload, quarantined: int) -> int:
    """A ledger row that accounts for the refused records alone, so far; its id."""
    values = {name: getattr(upload, name) for name in Upload.__dataclass_fields__} | {"quarantined": quarantined}
    row = conn.execute(_INSERT_UPLOAD, values).fetchone()
    if row is None:
        raise LookupError("the ledger gave no upload_id")
    return int(str(row[0]))


def count_records(conn: Conn, upload_id: int, stored: int, duplicate: int) -> None:
    """Add the readings to the ledger row."""
    conn.execute(_COUNT_RECORDS, {"upload_id": upload_id, "stored": stored, "duplicate": duplicate})


def insert_quarantine(conn: Conn, upload: Upload, upload_id: int, rejected: Sequence[Rejected]) -> None:
    """The refused records, whole."""
    if not rejected:
        return
    with conn.cursor() as cursor, cursor.copy(_COPY_QUARANTINE) as copy:
        for one in rejected:
            copy.write_row(
                (upload.device_key, upload_id, upload.received_at, upload.channel, one.reason.value, one.detail,
                 one.record_index, one.raw)
            )  # fmt: skip


# Readings

_CONTENT = (
    Column("latitude_deg", "double precision", nullable=True),
    Column("longitude_deg", "double precision", nullable=True),
    Column("odometer_m", "double precision", nullable=True),
    Column("altitude_m", "real", nullable=True),
    Column("speed_mps", "real", nullable=True),
    Column("heading_deg", "real", nullable=True),
    Column("hdop", "real", nullable=True),
    Column("accuracy_m", "real", nullable=True),
    Column("acceleration_forward_mps2", "real", nullable=True),
    Column("acceleration_lateral_mps2", "real", nullable=True),
    Column("acceleration_vertical_mps2", "real", nullable=True),
    Column("reported_limit_mps", "real", nullable=True),
    Column("satellites", "smallint", nullable=True),
    Column("ignition", "smallint", nullable=True),
    Column("phone_in_use", "smallint", nullable=True),
    Column("belt_fastened", "smallint", nullable=True),
)
_KEY = (Column("device_key", "bigint"), Column("fix_time", "timestamptz"))
_FLAGS = Column("flags", "integer")
_STORED = (*_KEY, Column("content_hash", "bigint"), Column("upload_id", "bigint"), _FLAGS, *_CONTENT)
_FETCHED = (*_KEY, _FLAGS, *_CONTENT)

# Kept by the connection, empty after each transaction: a table made anew for each upload would bloat the catalogue.
_INCOMING = """
    create temporary table if not exists incoming_reading (like telemetry.reading) on commit delete rows
"""
_INCOMING_EXISTS = "select to_regclass('pg_temp.incoming_reading') is not null"
_KEEP_NEW = "insert into telemetry.reading select * from incoming_reading on conflict do nothing"
# A remark stays only if every arrival bears it, so that the order of arrival leaves no trace.
_AGREE_ON_FLAGS = """
    update telemetry.reading r set flags = r.flags & i.flags
      from incoming_reading i
     where r.device_key = i.device_key and r.fix_time = i.fix_time and r.content_hash = i.content_hash
       and r.flags <> (r.flags & i.flags)
"""
_MARK_DIRTY = """
    insert into telemetry.dirty_window (device_key, from_time, to_time, marked_at)
    values (%(device_key)s, %(from_time)s, %(to_time)s, %(marked_at)s)
"""


@dataclass(frozen=True, slots=True)
class Merged:
    """What came of readings that were brought to the table: new ones, and ones whose flags an arrival corrected."""

    stored: int
    reflagged: int


def merge_readings(conn: Conn, upload_id: int, readings: Readings, content_hash: Int64s) -> Merged:
    """Store what is not there yet, found by (device, fix time, content hash); equal readings in the batch are one."""
    arrays = _distinct(readings, content_hash)
    count = len(arrays["fix_time"])
    arrays["upload_id"] = np.full(count, upload_id, dtype=np.int64)
    exists = conn.execute(_INCOMING_EXISTS).fetchone()
    if not (exists and exists[0]):
        conn.execute(_INCOMING)
    copy_in(conn, "incoming_reading", _STORED, arrays)
    stored = conn.execute(_KEEP_NEW).rowcount
    reflagged = conn.execute(_AGREE_ON_FLAGS).rowcount if stored < count else 0
    return Merged(stored, reflagged)


def _distinct(readings: Readings, content_hash: Int64s) -> dict[str, np.ndarray]:
    """The table's columns of the batch's distinct readings, in the order of the key."""
    order = np.lexsort((content_hash, readings.fix_time_us))
    time_us, hashes = readings.fix_time_us[order], content_hash[order]
    first = np.flatnonzero(np.concatenate(([True], (np.diff(time_us) != 0) | (np.diff(hashes) != 0))))
    kept = readings.take(order[first])
    arrays = {column.name: getattr(kept, column.name) for column in _CONTENT}
    return arrays | {
        "device_key": kept.device_key,
        "fix_time": time_us[first],
        "content_hash": hashes[first],
        "flags": np.bitwise_and.reduceat(readings.flags[order], first),
    }


def mark_dirty(conn: Conn, device_key: int, from_us: int, to_us: int, marked_at: datetime) -> None:
    """Trips of the device within [from, to] must be cut again."""
    values = {
        "device_key": device_key,
        "from_time": from_microseconds(from_us),
        "to_time": from_microseconds(to_us),
        "marked_at": marked_at,
    }
    conn.execute(_MARK_DIRTY, values)


def fetch_readings(conn: Conn, device_key: int, from_us: int, to_us: int) -> Readings:
    """The device's readings with from <= fix time <= to, in the order of (fix time, content hash)."""
    source = sql.SQL(
        "from telemetry.reading where device_key = {} and fix_time between {} and {} order by fix_time, content_hash"
    ).format(device_key, from_microseconds(from_us), from_microseconds(to_us))
    arrays = copy_out(conn, source, _FETCHED)
    arrays["fix_time_us"] = arrays.pop("fix_time")
    return Readings(**arrays)  # type: ignore[arg-type]
