"""Weekly partitions: made ahead of need by whoever stores, safe at once from many, dropped whole."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from time import sleep

import numpy as np
import pytest

from storage.partitions import ensure_partitions, ensure_partitions_of, expire_partitions
from storage.pool import Database
from tests.storage.engine import week_of

SUNDAY_NIGHT = datetime(2026, 11, 1, 23, 59, 59, 999999, tzinfo=UTC)


@pytest.fixture
def plain(database: Database) -> Database:
    """A database on a server without TimescaleDB."""
    if is_hypertable(database):
        pytest.skip("this server has TimescaleDB: it makes its own chunks (tests/storage/test_hypertable.py)")
    return database


def is_hypertable(database: Database) -> bool:
    with database.role("owner") as conn:
        row = conn.execute("select relkind = 'r' from pg_class where oid = 'telemetry.reading'::regclass").fetchone()
    return bool(row and row[0])


def partitions(database: Database) -> list[str]:
    with database.role("owner") as conn:
        rows = conn.execute(
            "select relname from pg_inherits join pg_class on oid = inhrelid "
            "where inhparent = 'telemetry.reading'::regclass order by 1"
        ).fetchall()
    return [str(row[0]) for row in rows]


def add_reading(database: Database, time: datetime) -> None:
    with database.role("telemetry") as conn:
        conn.execute(
            "insert into telemetry.reading (device_key, fix_time, content_hash, upload_id, flags) "
            "values (1, %s, 0, 1, 0)",
            (time,),
        )


def test_a_week_begins_on_monday_at_midnight_utc(plain: Database) -> None:
    database = plain
    with database.role("telemetry") as conn:
        assert ensure_partitions(conn, SUNDAY_NIGHT, SUNDAY_NIGHT) == 1
        assert ensure_partitions(conn, SUNDAY_NIGHT, SUNDAY_NIGHT + timedelta(microseconds=1)) == 1
    assert partitions(database) == ["reading_20261026", "reading_20261102"]
    add_reading(database, SUNDAY_NIGHT)
    add_reading(database, SUNDAY_NIGHT + timedelta(microseconds=1))


def test_a_batch_makes_only_the_weeks_that_occur(plain: Database) -> None:
    database = plain
    times = [datetime(1969, 12, 31, tzinfo=UTC), datetime(2016, 2, 29, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)]
    microseconds = np.array([round(time.timestamp() * 1e6) for time in times], dtype=np.int64)
    with database.role("telemetry") as conn:
        assert ensure_partitions_of(conn, np.repeat(microseconds[::-1], 3)) == 3
        assert ensure_partitions_of(conn, microseconds) == 0
        assert ensure_partitions_of(conn, microseconds[:0]) == 0
    assert partitions(database) == ["reading_19691229", "reading_20160229", "reading_20261123"]
    for time in times:
        add_reading(database, time)


def test_many_may_make_the_same_partitions_at_once(plain: Database) -> None:
    database = plain

    def store(device_key: int) -> int:
        with database.role("telemetry") as conn:
            made = ensure_partitions(conn, SUNDAY_NIGHT, SUNDAY_NIGHT + timedelta(weeks=5))
            conn.execute(
                "insert into telemetry.reading (device_key, fix_time, content_hash, upload_id, flags) "
                "values (%s, %s, 0, 1, 0)",
                (device_key, SUNDAY_NIGHT),
            )
        return made

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(store, range(16))) == 6
    with database.role("telemetry") as conn:
        assert conn.execute("select count(*) from telemetry.reading").fetchone() == (16,)


def test_expiry_drops_whole_weeks_and_the_paths_drawn_from_them(plain: Database) -> None:
    database = plain
    with database.role("telemetry") as conn:
        ensure_partitions(conn, SUNDAY_NIGHT, SUNDAY_NIGHT + timedelta(weeks=2))
        conn.execute("insert into telemetry.device values (1, 'car-1', now())")
        for index, time in enumerate((SUNDAY_NIGHT, SUNDAY_NIGHT + timedelta(weeks=2))):
            conn.execute(
                """insert into telemetry.trip values (%s, 1, %s, %s, 'UTC', '2026-11', 1, 0, 1, 1.0, null, 'A', '{}',
                   '{}', '{}', '{}', null, '{}', '')""",
                (f"{index:032x}", time, time),
            )
            conn.execute("insert into telemetry.trip_path values (%s, '')", (f"{index:032x}",))
    with database.role("telemetry") as conn:
        # A microsecond before the second week ends: it stays.
        assert expire_partitions(conn, SUNDAY_NIGHT + timedelta(weeks=1)) == ["reading_20261026"]
        assert conn.execute("select trip_id::text from telemetry.trip_path").fetchall() == [
            ("00000000-0000-0000-0000-000000000001",)
        ]
        assert conn.execute("select count(*) from telemetry.trip").fetchone() == (2,)
    assert partitions(database) == ["reading_20261102", "reading_20261109"]


@pytest.mark.parametrize("off", [timedelta(0), timedelta(days=7, microseconds=-1), timedelta(days=-3000)])
def test_weeks_expire_where_the_partitions_end(plain: Database, off: timedelta) -> None:
    time = SUNDAY_NIGHT + timedelta(microseconds=1) + off
    with plain.role("telemetry") as conn:
        ensure_partitions(conn, time, time)
        assert conn.execute("select telemetry.week_of(%s)", (time,)).fetchone() == (week_of(time),)
    assert partitions(plain) == [f"reading_{week_of(time):%Y%m%d}"]


def test_whoever_waits_for_another_finds_its_partition(plain: Database) -> None:
    """The one who waits has looked before: it must look again at the table, not at what its session remembers."""
    database = plain

    def ensure(own: Database, week: int) -> int:
        with own.role("telemetry") as conn:
            return ensure_partitions(conn, SUNDAY_NIGHT + timedelta(weeks=week), SUNDAY_NIGHT + timedelta(weeks=week))

    with Database(database.dsn, max_connections=1) as session, ThreadPoolExecutor(1) as other:
        assert ensure(session, 9) == 1  # the session has planned the function before
        with database.role("telemetry") as first:
            assert ensure_partitions(first, SUNDAY_NIGHT, SUNDAY_NIGHT) == 1
            waiting = other.submit(ensure, session, 0)
            while not _somebody_waits(database):
                sleep(0.01)
        assert waiting.result(timeout=10) == 0


def _somebody_waits(database: Database) -> bool:
    with database.role("owner") as conn:
        row = conn.execute(
            "select exists (select from pg_locks where locktype = 'advisory' and not granted and database = "
            "(select oid from pg_database where datname = current_database()))"
        ).fetchone()
    return bool(row and row[0])
