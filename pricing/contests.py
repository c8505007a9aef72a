"""A person contests a trip or an event of it; an underwriter who has seen the evidence decides, once.

Upheld, the trip is priced and scored without the event, or not at all: the next adjustments bring every posted month
that it fed to the price that it would have had on time, to the cent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from pricing import contest_store as store
from pricing.contest_store import Contest
from pricing.errors import (
    AlreadyContested,
    BadContest,
    ContestDecided,
    EvidenceNotSeen,
    KeyReused,
    NothingToContest,
    TooLateToContest,
    UnknownContest,
)
from storage.pool import Database

CONTEST_DAYS = 60  # after the trip; raw readings stay 90 days by default
LONGEST_WORDS = 1000
REASONS = {
    "wrong_limit": "The speed limit on the map is wrong",
    "bad_data": "The device measured wrongly",
    "not_my_car": "That was not the insured car",
    "emergency": "I had to, to avoid harm",
    "other": "Something else",
}


@dataclass(frozen=True, slots=True)
class Dispute:
    """What is contested and why. `kind` None: the whole trip; else the kind and the time of one of its events."""

    trip_id: UUID
    kind: str | None
    from_time: datetime | None
    to_time: datetime | None
    reason: str
    words: str
    show_way: bool


def contest(
    database: Database, dispute: Dispute, *, raised_by: UUID, key: str, as_of: datetime
) -> tuple[Contest, bool]:
    """Raise a contest of an own trip, or give the one that this key raised, and whether it did.

    Raises NothingToContest, TooLateToContest, AlreadyContested, BadContest, KeyReused.
    """
    if dispute.reason not in REASONS:
        raise BadContest("reason", f"{dispute.reason!r} is not one of {', '.join(REASONS)}")
    _check_words(dispute.words, "words")
    with database.role("link") as conn:
        trip = store.fetch_contested_trip(conn, dispute.trip_id)
        if held := store.fetch_contest_of_key(conn, raised_by, key):
            if not _says(dispute, held):
                raise KeyReused(key)
            return held, True
        if trip is None:
            raise NothingToContest(str(dispute.trip_id))
        if as_of > trip.ended_at + timedelta(days=CONTEST_DAYS):
            raise TooLateToContest(CONTEST_DAYS)
        from_time, to_time = dispute.from_time or trip.started_at, dispute.to_time or trip.ended_at
        if same := store.fetch_same(conn, trip, dispute.kind, from_time, to_time):
            raise AlreadyContested(str(same))
        raised = Contest(
            contest_id=uuid4(), policy_key=trip.policy_key, policy_id="", trip_id=dispute.trip_id, from_time=from_time,
            to_time=to_time, event_kind=dispute.kind, reason=dispute.reason, words=dispute.words,
            show_way=dispute.show_way, raised_by=raised_by, raised_at=as_of, upheld=None, decision=None,
            decided_at=None, seen_at=None,
        )  # fmt: skip
        if not store.insert_contest(conn, raised, trip, key):
            raise KeyReused(key)
        kept = store.fetch_contest(conn, raised.contest_id)
        assert kept is not None
        return kept, False


def look_at_evidence(
    database: Database, contest_id: UUID, seen_by: UUID, as_of: datetime
) -> tuple[Contest, UUID | None]:
    """A contest and the trip that now fills its time; that somebody looked is kept. Raises UnknownContest.

    The way itself may be shown while the contest is open and where the person let it.
    """
    with database.role("link") as conn:
        found = store.fetch_contest(conn, contest_id)
        if found is None:
            raise UnknownContest(str(contest_id))
        store.insert_view(conn, contest_id, seen_by, as_of, with_way=may_show_way(found))
        return found, store.fetch_trip_now(conn, contest_id)


def may_show_way(found: Contest) -> bool:
    """Whether an underwriter may see where the trip went."""
    return found.show_way and found.upheld is None


def decide(
    database: Database, contest_id: UUID, *, upheld: bool, words: str, decided_by: UUID, as_of: datetime
) -> Contest:
    """Decide a contest; the same decision again by the same words changes nothing.

    Raises UnknownContest, ContestDecided, EvidenceNotSeen, BadContest.
    """
    _check_words(words, "words")
    with database.role("link") as conn:
        store.lock_contest(conn, contest_id)
        found = store.fetch_contest(conn, contest_id)
        if found is None:
            raise UnknownContest(str(contest_id))
        if found.upheld is None:
            if not store.has_seen(conn, contest_id, decided_by):
                raise EvidenceNotSeen(str(contest_id))
            store.insert_decision(conn, contest_id, upheld=upheld, words=words, decided_by=decided_by, decided_at=as_of)
            found = store.fetch_contest(conn, contest_id)
            assert found is not None
        if (found.upheld, found.decision) != (upheld, words):
            raise ContestDecided(str(contest_id))
        return found


def _says(dispute: Dispute, held: Contest) -> bool:
    """Whether the same is asked for as what was raised; of a whole trip its times are not asked."""
    asked = (dispute.trip_id, dispute.kind, dispute.reason, dispute.words, dispute.show_way)
    times = (dispute.from_time or held.from_time, dispute.to_time or held.to_time)
    said = (held.trip_id, held.event_kind, held.reason, held.words, held.show_way)
    return asked == said and times == (held.from_time, held.to_time)


def _check_words(words: str, field: str) -> None:
    if not words.strip() or "\0" in words or len(words) > LONGEST_WORDS:
        raise BadContest(field, f"say it in 1 to {LONGEST_WORDS} characters")
