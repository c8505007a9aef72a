"""The SQL of contests: facts about a device and a time that are never edited. Role: link."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from storage.audit import Act, note
from storage.pool import Conn

_TRIP = """
    select a.policy_key, t.device_key, t.started_at, t.ended_at, t.local_month
      from telemetry.trip t
      join link.assignment a on a.device_key = t.device_key and t.started_at >= a.from_time and t.started_at < a.to_time
     where t.trip_id = %s
"""
_LOCK = "select pg_advisory_xact_lock(hashtextextended('contest', %s))"
# The same trip or event, as `link.upheld` finds it again: at least half of the shorter time is common.
_HELD = """
    select contest_id from link.contest
     where device_key = %(device_key)s and event_kind is not distinct from %(event_kind)s::text
       and from_time <= %(to_time)s and to_time >= %(from_time)s
       and 2 * (least(to_time, %(to_time)s) - greatest(from_time, %(from_time)s))
           >= least(to_time - from_time, %(to_time)s - %(from_time)s)
     limit 1
"""
_INSERT = """
    insert into link.contest (contest_id, device_key, policy_key, trip_id, from_time, to_time, event_kind, reason,
                              words, show_way, raised_by, raised_at, idempotency_key)
    values (%(contest_id)s, %(device_key)s, %(policy_key)s, %(trip_id)s, %(from_time)s, %(to_time)s, %(event_kind)s,
            %(reason)s, %(words)s, %(show_way)s, %(raised_by)s, %(raised_at)s, %(idempotency_key)s)
    on conflict do nothing
"""
CONTEST_COLUMNS = """
    select c.contest_id, c.policy_key, p.policy_id, c.trip_id, c.from_time, c.to_time, c.event_kind, c.reason, c.words,
           c.show_way, c.raised_by, c.raised_at, d.upheld, d.words as decision, d.decided_at,
           (select max(v.seen_at) from link.evidence_view v where v.contest_id = c.contest_id) as seen_at
"""
CONTEST_TABLES = """
      from link.contest c
      join policy.policy p using (policy_key)
      left join link.contest_decision d using (contest_id)
"""
_CONTESTS = CONTEST_COLUMNS + CONTEST_TABLES
_BY_ID = _CONTESTS + " where c.contest_id = %s"
_BY_KEY = _CONTESTS + " where c.raised_by = %s and c.idempotency_key = %s"
_OF_POLICIES = _CONTESTS + " where c.policy_key = any(%s) order by c.raised_at desc, c.contest_id"
_QUEUE_BEHIND = """
     where (d.upheld is null) = %(waiting)s
       and (%(after)s::uuid is null or (coalesce(d.decided_at, c.raised_at), c.contest_id) {beyond}
            (select coalesce(b.decided_at, a.raised_at), a.contest_id
               from link.contest a left join link.contest_decision b using (contest_id)
              where a.contest_id = %(after)s))
     order by coalesce(d.decided_at, c.raised_at) {order}, c.contest_id {order} limit %(limit)s
"""
_OPEN = _CONTESTS + _QUEUE_BEHIND.format(beyond=">", order="asc")
_DECIDED = _CONTESTS + _QUEUE_BEHIND.format(beyond="<", order="desc")
_LOCK_CONTEST = "select device_key from link.contest where contest_id = %s"
_SEEN = "select 1 from link.evidence_view where contest_id = %s and seen_by = %s limit 1"
_SEE = "insert into link.evidence_view (contest_id, seen_by, seen_at, with_way) values (%s, %s, %s, %s)"
_DECIDE = """
    insert into link.contest_decision (contest_id, upheld, words, decided_by, decided_at) values (%s, %s, %s, %s, %s)
    on conflict do nothing
"""
# From the month in which its trip may have begun by the clock of that place.
_NOTE_CHANGE = """
    insert into telemetry.trip_change (device_key, from_month, changed_at)
    select device_key, to_char(from_time - interval '1 day', 'YYYY-MM'), %s from link.contest where contest_id = %s
"""
# The trip as it is cut now, which need not be the one that was contested.
_TRIP_NOW = """
    select t.trip_id from telemetry.trip t join link.contest c using (device_key)
     where c.contest_id = %s and t.started_at <= c.to_time and t.ended_at >= c.from_time
     order by least(t.ended_at, c.to_time) - greatest(t.started_at, c.from_time) desc, t.trip_id limit 1
