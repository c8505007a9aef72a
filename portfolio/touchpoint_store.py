"""The touchpoint log: every meeting of a customer with us. Rows are added, never edited. Role: policy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from psycopg.rows import class_row

from portfolio.errors import KeyUsedTwice, UnknownWord
from storage.pool import Conn

CHANNELS = ("app", "web", "call", "email", "letter", "device")
KINDS = (
    "visit",
    "question",
    "complaint",
    "complaint_closed",
    "quote",
    "change",
    "contest",
    "decision",
    "claim",
    "offer",
    "answer",
    "coaching",
    "help",
)
OWN_KINDS = ("question", "complaint", "help")  # what a person may log of themselves; our pages log the rest
CONTACTS = ("offer", "coaching", "question", "help")  # outbound: what the frequency cap counts
# Stated priors of the cost of service, euro: of a minute of somebody's work, and of a touchpoint by itself.
MINUTE_COST = Decimal("0.80")
CHANNEL_COST: Mapping[str, Decimal] = {
    "app": Decimal("0.01"),
    "web": Decimal("0.01"),
    "call": Decimal("0.30"),
    "email": Decimal("0.05"),
    "letter": Decimal("1.60"),
    "device": Decimal("0.00"),
}

_INSERT = """
    insert into policy.touchpoint (person_key, policy_key, channel, kind, outbound, occurred_at, minutes, words,
                                   made_by, idempotency_key)
    values (%(person_key)s, %(policy_key)s, %(channel)s, %(kind)s, %(outbound)s, %(occurred_at)s, %(minutes)s,
            %(words)s, %(made_by)s, %(idempotency_key)s)
    on conflict (made_by, idempotency_key) do nothing
"""
_COLUMNS = """
    select touchpoint_id, policy_key, channel, kind, outbound, occurred_at, minutes, words, made_by
      from policy.touchpoint
"""
_BY_KEY = _COLUMNS + " where made_by = %s and idempotency_key = %s"
_OF_PERSON = _COLUMNS + " where person_key = %s order by occurred_at desc, touchpoint_id desc limit %s"
_COUNTS = """
    select channel, kind, count(*) as touchpoints, count(distinct person_key) as people, sum(minutes) as minutes
      from policy.touchpoint where occurred_at >= %s and occurred_at < %s
     group by channel, kind having count(distinct person_key) >= %s order by channel, kind
"""


@dataclass(frozen=True, slots=True)
class Touchpoint:
    """One meeting. `outbound`: we began it. `minutes`: of somebody's work."""

    touchpoint_id: int
    policy_key: UUID | None
    channel: str
    kind: str
    outbound: bool
    occurred_at: datetime
    minutes: Decimal
    words: str
    made_by: UUID

    @property
    def cost(self) -> Decimal:
        """What it cost to serve, euro."""
        return CHANNEL_COST[self.channel] + MINUTE_COST * self.minutes


@dataclass(frozen=True, slots=True)
class Meeting:
    """A touchpoint to be logged."""

    channel: str
    kind: str
    outbound: bool = False
    minutes: Decimal = Decimal(0)
    words: str = ""


@dataclass(frozen=True, slots=True)
class CountRow:
    """Touchpoints of one channel and kind."""

    channel: str
    kind: str
    touchpoints: int
    people: int
    minutes: Decimal

    @property
    def cost(self) -> Decimal:
        """What they cost to serve, euro."""
        return CHANNEL_COST[self.channel] * self.touchpoints + MINUTE_COST * self.minutes


def log_touchpoint(
    conn: Conn, person_key: UUID, policy_key: UUID | None, meeting: Meeting, *, made_by: UUID, key: str, as_of: datetime
) -> bool:
    """Keeps one touchpoint; False where this account logged it under this key before.

    Raises UnknownWord for a channel or kind that there is not, KeyUsedTwice where the key was another touchpoint's.
    """
    for noun, word, known in (("channel", meeting.channel, CHANNELS), ("kind", meeting.kind, KINDS)):
        if word not in known:
            raise UnknownWord(noun, word, known)
    row = {
        "person_key": person_key,
        "policy_key": policy_key,
        "channel": meeting.channel,
        "kind": meeting.kind,
        "outbound": meeting.outbound,
        "occurred_at": as_of,
        "minutes": meeting.minutes,
        "words": meeting.words,
        "made_by": made_by,
        "idempotency_key": key,
    }
    if conn.execute(_INSERT, row).rowcount == 1:
        return True
    with conn.cursor(row_factory=class_row(Touchpoint)) as cur:
        kept = cur.execute(_BY_KEY, (made_by, key)).fetchone()
    if kept is None or (kept.channel, kept.kind, kept.words, kept.policy_key) != (
        meeting.channel,
        meeting.kind,
        meeting.words,
        policy_key,
    ):
        raise KeyUsedTwice(key)
    return False


def log_of_policy(conn: Conn, policy_key: UUID, meeting: Meeting, *, made_by: UUID, key: str, as_of: datetime) -> None:
    """Keeps what our own pages see of the person whose policy this is; the same key again changes nothing."""
    row = conn.execute("select person_key from policy.policy where policy_key = %s", (policy_key,)).fetchone()
    if row is not None:
        log_touchpoint(conn, UUID(str(row[0])), policy_key, meeting, made_by=made_by, key=key, as_of=as_of)


def fetch_touchpoints(conn: Conn, person_key: UUID, most: int = 50) -> list[Touchpoint]:
    """Those of a person, the latest first."""
    with conn.cursor(row_factory=class_row(Touchpoint)) as cur:
        return cur.execute(_OF_PERSON, (person_key, most)).fetchall()


def fetch_counts(conn: Conn, since: datetime, until: datetime, least_people: int) -> list[CountRow]:
    """How often and at what cost people meet us, by channel and kind; of fewer people than that nothing is told."""
    with conn.cursor(row_factory=class_row(CountRow)) as cur:
        return cur.execute(_COUNTS, (since, until, least_people)).fetchall()


def open_complaint(touchpoints: Sequence[Touchpoint]) -> datetime | None:
    """Since when a complaint waits that nothing closed after it; `touchpoints` the latest first."""
    since = None
    for touchpoint in touchpoints:
        if touchpoint.kind == "complaint_closed":
            break
        if touchpoint.kind == "complaint":
            since = touchpoint.occurred_at
    return since
