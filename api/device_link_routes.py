"""A policyholder links a device to an own policy, by the one-time code that comes with it, sees the links, ends one."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from api import wording
from api.access import device_object
from api.device_errors import CodesWait, CoverOver, DeviceEnded, DeviceInUse, UnfitCode
from api.device_link_store import DeviceLink, fetch_last_uploads, fetch_links
from api.errors import NotFound
from api.forms import check_session_form
from api.home_view import policy_view
from api.paging import Page, by
from api.policy_file import own_policy, shown_of
from api.problems import PROBLEMS
from api.rendering import page
from api.roles import Now, PolicyOwner, Store
from api.store import Account
from ingest.enrolment import Guesses, device_of_code
from ingest.errors import CodeSpent, TooManyCodes, UnknownCode
from pricing.device_links import assign_device, cover_span, release_device
from pricing.errors import DeviceTaken, EndedDevice, UnknownDevice
from pricing.store import Policy
from storage.audit import Act, note
from storage.pool import Database

router = APIRouter(responses=PROBLEMS)
Token = Annotated[str, Form(max_length=200)]


class LinkIn(BaseModel):
    """The code that came with the device."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(min_length=1, max_length=64, examples=["K7QX-2M9D-04TR"])


class LinkedOut(BaseModel):
    """The device that measures the policy."""

    policy: str
    device: str


class LinkOut(BaseModel):
    """A device that measures, or measured, the policy."""

    device: str
    from_time: datetime
    to_time: datetime | None = Field(description="null: it measures the policy now")
    last_upload: datetime | None


@router.post("/api/v1/policies/{policy_id}/devices", status_code=201)
def link_device(
    request: Request, policy_id: str, wanted: LinkIn, reader: PolicyOwner, database: Store, now: Now, response: Response
) -> LinkedOut:
    """From now on the device measures this policy. The code stays good for the device itself; again changes nothing."""
    device_id, is_new = _linked(database, reader, policy_id, wanted.code, now, request.app.state.code_guesses)
    response.status_code = 201 if is_new else 200
    return LinkedOut(policy=policy_id, device=device_id)


@router.get("/api/v1/policies/{policy_id}/devices")
def read_links(policy_id: str, reader: PolicyOwner, database: Store, paging: Page) -> list[LinkOut]:
    """The devices that measure the policy, then those that did."""
    with database.role("policy") as conn:
        policy = own_policy(conn, reader, policy_id)
    links, heard = _links(database, policy)
    return [
        LinkOut(
            device=one.device_id, from_time=one.from_time, to_time=one.to_time, last_upload=heard.get(one.device_key)
        )
        for one in paging.cut(links, by("device_id", "from_time"))
    ]


@router.delete("/api/v1/policies/{policy_id}/devices/{device_id}", status_code=204)
def end_link(policy_id: str, device_id: str, reader: PolicyOwner, database: Store, now: Now) -> None:
    """From now on the device measures this policy no longer; what it measured stays. Again changes nothing."""
    _ended(database, reader, policy_id, device_id, now)


@router.get("/policies/{policy_id}/devices", response_class=HTMLResponse, include_in_schema=False)
def show_links(request: Request, policy_id: str, reader: PolicyOwner, database: Store, now: Now) -> Response:
    """The links of the policy, with the forms that make and end one."""
    with database.role("policy") as conn:
        policy = own_policy(conn, reader, policy_id)
        plan = shown_of(conn, policy, now).plan
    links, heard = _links(database, policy)
    return page(
        request,
        "device_links.html",
        reader,
        policy=policy_view(policy, plan),
        links=[_shown(one, heard.get(one.device_key), policy.time_zone, now) for one in links],
        is_over=cover_span(policy)[1] <= now,
    )


@router.post("/policies/{policy_id}/devices", include_in_schema=False)
def link_by_form(
    request: Request,
    policy_id: str,
    reader: PolicyOwner,
    database: Store,
    now: Now,
    *,
    code: Annotated[str, Form(min_length=1, max_length=64)],
    form_token: Token = "",
) -> Response:
    """Links by the code, and goes back to the page."""
    check_session_form(reader, form_token)
    _linked(database, reader, policy_id, code, now, request.app.state.code_guesses)
    return RedirectResponse(f"/policies/{policy_id}/devices", status_code=303)


@router.post("/policies/{policy_id}/devices/{device_id}/end", include_in_schema=False)
def end_by_form(
    policy_id: str, device_id: str, reader: PolicyOwner, database: Store, now: Now, form_token: Token = ""
) -> Response:
    """Ends the link, and goes back to the page."""
    check_session_form(reader, form_token)
    _ended(database, reader, policy_id, device_id, now)
    return RedirectResponse(f"/policies/{policy_id}/devices", status_code=303)


def _linked(
    database: Database, reader: Account, policy_id: str, code: str, now: datetime, guesses: Guesses
) -> tuple[str, bool]:
    with database.role("policy") as conn:
        policy = own_policy(conn, reader, policy_id)
    starts, ends = cover_span(policy)
    if ends <= now:
        raise CoverOver(policy_id)
    device_id = _device_of(database, code, reader, now, guesses)
    try:
        is_new = assign_device(database, policy_id, device_id, max(now, starts))
    except DeviceTaken:  # whose policy that is is not told
        raise DeviceInUse(device_id) from None
    except EndedDevice:
        raise DeviceEnded(device_id) from None
    if is_new:
        _note(database, reader, policy, "device_linked", device_id, now)
    return device_id, is_new


def _ended(database: Database, reader: Account, policy_id: str, device_id: str, now: datetime) -> None:
    with database.role("policy") as conn:
        policy = own_policy(conn, reader, policy_id)
    held = {one.device_id: one for one in reversed(_links(database, policy)[0])}
    try:
        release_device(database, policy_id, device_id, now)
    except UnknownDevice:
        raise NotFound("device", device_id) from None
    link = held.get(device_id)
    if link is not None and (link.to_time is None or link.to_time > now):
        _note(database, reader, policy, "device_unlinked", device_id, now)


def _note(database: Database, reader: Account, policy: Policy, action: str, device_id: str, now: datetime) -> None:
    named = device_object(database, device_id)
    with database.role("policy") as conn:
        note(conn, Act(action, reader.account_key, policy_key=policy.policy_key, object=named), now)


def _links(database: Database, policy: Policy) -> tuple[list[DeviceLink], dict[int, datetime]]:
    with database.role("link") as conn:
        links = fetch_links(conn, policy.policy_key)
    with database.role("telemetry") as conn:
        return links, fetch_last_uploads(conn, [one.device_key for one in links])


def _shown(link: DeviceLink, heard: datetime | None, time_zone: str, now: datetime) -> dict[str, object]:
    def said(at: datetime | None) -> str:
        return wording.moment(wording.local(at, time_zone)) if at else ""

    measures = link.to_time is None or link.to_time > now
    return {"device": link.device_id, "since": said(link.from_time), "until": said(link.to_time),
            "heard": said(heard) if measures else "", "measures": measures}  # fmt: skip


def _device_of(database: Database, code: str, reader: Account, now: datetime, guesses: Guesses) -> str:
    try:
        return device_of_code(database, code, now, address=str(reader.account_key), guesses=guesses)
    except TooManyCodes as error:
        raise CodesWait(error.wait_s) from None
    except (UnknownCode, CodeSpent) as error:
        raise UnfitCode(str(error)) from None