"""


@dataclass(frozen=True, slots=True)
class Contest:
    """A contest with its decision. `event_kind` None: of the whole trip; `upheld` None: it is open."""

    contest_id: UUID
    policy_key: UUID
    policy_id: str
    trip_id: UUID  # as it was contested
    from_time: datetime
    to_time: datetime
    event_kind: str | None
    reason: str
    words: str
    show_way: bool
    raised_by: UUID
    raised_at: datetime
    upheld: bool | None
    decision: str | None
    decided_at: datetime | None
    seen_at: datetime | None  # when somebody last looked at the evidence


@dataclass(frozen=True, slots=True)
class ContestedTrip:
    """What a contest needs of the trip."""

    policy_key: UUID
    device_key: int
    started_at: datetime
    ended_at: datetime
    local_month: str


def fetch_contested_trip(conn: Conn, trip_id: UUID) -> ContestedTrip | None:
    """The trip, and until the end of the transaction nobody else contests one of its device."""
    with conn.cursor(row_factory=class_row(ContestedTrip)) as cursor:
        found = cursor.execute(_TRIP, (trip_id,)).fetchone()
    if found is not None:
        conn.execute(_LOCK, (found.device_key,))
    return found


def fetch_same(
    conn: Conn, trip: ContestedTrip, event_kind: str | None, from_time: datetime, to_time: datetime
) -> UUID | None:
    """The contest that this time and kind were in before."""
    span = {"device_key": trip.device_key, "event_kind": event_kind, "from_time": from_time, "to_time": to_time}
    row = conn.execute(_HELD, span).fetchone()
    return None if row is None else UUID(str(row[0]))


def insert_contest(conn: Conn, contest: Contest, trip: ContestedTrip, idempotency_key: str) -> bool:
    """False where the key is taken."""
    names = ("contest_id", "policy_key", "trip_id", "from_time", "to_time", "event_kind", "reason", "words", "show_way")
    values = {name: getattr(contest, name) for name in (*names, "raised_by", "raised_at")}
    values |= {"device_key": trip.device_key, "idempotency_key": idempotency_key}
    return conn.execute(_INSERT, values).rowcount == 1


def fetch_contest(conn: Conn, contest_id: UUID) -> Contest | None:
    """One contest."""
    with conn.cursor(row_factory=class_row(Contest)) as cursor:
        return cursor.execute(_BY_ID, (contest_id,)).fetchone()


def fetch_contest_of_key(conn: Conn, raised_by: UUID, idempotency_key: str) -> Contest | None:
    """The contest that this account raised under this key."""
    with conn.cursor(row_factory=class_row(Contest)) as cursor:
        return cursor.execute(_BY_KEY, (raised_by, idempotency_key)).fetchone()


def fetch_contests(conn: Conn, policy_keys: Sequence[UUID]) -> list[Contest]:
    """The contests of these policies, the latest first."""
    with conn.cursor(row_factory=class_row(Contest)) as cursor:
        return cursor.execute(_OF_POLICIES, (list(policy_keys),)).fetchall()


def fetch_queue(conn: Conn, *, decided: bool, limit: int, after: UUID | None = None) -> list[Contest]:
    """What waits for a decision, the oldest first; or what was decided, the latest first; behind contest `after`."""
    with conn.cursor(row_factory=class_row(Contest)) as cursor:
        values = {"waiting": not decided, "limit": limit, "after": after}
        return cursor.execute(_DECIDED if decided else _OPEN, values).fetchall()


def fetch_trip_now(conn: Conn, contest_id: UUID) -> UUID | None:
    """The id of the trip that now fills most of the contested time."""
    row = conn.execute(_TRIP_NOW, (contest_id,)).fetchone()
    return None if row is None else UUID(str(row[0]))


def lock_contest(conn: Conn, contest_id: UUID) -> None:
    """Until the end of the transaction one decision about contests of this device at a time."""
    row = conn.execute(_LOCK_CONTEST, (contest_id,)).fetchone()
    if row is not None:
        conn.execute(_LOCK, (row[0],))


def insert_view(conn: Conn, contest_id: UUID, seen_by: UUID, seen_at: datetime, *, with_way: bool) -> None:
    """Somebody looks at the evidence."""
    conn.execute(_SEE, (contest_id, seen_by, seen_at, with_way))
    _note(conn, "evidence_opened", seen_by, contest_id, seen_at, {"with_way": with_way})


def has_seen(conn: Conn, contest_id: UUID, account_key: UUID) -> bool:
    """Whether that account looked at the evidence."""
    return conn.execute(_SEEN, (contest_id, account_key)).fetchone() is not None


def insert_decision(
    conn: Conn, contest_id: UUID, *, upheld: bool, words: str, decided_by: UUID, decided_at: datetime
) -> bool:
    """Decide, and tell pricing where it is upheld; False where it is decided: the key is the guard."""
    if conn.execute(_DECIDE, (contest_id, upheld, words, decided_by, decided_at)).rowcount != 1:
        return False
    if upheld:
        conn.execute(_NOTE_CHANGE, (decided_at, contest_id))
    _note(conn, "contest_decided", decided_by, contest_id, decided_at, {"upheld": upheld})
    return True


def _note(
    conn: Conn, action: str, actor: UUID, contest_id: UUID, at: datetime, details: Mapping[str, str | int | bool | None]
) -> None:
    row = conn.execute("select policy_key from link.contest where contest_id = %s", (contest_id,)).fetchone()
    policy_key = None if row is None else UUID(str(row[0]))
    note(conn, Act(action, actor, policy_key=policy_key, object=str(contest_id), details=details), at)
