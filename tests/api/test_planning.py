"""Pages of planning: what was kept is shown, masked for underwriters; the guard's log is whole for support alone."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from api.accounts import add_account
from api.app import create_api
from portfolio.planning import Wanted, plan_segments
from portfolio.planning_store import keep_result
from portfolio.strategies import Costs
from tests.api.conftest import copied, sign_in
from tests.api.unmarked import english_in
from tests.api.world import ANNA, DESK, NOW, PASSWORD, POLICY_OF, World
from tests.portfolio.book_in_database import put_book, simulated

ACTUARY, SUPPORT = "count@example.org", "phone@example.org"
STRATEGIES = ("mass", "differentiated", "concentrated", "one_to_one")


@pytest.fixture(scope="module")
def own(world: World, server_dsn: str) -> Iterator[World]:
    with copied(world, server_dsn) as own:
        with own.database.role("policy") as conn:
            add_account(conn, ACTUARY, PASSWORD, "actuary", created_at=NOW)
            add_account(conn, SUPPORT, PASSWORD, "support", created_at=NOW)
        yield own


@pytest.fixture
def client(own: World) -> Iterator[TestClient]:
    with TestClient(create_api(own.database, own.roads, lambda: NOW), base_url="http://127.0.0.1") as opened:
        yield opened


def test_before_anything_is_kept_the_pages_say_how(client: TestClient) -> None:
    sign_in(client, ACTUARY)
    assert "wayrate portfolio segments" in client.get("/segments").text
    assert "wayrate strategies --keep" in client.get("/strategies").text
    for kind in ("segments", "strategies"):
        assert client.get(f"/api/v1/{kind}").json() == {"version": None, "made_at": None}
        assert client.get(f"/api/v1/{kind}", params={"version": 7}).status_code == 404
    assert client.get("/segments", params={"version": 7}).status_code == 404
    assert client.get("/segments", params={"version": "NaN"}).status_code == 422


def test_underwriters_see_segments_masked(client: TestClient, own: World) -> None:
    put_book(own.database, simulated(900, 1, 4))
    plan_segments(own.database, Wanted(most=3, least=150), NOW)
    sign_in(client, ACTUARY)
    whole = client.get("/api/v1/segments").json()
    page = client.get("/segments").text
    assert "Needs and ways to reach them" in page
    assert 'class="level-' in page
    sign_in(client, DESK)
    masked = client.get("/api/v1/segments").json()
    for seen, real in zip(masked["segments"], whole["segments"], strict=True):
        assert {"value", "needs", "channels", "choices", "kept"}.isdisjoint(seen)
        assert seen["customers"] % 10 == 0
        assert abs(seen["customers"] - real["customers"]) <= 5
        assert seen["loss_ratio"] == real["loss_ratio"]
    page = client.get("/segments").text
    assert "Needs and ways to reach them" not in page
    assert english_in(client.get("/segments", headers={"accept-language": "de"}).text) == []
    assert "Sizes are rounded to ten" in page
    assert min(one["customers"] for one in masked["territories"]) >= 20  # the two of the small book stand in none
    for person in ("Person 1", "S-1", POLICY_OF[ANNA]):
        assert f">{person}<" not in page


def test_the_strategy_report_shows_what_was_kept(client: TestClient, own: World) -> None:
    figure = {"mean": 0.5, "low": 0.4, "high": 0.6}
    measures = ("profit", "loss_ratio", "retention", "fairness", "customer_value")
    found = {
        "seeds": 20, "customers": 10_000, "years": 5, "costs": {"reach": Costs().reach},
        "strategies": {name: dict.fromkeys(measures, figure) for name in STRATEGIES},
        "break_even": {
            "cost_per_treatment": {"mean": 85.0, "low": 63.0, "high": 107.0}, "never_lost": 2,
            "curve": [
                {"cost": cost, "lead": {"mean": 9 - cost, "low": 8 - cost, "high": 10 - cost}} for cost in (0, 9, 20)
            ],
        },
    }  # fmt: skip
    with own.database.role("policy") as conn:
        assert keep_result(conn, "strategies", found, NOW) == 1
    sign_in(client, DESK)
    page = client.get("/strategies").text
    assert "85 (63–107) euro a year" in page
    assert "In 2 of the markets" in page
    assert page.count('class="chart interval"') == 20
    assert english_in(client.get("/strategies", headers={"accept-language": "de"}).text) == []
    assert client.get("/api/v1/strategies").json()["break_even"]["never_lost"] == 2


def test_the_guards_log_names_people_to_support_alone(client: TestClient) -> None:
    sign_in(client, SUPPORT)
    path = f"/api/v1/customers/{POLICY_OF[ANNA]}/offers"
    refused = client.post(path, json={"template": "coaching"}, headers={"Idempotency-Key": uuid4().hex})
    assert refused.status_code == 422
    page = client.get("/guard").text
    assert "Anna Example" in page
    assert "has not agreed to coaching" in page
    asked = {"find": POLICY_OF[ANNA], "template": "coaching"}
    shown = client.get("/guard", params=asked).text
    assert english_in(client.get("/guard", params=asked, headers={"accept-language": "de"}).text) == []
    assert "Is not sent." in shown
    assert "Nobody has exactly" in client.get("/guard", params={"find": "x", "template": "coaching"}).text
    assert client.get("/guard", params={"find": POLICY_OF[ANNA], "template": "gift"}).status_code == 422
    sign_in(client, ACTUARY)
    page = client.get("/guard", params={"find": POLICY_OF[ANNA], "template": "coaching"}).text
    assert "Anna Example" not in page
    assert "Is not sent." not in page
    assert "None yet." in page  # one person is no group
    sign_in(client, DESK)
    assert client.get("/guard").status_code == 403
