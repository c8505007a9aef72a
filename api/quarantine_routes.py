"""Quarantine for those who run the system: counts for underwriters, lists and replays for administrators.

An administrator may not see where anybody was: the bytes come without digits. Who opens the database himself, by the
command line, sees them whole.
"""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field, StrictInt, model_validator

from api.access import looked, noted_filter
from api.errors import NotFound
from api.paging import Page, by
from api.problems import PROBLEMS
from api.roles import Admin, Now, QuarantineReader, Store
from ingest.errors import UnknownQuarantine
from ingest.quarantine import masked, masked_text, replay, replay_all
from ingest.quarantine_store import Filter, count_by_reason, fetch_kept, fetch_rows
from ingest.rejection import Rejection

router = APIRouter(prefix="/api/v1/quarantine", responses=PROBLEMS)
MOST_IDS = 1000


class CountOut(BaseModel):
    """How many were refused for one reason on one channel, and what became of them."""

    reason: str = Field(examples=["range"])
    channel: str = Field(examples=["osmand"])
    waiting: int
    replayed: int
    expired: int


class KeptOut(BaseModel):
    """One refused record or frame. `record_index` null: a whole frame."""

    quarantine_id: int
    device_id: str | None
    received_at: datetime
    channel: str
    reason: str
    detail: str = Field(description="Without digits: it may quote a place")
    record_index: int | None
    size_bytes: int
    replayed_at: datetime | None
    expired_at: datetime | None


class KeptBytes(KeptOut):
    """The same with its bytes: text without its digits, or a binary frame's head."""

    tier: str | None
    decoder_version: str | None
    form: str = Field(examples=["text"])
    content: str = Field(examples=['{"lat": ##.####, "lon": "east"}'])


class ReplayWanted(BaseModel):
    """Which rows to replay: ids, or all that wait of a reason, device and channel."""

    ids: Annotated[list[StrictInt], Field(max_length=MOST_IDS)] | None = None
    reason: Rejection | None = None
    device: str | None = None
    channel: str | None = None

    @model_validator(mode="after")
    def _chosen(self) -> Self:
        if self.ids is None and not (self.reason or self.device or self.channel):
            raise ValueError("nothing is chosen: give ids, or a reason, device or channel")
        return self


class ReplayOut(BaseModel):
    """What one replay came to."""

    quarantine_id: int
    outcome: str = Field(examples=["stored"])
    stored: int
    duplicate: int
    quarantined: int
    reason: str | None
    detail: str | None


@router.get("/counts")
def read_counts(
    reader: QuarantineReader, database: Store, since: Annotated[AwareDatetime | None, Query()] = None
) -> list[CountOut]:
    """Counts by reason and channel, of no device."""
    with database.role("telemetry") as conn:
        return [CountOut(**asdict(count)) for count in count_by_reason(conn, since)]


@router.get("")
def read_kept(
    reader: Admin,
    database: Store,
    paging: Page,
    *,
    reason: Rejection | None = None,
    device: Annotated[str | None, Query(max_length=64)] = None,
    channel: Annotated[str | None, Query(max_length=40)] = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
    waiting: bool = True,
) -> list[KeptOut]:
    """What is kept, by rising id."""
    which = Filter(reason, device, channel, since, until, waiting=waiting, after_id=paging.last_id or 0)
    with database.role("telemetry") as conn:
        rows = paging.shown(fetch_rows(conn, which, paging.most), by("quarantine_id"))
    return [KeptOut(**asdict(row) | {"detail": masked_text(row.detail)}) for row in rows]


@router.get("/{quarantine_id}")
def read_one(quarantine_id: int, reader: Admin, database: Store, now: Now) -> KeptBytes:
    """One of them with its bytes, masked."""
    with database.role("telemetry") as conn:
        kept = fetch_kept(conn, quarantine_id)
    if kept is None:
        raise NotFound("kept record", str(quarantine_id))
    looked(database, reader, "quarantine_read", now, object_id=str(quarantine_id))
    seen = masked(kept)
    facts = {name: getattr(kept, name) for name in KeptBytes.model_fields if hasattr(kept, name)}
    facts |= {"detail": masked_text(kept.detail), "size_bytes": len(kept.raw)}
    return KeptBytes(**facts, form=seen.form, content=seen.content)


@router.post("/replay")
def replay_kept(wanted: ReplayWanted, reader: Admin, database: Store, now: Now) -> list[ReplayOut]:
    """Put refused bytes through the front door again; what is refused again stays as it is."""
    looked(database, reader, "quarantine_replayed", now, object_id=noted_filter(wanted.model_dump()))
    if wanted.ids is not None:
        try:
            done = [replay(database, quarantine_id, now) for quarantine_id in wanted.ids]
        except UnknownQuarantine as error:
            raise NotFound("kept record", str(error.quarantine_id)) from None
    else:
        which = Filter(wanted.reason, wanted.device, wanted.channel)
        done = replay_all(database, which, now)
    return [ReplayOut(**asdict(each) | {"detail": masked_text(each.detail or "") or None}) for each in done]
