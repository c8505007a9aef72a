"""The queue of contests: what waits for a decision, and what was decided."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response

from api.access import looked, noted_filter
from api.contest_routes import LIST_OPENED, zone_of
from api.contest_view import contest_view, credits_of
from api.languages import say
from api.rendering import page
from api.roles import Now, Store, Underwriter
from api.workbench.contest_list_store import CONTESTS, contests_where
from api.workbench.list_store import Which, each_listed, fetch_page
from api.workbench.tables import PAGE_ROWS, Code, PageNumber, csv_answer, frame_of
from pricing.contests import REASONS
from storage.pool import Database

router = APIRouter(include_in_schema=False)
COLUMNS = {
    "what": "What", "policy": "Policy", "reason": "Reason", "raised": "Raised", "state": "State", "decided": "Decided",
}  # fmt: skip
STATE_NAMES = {
    "waiting": "waiting for a decision", "decided": "decided", "upheld": "upheld", "refused": "not upheld",
    "any": "any",
}  # fmt: skip
CSV_HEAD = ("contest", "policy", "event", "reason", "raised_at", "upheld", "decided_at")


@dataclass(frozen=True, slots=True)
class Asked:
    """The filter of the address, as it stands there and as the list takes it."""

    query: dict[str, str]
    which: Which


def asked_filter(
    *,
    state: Code = "waiting",
    reason: Code = "",
    policy: Annotated[str, Query(max_length=64, pattern=r"^[^\x00]*$")] = "",
    sort: Code = "raised",
) -> Asked:
    """By state, reason and beginning of the policy's number; what waits longest first."""
    policy = policy.strip()
    query = {"state": state, "reason": reason, "policy": policy, "sort": sort}
    return Asked(query, contests_where(state, reason, policy, sort))


Filter = Annotated[Asked, Depends(asked_filter)]


@router.get("/contests", response_class=HTMLResponse)
def show_contests(
    request: Request, reader: Underwriter, database: Store, now: Now, asked: Filter, number: PageNumber = 1
) -> Response:
    """Contests, 50 a page, each with what was decided and credited; that they were looked at is noted."""
    looked(database, reader, LIST_OPENED, now, object_id=noted_filter(asked.query))
    with database.role("link") as conn:
        found, count = fetch_page(conn, CONTESTS, asked.which, number, PAGE_ROWS)
    return page(
        request,
        "contests.html",
        reader,
        contests=[
            contest_view(one, zone_of(database, one), credits_of(database, one) if one.upheld else ()) for one in found
        ],
        asked=asked.query,
        states={code: say(name) for code, name in STATE_NAMES.items()},
        reasons={code: say(name) for code, name in REASONS.items()},
        frame=frame_of("/contests", asked.query, COLUMNS, (), number, count),
    )


@router.get("/contests.csv")
def download_contests(reader: Underwriter, database: Store, now: Now, asked: Filter) -> Response:
    """The same rows, all, without what the person said; that it was taken is noted."""
    looked(database, reader, "contests_exported", now, object_id=noted_filter(asked.query))
    return csv_answer("contests.csv", CSV_HEAD, _csv_rows(database, asked.which))


def _csv_rows(database: Database, which: Which) -> Iterator[tuple[object, ...]]:
    with database.role("link") as conn:
        for one in each_listed(conn, CONTESTS, which):
            yield (
                str(one.contest_id), one.policy_id, one.event_kind or "trip", one.reason, one.raised_at.isoformat(),
                "" if one.upheld is None else "yes" if one.upheld else "no",
                one.decided_at.isoformat() if one.decided_at else "",
            )  # fmt: skip
