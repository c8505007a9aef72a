"""Sums of the book's months: kept while they hold, never of before, and right while somebody writes."""

from datetime import UTC, datetime

import psycopg
import pytest

from api.workbench.book_sum_store import RISK_EDGES, MonthBand, fetch_bands, fetch_driven_cells, fetch_risk_bands
from pricing.close import close_period, post_adjustments
from pricing.policies import add_policy
from storage.pool import Database
from tests.pricing.book import CLOSED_AT, add_with_device, document, put_trip

PERIOD = "2026-10"


def sums(database: Database) -> tuple[list[MonthBand], list[int]]:
    with database.role("policy") as conn:
        return fetch_bands(conn, "2026-09", "2026-11", "EUR"), list(fetch_driven_cells(conn, PERIOD))


def risks_are_those_of_the_rows(database: Database) -> int:
    """How many bands of predicted frequency the months have; they are held to what the rows say one by one."""
    with database.role("policy") as conn:
        found = fetch_risk_bands(conn, "2026-01", "2026-12", "EUR")
        rows = conn.execute(
            "select period, claims_per_100000_km / class_mean, days, expected_claims from policy.book_month"
            " where premium is not null and claims_per_100000_km is not null"
        ).fetchall()
    by_band: dict[tuple[str, int], tuple[int, float]] = {}
    for period, over_mean, days, expected in rows:
        band = period, sum(over_mean >= edge for edge in RISK_EDGES)
        before = by_band.get(band, (0, 0.0))
        by_band[band] = (before[0] + days, before[1] + expected)
    assert {(one.period, one.risk_band): (one.days, pytest.approx(one.expected_claims)) for one in found} == by_band
    return len(found)


def kept(database: Database) -> list[str]:
    with database.role("policy") as conn:
        return [str(row[0]) for row in conn.execute("select period from policy.book_sum_kept").fetchall()]


def test_sums_are_kept_until_a_row_of_their_month_changes(database: Database) -> None:
    add_with_device(database)
    put_trip(database, datetime(2026, 10, 5, 9, tzinfo=UTC), metres=40_000, road_class="primary")
    close_period(database, PERIOD, CLOSED_AT)
    assert kept(database) == []
    (first,), cells = sums(database)
    assert (first.policies, first.driven_m, sum(cells)) == (1, 40_000, 40_000)
    assert kept(database) == [PERIOD]
    with database.role("policy") as conn:  # what is kept is what is read
        conn.execute("update policy.book_sum set driven_m = 1")
    assert sums(database)[0][0].driven_m == 1
    assert risks_are_those_of_the_rows(database) == 1
    put_trip(database, datetime(2026, 10, 6, 9, tzinfo=UTC), metres=2_000, road_class="primary")
    post_adjustments(database, CLOSED_AT)
    assert kept(database) == [], "its month was summed anew"
    (second,), cells = sums(database)
    assert (second.driven_m, sum(cells)) == (42_000, 42_000)
    assert second.premium != first.premium
    assert risks_are_those_of_the_rows(database) == 1
    add_policy(database, document(policy="P-2", email="p2@example.com"), CLOSED_AT)
    close_period(database, PERIOD, CLOSED_AT)
    assert sum(one.policies for one in sums(database)[0]) == 2
    with database.role("policy") as conn:
        conn.execute("delete from policy.book_month_driving")
        conn.execute("delete from policy.book_month")
    assert sums(database) == ([], [])
    assert risks_are_those_of_the_rows(database) == 0


def test_while_somebody_writes_the_sums_are_right_and_not_kept(database: Database) -> None:
    add_with_device(database)
    put_trip(database, datetime(2026, 10, 5, 9, tzinfo=UTC), metres=40_000)
    close_period(database, PERIOD, CLOSED_AT)
    with psycopg.connect(database.dsn) as writer:
        writer.execute("update policy.book_month set driven_m = driven_m + 5")
        assert sums(database)[0][0].driven_m == 40_000, "what is not committed is not there"
        assert kept(database) == []
        writer.commit()
    assert sums(database)[0][0].driven_m == 40_005
    assert kept(database) == [PERIOD]
