"""The SQL of ingest: devices and credentials, an upload, and readings back out. `upload_store` puts them in."""

from dataclasses import dataclass
from datetime import datetime

from psycopg import sql
from psycopg.rows import class_row

from ingest.moments import from_microseconds
from ingest.readings import Readings
from storage.binary import Column, copy_out
from storage.pool import Conn

# Devices and credentials


@dataclass(frozen=True, slots=True)
class Device:
    """An enrolled device and the trust tier of the credential that it showed."""

    device_key: int
    device_id: str
    tier: str
    vin: str | None = None  # of the vehicle that it is declared to be in, where the channel carries such a number


_INSERT_DEVICE = """
    insert into telemetry.device (device_key, device_id, enrolled_at, vehicle_class)
    select %(device_key)s, %(device_id)s, %(as_of)s, %(vehicle_class)s where not telemetry.is_erased(%(device_id)s)
    on conflict (device_id) do nothing
"""
_IS_ERASED = "select telemetry.is_erased(%(device_id)s)"
_INSERT_CREDENTIAL = """
    insert into telemetry.credential (token_hash, device_key, tier, issued_at, broker_password)
    values (%(token_hash)s, %(device_key)s, %(tier)s, %(as_of)s, %(broker_password)s)
"""
_END_CREDENTIALS = """
    update telemetry.credential set revoked_at = least(revoked_at, %(at)s) where device_key = %(device_key)s
"""
_END_DEVICE = "update telemetry.device set revoked_at = %(at)s where device_key = %(device_key)s and revoked_at is null"
_SET_VIN = "update telemetry.device set vin = %(vin)s where device_key = %(device_key)s"
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
    select device_key, device_id, 'signed' as tier, vin from telemetry.device
     where device_id = %(device_id)s and revoked_at is null
"""


def insert_device(conn: Conn, device_key: int, device_id: str, as_of: datetime, vehicle_class: str) -> bool:
    """A device; False when the id is taken, or was erased with the person whom it measured."""
    values = {"device_key": device_key, "device_id": device_id, "as_of": as_of, "vehicle_class": vehicle_class}
    return conn.execute(_INSERT_DEVICE, values).rowcount == 1


def is_erased(conn: Conn, device_id: str) -> bool:
    """Whether the device of that id was erased with the person whom it measured."""
    row = conn.execute(_IS_ERASED, {"device_id": device_id}).fetchone()
    return bool(row and row[0])


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


def set_vin(conn: Conn, device_key: int, vin: str) -> None:
    """Declare the number of the vehicle that the device is in."""
    conn.execute(_SET_VIN, {"device_key": device_key, "vin": vin})


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


_PROBE = "update telemetry.commit_probe set probed_at = now()"


def probe_commit(conn: Conn) -> None:
    """A write like an upload's: when its transaction commits, so will theirs."""
    conn.execute(_PROBE)


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
    flags: tuple[str, ...] = ()  # what the gateway noticed: codec_switch, dual_session


# Readings

CONTENT_COLUMNS = (
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
READING_COLUMNS = (*_KEY, Column("content_hash", "bigint"), Column("upload_id", "bigint"), _FLAGS, *CONTENT_COLUMNS)
_FETCHED = (*_KEY, _FLAGS, *CONTENT_COLUMNS)


def fetch_readings(conn: Conn, device_key: int, from_us: int, to_us: int) -> Readings:
    """The device's readings with from <= fix time <= to, in the order of (fix time, content hash)."""
    source = sql.SQL(
        "from telemetry.reading where device_key = {} and fix_time between {} and {} order by fix_time, content_hash"
    ).format(device_key, from_microseconds(from_us), from_microseconds(to_us))
    arrays = copy_out(conn, source, _FETCHED)
    arrays["fix_time_us"] = arrays.pop("fix_time")
    return Readings(**arrays)  # type: ignore[arg-type]
