"""Changing a policy and contesting a trip over HTTP: who may, once by its key, and what each side is shown."""

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import numpy as np
import pytest
from fastapi.testclient import TestClient

from api.app import create_api
from api.contest_view import HIDDEN_M, trimmed
from pricing.close import post_adjustments
from pricing.plan import parse_plan
from pricing.policies import PolicyDocument, add_policy, packaged_plan, publish
from scoring.geodesy import haversine_m
from scoring.store import fetch_track
from tests.api.conftest import copied, sign_in
from tests.api.unmarked import english_in
from tests.api.world import ANNA, BEN, DESK, NOW, POLICY_OF, World, policy_document

POLICY = f"/api/v1/policies/{POLICY_OF[ANNA]}"


@pytest.fixture
def own_world(world: World, server_dsn: str) -> Iterator[World]:
    """A copy of the small book that may be written to."""
    with copied(world, server_dsn) as copy:
        yield copy


def visitor(world: World, email: str) -> TestClient:
    client = TestClient(create_api(world.database, world.roads, lambda: NOW), base_url="http://127.0.0.1")
    assert sign_in(client, email) == 303
    return client


def key(text: str = "a-key") -> dict[str, str]:
    return {"Idempotency-Key": f"test-key-{text}"}


def total(client: TestClient) -> Decimal:
    return Decimal(client.get(f"{POLICY}/statements/2026-10").json()["total"])


def test_a_policyholder_changes_what_is_to_come_and_an_underwriter_what_was(own_world: World) -> None:
    anna, desk = visitor(own_world, ANNA), visitor(own_world, DESK)
    before = total(anna)
    flat = {"effective_on": "2026-11-16", "pay_plan": "flat"}
    first = anna.post(f"{POLICY}/endorsements", json=flat, headers=key())
    again = anna.post(f"{POLICY}/endorsements", json=flat, headers=key())
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["sequence"] == again.json()["sequence"] == 1
    other = anna.post(f"{POLICY}/endorsements", json=flat | {"effective_on": "2026-11-17"}, headers=key())
    assert (other.status_code, other.json()["title"]) == (409, "Not as things stand")
    assert anna.post(f"{POLICY}/endorsements", json=flat | {"reason": "other"}, headers=key()).status_code == 409
    past = {"effective_on": "2026-10-16", "factors": {"territory": "rural"}}
    refused = anna.post(f"{POLICY}/endorsements", json=past, headers=key("past"))
    assert (refused.status_code, "only an underwriter" in refused.json()["detail"]) == (422, True)
    (adjustment,) = desk.post(f"{POLICY}/endorsements", json=past, headers=key("past")).json()["adjustments"]
    assert Decimal(adjustment["amount"]) < 0
    assert total(anna) == before + Decimal(adjustment["amount"])
    page = anna.get(f"/policies/{POLICY_OF[ANNA]}/statements/2026-10").text
    assert "16 October 2026 to 31 October 2026: 16 days" in page
    assert [change["kind"] for change in anna.get(f"{POLICY}/changes").json()] == ["bind", "endorse", "endorse"]
    wrong = anna.post(
        f"{POLICY}/endorsements", json={"effective_on": "2026-11-20", "covers": ["ufo"]}, headers=key("w")
    )
    assert (wrong.status_code, wrong.json()["field"]) == (422, "covers")
    renewal = {"starts_on": "2027-01-01", "ends_on": "2028-01-01"}
    assert anna.post(f"{POLICY}/renewals", json=renewal, headers=key("r")).status_code == 201
    early = renewal | {"starts_on": "2026-12-01"}
    assert "overlaps" in anna.post(f"{POLICY}/renewals", json=early, headers=key("early")).json()["detail"]
    assert anna.post(f"{POLICY}/cancellation", json={"ends_on": "2026-12-01"}, headers=key("c")).status_code == 201
    assert anna.get(POLICY).json()["ends_on"] == "2026-12-01"


