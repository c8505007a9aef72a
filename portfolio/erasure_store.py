"""The SQL of erasure, in the order in which it runs. Role: owner, for a person is in every room; asking: policy."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from psycopg.rows import class_row

from storage.pool import Conn

# Asking and deciding

_REQUESTS = """
    select r.request_id, r.person_key, r.asked_at, d.granted, d.words, d.decided_at, c.completed_at
      from policy.erasure_request r
      left join policy.erasure_decision d using (request_id)
      left join policy.erasure_completion c using (request_id)
"""
_OF_PERSON = _REQUESTS + " where r.person_key = %s order by r.asked_at desc, r.request_id"
_BY_ID = _REQUESTS + " where r.request_id = %s"
_OPEN = _REQUESTS + " where c.request_id is null and d.granted is distinct from false order by r.asked_at, r.request_id"
_LOCK_PERSON = "select from policy.person where person_key = %s for no key update"
_INSERT_REQUEST = """
    insert into policy.erasure_request (request_id, person_key, asked_at, asked_by) values (%s, %s, %s, %s)
"""
_INSERT_DECISION = """
    insert into policy.erasure_decision (request_id, granted, words, decided_by, decided_at)
    values (%s, %s, %s, %s, %s) on conflict do nothing
"""
_LOCKED = "select person_key, name, email, until, because from policy.locked_identity"
_LOCKED_OF = _LOCKED + " where person_key = %s"
_LOCKED_UNTIL = _LOCKED + " where until <= %s order by until, person_key"

# Whose is what

_POLICIES = "select policy_key from policy.policy where person_key = %(person)s order by policy_key"
_DEVICES = """
    select d.device_key, d.device_id, d.vin, bool_and(p.person_key = %(person)s) as alone
      from link.assignment a join policy.policy p using (policy_key) join telemetry.device d using (device_key)
     where a.device_key in (select device_key from link.assignment where policy_key = any(%(policies)s))
     group by 1, 2, 3 order by 1
"""
_NAMES = """
    select name from policy.person where person_key = %(person)s
    union select email from policy.person where person_key = %(person)s
    union select email from policy.account where person_key = %(person)s
"""
# A worker holds a device by its key, an upload its row to the end of the transaction: nobody stores while this runs.
_CONCERNED = """
    select d.device_key from telemetry.device d
     where d.device_key = any(%(devices)s)
        or d.device_key in (select device_key from link.trip_driver where person_key = %(person)s)
     order by 1
