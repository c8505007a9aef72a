"""Rate plans by page: one actuary drafts, another one publishes, and every refusal is said and noted."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D  # noqa: N817

import pytest
from fastapi.testclient import TestClient

from pricing.close import close_period
from pricing.live_book import live_impact
from pricing.plan import parse_plan
from pricing.policies import packaged_plan
from storage.audit import entries
from storage.pool import Database
from tests.api.conftest import Clock, begin_session
from tests.api.unmarked import english_in
from tests.pricing.book import CLOSED_AT, add_with_device, put_trip
from tests.pricing.test_score_model import MODEL, with_model

ADA, BEA, UNA = "ada@example.org", "bea@example.org", "una@example.org"
SHIPPED = packaged_plan().content
DRAFT = (
    SHIPPED.replace('version = "1"', 'version = "2"')
    .replace('fee = "1.50"', 'fee = "1.75"')
    .replace(f"effective_from = {packaged_plan().effective_from}", "effective_from = 2026-12-01")
)


@pytest.fixture
def client(client_of_plans: TestClient) -> TestClient:
    return client_of_plans


def as_whom(client: TestClient, email: str) -> str:
    """Signs in; the token of this session's forms."""
    role = "underwriter" if email == UNA else "actuary"
    return begin_session(client, client.app.state.database, email, role)  # type: ignore[attr-defined]


