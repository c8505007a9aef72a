"""Who may look into quarantine, what of it, and replay it."""

import json

import pytest
from fastapi.testclient import TestClient

from api.accounts import add_account
from storage.pool import Database
from tests.api.conftest import sign_in
from tests.api.world import NOW, PASSWORD

ROLES = ("admin", "underwriter", "actuary", "support", "privacy_officer", "policyholder", "driver")
CANARIES = ("177771", "933331", "177772", "933332")


@pytest.fixture
def client(client_of_quarantine: TestClient, database: Database) -> TestClient:
    with database.role("policy") as conn:
        for role in ROLES:
            add_account(conn, f"{role}@example.org", PASSWORD, role, created_at=NOW)
    return client_of_quarantine


def test_only_administrators_look_and_replay_and_underwriters_count(client: TestClient) -> None:
    seen: dict[str, list[int]] = {}
    for role in ("", *ROLES):
        client.cookies.clear()
        if role:
            assert sign_in(client, f"{role}@example.org") == 303
        seen[role] = [
            client.get("/api/v1/quarantine/counts").status_code,
            client.get("/api/v1/quarantine").status_code,
            client.get("/api/v1/quarantine/1").status_code,
            client.post("/api/v1/quarantine/replay", json={"ids": []}).status_code,
        ]
    assert seen == dict.fromkeys(ROLES, [403] * 4) | {
        "": [401] * 4,
        "admin": [200] * 4,
        "underwriter": [200, 403, 403, 403],
    }


def test_nothing_of_a_place_is_in_any_answer(client: TestClient) -> None:
    sign_in(client, "admin@example.org")
    listed = client.get("/api/v1/quarantine").json()
    assert [(one["reason"], one["record_index"], one["device_id"]) for one in listed] == [
        ("type", 1, "car-1"),
        ("range", 0, "car-1"),
        ("trailing", None, "car-1"),
    ]
    answers = [client.get(f"/api/v1/quarantine/{one['quarantine_id']}") for one in listed]
    texts = [client.get("/api/v1/quarantine/counts").text, json.dumps(listed), *(answer.text for answer in answers)]
    assert not [canary for canary in CANARIES for text in texts if canary in text]
    assert '"latitude_deg": "##.######"' in answers[0].json()["content"]
    assert answers[2].json()["content"].startswith("00000000")
    assert len(answers[2].json()["content"]) == 22


def test_a_replay_over_the_api(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(client, "admin@example.org")
    assert client.post("/api/v1/quarantine/replay", json={}).status_code == 422
    assert client.post("/api/v1/quarantine/replay", json={"ids": [999]}).status_code == 404
    monkeypatch.setattr("ingest.validate.MAX_SPEED_MPS", 200.0)
    first = client.post("/api/v1/quarantine/replay", json={"reason": "range"}).json()
    assert [(one["outcome"], one["stored"]) for one in first] == [("stored", 1)]
    ids = [first[0]["quarantine_id"]]
    again = client.post("/api/v1/quarantine/replay", json={"ids": ids}).json()
    assert [one["outcome"] for one in again] == ["replayed_before"]
    counts = {
        one["reason"]: (one["waiting"], one["replayed"]) for one in client.get("/api/v1/quarantine/counts").json()
    }
    assert counts == {"range": (0, 1), "type": (1, 0), "trailing": (1, 0)}


def test_a_form_of_another_site_replays_nothing(client: TestClient) -> None:
    """A page elsewhere can post a form, never JSON; and the cookie does not go along anyhow."""
    sign_in(client, "admin@example.org")
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = client.post("/api/v1/quarantine/replay", content=b'{"ids": [1]}', headers={"Content-Type": kind})
        assert answer.status_code == 415
