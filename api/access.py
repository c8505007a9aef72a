"""Looks of staff at what is a person's: noted in the audit log, and shown to that person."""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from api.accounts import PERSON_ROLES
from api.errors import NotFound
from api.store import Account
from ingest.devices import find_device, revoke
from ingest.errors import UnknownDevice
from storage.audit import Act, note
from storage.pool import Database

NAMING = ("find", "actor", "policy", "device")


def looked(
    database: Database,
    reader: Account,
    action: str,
    now: datetime,
    *,
    policy_key: UUID | None = None,
    person_key: UUID | None = None,
    object_id: str = "",
) -> None:
    """Notes that this account looked. Who looks at their own needs no note."""
    if reader.role not in PERSON_ROLES:
        act = Act(action, reader.account_key, reader.role, person_key, policy_key, object_id)
        with database.role("policy") as conn:
            note(conn, act, now)


def device_object(database: Database, device_id: str) -> str:
    """A device as the audit log names it, by its random key, for its id is erased with its person; "": it has ended."""
    with database.role("telemetry") as conn:
        try:
            return str(find_device(conn, device_id).device_key)
        except UnknownDevice:
            return ""


def end_device(database: Database, reader: Account, device_id: str, now: datetime) -> None:
    """Ends a device and all of its tokens now, and notes it. Raises NotFound."""
    named = device_object(database, device_id)
    try:
        with database.role("telemetry") as conn:
            revoke(conn, device_id, now)
    except UnknownDevice:
        raise NotFound("device", device_id) from None
    looked(database, reader, "device_ended", now, object_id=named)


def noted_filter(asked: Mapping[str, object]) -> str:
    """A filter as the audit log keeps it: of what could name somebody only that it was given."""
    said = {name: "given" if name in NAMING else value for name, value in asked.items() if value}
    return urlencode(said)[:200]
