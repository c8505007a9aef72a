"""Contests: a person raises one on a trip's page or by program; an underwriter looks at the evidence and decides."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from api.access import looked
from api.contest_view import (
    any_trip,
    contest_view,
    contests_of_policies,
    credits_of,
    evidence,
    one_contest,
    queue,
    trimmed,
)
from api.errors import NotFound
from api.forms import check_session_form
from api.idempotency import FormKey, Key
from api.map_drawing import track_geojson
from api.meetings import CONTEST, DECISION, met
from api.paging import Page, by
from api.policy_file import any_policy, own_policies
from api.problems import PROBLEMS
from api.rendering import page
from api.roles import Now, Policyholder, Store, Underwriter
from api.store import Account
from api.trip_file import TripFile, file_of, own_trip_file, require_way
from pricing.contest_store import Contest
from pricing.contests import Dispute, contest, decide, look_at_evidence, may_show_way
from storage.pool import Database

router = APIRouter()
LIST_OPENED = "contest_list_opened"  # what the audit log calls a look at the list
EVIDENT = ("trip_id", "started_at", "distance_m", "gap_m", "duration_s", "grade", "quality", "totals")


class ContestIn(BaseModel):
    """What is contested and why."""

    model_config = ConfigDict(extra="forbid")

    event: StrictInt | None = Field(
        default=None, description="The number of an event of the trip; null: the whole trip"
    )
    reason: str = Field(examples=["wrong_limit", "bad_data", "not_my_car", "emergency", "other"])
    words: str
    show_way: StrictBool = Field(
        default=False, description="An underwriter may see the way, without 300 m round its ends"
    )


class DecisionIn(BaseModel):
    """An underwriter's decision."""

    model_config = ConfigDict(extra="forbid")

    upheld: StrictBool
    words: str


class CreditOut(BaseModel):
    """An adjustment in which an upheld contest first counts."""

    period: str
    amount: str
    currency: str
    posted_at: datetime
    alone: bool = Field(description="Nothing else changed in it")


class ContestOut(BaseModel):
    """A contest and what became of it."""

    contest_id: UUID
    policy: str
    trip_id: UUID
    event_kind: str | None
    from_time: datetime
    to_time: datetime
    reason: str
    words: str
    show_way: bool
    raised_at: datetime
    upheld: bool | None = Field(description="null: it waits for a decision")
    decision: str | None
    decided_at: datetime | None
    evidence_seen_at: datetime | None = Field(description="When an underwriter last looked at the evidence")
    credits: list[CreditOut]

    @classmethod
    def of(cls, database: Database, found: Contest) -> "ContestOut":
        """From the stored contest, with what it led to."""
        credits_posted = credits_of(database, found) if found.upheld else []
        same = set(cls.model_fields) - {"policy", "evidence_seen_at", "credits"}
        return cls(
            policy=found.policy_id,
            evidence_seen_at=found.seen_at,
            credits=[
                CreditOut(
                    period=one.period,
                    amount=str(one.amount),
                    currency=one.currency,
                    posted_at=one.posted_at,
                    alone=one.alone,
                )
                for one in credits_posted
            ],
            **{name: getattr(found, name) for name in same},
        )


class EvidenceOut(BaseModel):
    """What a contest is decided by; `track` null: the way is not shown."""

    contest: ContestOut
    trip: dict[str, Any] | None
    events: list[dict[str, Any]]
    track: dict[str, Any] | None


