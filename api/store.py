"""Accounts and sessions, and whose is what: visibility stands in the query, so a foreign object is simply not found.

Everything here is read with the policy role, which cannot reach a coordinate. Only hashes of passwords and session
tokens are stored.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row, scalar_row

from api.sight import Sight
from portfolio.consent_store import purpose_named
from portfolio.driver_store import MAP
from scoring.features import features_of
from scoring.score import PRIOR_MODEL, score_totals
from storage.pool import Conn

ACCOUNT_BY_EMAIL = """
    select account_key, email, password_hash, role, person_key
      from policy.account
     where email = %(email)s
"""

ACCOUNT_OF_IDENTITY = """
    select a.account_key, a.email, a.password_hash, a.role, a.person_key
      from policy.account_identity i join policy.account a using (account_key)
     where i.issuer = %(issuer)s and i.subject = %(subject)s
"""

LINK_IDENTITY = """
    insert into policy.account_identity (issuer, subject, account_key, linked_at)
    values (%(issuer)s, %(subject)s, %(account_key)s, %(linked_at)s) on conflict do nothing
"""

PERSON_BY_EMAIL = "select person_key from policy.person where email = %(email)s"

INSERT_PERSON = """
    insert into policy.person (person_key, name, email) values (%(person_key)s, %(name)s, %(email)s)
"""

INSERT_ACCOUNT = """
    insert into policy.account (account_key, email, password_hash, role, person_key, created_at)
    values (%(account_key)s, %(email)s, %(password_hash)s, %(role)s, %(person_key)s, %(created_at)s)
    on conflict (email) do nothing
"""

INSERT_SESSION = """
    insert into policy.session (token_hash, account_key, csrf_token, created_at, expires_at)
    values (%(token_hash)s, %(account_key)s, %(csrf_token)s, %(created_at)s, %(expires_at)s)
"""

SIGNED_IN = """
    select a.account_key, a.email, a.role, a.person_key, p.name, s.csrf_token, s.expires_at
      from policy.session s
      join policy.account a using (account_key)
      left join policy.person p using (person_key)
     where s.token_hash = %(token_hash)s and s.expires_at > %(as_of)s
"""

DELETE_SESSION = "delete from policy.session where token_hash = %(token_hash)s"
DELETE_EXPIRED = "delete from policy.session where expires_at <= %(as_of)s"

# Who drove, of the few trips that are asked for, by itself: else it is worked out for each pair of trips.
_TRIP_COLUMNS = """
    with {before} d as materialized (
        select trip_id, policyholder, driver, claimed_by,
               case when driver <> policyholder then policy.agrees(driver, %(purpose)s, %(words)s) end as shows_map
          from link.driver_of_trip where {which}
    )
    select t.trip_id, p.policy_id, t.started_at, t.ended_at, t.time_zone, t.local_month, t.distance_m, t.gap_m,
           t.duration_s, t.excluded, t.grade, t.quality, t.not_measurable, t.totals, t.features, t.score, t.versions,
           t.label, t.contests, d.policyholder, d.driver, d.claimed_by, coalesce(d.shows_map, false) as shows_map
      from link.trip_of_policy t
      join policy.policy p using (policy_key)
      join d using (trip_id)
"""

_LATEST_FIRST = "order by t.started_at desc, t.trip_id desc"
TRIPS_OF_POLICY = (
    _TRIP_COLUMNS.format(before="", which="policy_key = %(policy_key)s")
    + f" where t.policy_key = %(policy_key)s {_LATEST_FIRST}"
)
# Which trips a page has is worked out first: of these few alone all the rest is.
_PAGE = "select trip_id from link.trip_of_policy t where policy_key = %(policy_key)s"


def _trips_of(page: str) -> str:
    """One statement, so one moment: a trip that is cut anew meanwhile is in it as it was or as it is."""
    its = "trip_id = any(array(select trip_id from page))"
    columns = _TRIP_COLUMNS.format(before=f"page as materialized ({page}),", which=its)
    return f"{columns} where t.policy_key = %(policy_key)s and t.{its} {_LATEST_FIRST}"


LATEST = _trips_of(f"{_PAGE} {_LATEST_FIRST} limit %(limit)s")
LATEST_BEHIND = _trips_of(
    f"{_PAGE} and (started_at, trip_id) < (%(started_at)s, %(trip_id)s) {_LATEST_FIRST} limit %(limit)s"
)
LISTED = _trips_of(f"{_PAGE} and trip_id = any(%(trip_ids)s)")
OF_MONTHS = _trips_of(f"{_PAGE} and local_month = any(%(months)s)")
MONTHS = "select distinct local_month from link.trip_of_policy where policy_key = %(policy_key)s order by 1 desc"
MONTH_TRIPS = """
    select started_at, time_zone, local_month, distance_m, excluded, grade, totals from link.trip_of_policy
     where policy_key = %(policy_key)s and local_month = %(period)s order by started_at desc
