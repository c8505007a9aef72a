"""The SQL of enrolment: one-time codes, forwarders' lists, security events. Role: telemetry."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from ingest.store import Device
from storage.pool import Conn


@dataclass(frozen=True, slots=True)
class Redeemed:
    """The device that a code was for."""

    device_key: int
    device_id: str
    tier: str


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """What was asked under a key, of which device, and when what it made or replaced ends."""

    device_id: str
    action: str
    tier: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class SecurityEventRow:
    """Something that somebody should look at. `device_id` None: nobody's, or erased since."""

    security_event_id: int
    happened_at: datetime
    kind: str
    channel: str
    device_id: str | None
    detail: str


_INSERT_CODE = """
    insert into telemetry.enrolment_code (code_hash, device_key, tier, made_at, expires_at)
    values (%(code_hash)s, %(device_key)s, %(tier)s, %(made_at)s, %(expires_at)s)
"""
# An earlier code of the device that nobody used is withdrawn: of two notes on a desk only the last one opens.
_WITHDRAW_CODES = """
    update telemetry.enrolment_code set expires_at = least(expires_at, %(at)s)
     where device_key = %(device_key)s and redeemed_at is null
"""
_REDEEM = """
    update telemetry.enrolment_code c set redeemed_at = %(at)s
      from telemetry.device d
     where c.code_hash = %(code_hash)s and c.redeemed_at is null and c.expires_at > %(at)s
       and d.device_key = c.device_key and d.revoked_at is null
    returning c.device_key, d.device_id, c.tier
"""
# Whether the device has redeemed it by then does not matter: who holds it has the device.
_GOOD_CODE = """
    select d.device_id from telemetry.enrolment_code c join telemetry.device d using (device_key)
     where c.code_hash = %(code_hash)s and c.expires_at > %(at)s and d.revoked_at is null
"""
_LOCK_KEY = "select pg_advisory_xact_lock(hashtextextended('device request ' || %(made_by)s || %(key)s, 0))"
_REQUEST = """
    select d.device_id, r.action, r.tier, r.ends_at from telemetry.device_request r join telemetry.device d
     using (device_key) where r.made_by = %(made_by)s and r.idempotency_key = %(key)s
"""
_INSERT_REQUEST = """
    insert into telemetry.device_request (made_by, idempotency_key, device_key, action, tier, made_at, ends_at)
    select %(made_by)s, %(key)s, device_key, %(action)s, %(tier)s, %(at)s, %(ends_at)s
      from telemetry.device where device_id = %(device_id)s
"""
_WAS_CODE = "select device_key from telemetry.enrolment_code where code_hash = %(code_hash)s"
_DROP_TOKENS = "delete from telemetry.credential where device_key = %(device_key)s"
_ALLOW = """
    insert into telemetry.forwarding (forwarder_key, device_key, allowed_at)
    values (%(forwarder_key)s, %(device_key)s, %(at)s) on conflict do nothing
"""
_FORBID = """
    delete from telemetry.forwarding where forwarder_key = %(forwarder_key)s and device_key = %(device_key)s
"""
_FORWARDED = """
    select d.device_key, d.device_id, %(tier)s as tier
      from telemetry.forwarding f join telemetry.device d using (device_key)
     where f.forwarder_key = %(forwarder_key)s and d.device_id = %(device_id)s and d.revoked_at is null
"""
_FORWARDED_IDS = """
    select d.device_id from telemetry.forwarding f join telemetry.device d using (device_key)
     where f.forwarder_key = %(forwarder_key)s order by 1
"""
# Whoever knocks does not fill a table that nobody may empty.
_INSERT_EVENT = """
    insert into telemetry.security_event (happened_at, kind, channel, device_key, detail)
    select %(at)s, %(kind)s, %(channel)s, %(device_key)s, %(detail)s
     where (select count(*) from telemetry.security_event
             where kind = %(kind)s and device_key is not distinct from %(device_key)s
               and happened_at > %(at)s - interval '1 hour') < %(most)s
"""
MOST_IN_AN_HOUR = 20  # of one kind and device
_EVENTS = """
    select e.security_event_id, e.happened_at, e.kind, e.channel, d.device_id, e.detail
      from telemetry.security_event e left join telemetry.device d using (device_key)
     where (%(kind)s::text is null or e.kind = %(kind)s)
       and (%(since)s::timestamptz is null or e.happened_at >= %(since)s)
       and (%(before)s::bigint is null or e.security_event_id < %(before)s)
     order by e.security_event_id desc limit %(limit)s
"""


