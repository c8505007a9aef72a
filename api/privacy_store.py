"""What is held of a person beyond the policy room: which devices measured when, their readings, who looked.

Whose policies they are is asked first, with the policy role; each query here says which role it needs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from storage.pool import Conn

_SPANS = """
    select device_key, from_time, nullif(to_time, 'infinity') as to_time
      from link.assignment where policy_key = any(%s) order by from_time, device_key
"""
_TRIP_SPANS = """
    select device_key, started_at as from_time, ended_at + interval '1 microsecond' as to_time
      from telemetry.trip where trip_id = any(%s) order by started_at, device_key
"""
_OF_SPANS = """
      from telemetry.reading r
      join unnest(%(devices)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
           as own(device_key, from_time, to_time)
        on r.device_key = own.device_key and r.fix_time >= own.from_time
       and r.fix_time < coalesce(own.to_time, 'infinity')
"""
_HELD = (
    "select count(*) as readings, min(r.fix_time) as oldest, max(r.fix_time) as latest,"
    " telemetry.week_of(min(r.fix_time)) + interval '7 days' as oldest_week_ends" + _OF_SPANS
)
_COPY_READINGS = (
    "copy (select d.device_id, r.fix_time, r.latitude_deg, r.longitude_deg, r.altitude_m, r.speed_mps, r.heading_deg,"
    " r.odometer_m, r.accuracy_m, r.hdop, r.satellites, r.acceleration_forward_mps2, r.acceleration_lateral_mps2,"
    " r.acceleration_vertical_mps2, r.reported_limit_mps, r.ignition, r.phone_in_use, r.belt_fastened"
    + _OF_SPANS
    + " join telemetry.device d on d.device_key = r.device_key order by r.fix_time, d.device_id)"
    " to stdout (format csv, header)"
)
_COPY_REFUSED = """
    copy (select d.device_id, q.received_at, q.channel, q.reason, q.detail, q.record_index,
                 encode(q.raw, 'escape') as bytes
            from telemetry.quarantine q join telemetry.device d using (device_key)
            join unnest(%(devices)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
                 as own(device_key, from_time, to_time)
              on q.device_key = own.device_key and q.received_at >= own.from_time
             and q.received_at < coalesce(own.to_time, 'infinity')
           order by q.received_at, q.quarantine_id) to stdout (format csv, header)
"""
_LOOKS = """
    select c.contest_id, c.trip_id, v.seen_at, v.seen_by, v.with_way
      from link.evidence_view v join link.contest c using (contest_id)
     where c.policy_key = any(%s) order by v.seen_at desc, v.evidence_view_id desc
"""
_ROLES = "select account_key, role from policy.account where account_key = any(%s)"


@dataclass(frozen=True, slots=True)
class Span:
    """A device measured a policy in this time; `to_time` None: it still does."""

    device_key: int
    from_time: datetime
    to_time: datetime | None


@dataclass(frozen=True, slots=True)
class Held:
    """How many raw readings are kept; times None where there is none. Readings go by weeks, the oldest first."""

    readings: int
    oldest: datetime | None
    latest: datetime | None
    oldest_week_ends: datetime | None


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody opened the evidence of a contest."""

    contest_id: UUID
    trip_id: UUID
    seen_at: datetime
    seen_by: UUID
    with_way: bool


def fetch_spans(conn: Conn, policy_keys: Sequence[UUID]) -> list[Span]:
    """When which device measured these policies. Role: link."""
    with conn.cursor(row_factory=class_row(Span)) as cur:
        return cur.execute(_SPANS, (list(policy_keys),)).fetchall()


def fetch_trip_spans(conn: Conn, trip_ids: Sequence[UUID]) -> list[Span]:
    """When which device measured these trips. Role: link."""
    with conn.cursor(row_factory=class_row(Span)) as cur:
        return cur.execute(_TRIP_SPANS, (list(trip_ids),)).fetchall()


def fetch_held(conn: Conn, spans: Sequence[Span]) -> Held:
    """The raw readings of these spans, counted. Role: telemetry."""
    with conn.cursor(row_factory=class_row(Held)) as cur:
        held = cur.execute(_HELD, _columns(spans)).fetchone()
    assert held is not None  # an aggregate has one row
    return held


def copy_readings(conn: Conn, spans: Sequence[Span]) -> Iterator[bytes]:
    """The same as CSV with a head, in order of time, piece by piece. Role: telemetry."""
    with conn.cursor() as cur, cur.copy(_COPY_READINGS, _columns(spans)) as copy:
        for piece in copy:
            yield bytes(piece)


def copy_refused(conn: Conn, spans: Sequence[Span]) -> Iterator[bytes]:
    """What was refused of these spans, as CSV with a head. Role: telemetry."""
    with conn.cursor() as cur, cur.copy(_COPY_REFUSED, _columns(spans)) as copy:
        for piece in copy:
            yield bytes(piece)


def fetch_looks(conn: Conn, policy_keys: Sequence[UUID]) -> list[Look]:
    """Who opened evidence of contests of these policies, the latest first. Role: link."""
    with conn.cursor(row_factory=class_row(Look)) as cur:
        return cur.execute(_LOOKS, (list(policy_keys),)).fetchall()


def fetch_roles(conn: Conn, account_keys: Sequence[UUID]) -> dict[UUID, str]:
    """The role of each account. Role: policy."""
    rows = conn.execute(_ROLES, (list(account_keys),)).fetchall()
    return {UUID(str(key)): str(role) for key, role in rows}


def _columns(spans: Sequence[Span]) -> dict[str, list[object]]:
    return {
        "devices": [span.device_key for span in spans],
        "starts": [span.from_time for span in spans],
        "ends": [span.to_time for span in spans],
    }
