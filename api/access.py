"""Looks of staff at what is a person's: noted in the audit log, and shown to that person."""

from datetime import datetime
from uuid import UUID

from api.accounts import PERSON_ROLES
from api.store import Account
from storage.audit import Act, note
from storage.pool import Database


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