"""
_LOCK_WORKERS = "select pg_advisory_xact_lock(device_key) from unnest(%(devices)s::bigint[]) as device_key"
_LOCK_DEVICES = "select from telemetry.device where device_key = any(%(devices)s) order by device_key for update"


# Devices that measured nobody else go whole, and leave a tombstone.

_DEVICES_GO = (
    """insert into telemetry.erased_device (tombstone, erased_at)
       select telemetry.tombstone(device_id), %(as_of)s from telemetry.device where device_key = any(%(devices)s)
       on conflict do nothing""",
    "delete from link.contest where device_key = any(%(devices)s) or policy_key = any(%(policies)s)",
    "delete from link.trip_label where device_key = any(%(devices)s)",
    "delete from link.trip_driver where device_key = any(%(devices)s) or person_key = %(person)s",
    "delete from link.location_look where policy_key = any(%(policies)s)",
    "delete from telemetry.trip_change where device_key = any(%(devices)s)",
    "delete from telemetry.trip where device_key = any(%(devices)s)",
    "delete from telemetry.reading where device_key = any(%(devices)s)",
    "delete from telemetry.quarantine where device_key = any(%(devices)s)",
    "delete from telemetry.upload where device_key = any(%(devices)s)",
    "delete from telemetry.dirty_window where device_key = any(%(devices)s)",
    "delete from telemetry.refused_window where device_key = any(%(devices)s)",
    "delete from telemetry.credential where device_key = any(%(devices)s)",
    "update telemetry.security_event set device_key = null where device_key = any(%(devices)s)",
)
_DEVICES_GONE = (
    "delete from link.driven_month where policy_key = any(%(policies)s)",
    "delete from link.assignment where device_key = any(%(devices)s) or policy_key = any(%(policies)s)",
    "delete from link.measured_day where policy_key = any(%(policies)s)",
    "delete from telemetry.device where device_key = any(%(devices)s)",
)

# Of a device that measures somebody else, too, the person's times go.

# What was received by now is cut, or the erasure would wait; who stores next may have been received before it began.
_SPANS = (
    """insert into telemetry.erased_span (device_key, from_time, to_time, trips_stay, erased_at, received_by)
       select a.device_key, a.from_time, a.to_time, false, %(as_of)s,
              (select coalesce(max(received_at), %(as_of)s) from telemetry.upload u where u.device_key = a.device_key)
         from link.assignment a
        where a.policy_key = any(%(policies)s) and a.device_key <> all(%(devices)s)
       on conflict (device_key, from_time) do update
          set to_time = excluded.to_time, trips_stay = false,
              erased_at = excluded.erased_at, received_by = excluded.received_by""",
    # Where somebody drove under another's policy, the ways go; the policyholder's kilometres and statements stay.
    """insert into telemetry.erased_span (device_key, from_time, to_time, trips_stay, erased_at, received_by)
       select t.device_key, t.started_at, t.ended_at + interval '1 microsecond', true, %(as_of)s,
              (select coalesce(max(received_at), %(as_of)s) from telemetry.upload u where u.device_key = t.device_key)
         from link.driver_of_trip d join telemetry.trip t using (trip_id)
        where d.driver = %(person)s and d.policyholder <> %(person)s and t.device_key <> all(%(devices)s)
          and t.device_key in (select device_key from link.trip_driver where person_key = %(person)s)
       on conflict do nothing""",
)
_SPANS_GO = (
    """with gone as (delete from telemetry.reading r using telemetry.erased_span s
                      where s.device_key = r.device_key and r.fix_time >= s.from_time and r.fix_time < s.to_time
                     returning r.upload_id),
            counted as (select upload_id, count(*) as readings from gone group by upload_id)
       update telemetry.upload u set records_expired = records_expired + readings
         from counted where counted.upload_id = u.upload_id""",
    """delete from telemetry.trip t using telemetry.erased_span s
        where s.device_key = t.device_key and t.started_at >= s.from_time and t.started_at < s.to_time
          and not s.trips_stay""",
    """delete from telemetry.trip_path w using telemetry.trip t, telemetry.erased_span s
        where w.trip_id = t.trip_id and s.device_key = t.device_key
          and t.started_at >= s.from_time and t.started_at < s.to_time""",
    """update telemetry.event e set latitude_deg = null, longitude_deg = null
         from telemetry.trip t, telemetry.erased_span s
        where e.trip_id = t.trip_id and s.device_key = t.device_key and e.latitude_deg is not null
          and t.started_at >= s.from_time and t.started_at < s.to_time""",
    """delete from telemetry.refused_window w using telemetry.erased_span s
        where s.device_key = w.device_key and w.from_time >= s.from_time and w.to_time < s.to_time""",
    """update telemetry.quarantine q set raw = '', detail = '', expired_at = %(as_of)s from telemetry.erased_span s
        where s.device_key = q.device_key and q.received_at >= s.from_time and q.received_at < s.to_time
          and (q.raw <> '' or q.detail <> '')""",
    """update telemetry.upload u set idempotency_key = null, body_sha256 = '' from telemetry.erased_span s
        where s.device_key = u.device_key and u.received_at >= s.from_time and u.received_at < s.to_time
          and u.body_sha256 <> ''""",
    """delete from link.trip_label l using telemetry.erased_span s
        where s.device_key = l.device_key and l.from_time >= s.from_time and l.from_time < s.to_time
          and not s.trips_stay""",
    "delete from telemetry.privacy_zone where zone_id not in (select zone_id from link.zone_owner)",
)

# What was said and done with us; then who it was.

_PERSON_GOES = (
    "delete from policy.policy_driver where person_key = %(person)s or policy_key = any(%(policies)s)",
    "delete from link.zone_owner where person_key = %(person)s",
    "delete from telemetry.privacy_zone where zone_id not in (select zone_id from link.zone_owner)",
    "delete from policy.touchpoint where person_key = %(person)s",
    "delete from policy.consent where person_key = %(person)s",
    "delete from policy.care where person_key = %(person)s",
    "delete from policy.contact_due where person_key = %(person)s",
    "delete from policy.offer where person_key = %(person)s",
    "delete from policy.offer_refusal where person_key = %(person)s",
    "delete from policy.experiment_outcome where person_key = %(person)s",
    """with left_household as (delete from policy.household_member where person_key = %(person)s returning *)
       delete from policy.household_answer a using left_household h
        where a.household_key = h.household_key
          and not exists (select from policy.household_member m
                           where m.household_key = h.household_key and m.person_key <> %(person)s)""",
    """update policy.policy_change set reason = 'erased', request_digest = '', idempotency_key = change_id::text
        where policy_key = any(%(policies)s)""",
    """update policy.erasure_decision d set words = '' from policy.erasure_request r
        where r.request_id = d.request_id and r.person_key = %(person)s and d.words <> ''""",
)
_FORGET_TRIES = """delete from policy.sign_in_attempt where email_hash in (
    select sha256(convert_to(email, 'UTF8')) from policy.account where person_key = %(person)s)"""
# Of whoever; the next try takes them too, but nobody may come for long.
_FORGET_OLD_TRIES = "delete from policy.sign_in_attempt where last_at < %(as_of)s - interval '1 hour'"
_LOCK_IDENTITY = (
    """insert into policy.locked_identity (person_key, name, email, until, because, locked_at)
       select person_key, name, email, %(until)s, %(because)s, %(as_of)s from policy.person
        where person_key = %(person)s""",
    "update policy.person set name = 'erased', email = null where person_key = %(person)s",
    "delete from policy.session where account_key in "
    "(select account_key from policy.account where person_key = %(person)s)",
    _FORGET_TRIES,
)
_ERASE_IDENTITY = (
    "update policy.person set name = 'erased', email = null where person_key = %(person)s",
    _FORGET_TRIES,
    "delete from policy.account where person_key = %(person)s",
    "delete from policy.locked_identity where person_key = %(person)s",
    """update policy.policy set policy_id = 'erased-' || replace(gen_random_uuid()::text, '-', '')
        where person_key = %(person)s""",
    """create temporary table renamed on commit drop as
       select c.claim_id, 'erased-' || replace(gen_random_uuid()::text, '-', '') as to_id
         from policy.claim c join policy.policy p using (policy_key) where p.person_key = %(person)s""",
    """insert into policy.claim (claim_id, policy_key, cover, occurred_on, reported_at)
       select to_id, policy_key, cover, occurred_on, reported_at from policy.claim join renamed using (claim_id)""",
    """insert into policy.claim_assessment (claim_id, incurred, settled, at_fault_percent, known_at)
       select to_id, incurred, settled, at_fault_percent, known_at
         from policy.claim_assessment join renamed using (claim_id)
        order by claim_assessment_id""",
    "delete from policy.claim c using renamed r where r.claim_id = c.claim_id",
    "drop table renamed",
)
_COMPLETE = "insert into policy.erasure_completion (request_id, completed_at) values (%s, %s)"
_LIFT = "delete from telemetry.erased_device where tombstone = telemetry.tombstone(%s)"

_KEPT_WITH = """
    select quarantine_id, raw, detail from telemetry.quarantine
     where position(convert_to(%(word)s, 'UTF8') in raw) > 0 or position(%(word)s in detail) > 0