def test_pages_hold_while_a_renewal_by_another_version_with_another_pay_plan_waits(own_world: World) -> None:
    """Its terms are shown and priced by its plan, months that were driven are scored by theirs."""
    database = own_world.database
    content = packaged_plan().content.replace('version = "1"', 'version = "2"')
    content = content.replace("effective_from = 2019-01-01", "effective_from = 2027-01-01")
    second = parse_plan(content.replace("pay_plans.autograph]", "pay_plans.by_road]"), "second")
    with database.role("owner") as conn:
        publish(conn, second, NOW)
    anna, desk = visitor(own_world, ANNA), visitor(own_world, DESK)
    renewal = {"starts_on": "2027-01-01", "ends_on": "2028-01-01"}
    refused = anna.post(f"{POLICY}/renewals", json=renewal, headers=key("no"))
    assert (refused.status_code, refused.json()["field"]) == (422, "pay_plan")
    agreed = anna.post(f"{POLICY}/renewals", json=renewal | {"pay_plan": "by_road"}, headers=key("yes"))
    assert agreed.json()["plan_hash"] == second.plan_hash
    trip = anna.get(f"{POLICY}/trips").json()[0]["trip_id"]
    own = [
        f"/policies/{POLICY_OF[ANNA]}/{page}" for page in ("score", "what-if", "menu", "trips", "statements/2026-10")
    ]
    asked = [f"{POLICY}{one}" for one in ("", "/score", "/what-if", "/menu?period=2026-10", "/statements", "/changes")]
    for path in ("/home", "/privacy", f"/trips/{trip}", *own, *asked):
        assert anna.get(path).status_code == 200, path
    for path in (f"/book/{POLICY_OF[ANNA]}", "/book", f"/api/v1/book/{POLICY_OF[ANNA]}/statements"):
        assert desk.get(path).status_code == 200, path
    assert anna.get(f"{POLICY}/score").json()["score"]["model"] == packaged_plan().score_model.version


def test_a_policy_of_a_plan_without_a_menu_is_shown_no_way_to_one(own_world: World) -> None:
    anna = visitor(own_world, ANNA)
    pages = ("/home", f"/policies/{POLICY_OF[ANNA]}/score", "/privacy")
    assert all(f"/policies/{POLICY_OF[ANNA]}/menu" in anna.get(page).text for page in pages)
    plain = parse_plan(packaged_plan().content.replace("wayrate-2026", "plain-2026"), "plain")
    with own_world.database.role("owner") as conn:
        publish(conn, plain, NOW)
    bound = dict(policy_document(ANNA, "car-none").fields) | {"policy": "T-9", "plan": plain.name, "devices": []}
    add_policy(own_world.database, PolicyDocument("plain.toml", bound), NOW)
    for page in ("/home?policy=T-9", "/policies/T-9/score", "/privacy"):
        found = anna.get(page)
        assert (found.status_code, "/policies/T-9/menu" in found.text) == (200, False), page
    assert anna.get("/policies/T-9/menu").status_code == 404


def test_whose_policy_it_is_not_finds_none_and_a_request_without_a_key_is_refused(own_world: World) -> None:
    ben = visitor(own_world, BEN)
    bodies: dict[str, dict[str, object]] = {
        "endorsements": {"effective_on": "2026-11-16", "pay_plan": "flat"},
        "cancellation": {"ends_on": "2026-12-01"},
        "renewals": {"starts_on": "2027-01-01", "ends_on": "2028-01-01"},
    }
    for what, body in bodies.items():
        assert ben.post(f"{POLICY}/{what}", json=body, headers=key(what)).status_code == 404
        assert ben.post(f"/api/v1/policies/none/{what}", json=body, headers=key(what)).status_code == 404
        assert ben.post(f"{POLICY}/{what}", json=body).status_code == 422
    assert ben.get(f"{POLICY}/changes").status_code == 404
    with own_world.database.role("policy") as conn:
        assert conn.execute("select count(*) from policy.policy_change").fetchone() == (2,)


