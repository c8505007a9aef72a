"""A contest as its person and an underwriter see it: what was said, what became of it, and the evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np
from markupsafe import Markup

from api import map_drawing, trip_view, wording
from api.languages import say
from api.store import Trip, fetch_trip_of_policy
from api.trip_file import TripFile
from api.zones import away_m, hidden
from pricing.close import contests_of
from pricing.contest_store import Contest, fetch_contest, fetch_contests, fetch_queue
from pricing.contests import CONTEST_DAYS, REASONS, may_show_way
from pricing.statement import Posting
from pricing.store import fetch_postings
from scoring.roads import RoadMap
from scoring.store import EventRow
from scoring.tracks import Track
from storage.pool import Database

HIDDEN_M = 300.0  # round both ends of a trip: where somebody lives and works is no evidence
IN_A_MONTH, IN_A_MONTH_WITH_OTHERS = "{amount} in {month}", "{amount} in {month}, with other changes"
STATES = {None: "waiting for a decision", True: "upheld", False: "not upheld"}


@dataclass(frozen=True, slots=True)
class Credit:
    """An adjustment that took an upheld contest into account; `alone`: and nothing else."""

    period: str
    amount: Decimal
    currency: str
    posted_at: datetime
    alone: bool


@dataclass(frozen=True, slots=True)
class ContestView:
    """A contest in words."""

    contest_id: str
    policy_id: str
    trip_id: str
    what: str
    when: str
    reason: str
    words: str
    raised: str
    state: str
    mark: str
    decision: str
    decided: str
    seen: str
    credit: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What can be contested: the whole trip (0), or an event under its number."""

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an underwriter decides by. `map` empty: the way is not shown, `why_no_map` says why."""

    facts: list[trip_view.Fact]
    events: list[trip_view.EventLine]
    contested: int
    map: Markup
    why_no_map: str
    chart: Markup
    certificate: trip_view.Certificate


def contests_of_policies(database: Database, policy_keys: Sequence[UUID]) -> list[Contest]:
    """The contests of these policies, the latest first."""
    with database.role("link") as conn:
        return fetch_contests(conn, policy_keys)


def queue(database: Database, *, decided: bool, limit: int = 200, after: UUID | None = None) -> list[Contest]:
    """What waits, the oldest first; or what was decided, the latest first; behind one of them."""
    with database.role("link") as conn:
        return fetch_queue(conn, decided=decided, limit=limit, after=after)


def one_contest(database: Database, contest_id: UUID) -> Contest | None:
    """A contest by its id, whoever's it is."""
    with database.role("link") as conn:
        return fetch_contest(conn, contest_id)


def credits_of(database: Database, contest: Contest) -> list[Credit]:
    """The adjustments in which an upheld contest first counts; none where the month was not posted before."""
    with database.role("policy") as conn:
        postings = fetch_postings(conn, contest.policy_key)
    found = []
    held: dict[str, set[str]] = {}
    for posting in postings:
        counted = contests_of(posting.versions)
        fresh = counted - held.get(posting.period, set())
        if str(contest.contest_id) in fresh and posting.kind == "adjustment":
            found.append(_credit(posting))
        held[posting.period] = counted
    return found


def _credit(posting: Posting) -> Credit:
    alone = posting.reason == "1 contest(s) upheld"
    return Credit(posting.period, posting.amount, posting.currency, posting.posted_at, alone)


def contest_view(contest: Contest, time_zone: str, credits_posted: Sequence[Credit] = ()) -> ContestView:
    """A contest by the clock of a place."""
    start = wording.local(contest.from_time, time_zone)
    what = wording.event_name(contest.event_kind) if contest.event_kind else say("The whole trip")
    return ContestView(
        contest_id=str(contest.contest_id),
        policy_id=contest.policy_id,
        trip_id=str(contest.trip_id),
        what=what,
        when=f"{wording.day(start)}, {wording.clock(start, seconds=contest.event_kind is not None)}",
        reason=say(REASONS[contest.reason]),
        words=contest.words,
        raised=wording.long_day(contest.raised_at),
        state=say(STATES[contest.upheld]),
        mark={None: "", True: "good", False: "uncertified"}[contest.upheld],
        decision=contest.decision or "",
        decided=wording.long_day(contest.decided_at) if contest.decided_at else "",
        seen=wording.long_day(contest.seen_at) if contest.seen_at else "",
        credit=_credit_in_words(credits_posted) if contest.upheld else "",
    )


