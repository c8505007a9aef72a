"""Which devices measured a policy, and when. Each query says which role it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from storage.pool import Conn

_LINKS = """
    select a.device_key, d.device_id, a.from_time, nullif(a.to_time, 'infinity') as to_time
      from link.assignment a join telemetry.device d using (device_key)
     where a.policy_key = %s order by a.to_time desc, a.from_time desc, d.device_id
"""
_MEASURING = """
    select distinct d.device_id from link.assignment a join telemetry.device d using (device_key)
     where a.policy_key = any(%s) and a.to_time > %s and d.revoked_at is null order by 1
"""
_LAST_UPLOADS = """
    select device_key, max(received_at) from telemetry.upload where device_key = any(%s) group by device_key
"""


@dataclass(frozen=True, slots=True)
class DeviceLink:
    """A device measures, or measured, a policy; `to_time` None: it still does."""

    device_key: int
    device_id: str
    from_time: datetime
    to_time: datetime | None


def fetch_links(conn: Conn, policy_key: UUID) -> list[DeviceLink]:
    """Those that hold first, then the latest (link role)."""
    with conn.cursor(row_factory=class_row(DeviceLink)) as cursor:
        return cursor.execute(_LINKS, (policy_key,)).fetchall()


def fetch_measuring(conn: Conn, policy_keys: Sequence[UUID], now: datetime) -> list[str]:
    """The ids of the devices that measure these policies, or will, and were not ended (link role)."""
    return [str(row[0]) for row in conn.execute(_MEASURING, (list(policy_keys), now)).fetchall()]


def fetch_last_uploads(conn: Conn, device_keys: Sequence[int]) -> dict[int, datetime]:
    """When each of them was last heard (telemetry role)."""
    rows = conn.execute(_LAST_UPLOADS, (list(device_keys),)).fetchall()
    return {int(str(key)): at for key, at in rows if isinstance(at, datetime)}
