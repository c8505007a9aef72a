"""Where somebody was, for a privacy officer with a reason: in the audit log, kept with its words, shown to them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from api.errors import NotFound
from api.policy_file import any_policy
from api.store import Account, Trip, fetch_latest_trips, fetch_trip_of_policy
from api.trip_file import TripFile, file_of
from portfolio.errors import NoReason, UnknownWord
from portfolio.location_store import LOOK_REASONS, insert_look
from storage.audit import Act, note
from storage.pool import Database

LEAST_WORDS, MOST_WORDS = 10, 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """Which trip of which policy, and why."""

    policy_id: str
    trip_id: UUID
    reason: str
    words: str


def look_at_location(database: Database, reader: Account, asked: Asked, now: datetime) -> TripFile:
    """The trip's way outside of privacy zones, after the look is kept. Raises NotFound, NoReason, UnknownWord."""
    words = asked.words.strip()
    if asked.reason not in LOOK_REASONS:
        raise UnknownWord("reason", asked.reason, tuple(LOOK_REASONS))
    if not LEAST_WORDS <= len(words) <= MOST_WORDS or "\0" in words:
        raise NoReason("words")
    trip, policy_key = _trip(database, asked.policy_id, asked.trip_id)
    with database.role("link") as conn:
        insert_look(conn, policy_key, asked.trip_id, asked.reason, words, reader.account_key, now)
        act = Act("location_read", reader.account_key, reader.role, policy_key=policy_key, object=str(asked.trip_id),
                  details={"reason": asked.reason})  # fmt: skip
        note(conn, act, now)
    return file_of(database, trip)


def trips_to_choose(database: Database, policy_id: str, most: int = 60) -> list[Trip]:
    """The latest trips of a policy, to say which one is meant: no place is in them. Raises NotFound."""
    with database.role("policy") as conn:
        return fetch_latest_trips(conn, any_policy(conn, policy_id).policy_key, most)


def _trip(database: Database, policy_id: str, trip_id: UUID) -> tuple[Trip, UUID]:
    with database.role("policy") as conn:
        policy = any_policy(conn, policy_id)
        found = fetch_trip_of_policy(conn, policy.policy_key, trip_id)
    if found is None:
        raise NotFound("trip", str(trip_id))
    return found, policy.policy_key
