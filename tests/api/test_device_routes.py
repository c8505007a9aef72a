"""Who may enrol, rotate and revoke devices over the API, and who reads security events."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api.accounts import add_account
from api.app import create_api
from ingest.devices import authenticate
from ingest.enrolment import Guesses, redeem
from ingest.security import SecurityEvent, record
from storage.pool import Database
from tests.api.conftest import sign_in
from tests.api.world import NOW, PASSWORD

ROLES = ("admin", "support", "underwriter", "policyholder")


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    with database.role("policy") as conn:
        for role in ROLES:
            add_account(conn, f"{role}@example.org", PASSWORD, role, created_at=NOW)
    with TestClient(create_api(database, None, lambda: NOW), base_url="http://127.0.0.1") as opened:
        yield opened


def test_an_administrator_enrols_rotates_and_revokes(client: TestClient, database: Database) -> None:
    sign_in(client, "admin@example.org")
    made = client.post("/api/v1/devices/car-7/code")
    assert (made.status_code, made.headers["cache-control"]) == (200, "no-store")
    first = redeem(database, made.json()["code"], NOW, address="192.0.2.1", guesses=Guesses())
    second = client.post("/api/v1/devices/car-7/rotate").json()["token"]

    def good(token: str) -> bool:
        with database.role("telemetry") as conn:
            return authenticate(conn, token, NOW) is not None

    assert (first.device_id, good(first.token), good(second)) == ("car-7", True, True)
    assert client.post("/api/v1/devices/car-7/revoke").status_code == 204
    assert (good(first.token), good(second)) == (False, False)
    assert client.post("/api/v1/devices/car-7/revoke").status_code == 404
    assert client.post("/api/v1/devices/nobody/rotate").status_code == 404
    for unfit in ("imei-356307042441014", "Car 7"):
        assert client.post(f"/api/v1/devices/{unfit}/code").status_code == 422
    record(database, SecurityEvent.WRONG_CODE, NOW, channel="http")
    assert [event["kind"] for event in client.get("/api/v1/security-events").json()] == ["wrong_code"]


def test_support_may_end_a_device_and_nobody_else_anything(client: TestClient) -> None:
    sign_in(client, "admin@example.org")
    client.post("/api/v1/devices/car-7/code")
    seen = {}
    for role in ("", *ROLES[1:]):
        client.cookies.clear()
        if role:
            sign_in(client, f"{role}@example.org")
        seen[role] = [
            client.post("/api/v1/devices/car-7/code").status_code,
            client.post("/api/v1/devices/car-7/rotate").status_code,
            client.get("/api/v1/security-events").status_code,
            client.post("/api/v1/devices/car-7/revoke").status_code,
        ]
    assert seen == {
        "": [401] * 4,
        "support": [403, 403, 403, 204],
        "underwriter": [403] * 4,
        "policyholder": [403] * 4,
    }
