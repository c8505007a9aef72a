"""The SQL of quarantine: what is kept, what was replayed, how much of each reason. Role: telemetry."""

from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg.rows import class_row

from storage.pool import Conn


@dataclass(frozen=True, slots=True)
class KeptRow:
    """One refused record or frame, without its bytes. `record_index` None: a whole frame."""

    quarantine_id: int
    device_id: str | None
    received_at: datetime
    channel: str
    reason: str
    detail: str
    record_index: int | None
    size_bytes: int
    replayed_at: datetime | None
    expired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Kept:
    """One refused record or frame with its bytes, and what the upload that brought it was trusted with."""

    quarantine_id: int
    device_key: int | None
    device_id: str | None
    received_at: datetime
    channel: str
    reason: str
    detail: str
    record_index: int | None
    raw: bytes
    tier: str | None
    decoder_version: str | None
    replayed_at: datetime | None
    expired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which of the kept rows; None: any. `since` and `until` bound the time of receipt, [since, until)."""

    reason: str | None = None
    device_id: str | None = None
    channel: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    waiting: bool = True  # only what was neither replayed nor has expired
    after_id: int = 0


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many rows of one reason came by one channel, and what became of them."""

    reason: str
    channel: str
    waiting: int
    replayed: int
    expired: int


_WHICH = """
     where q.quarantine_id > %(after_id)s
       and (%(reason)s::text is null or q.reason = %(reason)s)
       and (%(device_id)s::text is null or d.device_id = %(device_id)s)
       and (%(channel)s::text is null or q.channel = %(channel)s)
       and (%(since)s::timestamptz is null or q.received_at >= %(since)s)
       and (%(until)s::timestamptz is null or q.received_at < %(until)s)
       and (not %(waiting)s or (q.replayed_at is null and q.expired_at is null))
     order by q.quarantine_id limit %(limit)s
"""
_LIST = f"""
    select q.quarantine_id, d.device_id, q.received_at, q.channel, q.reason, q.detail, q.record_index,
           length(q.raw) as size_bytes, q.replayed_at, q.expired_at
      from telemetry.quarantine q left join telemetry.device d using (device_key)
    {_WHICH}
"""  # noqa: S608 - our own constant
_IDS = f"""
    select q.quarantine_id from telemetry.quarantine q left join telemetry.device d using (device_key)
    {_WHICH}
"""  # noqa: S608 - our own constant
_KEPT = """
    select q.quarantine_id, q.device_key, d.device_id, q.received_at, q.channel, q.reason, q.detail, q.record_index,
           q.raw, u.tier, u.decoder_version, q.replayed_at, q.expired_at
      from telemetry.quarantine q
      left join telemetry.device d using (device_key)
      left join telemetry.upload u using (upload_id)
     where q.quarantine_id = %(quarantine_id)s
"""
_LOCK_KEPT = _KEPT + " for update of q"
_MARK_REPLAYED = "update telemetry.quarantine set replayed_at = %(at)s where quarantine_id = %(quarantine_id)s"
_COUNTS = """
    select reason, channel, count(*) filter (where replayed_at is null and expired_at is null) as waiting,
           count(*) filter (where replayed_at is not null) as replayed,
           count(*) filter (where replayed_at is null and expired_at is not null) as expired
      from telemetry.quarantine
     where %(since)s::timestamptz is null or received_at >= %(since)s
     group by reason, channel order by waiting desc, reason, channel
"""


def fetch_rows(conn: Conn, which: Filter, limit: int) -> list[KeptRow]:
    """The rows of the filter by rising id, at most `limit`."""
    with conn.cursor(row_factory=class_row(KeptRow)) as cursor:
        return cursor.execute(_LIST, asdict(which) | {"limit": limit}).fetchall()


def fetch_ids(conn: Conn, which: Filter, limit: int) -> list[int]:
    """The ids of the filter's rows, rising, at most `limit`."""
    rows = conn.execute(_IDS, asdict(which) | {"limit": limit}).fetchall()
    return [int(str(row[0])) for row in rows]


def fetch_kept(conn: Conn, quarantine_id: int) -> Kept | None:
    """One row with its bytes."""
    return _one(conn, _KEPT, quarantine_id)


def lock_kept(conn: Conn, quarantine_id: int) -> Kept | None:
    """The same, and nobody else's to replay until the transaction ends."""
    return _one(conn, _LOCK_KEPT, quarantine_id)


def mark_replayed(conn: Conn, quarantine_id: int, at: datetime) -> None:
    """What the row kept has gone through the front door."""
    conn.execute(_MARK_REPLAYED, {"quarantine_id": quarantine_id, "at": at})


def count_by_reason(conn: Conn, since: datetime | None) -> list[ReasonCount]:
    """Rows by reason and channel, most waiting first."""
    with conn.cursor(row_factory=class_row(ReasonCount)) as cursor:
        return cursor.execute(_COUNTS, {"since": since}).fetchall()


def _one(conn: Conn, query: str, quarantine_id: int) -> Kept | None:
    with conn.cursor(row_factory=class_row(Kept)) as cursor:
        return cursor.execute(query, {"quarantine_id": quarantine_id}).fetchone()
