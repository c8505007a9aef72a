"""Rate plans as JSON: one actuary drafts, another approves exactly that hash, and what is refused is said and noted."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from pricing.policies import packaged_plan
from storage.audit import entries
from storage.pool import Database
from tests.api.conftest import Clock, begin_session
from tests.api.test_rate_plan_pages import ADA, BEA, DRAFT, UNA, as_whom

PLANS = "/api/v1/rate-plans"


@pytest.fixture
def client(client_of_plans: TestClient) -> TestClient:
    return client_of_plans


def drafted(client: TestClient, content: str = DRAFT) -> str:
    """Ada submits a draft; its hash."""
    as_whom(client, ADA)
    answer = client.post(f"{PLANS}/drafts", json={"content": content})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["plan_hash"])


def acts(database: Database) -> list[tuple[str, str]]:
    with database.role("policy") as conn:
        return [(one.action, one.details) for one in entries(conn) if one.action.startswith("plan_")]


def test_two_people_publish_a_draft_by_its_hash(client: TestClient, database: Database) -> None:
    plan_hash = drafted(client)
    again = client.post(f"{PLANS}/drafts", json={"content": DRAFT})
    assert (again.status_code, again.json()["plan_hash"]) == (200, plan_hash)
    own = client.post(f"{PLANS}/{plan_hash}/approval")
    assert (own.status_code, "another person approves it" in own.json()["detail"]) == (409, True)
    as_whom(client, UNA)
    held = client.get(f"{PLANS}/{plan_hash}").json()
    assert (held["state"], held["submitted_by"], held["approved_by"]) == ("waits", ADA, None)
    assert {"place": "fee", "before": "1.50", "after": "1.75"} in held["changes"]
    assert (held["content"], held["live"]) == (DRAFT, packaged_plan().plan_hash)
    assert client.post(f"{PLANS}/{plan_hash}/approval").status_code == 403
    assert client.post(f"{PLANS}/drafts", json={"content": DRAFT}).status_code == 403
    as_whom(client, BEA)
    published = client.post(f"{PLANS}/{plan_hash}/approval").json()
    assert (published["state"], published["approved_by"], published["content"]) == ("coming", BEA, DRAFT)
    named = [action for action, _ in acts(database)]
    assert named == ["plan_submitted", "plan_refused", "plan_published"]
    assert "OwnApproval" in acts(database)[1][1]
    begin_session(client, database, "sam@example.org", "support")
    assert client.get(PLANS).status_code == 403


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (DRAFT.replace('fee = "1.75"', 'fee = "-1"'), "fee"),
        (DRAFT + "\nunknown = 1\n", None),
        ("a = \n", None),
        ("", None),
    ],
)
def test_a_draft_that_does_not_fit_names_its_place_and_is_not_kept(
    client: TestClient, database: Database, content: str, place: str | None
) -> None:
    as_whom(client, ADA)
    answer = client.post(f"{PLANS}/drafts", json={"content": content})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["field"] == (place or answer.json()["field"])
    assert answer.json()["field"] in answer.json()["detail"]
    with database.role("policy") as conn:
        assert conn.execute("select count(*) from policy.plan_submission").fetchone() == (0,)


def test_a_bias_test_of_another_plan_is_refused(client: TestClient) -> None:
    as_whom(client, ADA)
    for wrong in ({}, {"plan": "x"}, {"plan": {"hash": "0" * 64}}):
        answer = client.post(f"{PLANS}/drafts", json={"content": DRAFT, "bias_test": wrong})
        assert (answer.status_code, "bias test is of plan" in answer.json()["detail"]) == (422, True)


def test_what_was_edited_since_or_waited_too_long_is_refused_and_noted(
    client: TestClient, database: Database, clock: Clock
) -> None:
    first = drafted(client)
    clock.now += timedelta(minutes=1)
    edited = drafted(client, DRAFT.replace('fee = "1.75"', 'fee = "1.80"'))
    as_whom(client, BEA)
    refused = client.post(f"{PLANS}/{first}/approval")
    assert (refused.status_code, "is not what was submitted" in refused.json()["detail"]) == (409, True)
    clock.now += timedelta(days=31)
    as_whom(client, BEA)
    assert client.get(f"{PLANS}/{edited}").json()["state"] == "expired"
    refused = client.post(f"{PLANS}/{edited}/approval")
    assert (refused.status_code, "over 30 days ago" in refused.json()["detail"]) == (409, True)
    assert [action for action, _ in acts(database)].count("plan_refused") == 2
    with database.role("policy") as conn:
        assert conn.execute("select count(*) from policy.rate_plan where not ships").fetchone() == (0,)


def test_plans_come_by_pages_and_by_name(client: TestClient, clock: Clock) -> None:
    clock.now = datetime(2026, 11, 20, 9, tzinfo=UTC)
    plan_hash = drafted(client)
    every = client.get(PLANS).json()
    assert (every[0]["plan_hash"], every[0]["state"]) == (plan_hash, "waits")
    page = client.get(f"{PLANS}?limit=1")
    pages = [*page.json()]
    while "next" in page.links:
        page = client.get(page.links["next"]["url"])
        pages += page.json()
    assert pages == every
    name = packaged_plan().name
    named = client.get(f"{PLANS}?name={name}").json()
    assert named == [one for one in every if one["name"] == name]
    assert client.get(f"{PLANS}?name=none").json() == []
    assert client.get(f"{PLANS}/{'a' * 64}").status_code == client.get(f"{PLANS}/%00").status_code == 404
