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


def test_a_server_that_is_not_there_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="not available"):
        migrate(f"postgresql://postgres@/postgres?host={tmp_path}")
