"""The access log of a person, and the audit log for those who watch over it."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.access import looked
from api.paging import EVERYTHING, Page, by
from api.problems import PROBLEMS
from api.roles import AuditReader, Now, Policyholder, Store
from storage.audit import Entry, fetch_before, fetch_of_person

router = APIRouter(prefix="/api/v1")


class LookOut(BaseModel):
    """Somebody looked at what is yours, or decided about it."""

    at: datetime
    role: str
    action: str = Field(examples=["policy_read", "card_opened", "evidence_opened", "contest_decided"])
    object: str

    @classmethod
    def of(cls, entry: Entry) -> "LookOut":
        """Without who it was by name: as what they acted."""
        return cls(at=entry.noted_at, role=entry.role, action=entry.action, object=entry.object)


class EntryOut(BaseModel):
    """A row of the audit log."""

    sequence: int
    at: datetime
    actor: UUID
    role: str
    action: str
    person: UUID | None
    policy: UUID | None
    object: str
    details: str
    hash: str

    @classmethod
    def of(cls, entry: Entry) -> "EntryOut":
        """From the stored one."""
        return cls(
            sequence=entry.sequence,
            at=entry.noted_at,
            actor=entry.actor,
            role=entry.role,
            action=entry.action,
            person=entry.person_key,
            policy=entry.policy_key,
            object=entry.object,
            details=entry.details,
            hash=entry.hash.hex(),
        )


@router.get("/access-log", responses=PROBLEMS)
def read_access_log(reader: Policyholder, database: Store, paging: Page) -> list[LookOut]:
    """Who looked at what is yours or decided about it, the latest first; what you did yourself is not in it."""
    if reader.person_key is None:
        return []
    with database.role("policy") as conn:
        found = fetch_of_person(conn, reader.person_key, EVERYTHING)
    others = [one for one in found if one.actor != reader.account_key]
    return [LookOut.of(one) for one in paging.cut(others, by("sequence"))]


@router.get("/audit", responses=PROBLEMS)
def read_audit(reader: AuditReader, database: Store, now: Now, paging: Page) -> list[EntryOut]:
    """The audit log, the latest first. Whether it is whole says `wayrate audit verify`."""
    if paging.last is None:
        looked(database, reader, "audit_read", now)
    with database.role("policy") as conn:
        found = fetch_before(conn, paging.last_id, paging.most)
    return [EntryOut.of(one) for one in paging.shown(found, by("sequence"))]
