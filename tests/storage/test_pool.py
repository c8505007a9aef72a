"""Connections that die under their pool: a read is asked once more, and says so where there is nobody to ask."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import conninfo, errors

from storage.errors import StorageUnavailable
from storage.pool import Conn, Database


def kill_backends(dsn: str) -> int:
    """Ends every session of the database but its own, as a restart of the server does."""
    name = conninfo.conninfo_to_dict(dsn)["dbname"]
    with psycopg.connect(dsn, autocommit=True) as conn:
        done = conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> pg_backend_pid()",
            (name,),
        )
        return done.rowcount


def who(conn: Conn) -> str:
    (name,) = conn.execute("select current_user || ' ' || pg_backend_pid()").fetchone() or ()
    return str(name)


def test_reads_go_on_after_the_server_has_ended_every_session(database: Database) -> None:
    def read(_: int) -> str:
        return database.read("policy", who)

    with ThreadPoolExecutor(6) as threads:
        before = set(threads.map(read, range(30)))
        for _ in range(3):
            assert kill_backends(database.dsn) >= 1
            after = set(threads.map(read, range(30)))
            assert not before & after, "a session that was ended answers no more"
            assert {one.split()[0] for one in after} == {"wayrate_policy"}
            before = after


def test_a_read_whose_session_ends_under_it_is_asked_once_more(database: Database) -> None:
    asked: list[str] = []

    def read(conn: Conn) -> str:
        asked.append(who(conn))
        if len(asked) == 1:
            kill_backends(database.dsn)
        return who(conn)

    assert database.read("telemetry", read) == asked[1]
    assert len(asked) == 2


def test_a_session_that_ends_twice_is_said_and_the_next_read_works(database: Database) -> None:
    def read(conn: Conn) -> str:
        kill_backends(database.dsn)
        return who(conn)

    with pytest.raises(StorageUnavailable):
        database.read("policy", read)
    assert database.read("policy", who).startswith("wayrate_policy ")


def test_a_read_can_write_nothing(database: Database) -> None:
    with pytest.raises(errors.ReadOnlySqlTransaction):
        database.read("policy", lambda conn: conn.execute("delete from policy.session"))
    assert database.read("policy", who).startswith("wayrate_policy ")