"""
TRIP_COUNT = "select count(*) from link.trip_of_policy where policy_key = %(policy_key)s"

# Of whoever pays and of whoever drove; while nobody knows who did, of everybody who may have.
_NAMED = "select policy_key from policy.policy_driver where person_key = %(person_key)s"
_MAY_HAVE_DRIVEN = """exists (select from policy.policy_driver n
      where n.person_key = %(person_key)s and n.policy_key = t.policy_key and n.since <= t.started_at
        and (n.until is null or n.until > t.started_at))"""
OWN_TRIP = (
    _TRIP_COLUMNS.format(before="", which="trip_id = %(trip_id)s")
    + f""" where t.trip_id = %(trip_id)s and (p.person_key = %(person_key)s or d.driver = %(person_key)s
                                              or (d.driver is null and {_MAY_HAVE_DRIVEN}))"""
)
DRIVES = (
    _TRIP_COLUMNS.format(before="", which=f"policy_key in ({_NAMED})")
    + f""" where t.policy_key in ({_NAMED}) and p.person_key <> %(person_key)s
             and (d.driver = %(person_key)s or (d.driver is null and {_MAY_HAVE_DRIVEN}))
           order by t.started_at desc limit %(limit)s"""
)


@dataclass(frozen=True, slots=True)
class Trip:
    """A trip's numbers, without a place; None in `score`: not scored."""

    trip_id: UUID
    policy_id: str
    started_at: datetime
    ended_at: datetime
    time_zone: str
    local_month: str
    distance_m: int
    gap_m: int
    duration_s: int
    excluded: str | None
    grade: str
    quality: Mapping[str, object]
    not_measurable: list[str]
    totals: Mapping[str, int]
    features: Mapping[str, float | None]
    score: Mapping[str, object] | None
    versions: Mapping[str, object]
    label: str | None  # what the person said it was; None: nothing, or it was taken back
    contests: list[UUID]  # upheld: the trip is excluded, or its numbers are without the contested events
    policyholder: UUID
    driver: UUID | None  # None: nobody knows yet
    claimed_by: UUID | None  # who said so; None: nobody did
    shows_map: bool  # the driver lets the policyholder see the way

    def sight(self, person_key: UUID | None) -> Sight:
        """How much of it a person is shown who may know of it."""
        if self.driver is None:
            return Sight.NUMBERS
        return Sight.ALL if self.driver == person_key or self.shows_map else Sight.KM


@dataclass(frozen=True, slots=True)
class MonthTrip:
    """What the figures of a month are made from."""

    started_at: datetime
    time_zone: str
    local_month: str
    distance_m: int
    excluded: str | None
    grade: str
    totals: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """An account with its password hash: for signing in only."""

    account_key: UUID
    email: str
    password_hash: str
    role: str
    person_key: UUID | None


@dataclass(frozen=True, slots=True)
class Account:
    """The account behind a valid session, and the token its forms must carry."""

    account_key: UUID
    email: str
    role: str
    person_key: UUID | None
    name: str | None
    csrf_token: str
    expires_at: datetime


def fetch_stored_account(conn: Conn, email: str) -> StoredAccount | None:
    """The account of an e-mail address (lower case), with its password hash."""
    with conn.cursor(row_factory=class_row(StoredAccount)) as cur:
        return cur.execute(ACCOUNT_BY_EMAIL, {"email": email}).fetchone()


def fetch_account_of_identity(conn: Conn, issuer: str, subject: str) -> StoredAccount | None:
    """The account that belongs to a person at an identity provider."""
    with conn.cursor(row_factory=class_row(StoredAccount)) as cur:
        return cur.execute(ACCOUNT_OF_IDENTITY, {"issuer": issuer, "subject": subject}).fetchone()


def link_identity(conn: Conn, issuer: str, subject: str, account_key: UUID, linked_at: datetime) -> bool:
    """False where the account already belongs to another subject of that issuer."""
    row = {"issuer": issuer, "subject": subject, "account_key": account_key, "linked_at": linked_at}
    return conn.execute(LINK_IDENTITY, row).rowcount == 1


def fetch_person_key(conn: Conn, email: str) -> UUID | None:
    """The person known by this e-mail address, as a policy file brought them."""
    with conn.cursor(row_factory=scalar_row) as cur:
        key: UUID | None = cur.execute(PERSON_BY_EMAIL, {"email": email}).fetchone()
        return key


def insert_person(conn: Conn, person_key: UUID, name: str, email: str) -> None:
    """A person who is not on a policy yet."""
    conn.execute(INSERT_PERSON, {"person_key": person_key, "name": name, "email": email})


def insert_account(conn: Conn, account: StoredAccount, created_at: datetime) -> bool:
    """False when the e-mail address already has an account."""
    row = {
        "account_key": account.account_key,
        "email": account.email,
        "password_hash": account.password_hash,
        "role": account.role,
        "person_key": account.person_key,
        "created_at": created_at,
    }
    return conn.execute(INSERT_ACCOUNT, row).rowcount == 1


