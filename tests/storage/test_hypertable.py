"""On a server with TimescaleDB readings are a hypertable: same statements, compressed chunks, whole chunks dropped."""

from datetime import UTC, datetime, timedelta

import pytest

from storage.partitions import ensure_partitions, expire_partitions
from storage.pool import Database
from tests.storage.engine import week_of
from tests.storage.test_partitions import add_reading, is_hypertable

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
def timescale(database: Database) -> Database:
    if not is_hypertable(database):
        pytest.skip("this server has no TimescaleDB; WAYRATE_TEST_DSN names one that has")
    return database


def chunks(database: Database) -> int:
    with database.role("owner") as conn:
        row = conn.execute(
            "select count(*) from timescaledb_information.chunks where hypertable_name = 'reading'"
        ).fetchone()
    return int(str(row[0])) if row else 0


def test_the_engine_makes_the_chunks(timescale: Database) -> None:
    with timescale.role("telemetry") as conn:
        assert ensure_partitions(conn, MONDAY, MONDAY + timedelta(weeks=5)) == 0
    add_reading(timescale, MONDAY)
    add_reading(timescale, MONDAY + timedelta(weeks=3))
    assert chunks(timescale) == 2


def test_a_late_reading_goes_into_a_compressed_chunk_once(timescale: Database) -> None:
    add_reading(timescale, MONDAY)
    with timescale.role("owner") as conn:
        conn.execute("select compress_chunk(c) from show_chunks('telemetry.reading') c")
        compressed = conn.execute(
            "select count(*) from timescaledb_information.chunks where hypertable_name = 'reading' and is_compressed"
        ).fetchone()
    assert compressed == (1,)
    with timescale.role("telemetry") as conn:
        for _ in range(2):
            conn.execute(
                "insert into telemetry.reading (device_key, fix_time, content_hash, upload_id, flags) values "
                "(1, %s, 0, 2, 0), (1, %s, 5, 2, 0) on conflict do nothing",
                (MONDAY, MONDAY + timedelta(hours=1)),
            )
        found = conn.execute("select content_hash, upload_id from telemetry.reading order by fix_time").fetchall()
    assert found == [(0, 1), (5, 2)]


def test_expiry_drops_whole_chunks(timescale: Database) -> None:
    for week in range(3):
        add_reading(timescale, MONDAY + timedelta(weeks=week))
    with timescale.role("telemetry") as conn:
        expire_partitions(conn, MONDAY + timedelta(weeks=2))
        left = conn.execute("select count(*) from telemetry.reading").fetchone()
    assert left == (1,)


@pytest.mark.parametrize("time", [MONDAY, MONDAY + timedelta(days=3), MONDAY + timedelta(days=3, microseconds=-1)])
def test_weeks_expire_where_the_chunks_end(timescale: Database, time: datetime) -> None:
    """Nothing below the floor is left, and nothing above it is gone: a chunk of the engine's is a week of ours."""
    add_reading(timescale, time)
    with timescale.role("telemetry") as conn:
        week = conn.execute("select telemetry.week_of(%s)", (time,)).fetchone()
    with timescale.role("owner") as conn:
        chunk = conn.execute("select range_start from timescaledb_information.chunks").fetchone()
    assert week == chunk == (week_of(time),)


def test_a_statement_may_open_any_number_of_compressed_readings(timescale: Database) -> None:
    """The extension's own limit is 100,000: a fleet's late uploads, an erasure and a migration open more."""
    add_reading(timescale, MONDAY)
    with timescale.role("owner") as conn:
        conn.execute(
            "insert into telemetry.reading (device_key, fix_time, content_hash, upload_id, flags) "
            "select 1, %s + i * interval '1 second', i, 1, 0 from generate_series(1, 120000) as i",
            (MONDAY,),
        )
        conn.execute("select compress_chunk(c) from show_chunks('telemetry.reading') c")
    with timescale.role("owner") as conn:
        assert conn.execute("update telemetry.reading set flags = 1 where content_hash > 0").rowcount == 120_000
