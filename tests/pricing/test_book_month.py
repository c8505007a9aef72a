"""The book by month says what the statements and the trips say, after everything that can change them."""

from datetime import UTC, datetime
from decimal import Decimal as D  # noqa: N817
from typing import Any

from psycopg.rows import dict_row

from pricing.close import close_period, post_adjustments
from pricing.store import fetch_statement_of_period
from scoring.score import PRIOR_MODEL
from storage.pool import Database
from tests.pricing.book import CLOSED_AT, add_with_device, put_trip

ON = datetime(2026, 10, 5, 9, tzinfo=UTC)
LATER = datetime(2026, 11, 9, tzinfo=UTC)


def month(database: Database, period: str) -> dict[str, Any]:
    with database.role("policy") as conn, conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute("select * from policy.book_month where period = %s", (period,)).fetchone()
    assert row is not None
    return row


def posted(database: Database) -> tuple[D, D]:
    """What the statement of October comes to, and of it tax."""
    with database.role("policy") as conn:
        found = fetch_statement_of_period(conn, "P-1", "2026-10")
    assert found is not None
    tax = sum(
        D(line["amount"]) for one in found.postings for line in one.lines if line["name"] == "insurance premium tax"
    )
    return found.total, D(tax)


def test_a_closed_month_is_summed_up_and_late_trips_change_it(database: Database) -> None:
    add_with_device(database)
    put_trip(database, ON, metres=9_000, road_class="primary")
    put_trip(database, ON.replace(day=7), metres=1_000, grade="uncertified")
    put_trip(database, ON.replace(day=8), metres=2_000, excluded="relabelled_bus")
    close_period(database, "2026-10", CLOSED_AT)
    row = month(database, "2026-10")
    assert (row["days"], row["trips"]) == (31, 3)
    assert (row["driven_m"], row["charged_m"], row["relabelled_m"], sum(row["cells_m"])) == (
        12_000,
        9_000,
        2_000,
        9_000,
    )
    assert (row["premium"], row["tax"]) == posted(database)
    assert row["tax"] > 0
    assert row["expected_claims"] == float(row["claims_per_100000_km"]) * 9 / 100_000

    before = row["premium"]
    put_trip(database, ON.replace(day=20), metres=50_000)
    (adjustment,) = post_adjustments(database, LATER)
    row = month(database, "2026-10")
    assert (row["trips"], row["charged_m"]) == (4, 59_000)
    assert (row["premium"], row["tax"]) == posted(database)
    assert row["adjusted"] == adjustment.amount == row["premium"] - before


def test_an_open_month_is_summed_up_without_a_premium(database: Database) -> None:
    add_with_device(database)
    put_trip(database, LATER.replace(day=3), metres=7_000)
    assert post_adjustments(database, LATER) == []
    row = month(database, "2026-11")
    assert (row["trips"], row["charged_m"], row["premium"], row["currency"]) == (1, 7_000, None, None)
    assert row["score"] is not None


def test_without_measured_km_claims_are_expected_over_the_declared_ones(database: Database) -> None:
    add_with_device(database, pay_plan="flat", declared_km_per_year=36_500)
    close_period(database, "2026-10", CLOSED_AT)
    row = month(database, "2026-10")
    assert (row["trips"], row["score"]) == (0, None)
    assert row["expected_claims"] == PRIOR_MODEL.base_claims_per_100000_km * 3_100 / 100_000
