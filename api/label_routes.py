"""Relabelling a trip: the form of its page, and the same for programs."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from api.forms import check_session_form
from api.labelling import Label, said_of, say
from api.problems import PROBLEMS
from api.roles import Now, Policyholder, Store
from scoring.labels import DRIVER

router = APIRouter()


class SaidOut(BaseModel):
    """One statement about a trip."""

    label: str
    by_you: bool = Field(description="By this account, or by another that may")
    said_at: datetime


class LabelOut(BaseModel):
    """What a trip counts as, and everything that was said of it."""

    label: str = Field(description="`driver`: nothing else is said; any other and the trip does not count")
    excluded: str | None
    said: list[SaidOut]


class LabelIn(BaseModel):
    """What the trip was."""

    label: Label


@router.post("/trips/{trip_id}", include_in_schema=False)
def relabel_by_form(
    trip_id: UUID,
    reader: Policyholder,
    database: Store,
    now: Now,
    *,
    label: Annotated[Label, Form()],
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Says what the trip was, and goes back to its page."""
    check_session_form(reader, form_token)
    say(database, reader, trip_id, label, now)
    return RedirectResponse(f"/trips/{trip_id}#label", status_code=303)


@router.get("/api/v1/trips/{trip_id}/label", responses=PROBLEMS)
def read_label(trip_id: UUID, reader: Policyholder, database: Store) -> LabelOut:
    """What a trip counts as, and what was said of it."""
    trip, said = said_of(database, reader, trip_id)
    return LabelOut(
        label=trip.label or DRIVER,
        excluded=trip.excluded,
        said=[SaidOut(label=one.label, by_you=one.said_by == reader.account_key, said_at=one.said_at) for one in said],
    )


@router.put("/api/v1/trips/{trip_id}/label", responses=PROBLEMS)
def relabel(trip_id: UUID, wanted: LabelIn, reader: Policyholder, database: Store, now: Now) -> LabelOut:
    """Says what the trip was; repeating it changes nothing. `driver` takes back what was said."""
    say(database, reader, trip_id, wanted.label, now)
    return read_label(trip_id, reader, database)
