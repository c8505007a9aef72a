"""The schema comes up once, whole, and never under a program that is older than it."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo, sql

from storage.errors import MigrationFailed, SchemaIsNewer, StorageUnavailable
from storage.migrate import MIGRATIONS, migrate

ALL = sorted(path.stem for path in MIGRATIONS.glob("*.sql"))


@pytest.fixture
def empty_dsn(server_dsn: str):
    name = sql.Identifier(f"wayrate_empty_{os.getpid()}")
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        conn.execute(sql.SQL("create database {}").format(name))
        yield conninfo.make_conninfo(server_dsn, dbname=name.as_string().strip('"'))
        conn.execute(sql.SQL("drop database {} with (force)").format(name))


def test_many_processes_may_migrate_at_once(empty_dsn: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        applied = list(threads.map(migrate, [empty_dsn] * 4))
    assert sorted(applied) == [[], [], [], ALL]


def test_a_newer_schema_is_refused_and_says_what_to_do(database_dsn: str, tmp_path: Path) -> None:
    for path in MIGRATIONS.glob("*.sql"):
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "9999.of-the-future.sql").write_text(f"-- depends: {ALL[-1]}\ncreate table future ();")
    assert migrate(database_dsn, tmp_path) == ["9999.of-the-future"]
    with pytest.raises(SchemaIsNewer, match=r"9999\.of-the-future.*upgrade wayrate, or use another --data-dir"):
        migrate(database_dsn)


def test_a_migration_that_fails_leaves_nothing_behind(database_dsn: str, tmp_path: Path) -> None:
    for path in MIGRATIONS.glob("*.sql"):
        (tmp_path / path.name).write_text(path.read_text())
    bad = tmp_path / "9999.bad.sql"
    bad.write_text(f"-- depends: {ALL[-1]}\ncreate table half ();\ncreate table half ();")
    with pytest.raises(MigrationFailed, match=r"9999\.bad.*already exists"):
        migrate(database_dsn, tmp_path)
    with psycopg.connect(database_dsn) as conn:
        assert conn.execute("select to_regclass('half')").fetchone() == (None,)
    bad.write_text(f"-- depends: {ALL[-1]}\ncreate table half ();")
    assert migrate(database_dsn, tmp_path) == ["9999.bad"]


def test_0077_an_open_erased_span_ends_where_somebody_else_has_the_device(empty_dsn: str, tmp_path: Path) -> None:
    """A way that was driven for another stays as long as it was, and so does the span of a device that lay idle."""
    for path in MIGRATIONS.glob("*.sql"):
        if path.stem < "0077":
            (tmp_path / path.name).write_text(path.read_text())
    migrate(empty_dsn, tmp_path)
    with psycopg.connect(empty_dsn) as conn:
        conn.execute("set session_replication_role = replica")  # rows of a history, without the policies of the links
        conn.execute(
            "insert into telemetry.device (device_key, device_id, enrolled_at) overriding system value "
            "values (1, 'one', now()), (2, 'two', now())"
        )
        conn.execute(
            """insert into telemetry.erased_span (device_key, from_time, to_time, trips_stay, erased_at) values
               (1, '2026-01-01Z', 'infinity', false, '2026-09-01Z'),
               (1, '2026-02-01Z', '2026-02-02Z', true, '2026-09-01Z'),
               (2, '2026-01-01Z', 'infinity', false, '2026-09-01Z')"""
        )
        conn.execute(
            """insert into link.assignment (device_key, policy_key, from_time, to_time) values
               (1, gen_random_uuid(), '2026-06-01Z', '2026-08-01Z'), (1, gen_random_uuid(), '2026-08-01Z', 'infinity'),
               (2, gen_random_uuid(), '2025-06-01Z', '2026-01-01Z')"""
        )
        conn.execute(
            "select telemetry.ensure_reading_partitions(array['2026-05-25', '2026-06-01', '2026-08-24']::date[])"
        )
        conn.execute(
            """insert into telemetry.reading (device_key, fix_time, content_hash, upload_id, flags)
               select device, at::timestamptz, 0, 1, 0 from unnest(array[1, 2]) as device,
                      unnest(array['2026-05-31T10:00Z', '2026-06-01T10:00Z', '2026-08-30T10:00Z']) as at"""
        )
    assert migrate(empty_dsn)[0] == "0077.erased-spans-received"
    with psycopg.connect(empty_dsn) as conn:
        spans = conn.execute(
            "select device_key, to_time::date::text, received_by::date::text from telemetry.erased_span"
        )
        assert sorted(spans.fetchall()) == [
            (1, "2026-02-02", "2026-09-01"),
            (1, "2026-06-01", "2026-06-01"),
            (2, "infinity", "2026-09-01"),
        ]
        windows = conn.execute(
            "select device_key, from_time::date::text, to_time::date::text from telemetry.dirty_window"
        )
        assert windows.fetchall() == [(1, "2026-06-01", "2026-08-30")]


def test_a_server_that_is_not_there_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="not available"):
        migrate(f"postgresql://postgres@/postgres?host={tmp_path}")
