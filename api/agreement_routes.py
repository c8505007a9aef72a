"""Binding, endorsing, cancelling and renewing policies: for programs, each request once by its key."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from api.access import looked
from api.idempotency import Key
from api.paging import Page, by
from api.policy_file import any_policy, own_policy
from api.problems import PROBLEMS
from api.roles import Binder, Now, PolicyReader, Store
from api.store import Account
from api.texts import Line
from pricing.agreements import Agreed, Asked, bind, cancel, endorse, history, policy_id_of, renew
from pricing.errors import Backdated, OutsideTerm
from pricing.policies import DEFAULT_PLAN, PolicyDocument
from pricing.statement import Posting
from pricing.store import Policy
from pricing.terms import PolicyChange
from storage.pool import Conn, Database

router = APIRouter(prefix="/api/v1", responses=PROBLEMS)


class Terms(BaseModel):
    """Terms of a policy; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    pay_plan: str | None = None
    covers: list[str] | None = None
    factors: dict[str, str | StrictInt] | None = Field(default=None, description="Only those that change")
    declared_km_per_year: StrictInt | None = None
    sharing: str | None = Field(default=None, description="What of the driving leaves the device")

    def given(self) -> dict[str, Any]:
        """Those that are given."""
        return {name: getattr(self, name) for name in Terms.model_fields if getattr(self, name) is not None}


class EndorseIn(Terms):
    """Terms that hold from a day on."""

    effective_on: date
    reason: Line = Field(default="endorsed", max_length=500)


class CancelIn(BaseModel):
    """The first day without cover."""

    model_config = ConfigDict(extra="forbid")

    ends_on: date
    reason: Line = Field(default="cancelled", max_length=500)


class DeclaredClaim(BaseModel):
    """A claim that somebody had, with whichever insurer."""

    model_config = ConfigDict(extra="forbid")

    occurred_on: date
    cover: str | None = Field(default=None, description="None: any cover of the plan is meant")
    at_fault_percent: StrictInt | None = Field(default=None, description="Of the driver; None: not determined")
    incurred: str | None = Field(default=None, description="What it cost, a decimal")


class ClaimsRecordIn(BaseModel):
    """Every claim since a day; asked where the plan charges new business by them, refused elsewhere."""

    model_config = ConfigDict(extra="forbid")

    insured_since: date
    claims: list[DeclaredClaim] = []


class RenewIn(Terms):
    """Another term, on these terms where they change."""

    starts_on: date
    ends_on: date
    reason: Line = Field(default="renewed", max_length=500)
    claims_record: ClaimsRecordIn | None = Field(default=None, description="In place of what was declared before")

    def given(self) -> dict[str, Any]:
        """Those that are given."""
        record = self.claims_record and self.claims_record.model_dump(exclude_none=True)
        return super().given() | ({} if record is None else {"claims_record": record})


class BindIn(BaseModel):
    """A policy. A policyholder's own name and address are taken, and devices are linked by enrolling them."""

    model_config = ConfigDict(extra="forbid")

    policy: str | None = Field(default=None, description="Its id; none: one is made")
    name: Line | None = None
    email: str | None = None
    starts_on: date
    ends_on: date
    plan: str = DEFAULT_PLAN
    pay_plan: str
    covers: list[str]
    factors: dict[str, str | StrictInt]
    declared_km_per_year: StrictInt
    time_zone: str
    sharing: str = "full"
    devices: list[str] = []
    claims_record: ClaimsRecordIn | None = None


class AdjustmentOut(BaseModel):
    """What a change posted to a month."""

    period: str
    amount: str
    currency: str
    reason: str

    @classmethod
    def of(cls, posting: Posting) -> "AdjustmentOut":
        """From the posting."""
        return cls(period=posting.period, amount=str(posting.amount), currency=posting.currency, reason=posting.reason)


class ChangeOut(BaseModel):
    """One change of a policy: a row that is never edited."""

    policy: str
    sequence: int
    kind: str
    effective_on: date
    ends_on: date | None = Field(description="Where the term ends from then on; null: as before")
    terms: dict[str, Any]
    plan_hash: str | None = Field(description="The rate plan of the term that this begins; null: it begins none")
    reason: str
    made_at: datetime

    @classmethod
    def of(cls, policy_id: str, change: PolicyChange) -> "ChangeOut":
        """From the stored change."""
        return cls(
            policy=policy_id, **{name: getattr(change, name) for name in ChangeOut.model_fields if name != "policy"}
        )


