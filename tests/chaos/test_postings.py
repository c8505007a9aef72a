"""A closer that dies between any two steps posts each statement and each adjustment once, and the cent is the same."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from pricing.close import close_period, post_adjustments
from storage.pool import Database
from tests.chaos.failpoints import Failpoint, Killed, die, install
from tests.pricing.book import add_with_device, put_trip

PERIODS = ("2026-08", "2026-09", "2026-10")
CLOSED_AT = datetime(2026, 11, 2, tzinfo=UTC)
ON = [datetime(2026, month, 5, 9, tzinfo=UTC) for month in (8, 9, 10)]


def close_all(database: Database) -> None:
    for period in PERIODS:
        close_period(database, period, CLOSED_AT)


def postings(database: Database) -> list[tuple[object, ...]]:
    """Period, revision and amount of everything that was posted."""
    with database.role("policy") as conn:
        return conn.execute("select period, revision, amount from policy.statement order by 1, 2").fetchall()


def forget(database: Database, table: str) -> None:
    with database.role("owner") as conn:
        conn.execute("set local session_replication_role = replica")  # statements refuse to be deleted
        conn.execute(table)  # type: ignore[arg-type]


def dies_at_every_step(failpoint: Failpoint, doing: Callable[[], object], check: Callable[[], None]) -> int:
    """`doing` is killed at its first step, then at its second, and so on to its end; the number of deaths."""
    deaths = 0
    while True:
        failpoint.arm(deaths, die)
        try:
            doing()
        except Killed:
            deaths += 1
            check()
        else:
            return deaths
        finally:
            failpoint.disarm()


@pytest.fixture
def failpoint(monkeypatch: pytest.MonkeyPatch) -> Failpoint:
    return install(monkeypatch)


def test_a_close_that_dies_anywhere_posts_each_statement_once(database: Database, failpoint: Failpoint) -> None:
    add_with_device(database)
    for start in ON:
        put_trip(database, start, metres=120_000)
    close_all(database)
    expected = postings(database)
    assert [row[:2] for row in expected] == [(period, 0) for period in PERIODS]
    forget(database, "delete from policy.statement")

    def check() -> None:
        close_all(database)
        assert postings(database) == expected
        forget(database, "delete from policy.statement")

    assert dies_at_every_step(failpoint, lambda: close_all(database), check) > 20


def test_adjustments_that_die_anywhere_follow_a_late_trip_through_later_periods_once(
    database: Database, failpoint: Failpoint
) -> None:
    """August's late hard braking feeds the scores of September and October: three adjustments, each posted once."""
    add_with_device(database)
    for start in ON:
        put_trip(database, start, metres=200_000)
    close_all(database)
    put_trip(database, ON[0], metres=900_000, hard_brakes=150)
    with database.role("owner") as conn:
        conn.execute("create table kept_change as select * from telemetry.trip_change")
    post_adjustments(database, CLOSED_AT)
    expected = postings(database)
    assert [row[:2] for row in expected] == [(period, revision) for period in PERIODS for revision in (0, 1)]
    assert all(isinstance(row[2], Decimal) and row[2] > 0 for row in expected)

    def undo() -> None:
        forget(database, "delete from policy.statement where revision > 0")
        forget(database, "truncate telemetry.trip_change")
        forget(database, "insert into telemetry.trip_change overriding system value select * from kept_change")

    def check() -> None:
        post_adjustments(database, CLOSED_AT)
        assert postings(database) == expected
        undo()

    undo()
    assert dies_at_every_step(failpoint, lambda: post_adjustments(database, CLOSED_AT), check) > 15
