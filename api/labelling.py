"""A person corrects what a trip was: who drove, or that it was no car at all."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from api.errors import NotFound
from api.languages import say as in_words
from api.store import Account, Trip
from api.trip_file import own_trip
from scoring.label_store import Said, fetch_said, label_trip
from scoring.labels import DRIVER, LABELS
from storage.audit import Act, note
from storage.pool import Database

type Label = Literal["driver", "passenger", "taxi", "bus", "train", "ferry", "bicycle", "walk", "other"]

NAMES = {
    "passenger": "I was a passenger",
    "taxi": "I was in a taxi",
    "bus": "It was a bus",
    "train": "It was a train or a tram",
    "ferry": "It was a ferry",
    "bicycle": "It was a bicycle",
    "walk": "I walked",
    "other": "It was something else",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be said of a trip."""

    label: str
    name: str


@dataclass(frozen=True, slots=True)
class LabelView:
    """What was said of a trip (`said` empty: nothing that stands), and what can be."""

    said: str
    driver: str
    choices: list[Choice]


def label_view(trip: Trip) -> LabelView:
    """The correction form of a trip's page."""
    choices = [Choice(label, in_words(NAMES[label])) for label in LABELS if label not in (DRIVER, trip.label)]
    return LabelView(in_words(NAMES[trip.label]) if trip.label else "", DRIVER, choices)


def say(database: Database, reader: Account, trip_id: UUID, label: Label, now: datetime) -> Trip:
    """Keep what this person says of a trip; saying it again keeps nothing. The trip as it is then.

    Raises NotFound when it is not this person's, or was cut anew meanwhile.
    """
    own_trip(database, reader, trip_id)
    with database.role("link") as conn:
        if label_trip(conn, trip_id, label, said_by=reader.account_key, said_at=now):
            who = reader.account_key, reader.role, reader.person_key
            note(conn, Act("trip_relabelled", *who, object=str(trip_id), details={"label": label}), now)
    trip = own_trip(database, reader, trip_id)
    if (trip.label or DRIVER) != label:
        raise NotFound("trip", str(trip_id))
    return trip


def said_of(database: Database, reader: Account, trip_id: UUID) -> tuple[Trip, list[Said]]:
    """A trip, and everything that was said of it, in order. Raises NotFound when it is not this person's."""
    trip = own_trip(database, reader, trip_id)
    with database.role("link") as conn:
        return trip, fetch_said(conn, trip_id)
