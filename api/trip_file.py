"""Everything one trip's page and API need, as far as its reader may see it."""

from dataclasses import dataclass, replace
from uuid import UUID

from api import store
from api.errors import MapNotShown, NotClaimed, NotFound
from api.sight import Sight
from api.store import Account, Trip
from api.zones import events_without_zones, without_place, without_zones, zones_of_trip
from scoring.store import EventRow, fetch_events, fetch_track
from scoring.store import fetch_trip as fetch_stored_trip
from scoring.tracks import Track
from storage.pool import Database


@dataclass(frozen=True, slots=True)
class TripFile:
    """A trip with what was found on it; `track` None: its path is not kept (any more), or not the reader's to see.

    What lies in a privacy zone has no place in it, whoever reads.
    """

    trip: Trip
    sampling_interval_s: float | None
    events: list[EventRow]
    track: Track | None
    sight: Sight = Sight.ALL
    is_cut: bool = False  # by a privacy zone


def known_trip(database: Database, reader: Account, trip_id: UUID) -> Trip:
    """The trip's numbers, for whoever pays, drove, or may have driven. Raises NotFound."""
    with database.role("policy") as conn:
        trip = store.fetch_own_trip(conn, trip_id, reader.person_key)
    if trip is None:
        raise NotFound("trip", str(trip_id))
    return trip


def own_trip(database: Database, reader: Account, trip_id: UUID) -> Trip:
    """The trip's numbers, for whoever pays or drove: they may say what it was. Raises NotFound."""
    trip = known_trip(database, reader, trip_id)
    if reader.person_key not in (trip.policyholder, trip.driver):
        raise NotFound("trip", str(trip_id))
    return trip


def known_trip_file(database: Database, reader: Account, trip_id: UUID) -> TripFile:
    """The trip with what this reader may see: that was asked first, with the role that cannot see places."""
    return _seen(database, known_trip(database, reader, trip_id), reader)


def own_trip_file(database: Database, reader: Account, trip_id: UUID) -> TripFile:
    """The same of a trip that this person pays for or drove."""
    return _seen(database, own_trip(database, reader, trip_id), reader)


def require_way(file: TripFile) -> None:
    """Raises MapNotShown or NotClaimed where the way is not the reader's to see."""
    if file.sight is Sight.KM:
        raise MapNotShown(str(file.trip.trip_id))
    if file.sight is Sight.NUMBERS:
        raise NotClaimed(str(file.trip.trip_id))


def _seen(database: Database, trip: Trip, reader: Account) -> TripFile:
    file, sight = file_of(database, trip), trip.sight(reader.person_key)
    if sight is Sight.ALL:
        return file
    events = [without_place(event) for event in file.events] if sight is Sight.NUMBERS else []
    return replace(file, events=events, track=None, sight=sight)


def file_of(database: Database, trip: Trip) -> TripFile:
    """The trip with its places outside of privacy zones, for who may see them: ask that first."""
    trip_id = trip.trip_id
    with database.role("telemetry") as conn:
        stored = fetch_stored_trip(conn, trip_id)
        events = fetch_events(conn, trip_id)
        track = fetch_track(conn, trip_id)
    zones = zones_of_trip(database, trip_id)
    way, interval_s = without_zones(track, zones), stored.sampling_interval_s if stored else None
    return TripFile(trip, interval_s, events_without_zones(events, zones), way, is_cut=way is not track)
