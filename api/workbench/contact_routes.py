"""Whom to contact before their renewal: the list of the day for who makes the contacts, its sums for actuaries."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel

from api.access import looked
from api.paging import Page, by
from api.problems import PROBLEMS
from api.rendering import page
from api.roles import Actuary, Now, OfferLogReader, Store, Support
from api.workbench.contact_view import CSV_HEAD, contact_row, contact_sums, csv_row
from api.workbench.tables import PAGE_ROWS, csv_answer, pages
from portfolio.contact_store import Due, KeptList, fetch_latest_list
from portfolio.contacts import still_due
from storage.pool import Database

router = APIRouter()


class ContactOut(BaseModel):
    """Somebody to be contacted. Euro; without `gain` an experiment's lot asks for it."""

    place: int
    policy: str
    ends_on: date
    action: str
    cost: float
    gain: float | None
    low: float | None
    high: float | None
    experiment: str | None
    why: str
    is_done: bool

    @classmethod
    def of(cls, due: Due) -> "ContactOut":
        """From a row of the list; the name is the card's to show."""
        fields = {name: getattr(due, name) for name in cls.model_fields if name != "policy"}
        return cls(policy=due.policy_id, **fields)


@router.get("/contacts", response_class=HTMLResponse, include_in_schema=False)
def show_contacts(
    request: Request,
    reader: OfferLogReader,
    database: Store,
    now: Now,
    *,
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """The latest list as it may be worked through now; actuaries see sums, and nobody by name."""
    kept, due = _list(database, now)
    waiting = [one for one in due if not one.is_done]
    may_see_people = reader.role == "support"
    if kept is not None and may_see_people:
        looked(database, reader, "contact_list_opened", now, object_id=str(kept.list_key))
    shown = waiting[(number - 1) * PAGE_ROWS : number * PAGE_ROWS] if may_see_people else []
    return page(
        request,
        "contacts.html",
        reader,
        sums=None if kept is None else contact_sums(kept, due),
        rows=[contact_row(one) for one in shown],
        pages=pages(number, len(waiting), "/contacts", {}),
        may_see_people=may_see_people,
    )


@router.get("/contacts.csv", include_in_schema=False)
def download_contacts(reader: Support, database: Store, now: Now) -> Response:
    """Those who wait as CSV; that it was taken is noted."""
    kept, due = _list(database, now)
    looked(database, reader, "contact_list_opened", now, object_id="" if kept is None else str(kept.list_key))
    rows = (csv_row(one) for one in due if not one.is_done)
    return csv_answer(f"contacts-{now:%Y-%m-%d}.csv", CSV_HEAD, rows)


@router.get("/api/v1/contacts", responses=PROBLEMS)
def read_contacts(reader: Support, database: Store, now: Now, paging: Page) -> list[ContactOut]:
    """The latest list as it may be worked through now: who is suppressed or withdrew since is not on it."""
    kept, due = _list(database, now)
    looked(database, reader, "contact_list_opened", now, object_id="" if kept is None else str(kept.list_key))
    return [ContactOut.of(one) for one in paging.cut(due, by("place"))]


@router.get("/api/v1/contact-sums", responses=PROBLEMS)
def read_contact_sums(reader: Actuary, database: Store) -> dict[str, Any]:
    """The latest list in sums: how many by action, what they cost and gain, why the others are not contacted."""
    with database.role("policy") as conn:
        kept = fetch_latest_list(conn)
    return {"made_at": None} if kept is None else {"made_at": kept.made_at} | kept.found


def _list(database: Database, now: datetime) -> tuple[KeptList | None, list[Due]]:
    with database.role("policy") as conn:
        kept = fetch_latest_list(conn)
        return kept, [] if kept is None else still_due(conn, kept, now)
