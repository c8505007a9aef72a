"""Scores and statements in sums: large groups add up, small ones are not told, support sees no worksheet."""

from collections.abc import Iterator
from decimal import Decimal

import pytest
from fastapi.testclient import TestClient

from storage.audit import entries
from storage.pool import Database
from tests.api.conftest import begin_session
from tests.api.test_portfolio_pages import ADA, seven_policies

SAM = "sam@example.org"


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    with seven_policies(database) as opened:
        yield opened


def test_sums_are_those_of_the_statements(client: TestClient, database: Database) -> None:
    begin_session(client, database, ADA, "actuary")
    with database.role("policy") as conn:
        rows = conn.execute(
            "select p.pay_plan, count(*), sum(amount) from policy.statement join policy.policy p using (policy_key)"
            " where period = '2026-10' group by 1"
        ).fetchall()
    told = client.get("/api/v1/statement-totals").json()
    assert (told["period"], told["withheld"]) == ("2026-10", 0)
    assert [(one["pay_plan"], one["policies"], Decimal(one["premium"])) for one in told["totals"]] == rows
    assert sum(one["driven_m"] for one in told["totals"]) == 40_000
    scores = client.get("/api/v1/score-distribution?period=2026-10").json()
    # Six have not driven; the one that has is alone in its band.
    assert scores["bands"] == [{"from_score": None, "below_score": None, "policies": 6, "driven_m": 0}]
    assert scores["withheld"] == 1


def test_a_group_of_fewer_than_five_is_not_told(client: TestClient, database: Database) -> None:
    with database.role("owner") as conn:
        conn.execute("delete from policy.book_month where policy_key in (select policy_key from policy.book_month"
                     " where score is null limit 3)")  # fmt: skip
    begin_session(client, database, SAM, "support")
    for path, name in (("statement-totals", "totals"), ("score-distribution", "bands")):
        told = client.get(f"/api/v1/{path}?period=2026-10").json()
        assert (told[name], told["withheld"] > 0) == ([], True)
        assert client.get(f"/api/v1/{path}?period=2031-01").json() == {"period": "2031-01", name: [], "withheld": 0}
        assert client.get(f"/api/v1/{path}?period=2026-13").json()["field"] == "period"


def test_support_sees_a_customers_months_without_their_worksheets(
    client: TestClient,
    database: Database,
) -> None:
    begin_session(client, database, SAM, "support")
    (month,) = client.get("/api/v1/customers/P-1/statements").json()
    assert set(month) == {"period", "amount", "currency", "score", "km"}
    with database.role("policy") as conn:
        row = conn.execute(
            "select sum(amount) from policy.statement join policy.policy using (policy_key) where policy_id = 'P-1'"
        ).fetchone()
        looks = [one.action for one in entries(conn)]
    assert row is not None
    assert (month["period"], Decimal(month["amount"])) == ("2026-10", row[0])
    assert looks[-1] == "card_opened"
    assert client.get("/api/v1/customers/P-9/statements").status_code == 404
    begin_session(client, database, ADA, "actuary")
    assert client.get("/api/v1/customers/P-1/statements").status_code == 403
