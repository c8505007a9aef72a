"""The SQL of the devices' list and of what the system is doing. Role: telemetry. No place, no person."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from api.workbench.list_store import Listed, Which, begins
from storage.pool import Conn

# The state of a device, by the code that stands in the address: closed sets, nothing of a request is SQL.
STATES = {
    "sending": "d.revoked_at is null and u.last_upload > %(now)s - interval '3 days'",
    "silent": "d.revoked_at is null and u.last_upload <= %(now)s - interval '3 days'",
    "never": "d.revoked_at is null and u.last_upload is null",
    "ended": "d.revoked_at is not null",
}
_SORTS = {
    "device": "d.device_id",
    "enrolled": "d.enrolled_at",
    "last": "u.last_upload",
    "state": "case when d.revoked_at is not null then 3 when u.last_upload is null then 2"
    " when u.last_upload <= %(now)s - interval '3 days' then 1 else 0 end",
    "vehicle": "d.vehicle_class",
    "waiting": "waiting",  # the column that is counted
}
_COLUMNS = """
    select d.device_id, d.vehicle_class, d.enrolled_at, d.revoked_at, u.last_upload,
           (select count(*) from telemetry.quarantine q where q.device_key = d.device_key and q.replayed_at is null
               and q.expired_at is null) as waiting
"""
_TABLES = """
      from telemetry.device d
      left join lateral (select max(received_at) as last_upload from telemetry.upload
                          where upload.device_key = d.device_key) u on true
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


DEVICES = Listed(DeviceRow, _COLUMNS, _TABLES, _SORTS, "d.device_id")


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


def devices_where(find: str, state: str, sort: str, now: datetime) -> Which:
    """Devices whose id begins so, in a state ("": any; one that is not known: none)."""
    asked = ["d.device_id like %(like)s"] if find else []
    asked += [STATES.get(state, "false")] if state else []
    return Which(asked, {"like": begins(find), "now": now}, sort)


def fetch_standing(conn: Conn) -> Standing:
    """How the system stands now."""
    with conn.cursor(row_factory=class_row(Standing)) as cursor:
        found = cursor.execute(_STANDING).fetchone()
    assert found is not None
    return found