def submitted(client: TestClient, content: str = DRAFT) -> str:
    """Ada submits a draft; its address."""
    token = as_whom(client, ADA)
    answer = client.post("/rate-plans/drafts", data={"content": content, "form_token": token}, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def test_a_draft_is_checked_before_anything_is_kept(client: TestClient, database: Database) -> None:
    token = as_whom(client, ADA)

    def check(content: str | bytes) -> tuple[int, str]:
        answer = client.post("/rate-plans/check", data={"form_token": token}, files={"plan": ("next.toml", content)})
        return answer.status_code, answer.text

    status, text = check(DRAFT)
    assert status == 200
    assert "<code>fee</code>" in text
    assert ">1.75<" in text
    status, text = check(DRAFT.replace('fee = "1.75"', 'fee = "-1"'))
    assert (status, "In next.toml, at <code>fee</code>" in text) == (422, True)
    assert check(b"\xff\xfe")[0] == 422
    as_form = client.post("/rate-plans/check", data={"form_token": token, "plan": DRAFT})
    assert as_form.status_code == 415
    assert check("x = 1\n" * 12_000)[0] in (413, 422)
    with database.role("policy") as conn:
        assert conn.execute("select count(*) from policy.plan_submission").fetchone() == (0,)


def test_a_bias_test_is_pasted_with_the_draft_and_held_against_it(client: TestClient, database: Database) -> None:
    token = as_whom(client, ADA)
    draft = DRAFT.replace('version = "2"', 'version = "5"')
    form = {"content": draft, "form_token": token}
    for wrong, said in (
        ("{", "the bias test"),
        ("[1]", "is no object"),
        ('{"plan": "another"}', "bias test is of plan"),
    ):
        answer = client.post("/rate-plans/drafts", data=form | {"bias_test": wrong})
        assert (answer.status_code, said in answer.text) == (422, True), wrong
    own = {"plan": {"hash": parse_plan(draft, "draft").plan_hash}}
    answer = client.post("/rate-plans/drafts", data=form | {"bias_test": json.dumps(own)})
    assert "with a bias test" in answer.text
    with database.role("policy") as conn:
        assert conn.execute("select bias_test from policy.plan_submission").fetchone() == (own,)


def test_two_people_publish_and_the_author_is_refused(client: TestClient, database: Database) -> None:
    address = submitted(client)
    token = as_whom(client, ADA)
    assert "another person approves it" in client.get(address).text
    assert client.post(f"{address}/approval", data={"form_token": token}).status_code == 409
    token = as_whom(client, UNA)
    assert "waits for another actuary" in client.get(address).text
    assert client.post(f"{address}/approval", data={"form_token": token}).status_code == 403
    token = as_whom(client, BEA)
    assert client.post(f"{address}/approval", data={"form_token": "made-up"}).status_code == 403
    assert client.post(f"{address}/approval", data={"form_token": token}, follow_redirects=False).status_code == 303
    assert f"submitted by {ADA}, approved by {BEA}" in client.get(address).text
    assert ">coming</span>" in client.get("/rate-plans").text
    assert ">coming</span>" not in client.get("/rate-plans?state=live").text
    rows = list(csv.DictReader(io.StringIO(client.get("/rate-plans.csv?sort=-from").text)))
    days = [row["effective_from"] for row in rows]
    assert (len(days) > 1, days, rows[0]["state"]) == (True, sorted(days, reverse=True), "coming")
    assert client.get("/rate-plans.csv?find=none").text.count("\n") == 1
    with database.role("policy") as conn:
        acts = [(one.action, one.role) for one in entries(conn) if one.action.startswith("plan_")]
    assert acts == [("plan_submitted", "actuary"), ("plan_refused", "actuary"), ("plan_published", "actuary")]


def test_what_was_edited_since_or_waited_too_long_is_refused(
    client: TestClient, database: Database, clock: Clock
) -> None:
    first = submitted(client)
    clock.now += timedelta(minutes=1)
    edited = submitted(client, DRAFT.replace('fee = "1.75"', 'fee = "1.80"'))
    token = as_whom(client, BEA)
    refused = client.post(f"{first}/approval", data={"form_token": token})
    assert (refused.status_code, "is not what was submitted" in refused.text) == (409, True)
    clock.now += timedelta(days=31)
    token = as_whom(client, BEA)
    assert ">expired</span>" in client.get("/rate-plans").text
    refused = client.post(f"{edited}/approval", data={"form_token": token})
    assert (refused.status_code, "over 30 days ago" in refused.text) == (409, True)
    with database.role("policy") as conn:
        assert [one.action for one in entries(conn)].count("plan_refused") == 2
        assert conn.execute("select count(*) from policy.rate_plan where not ships").fetchone() == (0,)


def test_an_unknown_plan_is_not_found(client: TestClient) -> None:
    as_whom(client, UNA)
    for name in ("none", "a" * 64, "%00"):
        assert client.get(f"/rate-plans/{name}").status_code == 404


def test_dislocation_is_on_the_book_as_it_was_posted(client: TestClient, database: Database) -> None:
    address = submitted(client)
    assert "no posted month" in client.get(f"{address}/dislocation").text
    add_with_device(database)
    put_trip(database, datetime(2026, 10, 5, 9, tzinfo=UTC), metres=40_000, road_class="primary", hard_brakes=3)
    put_trip(database, datetime(2026, 10, 6, 9, tzinfo=UTC), metres=9_000, hour_band="night", gap_m=2_000)
    (posting,) = close_period(database, "2026-10", CLOSED_AT)
    with database.role("policy") as conn:
        found = live_impact(conn, "2026-10", packaged_plan(), packaged_plan())
    assert found is not None
    assert (found["policies"], D(found["old_amount"])) == (1, posting.amount)
    assert english_in(client.get(f"{address}/dislocation", headers={"accept-language": "de"}).text) == []
    text = client.get(f"{address}/dislocation").text
    assert f"€{posting.amount}" in text
    assert "Vehicle class" in text
    lacking = DRAFT.replace("compact", "midsize").replace('version = "2"', 'version = "3"')
    assert "has no level" in client.get(f"{submitted(client, lacking)}/dislocation").text
    # a draft with a score model of its own: the same driving, predicted by it
    begun = with_model(MODEL, "4").content
    own = parse_plan(begun.replace("effective_from = 2019-01-01", "effective_from = 2026-12-01"), "own.toml")
    address = submitted(client, own.content)
    shipped = f"/rate-plans/{packaged_plan().plan_hash}"
    assert "night_km_share is charged by the rates" in client.get(shipped).text
    german = client.get(shipped, headers={"accept-language": "de"}).text
    assert "night_km_share wird sowohl" in german
    assert english_in(german) == []
    page = client.get(address).text
    assert MODEL.version in page
    assert "is charged by the rates" not in page
    shown = client.get(f"/score-model?plan={own.plan_hash}").text
    assert (MODEL.version in shown, "200\xa0km" in shown, "stated priors with the interval" in shown) == (
        True,
        True,
        False,
    )
    with database.role("policy") as conn:
        impact = live_impact(conn, "2026-10", packaged_plan(), own)
    assert impact is not None
    assert impact["new_amount"] != impact["old_amount"]
    assert f"€{impact['new_amount']}" in client.get(f"{address}/dislocation").text
    assert english_in(client.get(f"/score-model?plan={own.plan_hash}", headers={"accept-language": "de"}).text) == []
