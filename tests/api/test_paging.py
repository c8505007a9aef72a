"""Lists by pages: page by page they are what they are at once, and every list has them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api import person_routes
from api.app import create_api
from api.roles import SESSION_COOKIE
from pricing.close import close_period
from tests.api.conftest import copied
from tests.api.test_matrix import session_of
from tests.api.world import ANNA, DESK, NOW, POLICY_OF, World

# Lists that are as long as the program's own tables, or as one trip: they have no pages.
WHOLE = {
    "/api/v1/consents",
    "/api/v1/customers/{policy_id}/consents",
    "/api/v1/policies/{policy_id}/drivers",
    "/api/v1/quarantine/counts",
    "/api/v1/touchpoint-costs",
    "/api/v1/trips/{trip_id}/events",
}


def signed_in(world: World, email: str, role: str) -> TestClient:
    client = TestClient(create_api(world.database, world.roads, lambda: NOW), base_url="http://127.0.0.1")
    client.cookies.set(SESSION_COOKIE, session_of(world.database, email, role, None)[0])
    return client


@pytest.fixture(scope="module")
def longer(world: World, server_dsn: str) -> Iterator[World]:
    """A copy in which every list has two rows or more: a second month is posted, a second change agreed."""
    with copied(world, server_dsn) as copy:
        close_period(copy.database, "2026-09", NOW)
        change = {"effective_on": "2026-11-16", "pay_plan": "flat"}
        path, key = f"/api/v1/policies/{POLICY_OF[ANNA]}/endorsements", {"Idempotency-Key": "a-second-change"}
        assert signed_in(copy, ANNA, "policyholder").post(path, json=change, headers=key).status_code == 201
        yield copy


def all_pages(client: TestClient, url: str) -> list[Any]:
    rows, pages = [], 0
    while True:
        answer = client.get(url)
        assert answer.status_code == 200, answer.text
        rows += answer.json()
        pages += 1
        assert pages < 300
        if "next" not in answer.links:
            return rows
        assert len(answer.json()) == 1
        url = answer.links["next"]["url"]


@pytest.mark.parametrize(
    ("email", "role", "url"),
    [
        (ANNA, "policyholder", f"/api/v1/policies/{POLICY_OF[ANNA]}/trips?"),
        (ANNA, "policyholder", f"/api/v1/policies/{POLICY_OF[ANNA]}/changes?"),
        (ANNA, "policyholder", f"/api/v1/policies/{POLICY_OF[ANNA]}/statements?"),
        (DESK, "underwriter", "/api/v1/book?period=2026-10&"),
        ("admin@x.org", "admin", "/api/v1/audit?"),
    ],
)
def test_page_by_page_a_list_is_what_it_is_at_once(longer: World, email: str, role: str, url: str) -> None:
    client = signed_in(longer, email, role)
    desk = signed_in(longer, DESK, "underwriter")
    for _ in range(2):
        assert desk.get(f"/api/v1/book/{POLICY_OF[ANNA]}/statements").status_code == 200
    whole = client.get(url + "limit=1000").json()
    assert len(whole) >= 2
    paged = all_pages(client, url + "limit=1")
    assert paged[len(paged) - len(whole) :] == whole
    assert len(paged) - len(whole) == ("audit" in url), "that somebody reads the log is in the log"


@pytest.mark.parametrize("cursor", ["zzz", "MTIz", "!", "", "____", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"])
@pytest.mark.parametrize(
    "path",
    [
        f"/api/v1/policies/{POLICY_OF[ANNA]}/trips",
        f"/api/v1/policies/{POLICY_OF[ANNA]}/statements",
        "/api/v1/contests",
    ],
)
def test_a_cursor_of_nowhere_is_said_to_be_one(world: World, path: str, cursor: str) -> None:
    answer = signed_in(world, ANNA, "policyholder").get(path, params={"cursor": cursor})
    assert (answer.status_code, answer.json()["field"]) == (422, "cursor")


def test_every_list_has_pages(world: World) -> None:
    described = create_api(world.database, None, lambda: NOW).openapi()
    for path, item in described["paths"].items():
        if "get" not in item:
            continue
        schema = item["get"]["responses"]["200"].get("content", {}).get("application/json", {}).get("schema", {})
        names = {parameter["name"] for parameter in item["get"].get("parameters", [])}
        if schema.get("type") == "array" and path not in WHOLE:
            assert {"limit", "cursor"} <= names, path


def test_the_page_of_trips_goes_on_by_months(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(person_routes, "MONTHS_OF_TRIPS", 1)
    client = signed_in(world, ANNA, "policyholder")
    trips = client.get(f"/api/v1/policies/{POLICY_OF[ANNA]}/trips?limit=1000").json()
    url, shown, months = f"/policies/{POLICY_OF[ANNA]}/trips", list[str](), 0
    while url:
        text = client.get(url).text
        shown += re.findall(r'href="/trips/([0-9a-f-]{36})"', text)
        months += 1
        url = "".join(re.findall(r'href="([^"]+\?before=[0-9-]+)"', text))
    assert shown == [trip["trip_id"] for trip in trips]
    assert months == len({trip["local_month"] for trip in trips}) > 1
    assert client.get(f"/policies/{POLICY_OF[ANNA]}/trips?before=x").status_code == 422