def test_a_policyholder_binds_in_the_own_name_only(own_world: World) -> None:
    ben = visitor(own_world, BEN)
    wanted = {
        "name": "Anna Example", "email": ANNA, "starts_on": "2026-12-01", "ends_on": "2027-12-01", "pay_plan": "flat",
        "covers": ["liability"], "declared_km_per_year": 8000, "time_zone": "Europe/Helsinki", "devices": ["car-anna"],
        "factors": {"vehicle_class": "suv", "territory": "rural", "driver_age": 44},
    }  # fmt: skip
    bound = ben.post("/api/v1/bindings", json=wanted, headers=key())
    again = ben.post("/api/v1/bindings", json=wanted, headers=key())
    assert (bound.status_code, again.status_code) == (201, 200)
    assert bound.json()["policy"] == again.json()["policy"]
    assert {policy["policy"] for policy in ben.get("/api/v1/policies").json()} == {"T-1002", bound.json()["policy"]}
    numbered = ben.post("/api/v1/bindings", json=wanted | {"policy": POLICY_OF[ANNA]}, headers=key("numbered"))
    assert (numbered.status_code, numbered.json()["policy"][:2]) == (201, "W-")  # no word of who has that number
    assert ben.get("/home").text.count(POLICY_OF[BEN]) > 3, "the policy in force is shown, not one that is to come"
    late = wanted | {"starts_on": "2026-10-01"}
    assert ben.post("/api/v1/bindings", json=late, headers=key("late")).status_code == 422
    record = {"insured_since": "2020-01-01", "claims": [{"occurred_on": "2024-05-02", "at_fault_percent": 100}]}
    asked = ben.post("/api/v1/bindings", json=wanted | {"claims_record": record}, headers=key("record"))
    assert (asked.status_code, asked.json()["field"]) == (422, "claims_record")  # this plan does not read it
    term = {"starts_on": "2027-12-01", "ends_on": "2028-12-01", "claims_record": record}
    renewals = f"/api/v1/policies/{bound.json()['policy']}/renewals"
    asked = ben.post(renewals, json=term, headers=key("renewal"))
    assert (asked.status_code, asked.json()["field"]) == (422, "claims_record")
    assert ben.post(renewals, json=term | {"claims_record": None}, headers=key("renewed")).status_code == 201
    with own_world.database.role("link") as conn:
        assert conn.execute("select count(*) from link.assignment").fetchone() == (2,)


def contested(anna: TestClient) -> tuple[str, int]:
    """A posted trip of Anna's and the number of one of its hard brakes."""
    for trip in reversed(anna.get(f"{POLICY}/trips").json()):
        events = anna.get(f"/api/v1/trips/{trip['trip_id']}/events").json()
        brakes = [event["number"] for event in events if event["kind"] == "hard_brake"]
        if brakes and trip["started_at"] < "2026-11":
            return trip["trip_id"], brakes[0]
    raise AssertionError("no hard brake in the small book")


def test_a_contest_from_the_trips_page_to_the_credit(own_world: World) -> None:
    anna, desk, ben = (visitor(own_world, email) for email in (ANNA, DESK, BEN))
    trip_id, number = contested(anna)
    before = anna.get(f"/api/v1/trips/{trip_id}").json()
    page = anna.get(f"/trips/{trip_id}").text
    form = dict(re.findall(r'<input type="hidden" name="(form_token|key)" value="([^"]+)"', page)[-2:])
    form |= {"event": str(number), "reason": "emergency", "words": "A <deer>.", "show_way": "true"}
    address = f"/trips/{trip_id}/contests"
    assert anna.post(address, data=form | {"form_token": "x"}).status_code == 403
    for _ in range(2):  # a second click
        assert anna.post(address, data=form, follow_redirects=False).status_code == 303
    (raised,) = anna.get("/api/v1/contests").json()
    assert (raised["event_kind"], raised["upheld"], raised["evidence_seen_at"]) == ("hard_brake", None, None)
    queued = f"/api/v1/contest-queue/{raised['contest_id']}"
    decision = {"upheld": True, "words": "Seen on the chart."}
    assert desk.post(f"{queued}/decision", json=decision).status_code == 409  # nobody decides blindly

    assert raised["contest_id"] in desk.get("/contests").text
    other = f"/contests?state=any&reason=emergency&policy={POLICY_OF[BEN]}"
    assert "Nothing matches" in desk.get(other).text
    shown = desk.get(f"/contests/{raised['contest_id']}").text
    german = desk.get(f"/contests/{raised['contest_id']}", headers={"accept-language": "de"}).text
    assert english_in(german) == []
    assert "A &lt;deer&gt;." in shown
    assert '<span class="tag uncertified">contested</span>' in shown
    evidence = desk.get(queued).json()
    assert evidence["track"]["features"]
    assert not {"latitude_deg", "longitude_deg"} & set(evidence["events"][0])
    assert "An underwriter looked at the evidence" in anna.get(f"/trips/{trip_id}").text

    assert desk.post(f"{queued}/decision", json=decision).json()["upheld"] is True
    assert desk.post(f"{queued}/decision", json=decision | {"upheld": False}).status_code == 409
    assert raised["contest_id"] not in desk.get("/contests").text
    rows = desk.get(f"/contests.csv?state=upheld&policy={POLICY_OF[ANNA]}&sort=-decided").text.splitlines()
    assert [row.split(",")[0] for row in rows] == ["contest", raised["contest_id"]]
    assert "A <deer>" not in rows[1]
    assert desk.get(queued).json()["track"] is None  # decided: the way is shown no longer
    assert "the next adjustment says so" in anna.get(f"/trips/{trip_id}").text
    after = anna.get(f"/api/v1/trips/{trip_id}").json()
    per_100_km = "hard_brakes_per_100km"
    assert after["features"][per_100_km] < before["features"][per_100_km]
    assert after["score"]["value"] > before["score"]["value"]

    for who, status in ((ben, 404), (desk, 403)):
        assert who.get(f"/api/v1/contests/{raised['contest_id']}").status_code == status
        body = {"reason": "other", "words": "x"}
        assert who.post(f"/api/v1{address}", json=body, headers=key()).status_code == status
    assert anna.get(queued).status_code == 403
    assert desk.get(f"/api/v1/contest-queue/{uuid4()}").status_code == 404
    assert desk.get(f"/contests/{uuid4()}").status_code == 404


