"""Who drives: drivers named on a policy (role policy), and whose a trip is, by their own word (role link)."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from portfolio.errors import TripTaken
from storage.pool import Conn

MAP = "map_for_policyholder"  # the purpose by which a driver lets the policyholder see the ways of own trips

_PERSON = "select person_key from policy.person where email = %s"
_INSERT_PERSON = "insert into policy.person (person_key, name, email) values (%s, %s, %s)"
_NAME_DRIVER = """
    insert into policy.policy_driver (policy_key, person_key, since, named_by, called) values (%s, %s, %s, %s, %s)
    on conflict do nothing
"""
_DRIVERS = """
    select d.person_key, d.called as name, d.since, policy.agrees(d.person_key, %(purpose)s, %(words)s) as shows_map
      from policy.policy_driver d
     where d.policy_key = %(policy_key)s and d.until is null order by d.since, d.called
"""
_END_DRIVER = """
    update policy.policy_driver set until = greatest(since, %(as_of)s)
     where policy_key = %(policy_key)s and person_key = %(person_key)s and until is null
"""
# Who is erased has no address, and no name to show.
_NAMED_BY = """
    select distinct p.name from policy.policy_driver d join policy.policy o using (policy_key)
      join policy.person p on p.person_key = o.person_key
     where d.person_key = %s and p.email is not null order by p.name
"""
_WAS_NAMED = "select exists (select from policy.policy_driver where policy_key = %s and person_key = %s)"
_DRIVES = "select exists (select from policy.policy_driver where person_key = %s)"
_TRIP = "select device_key, started_at, ended_at from telemetry.trip where trip_id = %s"
# Held to the end of the transaction: of two who claim at once the second is told.
_LOCK = "select pg_advisory_xact_lock(hashtextextended('driver', %s))"
_CLAIMED_BY = "select claimed_by from link.driver_of_trip where trip_id = %s"
_SAY = """
    insert into link.trip_driver (device_key, from_time, to_time, person_key, said_by, said_at)
    values (%s, %s, %s, %s, %s, %s)
"""


@dataclass(frozen=True, slots=True)
class NamedDriver:
    """Somebody who drives under a policy beside the policyholder; `shows_map`: lets the policyholder see their ways.

    `name` is the one that the policyholder wrote, whoever has the address: so no address tells who is a customer.
    """

    person_key: UUID
    name: str
    since: datetime
    shows_map: bool


def name_driver(
    conn: Conn, policy_key: UUID, person_key: UUID, name: str, email: str, *, named_by: UUID, as_of: datetime
) -> bool:
    """Names a driver by address, a person of the book or a fresh one under `person_key`; False where named before."""
    held = conn.execute(_PERSON, (email,)).fetchone()
    if held is None:
        conn.execute(_INSERT_PERSON, (person_key, name, email))
    key = person_key if held is None else held[0]
    return conn.execute(_NAME_DRIVER, (policy_key, key, as_of, named_by, name)).rowcount == 1


def fetch_drivers(conn: Conn, policy_key: UUID, map_words: str) -> list[NamedDriver]:
    """The drivers who are named on a policy now; `map_words` is the hash of the words by which a map is shown."""
    with conn.cursor(row_factory=class_row(NamedDriver)) as cur:
        return cur.execute(_DRIVERS, {"policy_key": policy_key, "purpose": MAP, "words": map_words}).fetchall()


def end_driver(conn: Conn, policy_key: UUID, person_key: UUID, as_of: datetime) -> bool:
    """From now on they drive no longer; what they said stays theirs. False where they never were named."""
    values = {"policy_key": policy_key, "person_key": person_key, "as_of": as_of}
    if conn.execute(_END_DRIVER, values).rowcount:
        return True
    row = conn.execute(_WAS_NAMED, (policy_key, person_key)).fetchone()
    return bool(row and row[0])


def fetch_named_by(conn: Conn, person_key: UUID) -> list[str]:
    """The names of the policyholders who named this person as a driver, now or before."""
    return [str(row[0]) for row in conn.execute(_NAMED_BY, (person_key,)).fetchall()]


def is_named_driver(conn: Conn, person_key: UUID) -> bool:
    """Whether somebody drives under another's policy."""
    row = conn.execute(_DRIVES, (person_key,)).fetchone()
    return bool(row and row[0])


def claim(conn: Conn, trip_id: UUID, person_key: UUID, *, mine: bool, said_by: UUID, as_of: datetime) -> None:
    """Keeps that this person drove, or takes it back; what is so already is not said again. Raises TripTaken."""
    row = conn.execute(_TRIP, (trip_id,)).fetchone()
    if row is None:
        return
    device_key, started_at, ended_at = row
    conn.execute(_LOCK, (device_key,))
    held = conn.execute(_CLAIMED_BY, (trip_id,)).fetchone()
    claimed_by = held[0] if held else None
    if claimed_by not in (None, person_key):
        raise TripTaken(str(trip_id))
    if mine != (claimed_by == person_key):
        conn.execute(_SAY, (device_key, started_at, ended_at, person_key if mine else None, said_by, as_of))
