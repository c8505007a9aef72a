"""The audit log: who looked at whose data and who decided about money, each row with the hash of the one before.

A row is written in the transaction of what it tells of: both are there or neither. It holds random keys only. Whoever
alters, deletes or moves a row breaks the chain after it; whoever cuts off its end is found by a head that was written
down elsewhere (`wayrate audit verify --head`).
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from psycopg.rows import class_row

from storage.pool import Conn

PROGRAM = UUID(int=0)  # the actor of what nobody did by hand
START = bytes(32)
_PAGE = 10_000

_INSERT = """
    insert into audit.entry (sequence, noted_at, actor, role, action, person_key, policy_key, object, details, previous,
                             hash)
    values (0, %(noted_at)s, %(actor)s, %(role)s, %(action)s, %(person_key)s, %(policy_key)s, %(object)s, %(details)s,
            '', '')
"""
_COLUMNS = """
    select sequence, noted_at, actor, role, action, person_key, policy_key, object, details, previous, hash
      from audit.entry
"""
_AFTER = _COLUMNS + " where sequence > %s order by sequence limit %s"
_BEFORE = _COLUMNS + " where sequence < %s order by sequence desc limit %s"
_PAST_ALL = 2**62
_OF_PERSON = _COLUMNS + " where person_key = %s order by sequence desc limit %s"


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did: `action` in a word, whose data or policy, which object (an id or hash), and plain facts."""

    action: str
    actor: UUID
    role: str = ""  # "": that of the actor's account
    person_key: UUID | None = None  # None with a policy: whose policy it is
    policy_key: UUID | None = None
    object: str = ""
    details: Mapping[str, str | int | bool | None] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the log."""

    sequence: int
    noted_at: datetime
    actor: UUID
    role: str
    action: str
    person_key: UUID | None
    policy_key: UUID | None
    object: str
    details: str
    previous: bytes
    hash: bytes

    def expected_hash(self) -> bytes:
        """SHA-256 of every field with its length in bytes before it, as the database makes it."""
        since = self.noted_at - datetime(1970, 1, 1, tzinfo=UTC)
        microseconds = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        fields = (
            str(self.sequence),
            str(microseconds),
            str(self.actor),
            self.role,
            self.action,
            str(self.person_key or ""),
            str(self.policy_key or ""),
            self.object,
            self.details,
            self.previous.hex(),
        )
        framed = b"".join(f"{len(field.encode())}:{field}".encode() for field in fields)
        return hashlib.sha256(framed).digest()


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: written down elsewhere, it shows that nothing was cut off."""

    sequence: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash.hex()}"


def note(conn: Conn, act: Act, as_of: datetime) -> None:
    """Adds a row, in whatever transaction this is (any role)."""
    details = json.dumps(dict(act.details or {}), sort_keys=True, ensure_ascii=False)
    row = {
        "noted_at": as_of,
        "actor": act.actor,
        "role": act.role,
        "action": act.action,
        "person_key": act.person_key,
        "policy_key": act.policy_key,
        "object": act.object,
        "details": details,
    }
    conn.execute(_INSERT, row)


def entries(conn: Conn) -> Iterator[Entry]:
    """All rows in order, some thousands in memory at a time (role policy or owner)."""
    last = 0
    while True:
        with conn.cursor(row_factory=class_row(Entry)) as cur:
            found = cur.execute(_AFTER, (last, _PAGE)).fetchall()
        if not found:
            return
        yield from found
        last = found[-1].sequence


def last_sequence(conn: Conn) -> int:
    """The number of the last row; 0 without one."""
    rows = fetch_before(conn, None, 1)
    return rows[0].sequence if rows else 0


def fetch_before(conn: Conn, sequence: int | None, most: int) -> list[Entry]:
    """The rows before that one (None: the latest), the last first."""
    with conn.cursor(row_factory=class_row(Entry)) as cur:
        return cur.execute(_BEFORE, (_PAST_ALL if sequence is None else min(sequence, _PAST_ALL), most)).fetchall()


def fetch_of_person(conn: Conn, person_key: UUID, most: int) -> list[Entry]:
    """What was noted about a person, the last first."""
    with conn.cursor(row_factory=class_row(Entry)) as cur:
        return cur.execute(_OF_PERSON, (person_key, most)).fetchall()


def check_chain(
    rows: Iterable[Entry], anchor: Head | None = None, progress: Callable[[int], None] | None = None
) -> tuple[Head, str | None]:
    """The end of the chain as far as it holds, and what breaks it first; None: it is whole, and holds the anchor."""
    head, anchored = Head(0, START), anchor is None or anchor.sequence == 0
    for row in rows:
        if row.sequence != head.sequence + 1:
            return head, f"row {head.sequence + 1} is missing: {row.sequence} comes after {head.sequence}"
        if row.previous != head.hash:
            return head, f"row {row.sequence} does not follow the row before it"
        if row.hash != row.expected_hash():
            return head, f"row {row.sequence} was altered: it is not what was hashed"
        head = Head(row.sequence, row.hash)
        if anchor is not None and anchor.sequence == head.sequence:
            if anchor.hash != head.hash:
                return head, f"row {row.sequence} is not the one that was written down"
            anchored = True
        if progress is not None:
            progress(head.sequence)
    if not anchored and anchor is not None:
        return head, f"rows {head.sequence + 1} to {anchor.sequence} were cut off"
    return head, None


def read_head(text: str) -> Head:
    """A head as `Head.__str__` writes it. Raises ValueError."""
    sequence, _, digest = text.partition(":")
    found = Head(int(sequence), bytes.fromhex(digest))
    if found.sequence < 0 or len(found.hash) != len(START):
        raise ValueError(text)
    return found
