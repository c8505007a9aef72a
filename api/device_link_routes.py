"""A policyholder links a device to an own policy: by its one-time code, which comes with the device."""

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.access import device_object
from api.device_errors import CodesWait, CoverOver, DeviceInUse, UnfitCode
from api.policy_file import own_policy
from api.problems import PROBLEMS
from api.roles import Now, PolicyOwner, Store
from api.store import Account
from ingest.enrolment import Guesses, device_of_code
from ingest.errors import CodeSpent, TooManyCodes, UnknownCode
from pricing.errors import DeviceTaken
from pricing.policies import assign_device
from storage.audit import Act, note
from storage.pool import Database

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


class LinkIn(BaseModel):
    """The code that came with the device."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(min_length=1, max_length=64, examples=["K7QX-2M9D-04TR"])


class LinkedOut(BaseModel):
    """The device that measures the policy."""

    policy: str
    device: str


@router.post("/policies/{policy_id}/devices", status_code=201)
def link_device(
    request: Request, policy_id: str, wanted: LinkIn, reader: PolicyOwner, database: Store, now: Now, response: Response
) -> LinkedOut:
    """From now on the device measures this policy. The code stays good for the device itself; again changes nothing."""
    with database.role("policy") as conn:
        policy = own_policy(conn, reader, policy_id)
    starts, ends = (
        datetime.combine(day, time(), ZoneInfo(policy.time_zone)).astimezone(UTC)
        for day in (policy.starts_on, policy.ends_on)
    )
    if ends <= now:
        raise CoverOver(policy_id)
    device_id = _device_of(database, wanted.code, reader, now, request.app.state.code_guesses)
    try:
        is_new = assign_device(database, policy_id, device_id, max(now, starts))
    except DeviceTaken:  # whose policy that is is not told
        raise DeviceInUse(device_id) from None
    if is_new:
        named = device_object(database, device_id)
        with database.role("policy") as conn:
            note(conn, Act("device_linked", reader.account_key, policy_key=policy.policy_key, object=named), now)
    else:
        response.status_code = 200
    return LinkedOut(policy=policy_id, device=device_id)


def _device_of(database: Database, code: str, reader: Account, now: datetime, guesses: Guesses) -> str:
    try:
        return device_of_code(database, code, now, address=str(reader.account_key), guesses=guesses)
    except TooManyCodes as error:
        raise CodesWait(error.wait_s) from None
    except (UnknownCode, CodeSpent) as error:
        raise UnfitCode(str(error)) from None
