"""Devices for administrators: a code to enrol by, another token, an end; support may end one too."""

from dataclasses import asdict
from datetime import datetime

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, BaseModel, Field

from api.access import end_device
from api.device_codes import device_code, note_secret
from api.errors import NotFound
from api.idempotency import Key
from api.paging import Page, by
from api.problems import PROBLEMS
from api.roles import Admin, DeviceEnder, Now, Store
from ingest.device_requests import Asked, Secret, rotate_once
from ingest.devices import Tier
from ingest.enrolment_store import fetch_security_events
from ingest.errors import RequestKeyReused, UnknownDevice
from ingest.security import SecurityEvent
from pricing.errors import KeyReused

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


class CodeOut(BaseModel):
    """A one-time code, shown this once."""

    device: str
    code: str | None = Field(examples=["K7QX-2M9D-04TR"], description="null: shown before, under this key")
    expires_at: datetime


class TokenOut(BaseModel):
    """A device's new token, shown this once."""

    device: str
    token: str | None = Field(description="null: shown before, under this key")
    earlier_tokens_end_at: datetime


class SecurityEventOut(BaseModel):
    """Something that somebody should look at."""

    security_event_id: int
    happened_at: datetime
    kind: str = Field(examples=["foreign_device"])
    channel: str
    device_id: str | None
    detail: str


@router.post("/devices/{device_id}/code", status_code=201)
def make_device_code(
    device_id: str, reader: Admin, database: Store, now: Now, key: Key, response: Response, tier: Tier = "tls"
) -> CodeOut:
    """A code that the device exchanges for its token, once; a device that is not enrolled yet is."""
    code = device_code(database, reader, device_id, tier, key, now)
    _told(response, code)
    return CodeOut(device=device_id, code=code.text, expires_at=code.ends_at)


@router.post("/devices/{device_id}/rotate", status_code=201)
def rotate_device(
    device_id: str, reader: Admin, database: Store, now: Now, key: Key, response: Response, tier: Tier = "tls"
) -> TokenOut:
    """Another token; the earlier ones end after the overlap."""
    try:
        token = rotate_once(database, device_id, tier, Asked(reader.account_key, key, now))
    except RequestKeyReused:
        raise KeyReused(key) from None
    except UnknownDevice:
        raise NotFound("device", device_id) from None
    note_secret(database, reader, token, "device_rotated", device_id, now)
    _told(response, token)
    return TokenOut(device=device_id, token=token.text, earlier_tokens_end_at=token.ends_at)


@router.post("/devices/{device_id}/revoke", status_code=204)
def revoke_device(device_id: str, reader: DeviceEnder, database: Store, now: Now) -> None:
    """End the device and all of its tokens now."""
    end_device(database, reader, device_id, now)


@router.get("/security-events")
def read_security_events(
    reader: Admin,
    database: Store,
    paging: Page,
    *,
    kind: SecurityEvent | None = None,
    since: AwareDatetime | None = None,
) -> list[SecurityEventOut]:
    """Security events, the latest first."""
    with database.role("telemetry") as conn:
        found = fetch_security_events(conn, kind, since, paging.most, before=paging.last_id)
    return [SecurityEventOut(**asdict(event)) for event in paging.shown(found, by("security_event_id"))]


def _told(response: Response, secret: Secret) -> None:
    """200 where it was shown before; that no cache keeps it is said of every answer."""
    if secret.text is None:
        response.status_code = 200
