"""Quotes of an entered risk: the page's own prices, for whom the matrix says, and few for strangers."""

from datetime import timedelta
from decimal import Decimal

import pytest
from fastapi.testclient import TestClient

from api.app import create_api
from api.roles import SESSION_COOKIE
from api.strangers import QUOTES_IN_WINDOW, WINDOW, StrangersQuotes
from pricing.rating import recompute
from storage.pool import Database
from tests.api.conftest import LATER, Clock, begin_session
from tests.api.test_rate_plan_pages import UNA

RISK = {
    "factors": {"vehicle_class": "suv", "territory": "rural", "driver_age": 44},
    "declared_km_per_year": 8000,
}


@pytest.fixture
def client(client_of_plans: TestClient) -> TestClient:
    return client_of_plans


def test_a_quote_is_the_one_of_its_page_with_every_configuration(client: TestClient, database: Database) -> None:
    begin_session(client, database, UNA, "underwriter")
    first = client.post("/api/v1/quotes", json=RISK).json()
    assert len(first["offers"]) > 100
    assert first["chosen"] == first["offers"][0]
    other = first["offers"][-1]
    asked = RISK | {"pay_plan": other["pay_plan"], "covers": other["covers"]}
    quote = client.post("/api/v1/quotes", json=asked).json()
    assert quote["chosen"] == other
    assert quote["offers"] == first["offers"]
    assert recompute(quote["worksheet"], quote["currency"]) == Decimal(other["amount"])
    query = "&".join([*(f"{name}={level}" for name, level in RISK["factors"].items()), "declared_km=8000"])  # type: ignore[attr-defined]
    covers = "".join(f"&cover-{number}={cover}" for number, cover in enumerate(other["covers"]))
    page = client.get(f"/quote?{query}&pay_plan={other['pay_plan']}{covers}").text
    assert f"€{other['amount']}" in page


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"plan": "none"}, "plan"),
        ({"factors": {"vehicle_class": "suv", "territory": "rural"}}, "factors.driver_age"),
        ({"factors": {**RISK["factors"], "colour": "red"}}, "factors.colour"),  # type: ignore[dict-item]
        ({"factors": {**RISK["factors"], "territory": "moon"}}, "factors.territory"),  # type: ignore[dict-item]
        ({"factors": {**RISK["factors"], "driver_age": -4}}, "factors.driver_age"),  # type: ignore[dict-item]
        ({"declared_km_per_year": 1_000_000}, "declared_km_per_year"),
        ({"declared_km_per_year": 80.5}, "declared_km_per_year"),
        ({"pay_plan": "none"}, "pay_plan"),
        ({"covers": ["hail"]}, "covers"),
        ({"behaviour": {"km": 1}}, "behaviour"),
    ],
)
def test_a_risk_that_does_not_fit_names_its_field(client: TestClient, change: dict[str, object], field: str) -> None:
    answer = client.post("/api/v1/quotes", json=RISK | change)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_a_stranger_gets_a_few_and_who_signs_in_as_many_as_it_takes(
    client: TestClient, database: Database, clock: Clock
) -> None:
    got = [client.post("/api/v1/quotes", json=RISK).status_code for _ in range(QUOTES_IN_WINDOW + 1)]
    assert got == [200] * QUOTES_IN_WINDOW + [429]
    waits = client.post("/api/v1/quotes", json=RISK)
    assert (waits.json()["title"], int(waits.headers["retry-after"])) == ("Too many quotes", WINDOW.total_seconds())
    for role, status in (("policyholder", 200), ("support", 200), ("driver", 403), ("admin", 403)):
        begin_session(client, database, f"{role}@example.org", role)
        assert client.post("/api/v1/quotes", json=RISK).status_code == status, role
    client.cookies.clear()
    client.cookies.set(SESSION_COOKIE, "over")
    assert client.post("/api/v1/quotes", json=RISK).status_code == 401
    client.cookies.clear()
    clock.now += WINDOW
    assert client.post("/api/v1/quotes", json=RISK).status_code == 200


def test_a_book_without_plans_has_no_quote(database: Database) -> None:
    with TestClient(create_api(database, None, lambda: LATER), base_url="http://127.0.0.1") as client:
        answer = client.post("/api/v1/quotes", json=RISK)
    assert (answer.status_code, answer.json()["title"]) == (404, "Not found")


def test_one_network_of_ipv6_has_one_share() -> None:
    quotes = StrangersQuotes()
    for number in range(QUOTES_IN_WINDOW):
        quotes.take(f"2001:db8::{number:x}", LATER + timedelta(seconds=number))
    quotes.take("2001:db8:0:1::1", LATER)
    with pytest.raises(Exception, match="may again in 600 seconds"):
        quotes.take("2001:db8::ffff", LATER)
