"""Everything about a person as one zip: JSON for what was agreed and charged, CSV for driving, GeoJSON for ways."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO, Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from pydantic import BaseModel

from api.agreement_routes import ChangeOut
from api.contest_routes import ContestOut
from api.contest_view import contests_of_policies
from api.data_routes import PolicyOut
from api.policy_file import PolicyFile, open_file, own_policies
from api.privacy_store import (
    Look,
    Span,
    copy_readings,
    copy_refused,
    fetch_looks,
    fetch_roles,
    fetch_spans,
    fetch_trip_spans,
)
from api.sight import Sight
from api.store import Account, Trip, fetch_drives
from api.zones import zones_of
from portfolio.circumstance_store import fetch_care_history
from portfolio.consent_store import history as consents_of
from portfolio.contact_store import fetch_listed
from portfolio.location_store import fetch_looks as fetch_location_looks
from portfolio.offer_store import fetch_offers
from portfolio.touchpoint_store import fetch_touchpoints
from pricing.agreements import history
from pricing.change_store import fetch_claims_on_record
from pricing.store import Policy
from scoring.store import EventRow, fetch_events, fetch_track
from scoring.tracks import Track
from storage.pool import Conn, Database

README = """\
Everything that Wayrate holds about you as of {now}. Times are UTC unless they say otherwise.

account.json     who you are to us
policies.json    your policies and everything that was agreed, in order
statements.json  every statement and adjustment with its lines, inputs and worksheet
claims.json      your claims as far as they are known: day, cover, your share of the fault in percent, cost
contests.json    what you contested and what became of it
consents.json    what you agreed to and withdrew, in order, with the hash of the words
offers.json      what you were offered, in the words that you saw, and your answer
lists.json       days on which we meant to contact you, how and why
meetings.json    every meeting with us that is logged
care.json        whether you were said to need care, and why in one word
looks.json       who opened the evidence of your contests, and when
trips.csv        each trip's numbers; label: what you said it was
events.csv       what was found on the trips, with its evidence
ways.geojson     the way of each trip whose way is still kept (WGS 84)
readings.csv     the raw readings that are still kept; an empty field: not reported
refused.csv      records that were refused and are still kept, with the reason and their bytes (\\nnn: octal)
locations.json   who looked at where a trip went, and why
zones.json       your privacy zones; here nothing is left out for them

Not in it: the password (only its hash is kept); ways and readings of trips that somebody else drove or nobody claimed.
"""
TRIP_FIELDS = (
    "trip_id", "policy_id", "started_at", "ended_at", "time_zone", "local_month", "distance_m", "gap_m", "duration_s",
    "excluded", "grade", "label",
)  # fmt: skip
HIDDEN_FIELDS = ("started_at", "ended_at", "duration_s", "time_zone")
EVERY_MEETING = 1_000_000
EVENT_FIELDS = tuple(EventRow.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class SeenLook:
    """A look at evidence, and as what somebody looked."""

    look: Look
    role: str


def looks_of(database: Database, policy_keys: Sequence[UUID]) -> list[SeenLook]:
    """Who looked at the evidence of contests of these policies, the latest first."""
    with database.role("link") as conn:
        looks = fetch_looks(conn, policy_keys)
    with database.role("policy") as conn:
        roles = fetch_roles(conn, [look.seen_by for look in looks])
    return [SeenLook(look, roles.get(look.seen_by, "account that was closed")) for look in looks]


def export_zip(database: Database, reader: Account, now: datetime) -> IO[bytes]:
    """The person's zip as an open temporary file at its begin; closing it deletes it."""
    with database.role("policy") as conn:
        policies = own_policies(conn, reader)
        agreed = [_agreed(conn, policy) for policy in policies]
        claims = [
            {"policy": policy.policy_id, **asdict(claim)}
            for policy in policies
            for claim in fetch_claims_on_record(conn, policy.policy_key)
        ]
    files = [open_file(database, policy, now) for policy in policies]
    drives = _drives(database, reader)
    trips = [trip for file in files for trip in file.trips] + drives
    spans = own_spans(database, reader, files, drives)
    keys = [policy.policy_key for policy in policies]
    contests = [ContestOut.of(database, one).model_dump(mode="json") for one in contests_of_policies(database, keys)]
    looks = [
        {"contest_id": seen.look.contest_id, "trip_id": seen.look.trip_id, "seen_at": seen.look.seen_at,
         "by": seen.role, "with_way": seen.look.with_way}
        for seen in looks_of(database, keys)
    ]  # fmt: skip
    zones = zones_of(database, [reader.person_key]) if reader.person_key else []
    account = {"name": reader.name, "email": reader.email, "role": reader.role}
    out = TemporaryFile()  # noqa: SIM115 - the answer closes it
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", README.format(now=now.isoformat()))
        _write_json(archive, "account.json", account)
        _write_json(archive, "policies.json", agreed)
        _write_json(archive, "statements.json", [one.as_dict() for file in files for one in file.statements])
        _write_json(archive, "claims.json", claims)
        _write_json(archive, "contests.json", contests)
        _write_json(archive, "looks.json", looks)
        _write_json(archive, "locations.json", _location_looks(database, keys))
        _write_json(archive, "zones.json", [asdict(zone) for zone in zones])
        for name, rows in _said(database, reader).items():
            _write_json(archive, name, rows)
        _write_csv(archive, "trips.csv", TRIP_FIELDS, (_trip_row(trip, reader) for trip in trips))
        shown = [trip for trip in trips if trip.sight(reader.person_key) is Sight.ALL]
        with database.role("telemetry") as conn:
            _write_driving(archive, conn, shown)
            for name, pieces in (
                ("readings.csv", copy_readings(conn, spans)),
                ("refused.csv", copy_refused(conn, spans)),
            ):
                with archive.open(name, "w", force_zip64=True) as file:
                    file.writelines(pieces)
    out.seek(0)
    return out