@router.post("/trips/{trip_id}/contests", include_in_schema=False)
def contest_by_form(
    trip_id: UUID,
    reader: Policyholder,
    database: Store,
    now: Now,
    *,
    event: Annotated[int, Form(ge=0)],
    reason: Annotated[str, Form(max_length=40)],
    words: Annotated[str, Form(max_length=2000)],
    key: FormKey,
    show_way: Annotated[bool, Form()] = False,
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Raises a contest, and goes back to the trip."""
    check_session_form(reader, form_token)
    wanted = ContestIn(event=event or None, reason=reason, words=words, show_way=show_way)
    _contest(database, reader, trip_id, wanted, key, now)
    return RedirectResponse(f"/trips/{trip_id}#contest", status_code=303)


@router.post("/api/v1/trips/{trip_id}/contests", status_code=201, responses=PROBLEMS)
def contest_trip(
    trip_id: UUID, wanted: ContestIn, reader: Policyholder, database: Store, now: Now, key: Key, response: Response
) -> ContestOut:
    """Contests an own trip, or one of its events."""
    found, repeated = _contest(database, reader, trip_id, wanted, key, now)
    response.status_code = 200 if repeated else 201
    return ContestOut.of(database, found)


@router.get("/api/v1/contests", responses=PROBLEMS)
def read_contests(reader: Policyholder, database: Store, paging: Page) -> list[ContestOut]:
    """Your contests, the latest first."""
    own = paging.cut(_own_contests(database, reader), by("contest_id"))
    return [ContestOut.of(database, found) for found in own]


@router.get("/api/v1/contests/{contest_id}", responses=PROBLEMS)
def read_contest(contest_id: UUID, reader: Policyholder, database: Store) -> ContestOut:
    """One of them."""
    found = next((one for one in _own_contests(database, reader) if one.contest_id == contest_id), None)
    if found is None:
        raise NotFound("contest", str(contest_id))
    return ContestOut.of(database, found)


@router.get("/contests/{contest_id}", response_class=HTMLResponse, include_in_schema=False)
def show_evidence(request: Request, contest_id: UUID, reader: Underwriter, database: Store, now: Now) -> Response:
    """The evidence of a contest, and the decision; that it was looked at is kept and shown to the person."""
    found, file = _evidence_file(database, contest_id, reader, now)
    return page(
        request,
        "contest.html",
        reader,
        contest=contest_view(found, zone_of(database, found), credits_of(database, found)),
        is_open=found.upheld is None,
        evidence=evidence(found, file, request.app.state.roads) if file else None,
    )


@router.post("/contests/{contest_id}", include_in_schema=False)
def decide_by_form(
    contest_id: UUID,
    reader: Underwriter,
    database: Store,
    now: Now,
    *,
    decision: Annotated[str, Form(pattern="^(uphold|refuse)$")],
    words: Annotated[str, Form(max_length=2000)],
    form_token: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Decides, and goes back to what waits."""
    check_session_form(reader, form_token)
    wanted = DecisionIn(upheld=decision == "uphold", words=words)
    _decide(database, reader, contest_id, wanted, now)
    return RedirectResponse("/contests?state=decided&sort=-decided", status_code=303)


@router.get("/api/v1/contest-queue", responses=PROBLEMS)
def read_queue(
    reader: Underwriter, database: Store, now: Now, paging: Page, *, decided: bool = False
) -> list[ContestOut]:
    """What waits, the oldest first; with `decided` what was decided, the latest first. The look is noted."""
    looked(database, reader, LIST_OPENED, now, object_id="state=decided" if decided else "state=waiting")
    rows = queue(database, decided=decided, limit=paging.most, after=paging.last_uuid)
    return [ContestOut.of(database, found) for found in paging.shown(rows, by("contest_id"))]


@router.get("/api/v1/contest-queue/{contest_id}", responses=PROBLEMS)
def read_evidence(contest_id: UUID, reader: Underwriter, database: Store, now: Now) -> EvidenceOut:
    """A contest with its evidence; that it was looked at is kept and shown to the person."""
    found, file = _evidence_file(database, contest_id, reader, now)
    way = trimmed(file.track) if file and file.track and may_show_way(found) else None
    trip = file.trip if file else None
    no_place = {"latitude_deg", "longitude_deg", "ordinal"}
    return EvidenceOut(
        contest=ContestOut.of(database, found),
        trip={name: getattr(trip, name) for name in EVIDENT} if trip else None,
        events=[
            {name: getattr(event, name) for name in event.__dataclass_fields__ if name not in no_place}
            for event in (file.events if file else [])
        ],
        track=track_geojson(way, []) if way else None,
    )


@router.post("/api/v1/contest-queue/{contest_id}/decision", responses=PROBLEMS)
def decide_contest(contest_id: UUID, wanted: DecisionIn, reader: Underwriter, database: Store, now: Now) -> ContestOut:
    """Decides a contest whose evidence this account has looked at; once, and the same again changes nothing."""
    return ContestOut.of(database, _decide(database, reader, contest_id, wanted, now))


def _contest(
    database: Database, reader: Account, trip_id: UUID, wanted: ContestIn, key: str, now: datetime
) -> tuple[Contest, bool]:
    file = own_trip_file(database, reader, trip_id)
    if wanted.show_way:  # only who may see it lets others
        require_way(file)
    event = None
    if wanted.event is not None:
        if not 1 <= wanted.event <= len(file.events):
            raise NotFound("event", f"{trip_id} {wanted.event}")
        event = file.events[wanted.event - 1]
    dispute = Dispute(
        trip_id=trip_id,
        kind=event.kind if event else None,
        from_time=event.started_at if event else None,
        to_time=event.ended_at if event else None,
        reason=wanted.reason,
        words=wanted.words.strip(),
        show_way=wanted.show_way,
    )
    found, repeated = contest(database, dispute, raised_by=reader.account_key, key=key, as_of=now)
    met(database, reader, found.policy_key, CONTEST, str(found.contest_id), now)
    return found, repeated


def _decide(database: Database, reader: Account, contest_id: UUID, wanted: DecisionIn, now: datetime) -> Contest:
    words = wanted.words.strip()
    found = decide(database, contest_id, upheld=wanted.upheld, words=words, decided_by=reader.account_key, as_of=now)
    met(database, reader, found.policy_key, DECISION, str(contest_id), now)
    return found


def _own_contests(database: Database, reader: Account) -> list[Contest]:
    with database.role("policy") as conn:
        keys = [policy.policy_key for policy in own_policies(conn, reader)]
    return contests_of_policies(database, keys)


def _evidence_file(
    database: Database, contest_id: UUID, reader: Account, now: datetime
) -> tuple[Contest, TripFile | None]:
    """The contest and the trip that now fills its time; None where that was taken out since."""
    found, trip_id = look_at_evidence(database, contest_id, reader.account_key, now)
    trip = any_trip(database, found.policy_key, trip_id) if trip_id else None
    found = one_contest(database, contest_id) or found
    return found, file_of(database, trip) if trip else None


def zone_of(database: Database, found: Contest) -> str:
    """The clock of the place that a contest is told by."""
    with database.role("policy") as conn:
        return any_policy(conn, found.policy_id).time_zone
