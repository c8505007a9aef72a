"""Consents and offers over HTTP: what was not agreed to is not used, and a withdrawal counts at once."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from uuid import uuid4
from zipfile import ZipFile

import pytest
from fastapi.testclient import TestClient
from httpx import Response

import pricing
from api.accounts import add_account
from api.app import create_api
from portfolio.offer_store import Offer
from pricing.agreements import assess_claim, keep_claim
from pricing.rating import Inputs, Terms
from tests.api.conftest import copied, sign_in
from tests.api.world import ANNA, BEN, NOW, PASSWORD, POLICY_OF, World

SUPPORT = "phone@example.org"
OFFERS = f"/api/v1/customers/{POLICY_OF[ANNA]}/offers"
CARD = f"/api/v1/customers/{POLICY_OF[ANNA]}"


@pytest.fixture
def own(world: World, server_dsn: str) -> Iterator[World]:
    with copied(world, server_dsn) as own:
        with own.database.role("policy") as conn:
            add_account(conn, SUPPORT, PASSWORD, "support", created_at=NOW)
        yield own


@pytest.fixture
def people(own: World) -> dict[str, TestClient]:
    app = create_api(own.database, own.roads, lambda: NOW)
    clients = {email: TestClient(app, base_url="http://127.0.0.1") for email in (ANNA, BEN, SUPPORT)}
    for email, client in clients.items():
        assert sign_in(client, email) == 303
    return clients


def say(client: TestClient, purpose: str, granted: bool, text_hash: str | None = None) -> int:
    found = {one["purpose"]: one for one in client.get("/api/v1/consents").json()}
    words = found[purpose]["text_hash"] if text_hash is None else text_hash
    return client.put(f"/api/v1/consents/{purpose}", json={"granted": granted, "text_hash": words}).status_code


def make(client: TestClient, template: str, **more: str) -> Response:
    return client.post(OFFERS, json={"template": template, **more}, headers={"Idempotency-Key": uuid4().hex})


def test_nothing_is_agreed_to_by_silence_and_nobody_agrees_to_other_words(people: dict[str, TestClient]) -> None:
    anna = people[ANNA]
    assert not any(one["granted"] for one in anna.get("/api/v1/consents").json())
    assert say(anna, "coaching", True, "0" * 64) == 409
    assert anna.put("/api/v1/consents/everything", json={"granted": True}).status_code == 422
    assert say(anna, "coaching", True) == 200
    assert [one["purpose"] for one in anna.get("/api/v1/consents").json() if one["granted"]] == ["coaching"]
    assert not any(one["granted"] for one in people[BEN].get("/api/v1/consents").json())


def test_an_offer_waits_for_consent_and_a_refusal_is_kept_with_its_reason(people: dict[str, TestClient]) -> None:
    anna, support = people[ANNA], people[SUPPORT]
    refused = make(support, "coaching")
    assert refused.status_code == 422
    assert "has not agreed to coaching" in refused.json()["detail"]
    assert anna.get("/api/v1/offers").json() == []
    say(anna, "coaching", True)
    shown = support.get(OFFERS, params={"template": "coaching"}).json()
    assert shown["allowed"]
    made = make(support, "coaching")
    assert made.status_code == 201
    assert made.json()["words"] == shown["words"]  # as previewed, so sent
    assert shown["words"] in anna.get("/home").text


def test_a_withdrawal_takes_its_data_out_of_use_at_once(people: dict[str, TestClient]) -> None:
    anna, support = people[ANNA], people[SUPPORT]
    say(anna, "coaching", True)
    words = make(support, "coaching").json()["words"]
    assert words in anna.get("/home").text
    assert say(anna, "coaching", False) == 200
    assert words not in anna.get("/home").text  # even the offer that waited
    assert make(support, "coaching").status_code == 422
    assert not support.get(OFFERS, params={"template": "coaching"}).json()["allowed"]
    assert support.get(CARD).json()["next_step"]["name"] != "coaching"
    assert not any(one["granted"] for one in support.get(f"{CARD}/consents").json())


def test_the_card_uses_driving_for_needs_only_while_it_is_agreed_to(people: dict[str, TestClient]) -> None:
    anna, support = people[ANNA], people[SUPPORT]
    unknown = "What they drive, and when, for offers: they have not agreed to it"
    before = support.get(CARD).json()
    assert unknown in before["not_known"]
    say(anna, "personal_offers", True)
    assert unknown not in support.get(CARD).json()["not_known"]
    say(anna, "personal_offers", False)
    assert support.get(CARD).json() == before


def test_to_go_to_somebody_asks_for_its_own_consent(people: dict[str, TestClient]) -> None:
    anna, support = people[ANNA], people[SUPPORT]
    say(anna, "coaching", True)
    refused = make(support, "coaching", channel="letter")
    assert refused.status_code == 422
    assert "not agreed to be written to" in refused.json()["detail"]
    assert make(support, "coaching", channel="pigeon").status_code == 422
    say(anna, "contact", True)
    assert make(support, "coaching", channel="letter").status_code == 201
    (met,) = [
        one for one in support.get(f"/api/v1/policies/{POLICY_OF[ANNA]}/touchpoints").json() if one["kind"] == "offer"
    ]
    assert (met["channel"], met["outbound"]) == ("letter", True)
    say(anna, "contact", False)
    assert "not agreed to be written to" in make(support, "coaching", channel="letter").json()["detail"]


def test_who_needs_care_or_has_a_claim_or_complaint_is_offered_nothing(
    people: dict[str, TestClient], own: World
) -> None:
    anna, support = people[ANNA], people[SUPPORT]
    say(anna, "coaching", True)
    assert support.post(f"{CARD}/care", json={"needs_care": True, "reason": "an illness"}).status_code == 422
    said = {"needs_care": True, "reason": "life_event"}
    assert [support.post(f"{CARD}/care", json=said).json()["kept"] for _ in range(2)] == [True, False]
    assert "they need care" in make(support, "coaching").json()["detail"]
    assert support.get(CARD).json()["needs_care"]
    assert "Something in their life has changed".lower() in support.get(f"/customers/{POLICY_OF[ANNA]}").text
    assert "care_said" in [one["action"] for one in anna.get("/api/v1/access-log").json()]
    assert support.post(f"{CARD}/care", json={"needs_care": False}).json()["kept"]

    keep_claim(own.database, POLICY_OF[ANNA], "C-1", "liability", NOW.date(), NOW)
    assess_claim(own.database, "C-1", Decimal(900), False, NOW)
    assert "a claim is open" in make(support, "coaching").json()["detail"]
    assess_claim(own.database, "C-1", Decimal(1200), True, NOW)
    logged = {"channel": "call", "kind": "complaint"}
    path = f"/api/v1/policies/{POLICY_OF[ANNA]}/touchpoints"
    assert support.post(path, json=logged, headers={"Idempotency-Key": uuid4().hex}).status_code == 201
    assert "a complaint is open" in make(support, "coaching").json()["detail"]
    logged["kind"] = "complaint_closed"
    assert support.post(path, json=logged, headers={"Idempotency-Key": uuid4().hex}).status_code == 201
    assert make(support, "coaching").status_code == 201


def test_no_price_knows_who_needs_care() -> None:
    for path in (Path(pricing.__file__).parent).rglob("*.py"):
        assert "policy.care" not in path.read_text("utf-8"), path
    assert {"needs_care", "care"}.isdisjoint({*Inputs.__annotations__, *Terms.__annotations__})


def test_who_says_no_is_not_asked_again_and_the_answer_is_theirs_alone(people: dict[str, TestClient]) -> None:
    anna, support = people[ANNA], people[SUPPORT]
    say(anna, "coaching", True)
    offer_id = make(support, "coaching").json()["offer_id"]
    path = f"/api/v1/offers/{offer_id}/answer"
    assert people[BEN].post(path, json={"taken": True}).status_code == 404
    assert anna.post(path, json={"taken": False}).status_code == 200
    assert anna.post(path, json={"taken": True}).status_code == 409
    assert [one["state"] for one in anna.get("/api/v1/offers").json()] == ["refused"]
    again = make(support, "coaching")
    assert again.status_code == 422
    assert "said no" in again.json()["detail"]
    kinds = [one["kind"] for one in anna.get(f"/api/v1/policies/{POLICY_OF[ANNA]}/touchpoints").json()]
    assert kinds.count("answer") == 1
    assert kinds.count("offer") == 1


def test_the_privacy_page_says_what_is_agreed_without_script(people: dict[str, TestClient]) -> None:
    anna = people[ANNA]
    page = anna.get("/privacy").text
    assert page.count("not agreed") == 5
    found = {one["purpose"]: one for one in anna.get("/api/v1/consents").json()}
    token = page.split('name="form_token" value="')[1].split('"')[0]
    form = {"granted": "true", "text_hash": found["research"]["text_hash"], "form_token": token}
    assert anna.post("/privacy/consents/research", data=form, follow_redirects=False).status_code == 303
    assert anna.get("/privacy").text.count("not agreed") == 4
    form["form_token"] = "another's"
    assert anna.post("/privacy/consents/research", data=form, follow_redirects=False).status_code == 403


def test_consents_offers_and_meetings_are_in_the_export(people: dict[str, TestClient]) -> None:
    anna = people[ANNA]
    say(anna, "research", True)
    say(anna, "research", False)
    make(people[SUPPORT], "coaching")
    with ZipFile(BytesIO(anna.get("/api/v1/export").content)) as archive:
        texts = {name: archive.read(name).decode() for name in ("consents.json", "offers.json", "meetings.json")}
    assert texts["consents.json"].count('"research"') == 2


def test_silence_is_an_answer_after_a_month() -> None:
    offer = Offer(uuid4(), "coaching", "words", [], NOW, None, None)
    assert offer.state(NOW + timedelta(days=29)) == "open"
    assert offer.state(NOW + timedelta(days=31)) == "silent"