def insert_session(
    conn: Conn, token_hash: bytes, account_key: UUID, *, csrf_token: str, created_at: datetime, expires_at: datetime
) -> None:
    """A new session; expired ones of anybody are dropped on the way, so the table stays small."""
    conn.execute(DELETE_EXPIRED, {"as_of": created_at})
    row = {
        "token_hash": token_hash,
        "account_key": account_key,
        "csrf_token": csrf_token,
        "created_at": created_at,
        "expires_at": expires_at,
    }
    conn.execute(INSERT_SESSION, row)


def fetch_signed_in(conn: Conn, token_hash: bytes, as_of: datetime) -> Account | None:
    """The account of a session that has not expired at `as_of`."""
    with conn.cursor(row_factory=class_row(Account)) as cur:
        return cur.execute(SIGNED_IN, {"token_hash": token_hash, "as_of": as_of}).fetchone()


def delete_session(conn: Conn, token_hash: bytes) -> None:
    """Ends one session at once; ending one that is gone does nothing."""
    conn.execute(DELETE_SESSION, {"token_hash": token_hash})


def fetch_trips(conn: Conn, policy_key: UUID) -> list[Trip]:
    """The trips driven under a policy, the latest first."""
    with conn.cursor(row_factory=class_row(Trip)) as cur:
        return [_rescored(trip) for trip in cur.execute(TRIPS_OF_POLICY, {"policy_key": policy_key} | _map_words())]


def fetch_latest_trips(
    conn: Conn, policy_key: UUID, limit: int, behind: tuple[datetime, UUID] | None = None
) -> list[Trip]:
    """The latest of them, or the latest behind the one of that start and id."""
    asked = {"policy_key": policy_key, "limit": limit}
    if behind is not None:
        asked |= {"started_at": behind[0], "trip_id": behind[1]}
    return _fetch_trips(conn, LATEST if behind is None else LATEST_BEHIND, asked)


def fetch_trips_of_months(conn: Conn, policy_key: UUID, months: Sequence[str]) -> list[Trip]:
    """The trips of some months, the latest first."""
    return _fetch_trips(conn, OF_MONTHS, {"policy_key": policy_key, "months": list(months)})


def fetch_trip_of_policy(conn: Conn, policy_key: UUID, trip_id: UUID) -> Trip | None:
    """One trip, where it was driven under that policy."""
    return next(iter(fetch_listed_trips(conn, policy_key, [trip_id])), None)


def fetch_listed_trips(conn: Conn, policy_key: UUID, trip_ids: Iterable[UUID]) -> list[Trip]:
    """Those of some trips that were driven under a policy, the latest first."""
    return _fetch_trips(conn, LISTED, {"policy_key": policy_key, "trip_ids": list(trip_ids)})


def fetch_months(conn: Conn, policy_key: UUID) -> list[str]:
    """The months in which a policy was driven under, the latest first."""
    with conn.cursor(row_factory=scalar_row) as cur:
        months: list[str] = cur.execute(MONTHS, {"policy_key": policy_key}).fetchall()
        return months


def _fetch_trips(conn: Conn, statement: str, asked: Mapping[str, object]) -> list[Trip]:
    with conn.cursor(row_factory=class_row(Trip)) as cur:
        return [_rescored(trip) for trip in cur.execute(statement, {**asked, **_map_words()})]


def fetch_month_trips(conn: Conn, policy_key: UUID, period: str) -> list[MonthTrip]:
    """All trips of a month in few columns, the latest first."""
    with conn.cursor(row_factory=class_row(MonthTrip)) as cur:
        return cur.execute(MONTH_TRIPS, {"policy_key": policy_key, "period": period}).fetchall()


def count_trips(conn: Conn, policy_key: UUID) -> int:
    """How many trips there are under a policy."""
    with conn.cursor(row_factory=scalar_row) as cur:
        return int(cur.execute(TRIP_COUNT, {"policy_key": policy_key}).fetchone() or 0)


def fetch_own_trip(conn: Conn, trip_id: UUID, person_key: UUID | None) -> Trip | None:
    """One trip: of a policy of this person, driven by them, or possibly driven by them. `Trip.sight` says how much."""
    with conn.cursor(row_factory=class_row(Trip)) as cur:
        trip = cur.execute(OWN_TRIP, {"trip_id": trip_id, "person_key": person_key} | _map_words()).fetchone()
        return trip and _rescored(trip)


def fetch_drives(conn: Conn, person_key: UUID | None, limit: int) -> list[Trip]:
    """Trips under others' policies that this person drove, or may have, the latest first."""
    with conn.cursor(row_factory=class_row(Trip)) as cur:
        found = cur.execute(DRIVES, {"person_key": person_key, "limit": limit} | _map_words()).fetchall()
        return [_rescored(trip) for trip in found]


def _map_words() -> dict[str, str]:
    """The purpose by which a driver shows the way, in today's words."""
    return {"purpose": MAP, "words": purpose_named(MAP).text_hash}


def _rescored(trip: Trip) -> Trip:
    """With the features and the score of the totals that are left, where a contest of an event was upheld.

    A trip's own score is scoring's, by the stated priors; a policy's is by its plan's model.
    """
    if not trip.contests:
        return trip
    score = score_totals(trip.totals, PRIOR_MODEL).as_json() if trip.score else None
    return replace(trip, features=features_of(trip.totals), score=score)