def own_spans(
    database: Database, reader: Account, files: Sequence[PolicyFile], drives: Sequence[Trip] = ()
) -> list[Span]:
    """When a device measured this person and nobody else who does not let them see it.

    Of a policy whose trips are all theirs to see the whole time of its devices; else, and of others' policies, the
    times of those trips alone.
    """
    whole, alone = [], [trip.trip_id for trip in drives if trip.sight(reader.person_key) is Sight.ALL]
    for file in files:
        shown = [trip.trip_id for trip in file.trips if trip.sight(reader.person_key) is Sight.ALL]
        if len(shown) == len(file.trips):
            whole.append(file.policy.policy_key)
        else:
            alone += shown
    with database.role("link") as conn:
        return fetch_spans(conn, whole) + fetch_trip_spans(conn, alone)


def _drives(database: Database, reader: Account) -> list[Trip]:
    """What this person drove under others' policies, by their own word."""
    with database.role("policy") as conn:
        found = fetch_drives(conn, reader.person_key, EVERY_MEETING)
    return [trip for trip in found if trip.driver == reader.person_key]


def _location_looks(database: Database, policy_keys: Sequence[UUID]) -> list[dict[str, object]]:
    with database.role("link") as conn:
        looks = fetch_location_looks(conn, policy_keys)
    with database.role("policy") as conn:
        roles = fetch_roles(conn, [look.seen_by for look in looks])
    return [
        {"trip_id": look.trip_id, "seen_at": look.seen_at, "by": roles.get(look.seen_by, ""), "reason": look.reason,
         "words": look.words}
        for look in looks
    ]  # fmt: skip


def _trip_row(trip: Trip, reader: Account) -> list[object]:
    """Of a trip that somebody else drove the kilometres alone."""
    hidden = HIDDEN_FIELDS if trip.sight(reader.person_key) is Sight.KM else ()
    return [None if name in hidden else getattr(trip, name) for name in TRIP_FIELDS]


def _said(database: Database, reader: Account) -> dict[str, list[dict[str, Any]]]:
    """Consents, offers and meetings, in the words that are kept."""
    if reader.person_key is None:
        return {name: [] for name in ("consents.json", "offers.json", "lists.json", "meetings.json", "care.json")}
    with database.role("policy") as conn:
        consents, offers = consents_of(conn, reader.person_key), fetch_offers(conn, reader.person_key)
        meetings = fetch_touchpoints(conn, reader.person_key, EVERY_MEETING)
        care, lists = fetch_care_history(conn, reader.person_key), fetch_listed(conn, reader.person_key)
    hidden = {"made_by", "policy_key"}
    return {
        name: [{field: value for field, value in asdict(one).items() if field not in hidden} for one in rows]
        for name, rows in (
            ("consents.json", consents),
            ("offers.json", offers),
            ("lists.json", lists),
            ("meetings.json", meetings),
            ("care.json", care),
        )
    }


def _agreed(conn: Conn, policy: Policy) -> dict[str, Any]:
    changes, _ = history(conn, policy.policy_id)
    return PolicyOut.of(policy).model_dump(mode="json") | {
        "changes": [ChangeOut.of(policy.policy_id, change).model_dump(mode="json") for change in changes]
    }


def _write_driving(archive: ZipFile, conn: Conn, trips: Sequence[Trip]) -> None:
    """Events and ways, one trip's way in memory at a time."""
    rows = ([trip.trip_id, *(getattr(event, name) for name in EVENT_FIELDS)]
            for trip in trips for event in fetch_events(conn, trip.trip_id))  # fmt: skip
    _write_csv(archive, "events.csv", ("trip_id", *EVENT_FIELDS), rows)
    with archive.open("ways.geojson", "w", force_zip64=True) as file:
        file.write(b'{"type": "FeatureCollection", "features": [')
        between = b"\n"
        for trip in trips:
            track = fetch_track(conn, trip.trip_id)
            if track is not None:
                file.write(between + json.dumps(_way(trip, track)).encode())
                between = b",\n"
        file.write(b"\n]}\n")


def _way(trip: Trip, track: Track) -> dict[str, object]:
    placed = np.isfinite(track.latitude_deg) & np.isfinite(track.longitude_deg)
    places = np.column_stack((track.longitude_deg[placed], track.latitude_deg[placed])).tolist()
    line = len(places) > 1  # a line has two positions at least (RFC 7946)
    return {
        "type": "Feature",
        "geometry": {"type": "LineString" if line else "MultiPoint", "coordinates": places},
        "properties": {
            "trip_id": str(trip.trip_id),
            "started_at": trip.started_at.isoformat(),
            "seconds_since_start": track.t_s[placed].round(3).tolist(),
        },
    }


def _write_json(archive: ZipFile, name: str, value: object) -> None:
    archive.writestr(name, json.dumps(value, indent=2, ensure_ascii=False, default=_text))


def _text(value: object) -> object:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)


def _write_csv(archive: ZipFile, name: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with archive.open(name, "w", force_zip64=True) as file, io.TextIOWrapper(file, "utf-8", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(head)
        writer.writerows([value.isoformat() if isinstance(value, datetime) else value for value in row] for row in rows)