"""
_BLANK_KEPT = """
    update telemetry.quarantine set raw = '', detail = '', expired_at = coalesce(expired_at, %s)
     where quarantine_id = any(%s)
"""
_LEAST_WORD = 4  # bytes: a shorter name is in half of everything


@dataclass(frozen=True, slots=True)
class Request:
    """A request with what became of it. `granted` None: it waits for a decision."""

    request_id: UUID
    person_key: UUID
    asked_at: datetime
    granted: bool | None
    words: str | None
    decided_at: datetime | None
    completed_at: datetime | None

    @property
    def is_open(self) -> bool:
        """It waits for a decision, or was granted and waits to be done."""
        return self.completed_at is None and self.granted is not False


@dataclass(frozen=True, slots=True)
class LockedIdentity:
    """Who somebody was, until a day, and because of which rule."""

    person_key: UUID
    name: str
    email: str | None
    until: date
    because: str


@dataclass(frozen=True, slots=True)
class DeviceOf:
    """A device that measured the person; `alone`: and nobody else."""

    device_key: int
    device_id: str
    vin: str | None
    alone: bool


def fetch_requests(conn: Conn, person_key: UUID) -> list[Request]:
    """The requests of a person, the latest first (role policy)."""
    with conn.cursor(row_factory=class_row(Request)) as cur:
        return cur.execute(_OF_PERSON, (person_key,)).fetchall()


def fetch_request(conn: Conn, request_id: UUID) -> Request | None:
    """One request (role policy)."""
    with conn.cursor(row_factory=class_row(Request)) as cur:
        return cur.execute(_BY_ID, (request_id,)).fetchone()


def fetch_open(conn: Conn) -> list[Request]:
    """What waits for a decision or to be done, the oldest first (role policy)."""
    with conn.cursor(row_factory=class_row(Request)) as cur:
        return cur.execute(_OPEN).fetchall()


def insert_request(conn: Conn, request_id: UUID, person_key: UUID, asked_by: UUID, as_of: datetime) -> None:
    """A person asks, or support for them (role policy)."""
    conn.execute(_INSERT_REQUEST, (request_id, person_key, as_of, asked_by))


def insert_decision(
    conn: Conn, request_id: UUID, *, granted: bool, words: str, decided_by: UUID, as_of: datetime
) -> bool:
    """False where it is decided: the key is the guard (role policy)."""
    return conn.execute(_INSERT_DECISION, (request_id, granted, words, decided_by, as_of)).rowcount == 1


def lock_person(conn: Conn, person_key: UUID) -> None:
    """One request of a person at a time."""
    conn.execute(_LOCK_PERSON, (person_key,))


def fetch_locked(conn: Conn, person_key: UUID) -> LockedIdentity | None:
    """The identity that is still kept of a person who was erased (role policy)."""
    with conn.cursor(row_factory=class_row(LockedIdentity)) as cur:
        return cur.execute(_LOCKED_OF, (person_key,)).fetchone()


def fetch_locked_until(conn: Conn, day: date) -> list[LockedIdentity]:
    """The identities whose time is over on that day."""
    with conn.cursor(row_factory=class_row(LockedIdentity)) as cur:
        return cur.execute(_LOCKED_UNTIL, (day,)).fetchall()


def fetch_policy_keys(conn: Conn, person_key: UUID) -> list[UUID]:
    """The policies of a person."""
    return [UUID(str(row[0])) for row in conn.execute(_POLICIES, {"person": person_key}).fetchall()]


def fetch_devices(conn: Conn, person_key: UUID, policy_keys: Sequence[UUID]) -> list[DeviceOf]:
    """The devices that ever measured these policies."""
    with conn.cursor(row_factory=class_row(DeviceOf)) as cur:
        return cur.execute(_DEVICES, {"person": person_key, "policies": list(policy_keys)}).fetchall()


def fetch_names(conn: Conn, person_key: UUID) -> list[str]:
    """What somebody is called: name and addresses."""
    rows = conn.execute(_NAMES, {"person": person_key}).fetchall()
    return [str(row[0]) for row in rows if row[0]]


def lock_devices(conn: Conn, person_key: UUID, devices: Sequence[DeviceOf]) -> None:
    """Nothing more is stored or scored of these, nor of what else the person drove, until the end (role owner)."""
    asked = {"person": person_key, "devices": [one.device_key for one in devices]}
    concerned = [row[0] for row in conn.execute(_CONCERNED, asked).fetchall()]
    for step in (_LOCK_WORKERS, _LOCK_DEVICES):
        conn.execute(step, {"devices": concerned})


def erase_driving(
    conn: Conn, person_key: UUID, policy_keys: Sequence[UUID], devices: Sequence[DeviceOf], as_of: datetime
) -> None:
    """Devices, readings, trips, contests and what was said with us; what is left are random keys (role owner).

    The devices are locked, and nothing of them waits to be scored.
    """
    values = {
        "person": person_key,
        "policies": list(policy_keys),
        "devices": [one.device_key for one in devices if one.alone],
        "as_of": as_of,
    }
    for step in (*_SPANS, *_DEVICES_GO, *_SPANS_GO, *_DEVICES_GONE, *_PERSON_GOES):
        conn.execute(step, values)


def erase_late(conn: Conn, as_of: datetime) -> None:
    """What came late for times that were erased (role owner)."""
    for step in _SPANS_GO:
        conn.execute(step, {"as_of": as_of})


def lock_identity(conn: Conn, person_key: UUID, until: date, because: str, as_of: datetime) -> None:
    """Out of sight until a day (role owner)."""
    for step in _LOCK_IDENTITY:
        conn.execute(step, {"person": person_key, "until": until, "because": because, "as_of": as_of})


def erase_identity(conn: Conn, person_key: UUID) -> None:
    """Name, address, account, policy and claim numbers (role owner)."""
    for step in _ERASE_IDENTITY:
        conn.execute(step, {"person": person_key})


def forget_old_tries(conn: Conn, as_of: datetime) -> None:
    """Tries to sign in that count no more (role owner)."""
    conn.execute(_FORGET_OLD_TRIES, {"as_of": as_of})


def blank_quarantine(conn: Conn, words: Iterable[str], as_of: datetime) -> int:
    """Kept bytes of whatever device that name one of these, whole; how many rows (role owner).

    A forwarder's refused position names the device that it was of.
    """
    found: set[int] = set()
    for word in {one for one in words if len(one.encode()) >= _LEAST_WORD}:
        whole = re.compile(rb"(?<![0-9A-Za-z-])" + re.escape(word.encode()) + rb"(?![0-9A-Za-z-])")
        for quarantine_id, raw, detail in conn.execute(_KEPT_WITH, {"word": word}).fetchall():
            assert isinstance(raw, bytes)
            if whole.search(raw) or whole.search(str(detail).encode()):
                found.add(int(str(quarantine_id)))
    conn.execute(_BLANK_KEPT, (as_of, sorted(found)))
    return len(found)


def complete(conn: Conn, request_id: UUID, as_of: datetime) -> None:
    """The request is done."""
    conn.execute(_COMPLETE, (request_id, as_of))


def lift_tombstone(conn: Conn, device_id: str) -> bool:
    """Let a device of that id be enrolled again; False where none was erased (role owner)."""
    return conn.execute(_LIFT, (device_id,)).rowcount == 1