def test_a_contest_without_consent_shows_no_way_and_an_unknown_event_is_none(own_world: World) -> None:
    anna, desk = visitor(own_world, ANNA), visitor(own_world, DESK)
    trip_id, number = contested(anna)
    body = {"reason": "not_my_car", "words": "Lent."}
    assert anna.post(f"/api/v1/trips/{trip_id}/contests", json=body | {"event": 99}, headers=key()).status_code == 404
    bad = anna.post(f"/api/v1/trips/{trip_id}/contests", json=body | {"reason": "bored"}, headers=key())
    assert (bad.status_code, bad.json()["field"]) == (422, "reason")
    raised = anna.post(f"/api/v1/trips/{trip_id}/contests", json=body, headers=key()).json()
    for changed in ({"show_way": True}, {"words": "Other words."}, {"event": number}):
        again = anna.post(f"/api/v1/trips/{trip_id}/contests", json=body | changed, headers=key())
        assert again.status_code in (404, 409), changed  # no answer of success to what is not done
    assert desk.get(f"/api/v1/contest-queue/{raised['contest_id']}").json()["track"] is None
    assert "did not let the way be shown" in desk.get(f"/contests/{raised['contest_id']}").text
    desk.post(f"/api/v1/contest-queue/{raised['contest_id']}/decision", json={"upheld": True, "words": "Fine."})
    posted = [one for one in post_adjustments(own_world.database, NOW + timedelta(hours=1)) if one.period == "2026-10"]
    (kept,) = anna.get("/api/v1/contests").json()
    assert [credit["amount"] for credit in kept["credits"]] == [str(posting.amount) for posting in posted]
    assert posted[0].amount < 0
    assert "Adjusted: −€" in anna.get(f"/trips/{trip_id}").text
    assert anna.get(f"/api/v1/trips/{trip_id}").json()["excluded"] == "contested"
    assert "its contest was upheld" in anna.get(f"/trips/{trip_id}").text


def test_the_way_shown_as_evidence_keeps_300_m_from_both_ends(world: World) -> None:
    with world.database.role("telemetry") as conn:
        ids = [row[0] for row in conn.execute("select trip_id from telemetry.trip_path").fetchall()]
        tracks = [fetch_track(conn, trip_id) for trip_id in ids]  # type: ignore[arg-type]
    checked = 0
    for track in filter(None, tracks):
        way = trimmed(track)
        assert way is not None
        for end in (0, -1):
            latitude, longitude = track.latitude_deg[end], track.longitude_deg[end]
            placed = np.isfinite(way.latitude_deg)
            there = np.full(placed.sum(), latitude), np.full(placed.sum(), longitude)
            assert haversine_m(way.latitude_deg[placed], way.longitude_deg[placed], *there).min() > HIDDEN_M
        checked += 1
    assert checked >= 6