def _credit_in_words(credits_posted: Sequence[Credit]) -> str:
    if not credits_posted:
        return say("Where that changes a posted month, the next adjustment says so.")
    said = [
        say(
            IN_A_MONTH if one.alone else IN_A_MONTH_WITH_OTHERS,
            amount=wording.money(one.amount, one.currency, signed=True),
            month=wording.month(one.period),
        )
        for one in credits_posted
    ]
    return say("Adjusted: {amounts}.", amounts="; ".join(said))


def choices(trip: Trip, events: Sequence[EventRow], contests: Sequence[Contest]) -> list[Choice]:
    """What of a trip is not contested yet."""
    found = [] if any(one.event_kind is None for one in contests) else [Choice(0, say("The whole trip"))]
    for line, event in zip(trip_view.event_rows(trip, events), events, strict=True):
        if not any(is_of(one, event) for one in contests):
            found.append(Choice(line.number, f"{line.number}: {line.name}, {line.peak}, {line.time}"))
    return found


def is_of(contest: Contest, event: EventRow) -> bool:
    """Whether a contest is about that event."""
    in_common = min(contest.to_time, event.ended_at) - max(contest.from_time, event.started_at)
    shorter = min(contest.to_time - contest.from_time, event.ended_at - event.started_at)
    return contest.event_kind == event.kind and in_common >= timedelta(0) and 2 * in_common >= shorter


def within_trip(contest: Contest, trip: Trip) -> bool:
    """Whether a contest is about that trip or about an event in it."""
    return contest.from_time <= trip.ended_at and contest.to_time >= trip.started_at


def can_still_contest(trip: Trip, now: datetime) -> bool:
    """Whether the time for it has not passed."""
    return now <= trip.ended_at + timedelta(days=CONTEST_DAYS)


def any_trip(database: Database, policy_key: UUID, trip_id: UUID) -> Trip | None:
    """A trip of a policy, for who may see its evidence."""
    with database.role("policy") as conn:
        return fetch_trip_of_policy(conn, policy_key, trip_id)


def evidence(contest: Contest, file: TripFile, roads: RoadMap | None) -> Evidence:
    """The trip as far as it may be seen: its way while the contest is open and the person lets it, without its ends."""
    trip, track = file.trip, file.track
    events = trip_view.event_rows(trip, file.events)
    numbers = (line.number for line, event in zip(events, file.events, strict=True) if is_of(contest, event))
    way = trimmed(track) if track and may_show_way(contest) else None
    markers = [mark for mark in trip_view.markers(trip, file.events) if way and _is_shown(mark, way)]
    row = trip_view.trip_row(trip)
    return Evidence(
        facts=[
            trip_view.Fact(say("Driven"), row.distance, row.duration),
            trip_view.Fact(say("Began"), f"{row.day}, {row.start}", row.time_zone),
            trip_view.Fact(say("Quality"), row.grade_text),
        ],
        events=events,
        contested=next(numbers, 0),
        map=map_drawing.trip_svg(way, markers, roads) if way else Markup(""),
        why_no_map=_why_no_map(contest, track, way),
        chart=trip_view.speed_chart(track, trip, file.events) if track and contest.upheld is None else Markup(""),
        certificate=trip_view.certificate(trip, file.sampling_interval_s),
    )


def _why_no_map(contest: Contest, track: Track | None, way: Track | None) -> str:
    if way is not None:
        return ""
    if contest.upheld is not None:
        return say("The contest is decided: where the trip went is shown no longer.")
    if not contest.show_way:
        return say("The person did not let the way be shown.")
    return say("The path is no longer kept.") if track is None else say("The whole trip lies within the hidden ends.")


def trimmed(track: Track) -> Track | None:
    """The track without what lies within 300 m of either end, however often it passes there; None: nothing is left."""
    placed = np.flatnonzero(np.isfinite(track.latitude_deg) & np.isfinite(track.longitude_deg))
    if len(placed) < 2:
        return None
    near = np.zeros(len(track.t_s), dtype=np.bool_)
    for end in (placed[0], placed[-1]):
        near |= away_m(track, float(track.latitude_deg[end]), float(track.longitude_deg[end])) <= HIDDEN_M
    return hidden(track, near)


def _is_shown(mark: map_drawing.Marker, way: Track) -> bool:
    """Whether the way that is shown passes the marker."""
    return bool((away_m(way, mark.latitude_deg, mark.longitude_deg) < HIDDEN_M / 10).any())
