"""Codes and tokens asked for by program: each request is done once for its key.

The secret is shown once and kept nowhere, so a request that is sent again says that it was done, and shows none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ingest import enrolment_store as store
from ingest.devices import ROTATION_OVERLAP, Tier, rotate
from ingest.enrolment import make_code
from ingest.enrolment_store import DeviceRequest
from ingest.errors import RequestKeyReused
from storage.pool import Conn, Database


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, under which key, and when."""

    made_by: UUID
    key: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Secret:
    """What is shown this once; `text` None: it was, under this key. `ends_at`: see `telemetry.device_request`."""

    text: str | None
    ends_at: datetime


def code_once(database: Database, device_id: str, tier: Tier, asked: Asked) -> Secret:
    """As `make_code`, once for its key. Raises what that does, and `RequestKeyReused`."""

    def made(conn: Conn) -> Secret:
        code = make_code(conn, device_id, asked.as_of, tier=tier)
        return Secret(code.text, code.expires_at)

    return _once(database, device_id, "code", tier, asked, made)


def rotate_once(database: Database, device_id: str, tier: Tier, asked: Asked) -> Secret:
    """As `rotate`, once for its key. Raises what that does, and `RequestKeyReused`."""

    def made(conn: Conn) -> Secret:
        return Secret(rotate(conn, device_id, asked.as_of, tier=tier).token, asked.as_of + ROTATION_OVERLAP)

    return _once(database, device_id, "rotate", tier, asked, made)


def _once(
    database: Database, device_id: str, action: str, tier: Tier, asked: Asked, made: Callable[[Conn], Secret]
) -> Secret:
    with database.role("telemetry") as conn:
        before = store.fetch_device_request(conn, asked.made_by, asked.key)
        if before is None:
            secret = made(conn)
            request = DeviceRequest(device_id, action, tier, secret.ends_at)
            store.insert_device_request(conn, asked.made_by, asked.key, request, asked.as_of)
            return secret
    if (before.device_id, before.action, before.tier) != (device_id, action, tier):
        raise RequestKeyReused(asked.key)
    return Secret(None, before.ends_at)
