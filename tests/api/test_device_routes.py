"""Who may enrol, rotate and revoke devices over the API, and who reads security events."""

from collections.abc import Iterator
from datetime import date, timedelta
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient

from api.accounts import add_account
from api.app import create_api
from ingest.devices import authenticate
from ingest.enrolment import Guesses, make_code, redeem
from ingest.security import SecurityEvent, record
from pricing.policies import PolicyDocument, add_policy
from storage.audit import entries
from storage.pool import Database
from tests.api.conftest import begin_session, sign_in
from tests.api.world import ANNA, BEN, NOW, PASSWORD, policy_document

ROLES = ("admin", "support", "underwriter", "policyholder")


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    with database.role("policy") as conn:
        for role in ROLES:
            add_account(conn, f"{role}@example.org", PASSWORD, role, created_at=NOW)
    with TestClient(create_api(database, None, lambda: NOW), base_url="http://127.0.0.1") as opened:
        yield opened


def once(key: str = "") -> dict[str, str]:
    return {"Idempotency-Key": key or uuid4().hex}


def test_an_administrator_enrols_rotates_and_revokes(client: TestClient, database: Database) -> None:
    sign_in(client, "admin@example.org")
    made = client.post("/api/v1/devices/car-7/code", headers=once())
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    first = redeem(database, made.json()["code"], NOW, address="192.0.2.1", guesses=Guesses())
    second = client.post("/api/v1/devices/car-7/rotate", headers=once()).json()["token"]

    def good(token: str) -> bool:
        with database.role("telemetry") as conn:
            return authenticate(conn, token, NOW) is not None

    assert (first.device_id, good(first.token), good(second)) == ("car-7", True, True)
    assert client.post("/api/v1/devices/car-7/revoke").status_code == 204
    assert (good(first.token), good(second)) == (False, False)
    assert client.post("/api/v1/devices/car-7/revoke").status_code == 404
    assert client.post("/api/v1/devices/nobody/rotate", headers=once()).status_code == 404
    for unfit in ("imei-356307042441014", "Car 7"):
        assert client.post(f"/api/v1/devices/{unfit}/code", headers=once()).status_code == 422
    record(database, SecurityEvent.WRONG_CODE, NOW, channel="http")
    assert [event["kind"] for event in client.get("/api/v1/security-events").json()] == ["wrong_code"]


def test_support_may_end_a_device_and_nobody_else_anything(client: TestClient) -> None:
    sign_in(client, "admin@example.org")
    client.post("/api/v1/devices/car-7/code", headers=once())
    seen = {}
    for role in ("", *ROLES[1:]):
        client.cookies.clear()
        if role:
            sign_in(client, f"{role}@example.org")
        seen[role] = [
            client.post("/api/v1/devices/car-7/code", headers=once()).status_code,
            client.post("/api/v1/devices/car-7/rotate", headers=once()).status_code,
            client.get("/api/v1/security-events").status_code,
            client.post("/api/v1/devices/car-7/revoke").status_code,
        ]
    assert seen == {
        "": [401] * 4,
        "support": [403, 403, 403, 204],
        "underwriter": [403] * 4,
        "policyholder": [403] * 4,
    }


