"""The audit log on a real server: a chain under many writers, and every kind of tampering found."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, RestrictViolation

from storage.audit import START, Act, Head, check_chain, entries, note, read_head
from storage.pool import Database

AT = datetime(2026, 11, 24, 12, 0, 0, 123_456, tzinfo=UTC)


@pytest.fixture
def log(database: Database) -> Database:
    """A log of twelve rows."""
    for number in range(12):
        with database.role(("policy", "link", "telemetry")[number % 3]) as conn:  # type: ignore[arg-type]
            details = {"amount": "-4.12", "words": f"ä:{number}", "upheld": number % 2 == 0}
            act = Act("decided", uuid4(), "underwriter", uuid4() if number % 2 else None, None, f"c{number}", details)
            note(conn, act, AT + timedelta(seconds=number))
    return database


def checked(database: Database, anchor: Head | None = None) -> tuple[Head, str | None]:
    with database.role("policy") as conn:
        return check_chain(entries(conn), anchor)


def tamper(database: Database, *statements: str) -> None:
    """As somebody with every right to the database."""
    with psycopg.connect(database.dsn, autocommit=True) as conn:
        conn.execute("set session_replication_role = replica")  # no trigger speaks
        for statement in statements:
            conn.execute(statement)  # type: ignore[call-overload]


def test_an_untouched_log_is_whole_from_its_first_row(log: Database) -> None:
    head, broken = checked(log)
    assert broken is None
    assert head.sequence == 12
    assert checked(log, head) == (head, None)
    assert read_head(str(head)) == head


def test_an_empty_log_is_whole(database: Database) -> None:
    assert checked(database) == (Head(0, START), None)


@pytest.mark.parametrize(
    "change",
    [
        "details = replace(details, '4.12', '9.12')",
        "actor = gen_random_uuid()",
        "action = 'looked'",
        "noted_at = noted_at + interval '1 microsecond'",
        "person_key = null, object = object || '1'",
        "object = object || '2', details = substr(details, 2)",
    ],
)
def test_an_altered_row_is_found(log: Database, change: str) -> None:
    tamper(log, f"update audit.entry set {change} where sequence = 6")
    head, broken = checked(log)
    assert head.sequence == 5
    assert broken == "row 6 was altered: it is not what was hashed"


def test_a_row_hashed_anew_no_longer_carries_those_after_it(log: Database) -> None:
    with log.role("policy") as conn:
        row = list(entries(conn))[5]
    forged = row.__class__(**{name: getattr(row, name) for name in row.__dataclass_fields__} | {"object": "forged"})
    tamper(
        log, f"update audit.entry set object = 'forged', hash = '\\x{forged.expected_hash().hex()}' where sequence = 6"
    )
    assert checked(log)[1] == "row 7 does not follow the row before it"


def test_a_deleted_and_a_moved_row_are_found(log: Database) -> None:
    tamper(log, "update audit.entry set sequence = 100 where sequence = 4",
           "update audit.entry set sequence = 4 where sequence = 5",
           "update audit.entry set sequence = 5 where sequence = 100")  # fmt: skip
    assert "row 4" in str(checked(log)[1])
    tamper(log, "delete from audit.entry where sequence = 4")
    assert checked(log)[1] == "row 4 is missing: 5 comes after 3"


def test_an_end_that_was_cut_off_is_found_by_a_head_written_down(log: Database) -> None:
    head, _ = checked(log)
    tamper(log, "delete from audit.entry where sequence > 9")
    assert checked(log)[1] is None  # nothing within shows it
    assert checked(log, head)[1] == "rows 10 to 12 were cut off"
    for _ in range(5):
        with log.role("policy") as conn:
            note(conn, Act("looked", uuid4(), "support"), AT)
    assert checked(log, head)[1] == "row 12 is not the one that was written down"


def test_nobody_edits_through_the_front_door(log: Database) -> None:
    for role in ("policy", "link", "telemetry"):
        with pytest.raises(InsufficientPrivilege), log.role(role) as conn:
            conn.execute("update audit.entry set object = ''")
    for statement in ("update audit.entry set object = ''", "delete from audit.entry", "truncate audit.entry"):
        with pytest.raises(RestrictViolation), log.role("owner") as conn:
            conn.execute(statement)


def test_a_row_is_there_only_with_what_it_tells_of(database: Database) -> None:
    def fail_after_noting() -> None:
        with database.role("policy") as conn:
            note(conn, Act("looked", uuid4(), "support"), AT)
            raise KeyError

    with pytest.raises(KeyError):
        fail_after_noting()
    assert checked(database)[0].sequence == 0


def test_sixteen_writers_at_once_make_one_chain(database: Database) -> None:
    def write(actor: UUID) -> None:
        for number in range(20):
            with database.role("policy") as conn:
                note(conn, Act("looked", actor, "support", object=str(number)), AT)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(write, [uuid4() for _ in range(16)]))
    head, broken = checked(database)
    assert (head.sequence, broken) == (320, None)
