"""The desk: what waits for whoever has signed in, and the figures they begin the day with."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from api import wording
from api.contest_view import queue
from api.languages import say
from api.rendering import page
from api.roles import Desk, Now, Store
from api.store import Account
from api.trip_view import Fact
from api.workbench import book_view
from api.workbench.audit_store import count_since
from api.workbench.book_store import BookFilter, fetch_book_totals, fetch_posted_period
from api.workbench.device_list_store import DEVICES, devices_where
from api.workbench.list_store import count_listed
from ingest.enrolment_store import fetch_security_events
from ingest.quarantine_store import count_by_reason
from portfolio.board import read_board
from portfolio.erasure_store import fetch_open
from pricing.publishing import SUBMISSION_LASTS
from pricing.publishing_store import fetch_submissions
from storage.pool import Database

router = APIRouter(include_in_schema=False)
MOST_COUNTED = 1000
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something to do: how much of it, what of it is told beside, and where it is done."""

    what: str
    count: int
    note: str
    href: str


@router.get("/desk", response_class=HTMLResponse)
def show_desk(request: Request, reader: Desk, database: Store, now: Now) -> Response:
    """What waits for this role."""
    waits = {
        "underwriter": _of_underwriter,
        "actuary": _of_actuary,
        "admin": _of_admin,
        "privacy_officer": _of_privacy_officer,
    }[reader.role](database, reader, now)
    month, facts = _book_of(database) if reader.role in ("underwriter", "actuary") else ("", [])
    return page(
        request,
        "desk.html",
        reader,
        role=wording.words(reader.role),
        waits=[one for one in waits if one.count],
        quiet=[one for one in waits if not one.count],
        month=month,
        facts=facts,
    )


def _of_underwriter(database: Database, reader: Account, now: datetime) -> list[Waiting]:
    contests = queue(database, decided=False, limit=MOST_COUNTED)
    oldest = say("the oldest since {day}", day=wording.long_day(contests[0].raised_at.date())) if contests else ""
    with database.role("telemetry") as conn:
        kept = sum(one.waiting for one in count_by_reason(conn, None))
    return [
        Waiting(say("Contests to decide"), len(contests), oldest, "/contests"),
        Waiting(say("Rate plans that wait for a second actuary"), len(_drafts(database, None, now)), "", "/rate-plans"),
        Waiting(say("Records in quarantine"), kept, say("an administrator replays them"), "/quarantine"),
    ]


def _of_actuary(database: Database, reader: Account, now: datetime) -> list[Waiting]:
    with database.role("policy") as conn:
        board = read_board(conn, now)
    steps = [card for card in board.cards if card.stands_at != "assess"]
    return [
        Waiting(
            say("Rate plans to approve"), len(_drafts(database, reader, now)), say("by somebody else"), "/rate-plans"
        ),
        Waiting(say("Experiments under way"), len(steps), "", "/experiments"),
    ]


def _of_admin(database: Database, reader: Account, now: datetime) -> list[Waiting]:
    with database.role("telemetry") as conn:
        counts = [one for one in count_by_reason(conn, None) if one.waiting]
        events = fetch_security_events(conn, None, now - DAY, MOST_COUNTED)
        silent = count_listed(conn, DEVICES, devices_where("", "silent", "", now))
    most = say("most of them: {reason}", reason=wording.words(counts[0].reason)) if counts else ""
    return [
        Waiting(say("Records in quarantine"), sum(one.waiting for one in counts), most, "/quarantine"),
        Waiting(say("Security events within a day"), len(events), "", "/security-events"),
        Waiting(say("Devices silent for 3 days"), silent, "", "/devices?state=silent"),
    ]


def _of_privacy_officer(database: Database, reader: Account, now: datetime) -> list[Waiting]:
    with database.role("policy") as conn:
        looks = count_since(conn, now - DAY)
        asked = [one for one in fetch_open(conn) if one.granted is None]
    most = say("most often: {action}", action=wording.words(looks[0][0])) if looks else ""
    oldest = say("the oldest since {day}", day=wording.long_day(asked[0].asked_at)) if asked else ""
    return [
        Waiting(say("People who asked to be erased"), len(asked), oldest, "/erasures"),
        Waiting(say("Looks and decisions within a day"), sum(count for _, count in looks), most, "/audit"),
    ]


def _drafts(database: Database, reader: Account | None, now: datetime) -> list[str]:
    """Submissions that wait, of others than the reader."""
    with database.role("policy") as conn:
        submitted = fetch_submissions(conn)
    author = reader.account_key if reader else None
    return [
        one.plan_hash
        for one in submitted
        if one.approved_at is None and one.author != author and now <= one.submitted_at + SUBMISSION_LASTS
    ]


def _book_of(database: Database) -> tuple[str, list[Fact]]:
    with database.role("policy") as conn:
        period = fetch_posted_period(conn)
        if period is None:
            return "", []
        return wording.month(period), book_view.totals(
            fetch_book_totals(conn, BookFilter(period), book_view.bounds_of(period))
        )
