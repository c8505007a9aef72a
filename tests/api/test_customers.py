"""Touchpoints, households and the customer card, over HTTP on the small real book."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from api.accounts import add_account
from api.app import create_api
from pricing.policies import PolicyDocument, add_policy
from storage.audit import entries
from tests.api.conftest import copied, sign_in
from tests.api.world import ANNA, BEN, NOW, PASSWORD, POLICY_OF, World, policy_document

SUPPORT, ACTUARY = "phone@example.org", "count@example.org"
ANNAS = f"/api/v1/policies/{POLICY_OF[ANNA]}/touchpoints"


@pytest.fixture(scope="module")
def own_world(world: World, server_dsn: str) -> Iterator[World]:
    with copied(world, server_dsn) as own:
        with own.database.role("policy") as conn:
            add_account(conn, SUPPORT, PASSWORD, "support", created_at=NOW)
            add_account(conn, ACTUARY, PASSWORD, "actuary", created_at=NOW)
        yield own


@pytest.fixture
def client(own_world: World) -> Iterator[TestClient]:
    app = create_api(own_world.database, own_world.roads, lambda: NOW)
    with TestClient(app, base_url="http://127.0.0.1") as opened:
        yield opened


def post(client: TestClient, path: str, key: str | None = None, **wanted: object) -> int:
    headers = {"Idempotency-Key": key or uuid4().hex}
    return client.post(path, json=wanted, headers=headers).status_code


def test_our_pages_log_a_visit_once_a_day_and_the_person_sees_it(client: TestClient) -> None:
    sign_in(client, ANNA)
    client.get("/home")
    client.get("/home")
    client.get(f"/policies/{POLICY_OF[ANNA]}/menu")
    kinds = [one["kind"] for one in client.get(ANNAS).json()]
    assert kinds.count("visit") == 1
    assert kinds.count("quote") == 1


def test_a_person_logs_a_question_but_neither_our_work_nor_for_others(client: TestClient) -> None:
    sign_in(client, BEN)
    bens = f"/api/v1/policies/{POLICY_OF[BEN]}/touchpoints"
    assert post(client, bens, "a-fresh-key", channel="app", kind="question", words="Why?") == 201
    assert post(client, bens, "a-fresh-key", channel="app", kind="question", words="Why?") == 201  # once
    assert [one["words"] for one in client.get(bens).json()].count("Why?") == 1
    assert post(client, bens, "a-fresh-key", channel="app", kind="question", words="Else?") == 409
    assert post(client, bens, channel="app", kind="offer") == 403
    assert post(client, bens, channel="app", kind="question", minutes="3") == 403
    assert post(client, ANNAS, channel="app", kind="question") == 404
    assert client.get(ANNAS).status_code == 404


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"channel": "pigeon", "kind": "question"}, 422),
        ({"channel": "call", "kind": "gossip"}, 422),
        ({"channel": "call", "kind": "help", "minutes": "-1"}, 422),
        ({"channel": "call", "kind": "help", "minutes": "NaN"}, 422),
        ({"channel": "call", "kind": "help", "words": "x" * 2001}, 422),
        ({"channel": "call", "kind": "help", "place": "60.1"}, 422),
    ],
)
def test_what_is_no_touchpoint_is_refused_with_its_field(
    client: TestClient, wanted: dict[str, object], status: int
) -> None:
    sign_in(client, SUPPORT)
    assert post(client, ANNAS, **wanted) == status


def test_the_card_explains_the_premium_and_says_what_is_owed_first(client: TestClient) -> None:
    sign_in(client, SUPPORT)
    card = client.get(f"/api/v1/customers/{POLICY_OF[ANNA]}").json()
    assert card["policies"][0]["policy"] == POLICY_OF[ANNA]
    assert [one["period"] for one in card["scores"]] == ["2026-10"]
    assert card["premium"] is None  # one month is nothing to compare
    assert card["next_step"]["name"] == "nothing"
    assert post(client, ANNAS, channel="call", kind="complaint", minutes="7.5", words="Too dear") == 201
    card = client.get(f"/api/v1/customers/{ANNA}").json()  # by e-mail address too
    assert card["next_step"]["name"] == "complaint"
    assert float(card["served_cost"]) >= 0.30 + 7.5 * 0.80
    page = client.get(f"/customers/{POLICY_OF[ANNA]}").text
    assert "Deal with the complaint first" in page
    assert post(client, ANNAS, channel="call", kind="complaint_closed") == 201


def test_the_share_of_a_household_is_held_against_its_own_words(client: TestClient) -> None:
    sign_in(client, SUPPORT)
    card = client.get(f"/api/v1/customers/{POLICY_OF[ANNA]}").json()
    assert card["share"] is None
    assert any("nobody asked" in text for text in card["not_known"])
    said = {"vehicles": 3, "km_per_year": 36000, "covers": ["liability", "collision", "glass", "legal"]}
    path = f"/api/v1/customers/{POLICY_OF[ANNA]}/household"
    assert post(client, path, **said, member=BEN, relation="partner") == 201
    assert post(client, path, **said, member="nobody@example.org") == 404
    card = client.get(f"/api/v1/customers/{POLICY_OF[ANNA]}").json()
    assert {one["relation"] for one in card["household"]} == {"policyholder", "partner"}
    assert card["share"]["vehicles"] == pytest.approx(2 / 3)
    assert card["share"]["km"] == pytest.approx(0.5)
    assert card["share"]["covers"] == pytest.approx(0.5)
    assert card["share"]["missing_vehicles"] == 1
    assert float(card["share"]["worth_per_year"]) > 0


def test_customers_are_found_by_their_exact_name_for_us_and_not_browsed(client: TestClient) -> None:
    sign_in(client, SUPPORT)
    assert client.get("/customers", params={"find": BEN}, follow_redirects=False).status_code == 303
    for text in ("ben", "T-100", "%", "nobody@example.org"):
        assert client.get("/customers", params={"find": text}).status_code == 404
    assert "Who is on the phone" in client.get("/customers").text


def test_no_trip_time_or_place_stands_on_a_card(client: TestClient) -> None:
    sign_in(client, SUPPORT)
    text = client.get(f"/api/v1/customers/{POLICY_OF[ANNA]}").text + client.get(f"/customers/{POLICY_OF[ANNA]}").text
    for word in ("latitude", "longitude", "trip_id", "started_at", "60.1", "24.9"):
        assert word not in text


def test_who_opens_a_card_is_noted_and_the_person_sees_it(client: TestClient) -> None:
    sign_in(client, SUPPORT)
    client.get(f"/customers/{POLICY_OF[BEN]}")
    client.get(f"/api/v1/policies/{POLICY_OF[BEN]}/touchpoints")
    sign_in(client, BEN)
    seen = client.get("/api/v1/access-log").json()
    assert [(one["role"], one["action"]) for one in seen][:1] == [("support", "card_opened")]
    assert "Your customer card" in client.get("/privacy").text
    assert SUPPORT not in client.get("/privacy").text  # as what somebody looked, not who
    sign_in(client, ANNA)
    assert all(one["action"] != "consents_read" for one in client.get("/api/v1/access-log").json())


def test_actuaries_see_costs_of_groups_of_five_at_least(client: TestClient, own_world: World) -> None:
    sign_in(client, ACTUARY)
    assert client.get("/api/v1/touchpoint-costs").json() == []  # two people are no group
    with own_world.database.role("policy") as conn:
        for number in range(5):
            person, account = uuid4(), uuid4()
            conn.execute("insert into policy.person values (%s, %s, null)", (person, f"Person {number}"))
            conn.execute(
                "insert into policy.touchpoint (person_key, channel, kind, outbound, occurred_at, minutes, made_by,"
                " idempotency_key) values (%s, 'letter', 'coaching', true, %s, 2, %s, 'one')",
                (person, NOW - timedelta(days=3), account),
            )
    (row,) = [one for one in client.get("/api/v1/touchpoint-costs").json() if one["kind"] == "coaching"]
    assert (row["people"], float(row["cost"])) == (5, pytest.approx(5 * (1.60 + 2 * 0.80)))


def test_support_ends_the_stolen_device_of_whoever_is_on_the_phone(client: TestClient, own_world: World) -> None:
    sign_in(client, SUPPORT)
    card = client.get(f"/customers/{POLICY_OF[BEN]}").text
    (end,) = re.findall(r'action="(/customers/[^"]+/devices/[^"]+/end)"', card)
    device = end.split("/")[-2]
    token = card.split('name="form_token" value="')[1].split('"')[0]
    of_anna = end.replace(POLICY_OF[BEN], POLICY_OF[ANNA])
    assert client.post(end, data={"form_token": "made-up"}).status_code == 403
    assert client.post(of_anna, data={"form_token": token}).status_code == 404
    ended = client.post(end, data={"form_token": token})
    assert (ended.status_code, device in ended.text) == (200, False)
    assert client.post(end, data={"form_token": token}).status_code == 404
    with own_world.database.role("telemetry") as conn:
        held = conn.execute("select revoked_at from telemetry.device where device_id = %s", (device,)).fetchone()
    with own_world.database.role("policy") as conn:
        assert [one.action for one in entries(conn)].count("device_ended") == 1
    assert held == (NOW,)


def test_the_card_opens_with_the_policy_in_force_not_one_that_is_to_come(world: World, server_dsn: str) -> None:
    with copied(world, server_dsn) as own:
        with own.database.role("policy") as conn:
            add_account(conn, SUPPORT, PASSWORD, "support", created_at=NOW)
        client = TestClient(create_api(own.database, own.roads, lambda: NOW), base_url="http://127.0.0.1")
        sign_in(client, SUPPORT)
        path = f"/api/v1/customers/{POLICY_OF[ANNA]}"
        before = client.get(path).json()
        later = {**policy_document(ANNA, "car-anna").fields, "policy": "T-2001", "devices": []}
        later |= {"starts_on": date(2027, 1, 1), "ends_on": date(2028, 1, 1)}
        add_policy(own.database, PolicyDocument("later", later), NOW)
        after = client.get(path).json()
        assert [one["policy"] for one in after["policies"]] == [POLICY_OF[ANNA], "T-2001"]
        assert after["scores"] == before["scores"] != []