def test_a_code_or_token_is_made_once_for_its_key(client: TestClient, database: Database) -> None:
    sign_in(client, "admin@example.org")
    assert client.post("/api/v1/devices/car-7/code").json()["field"] == "Idempotency-Key"
    made = client.post("/api/v1/devices/car-7/code", headers=once("one-request"))
    again = client.post("/api/v1/devices/car-7/code", headers=once("one-request"))
    assert (made.status_code, again.status_code) == (201, 200)
    assert again.json() == made.json() | {"code": None}
    redeem(database, made.json()["code"], NOW, address="192.0.2.1", guesses=Guesses())  # was not withdrawn
    for path in ("car-7/rotate", "car-8/code", "car-7/code?tier=claim"):
        other = client.post(f"/api/v1/devices/{path}", headers=once("one-request"))
        assert (other.status_code, other.json()["title"]) == (409, "Not as things stand"), path
    first, second = (client.post("/api/v1/devices/car-7/rotate", headers=once("another-request")) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json() == first.json() | {"token": None}
    with database.role("telemetry") as conn:
        assert conn.execute("select count(*) from telemetry.credential").fetchone() == (2,)
        assert conn.execute("select count(*) from telemetry.device").fetchone() == (1,)
    with database.role("policy") as conn:
        acts = [one.action for one in entries(conn)]
    assert (acts.count("device_code_made"), acts.count("device_rotated")) == (1, 1)


def test_a_policyholder_links_a_device_by_its_code(client: TestClient, database: Database) -> None:
    for email, policy in ((ANNA, "T-1"), (BEN, "T-2")):
        bound = policy_document(email, "none")
        add_policy(database, PolicyDocument("test", {**bound.fields, "policy": policy, "devices": []}), NOW)
        with database.role("policy") as conn:
            add_account(conn, email, PASSWORD, "policyholder", created_at=NOW)
    with database.role("telemetry") as conn:
        code = make_code(conn, "car-7", NOW).text
    sign_in(client, ANNA)
    assert client.post("/api/v1/policies/T-2/devices", json={"code": code}).status_code == 404
    linked, again = (client.post("/api/v1/policies/T-1/devices", json={"code": code.lower()}) for _ in range(2))
    assert (linked.status_code, again.status_code) == (201, 200)
    assert linked.json() == again.json() == {"policy": "T-1", "device": "car-7"}
    redeem(database, code, NOW, address="192.0.2.1", guesses=Guesses())  # the device's own use of it is left
    with database.role("link") as conn:
        assert conn.execute("select from_time from link.assignment").fetchall() == [(NOW,)]
    with database.role("policy") as conn:
        assert [one.action for one in entries(conn)].count("device_linked") == 1
    sign_in(client, BEN)
    taken = client.post("/api/v1/policies/T-2/devices", json={"code": code})
    assert (taken.status_code, "T-1" in taken.text) == (409, False)
    assert client.get("/api/v1/policies/T-1/devices").status_code == 404
    assert client.delete("/api/v1/policies/T-1/devices/car-7").status_code == 404
    assert client.delete("/api/v1/policies/T-2/devices/car-7").status_code == 404
    sign_in(client, ANNA)
    shown = client.get("/policies/T-1/devices").text
    token = shown.split('name="form_token" value="')[1].split('"')[0]
    assert ("car-7" in shown, "never heard yet" in shown) == (True, True)
    end = "/policies/T-1/devices/car-7/end"
    assert client.post(end, data={"form_token": "x"}).status_code == 403
    ended = [client.post(end, data={"form_token": token}, follow_redirects=False).status_code for _ in range(2)]
    assert ended == [303, 404]  # it lasted no time: no link is left
    assert client.delete("/api/v1/policies/T-1/devices/car-8").status_code == 404
    with database.role("policy") as conn:
        assert [one.action for one in entries(conn)].count("device_unlinked") == 1
    sign_in(client, BEN)
    assert client.post("/api/v1/policies/T-2/devices", json={"code": code}).status_code == 201  # it is free again
    got = [client.post("/api/v1/policies/T-2/devices", json={"code": "0000-0000-0000"}) for _ in range(6)]
    assert [one.status_code for one in got] == [422] * 5 + [429]
    assert (got[0].json()["field"], "retry-after" in got[5].headers) == ("code", True)


def test_no_device_is_linked_to_a_policy_that_is_over_or_by_a_code_that_has_expired(
    client: TestClient, database: Database
) -> None:
    fields = policy_document(ANNA, "none").fields | {"devices": []}
    over = {"policy": "T-0", "starts_on": date(2025, 1, 1), "ends_on": date(2026, 1, 1)}
    for terms in ({}, over):
        add_policy(database, PolicyDocument("test", {**fields, **terms}), NOW)
    with database.role("policy") as conn:
        add_account(conn, ANNA, PASSWORD, "policyholder", created_at=NOW)
    with database.role("telemetry") as conn:
        code, old = make_code(conn, "car-7", NOW).text, make_code(conn, "car-8", NOW - timedelta(days=2)).text
    sign_in(client, ANNA)
    assert client.post("/api/v1/policies/T-0/devices", json={"code": code}).json()["title"] == "The policy is over"
    spent = client.post("/api/v1/policies/T-1001/devices", json={"code": old})
    assert (spent.status_code, "has expired" in spent.json()["detail"]) == (422, True)
    token = begin_session(client, database, "desk@example.org", "admin")
    assert client.post("/api/v1/devices/car-7/revoke").status_code == 204
    for policy, words in (("T-0", "Renew it first"), ("T-1001", "Enrol it under another id")):
        refused = client.post("/devices/car-7/assignment", data={"policy": policy, "form_token": token})
        assert (refused.status_code, words in refused.text) == (409, True)
    with database.role("link") as conn:
        assert conn.execute("select from link.assignment").fetchall() == []