class AgreedOut(ChangeOut):
    """A change that was just made, with the adjustments of the months it reaches that are posted."""

    adjustments: list[AdjustmentOut]

    @classmethod
    def of_agreed(cls, agreed: Agreed, response: Response) -> "AgreedOut":
        """From what was agreed; 200 where the key did it before."""
        response.status_code = 200 if agreed.repeated else 201
        change = ChangeOut.of(agreed.policy_id, agreed.change)
        return cls(**change.model_dump(), adjustments=[AdjustmentOut.of(posting) for posting in agreed.adjustments])


@router.post("/bindings", status_code=201)
def bind_policy(wanted: BindIn, reader: Binder, database: Store, now: Now, key: Key, response: Response) -> AgreedOut:
    """Binds a policy."""
    asked = asked_by(reader, key, now, "bound")
    fields = wanted.model_dump(exclude_none=True) | {"policy": wanted.policy or policy_id_of(asked)}
    if reader.role != "underwriter":
        own = {"name": reader.name or reader.email, "email": reader.email}
        fields |= own | {"policy": policy_id_of(asked), "devices": []}  # whose number is taken is nobody's to ask
    with _day_called("starts_on"):
        agreed = bind(database, PolicyDocument("the request", fields), asked)
    return AgreedOut.of_agreed(agreed, response)


@router.post("/policies/{policy_id}/endorsements", status_code=201)
def endorse_policy(
    policy_id: str, wanted: EndorseIn, reader: Binder, database: Store, now: Now, key: Key, response: Response
) -> AgreedOut:
    """Changes terms from a day on; what is posted of the time since is adjusted by the day."""
    visible_policy(database, reader, policy_id)
    asked = asked_by(reader, key, now, wanted.reason)
    return AgreedOut.of_agreed(endorse(database, policy_id, wanted.effective_on, wanted.given(), asked), response)


@router.post("/policies/{policy_id}/cancellation", status_code=201)
def cancel_policy(
    policy_id: str, wanted: CancelIn, reader: Binder, database: Store, now: Now, key: Key, response: Response
) -> AgreedOut:
    """Ends the cover before a day."""
    visible_policy(database, reader, policy_id)
    asked = asked_by(reader, key, now, wanted.reason)
    with _day_called("ends_on"):
        agreed = cancel(database, policy_id, wanted.ends_on, asked)
    return AgreedOut.of_agreed(agreed, response)


@router.post("/policies/{policy_id}/renewals", status_code=201)
def renew_policy(
    policy_id: str, wanted: RenewIn, reader: Binder, database: Store, now: Now, key: Key, response: Response
) -> AgreedOut:
    """Adds the next term."""
    visible_policy(database, reader, policy_id)
    asked = asked_by(reader, key, now, wanted.reason)
    with _day_called("starts_on"):
        agreed = renew(database, policy_id, wanted.starts_on, wanted.ends_on, wanted.given(), asked)
    return AgreedOut.of_agreed(agreed, response)


@router.get("/policies/{policy_id}/changes")
def read_changes(policy_id: str, reader: PolicyReader, database: Store, now: Now, paging: Page) -> list[ChangeOut]:
    """Everything that was agreed, in the order in which it was entered."""
    with database.role("policy") as conn:
        policy = _visible(conn, reader, policy_id)
        changes, _ = history(conn, policy_id)
    looked(database, reader, "policy_read", now, policy_key=policy.policy_key)
    return [ChangeOut.of(policy_id, change) for change in paging.cut(changes, by("sequence"))]


def asked_by(reader: Account, key: str, now: datetime, reason: str) -> Asked:
    """Only an underwriter changes days that have passed."""
    return Asked(reader.account_key, key, now, may_backdate=reader.role == "underwriter", reason=reason)


def visible_policy(database: Database, reader: Account, policy_id: str) -> Policy:
    """An own policy, or for an underwriter any. Raises NotFound, the same for a foreign one and for none."""
    with database.role("policy") as conn:
        return _visible(conn, reader, policy_id)


@contextmanager
def _day_called(field: str) -> Iterator[None]:
    """A day that is refused is named as this request names it."""
    try:
        yield
    except (Backdated, OutsideTerm) as refused:
        refused.field = field
        raise


def _visible(conn: Conn, reader: Account, policy_id: str) -> Policy:
    return any_policy(conn, policy_id) if reader.role == "underwriter" else own_policy(conn, reader, policy_id)