def insert_code(
    conn: Conn, code_hash: bytes, device_key: int, tier: str, *, made_at: datetime, expires_at: datetime
) -> None:
    """A device's code; its earlier ones that were not redeemed end."""
    conn.execute(_WITHDRAW_CODES, {"device_key": device_key, "at": made_at})
    values = {"code_hash": code_hash, "device_key": device_key, "tier": tier}
    conn.execute(_INSERT_CODE, values | {"made_at": made_at, "expires_at": expires_at})


def redeem_code(conn: Conn, code_hash: bytes, at: datetime) -> Redeemed | None:
    """The code's device, once; None when it was redeemed, has expired, or never was."""
    with conn.cursor(row_factory=class_row(Redeemed)) as cursor:
        return cursor.execute(_REDEEM, {"code_hash": code_hash, "at": at}).fetchone()


def fetch_code_device(conn: Conn, code_hash: bytes) -> int | None:
    """The device that a code is or was for."""
    row = conn.execute(_WAS_CODE, {"code_hash": code_hash}).fetchone()
    return int(str(row[0])) if row else None


def fetch_device_of_code(conn: Conn, code_hash: bytes, at: datetime) -> str | None:
    """The device of a code that has not expired."""
    row = conn.execute(_GOOD_CODE, {"code_hash": code_hash, "at": at}).fetchone()
    return str(row[0]) if row else None


def fetch_device_request(conn: Conn, made_by: UUID, key: str) -> DeviceRequest | None:
    """What was asked under that key before; until the end of the transaction nobody else asks under it."""
    conn.execute(_LOCK_KEY, {"made_by": str(made_by), "key": key})
    with conn.cursor(row_factory=class_row(DeviceRequest)) as cursor:
        return cursor.execute(_REQUEST, {"made_by": made_by, "key": key}).fetchone()


def insert_device_request(conn: Conn, made_by: UUID, key: str, request: DeviceRequest, at: datetime) -> None:
    """Keeps what was asked under a key."""
    values = {"made_by": made_by, "key": key, "device_id": request.device_id, "action": request.action}
    conn.execute(_INSERT_REQUEST, values | {"tier": request.tier, "at": at, "ends_at": request.ends_at})


def drop_tokens(conn: Conn, device_key: int) -> None:
    """Take away tokens that nobody has been shown."""
    conn.execute(_DROP_TOKENS, {"device_key": device_key})


def allow_forwarding(conn: Conn, forwarder_key: int, device_key: int, at: datetime) -> None:
    """Let the forwarder bring the device's positions."""
    conn.execute(_ALLOW, {"forwarder_key": forwarder_key, "device_key": device_key, "at": at})


def forbid_forwarding(conn: Conn, forwarder_key: int, device_key: int) -> None:
    """Let it no longer."""
    conn.execute(_FORBID, {"forwarder_key": forwarder_key, "device_key": device_key})


def fetch_forwarded(conn: Conn, forwarder_key: int, device_id: str, tier: str) -> Device | None:
    """The device of that id, if the forwarder may bring its positions, with the forwarder's own tier."""
    with conn.cursor(row_factory=class_row(Device)) as cursor:
        values = {"forwarder_key": forwarder_key, "device_id": device_id, "tier": tier}
        return cursor.execute(_FORWARDED, values).fetchone()


def fetch_forwarded_ids(conn: Conn, forwarder_key: int) -> list[str]:
    """Ids of all devices whose positions the forwarder may bring."""
    return [str(row[0]) for row in conn.execute(_FORWARDED_IDS, {"forwarder_key": forwarder_key}).fetchall()]


def insert_security_event(
    conn: Conn, at: datetime, kind: str, channel: str, device_key: int | None, detail: str
) -> None:
    """Add what happened, as long as there are not `MOST_IN_AN_HOUR` of it."""
    values = {"at": at, "kind": kind, "channel": channel, "device_key": device_key, "detail": detail}
    conn.execute(_INSERT_EVENT, values | {"most": MOST_IN_AN_HOUR})


def fetch_security_events(
    conn: Conn, kind: str | None, since: datetime | None, limit: int, *, before: int | None = None
) -> list[SecurityEventRow]:
    """The latest events first; those before one of them."""
    with conn.cursor(row_factory=class_row(SecurityEventRow)) as cursor:
        return cursor.execute(_EVENTS, {"kind": kind, "since": since, "limit": limit, "before": before}).fetchall()
