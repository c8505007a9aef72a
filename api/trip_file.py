"""Everything one trip's page and API need, fetched for its own person only."""

from dataclasses import dataclass
from uuid import UUID

from api import store
from api.errors import NotFound
from api.store import Account, Trip
from scoring.store import EventRow, fetch_events, fetch_track
from scoring.store import fetch_trip as fetch_stored_trip
from scoring.tracks import Track
from storage.pool import Database


@dataclass(frozen=True, slots=True)
class TripFile:
    """A trip with what was found on it; `track` None: its path is not kept (any more)."""

    trip: Trip
    sampling_interval_s: float | None
    events: list[EventRow]
    track: Track | None


def own_trip(database: Database, reader: Account, trip_id: UUID) -> Trip:
    """The trip's numbers. Raises NotFound when it is not this person's."""
    with database.role("policy") as conn:
        trip = store.fetch_own_trip(conn, trip_id, reader.person_key)
    if trip is None:
        raise NotFound("trip", str(trip_id))
    return trip


def own_trip_file(database: Database, reader: Account, trip_id: UUID) -> TripFile:
    """The trip with its places: whose it is was asked first, with the role that cannot see places."""
    return file_of(database, own_trip(database, reader, trip_id))


def file_of(database: Database, trip: Trip) -> TripFile:
    """The trip with its places, for who may see them: ask that first."""
    trip_id = trip.trip_id
    with database.role("telemetry") as conn:
        stored = fetch_stored_trip(conn, trip_id)
        events = fetch_events(conn, trip_id)
        track = fetch_track(conn, trip_id)
    return TripFile(trip, stored.sampling_interval_s if stored else None, events, track)
