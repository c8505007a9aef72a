"""Pages of administrators and of those who watch over the audit log: what they show, hide, do and note."""

import csv
import io
import re
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from api.workbench.tables import harmless
from ingest.security import SecurityEvent, record
from storage.audit import entries
from storage.pool import Database
from tests.api.conftest import begin_session
from tests.api.test_quarantine_routes import CANARIES
from tests.api.world import NOW


@pytest.fixture
def client(client_of_quarantine: TestClient) -> TestClient:
    return client_of_quarantine


def as_whom(client: TestClient, role: str) -> str:
    """Signs in; the token of this session's forms."""
    return begin_session(client, client.app.state.database, f"{role}@example.org", role)  # type: ignore[attr-defined]


def acts(database: Database) -> list[str]:
    with database.role("policy") as conn:
        return [one.action for one in entries(conn)]


def named_in_the_log(database: Database) -> list[str]:
    """Entries that would keep what an erasure must take: an id of a device, an address, a number of a policy."""
    with database.role("policy") as conn:
        return [one.object for one in entries(conn) if re.search(r"car-|@|%40|P-1", one.object + one.details)]


def test_each_role_begins_where_its_work_waits(client: TestClient) -> None:
    for role, waits in (
        ("admin", "Records in quarantine"),
        ("underwriter", "Records in quarantine"),
        ("actuary", "Nothing waits for you"),
        ("privacy_officer", "Nothing waits for you"),
    ):
        as_whom(client, role)
        landed = client.get("/", follow_redirects=True)
        assert landed.url.path == "/desk", role
        assert waits in landed.text, role


def test_quarantine_is_listed_without_a_digit_of_a_place_looked_at_and_replayed(
    client: TestClient, database: Database
) -> None:
    token = as_whom(client, "admin")
    listed = client.get("/quarantine").text
    first = re.findall(r'href="/quarantine/(\d+)"', listed)[0]
    looked_at = client.get(f"/quarantine/{first}").text
    taken = client.get("/quarantine.csv").text
    for text in (listed, looked_at, taken):
        assert not any(canary in text for canary in CANARIES)
    assert "##.######" in looked_at
    rows = list(csv.DictReader(io.StringIO(taken)))
    assert {row["reason"] for row in rows} == {"range", "trailing", "type"}
    assert len(re.findall(r'href="/quarantine/\d', client.get("/quarantine?reason=type").text)) == 1
    assert client.get("/quarantine/999").status_code == 404

    done = client.post("/quarantine/replay", data={"quarantine_id": first, "form_token": token}).text
    assert "Still quarantined" in done
    assert client.post("/quarantine/replay", data={"reason": "type", "form_token": "made-up"}).status_code == 403
    assert client.post("/quarantine/replay", data={"form_token": token}).status_code == 404
    done = client.post("/quarantine/replay", data={"reason": "type", "channel": "http", "form_token": token}).text
    assert "<h1>1 replayed</h1>" in done
    assert acts(database) == [
        "quarantine_read",
        "quarantine_exported",
        "quarantine_replayed",
        "quarantine_replayed",
    ]

    as_whom(client, "underwriter")
    counts = client.get("/quarantine").text
    assert "Trailing" in counts
    assert "What is kept" not in counts


def test_devices_are_found_enrolled_and_ended(client: TestClient, database: Database) -> None:
    token = as_whom(client, "admin")
    assert "car-1" in client.get("/devices?state=sending").text
    assert "No device matches" in client.get("/devices?state=silent").text
    assert "No device matches" in client.get("/devices?find=car-2").text
    assert client.get("/devices?find=%25").status_code == 422
    shown = re.search('name="key" value="([^"]+)"', client.get("/devices").text)
    assert shown is not None
    asked = {"form_token": token, "key": shown[1]}
    code = re.compile(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}")
    assert code.search(client.post("/devices/codes", data={"device": "car-2", **asked}).text)
    again = client.post("/devices/codes", data={"device": "car-2", **asked}).text  # the browser's "send it again"
    assert "shown before" in again
    assert not code.search(again)
    assert client.post("/devices/codes", data={"device": "car-3", **asked}).status_code == 409
    assert client.post("/devices/codes", data={"device": "car-3", "form_token": token}).status_code == 422
    asked["key"] = "another-key"
    with database.role("owner") as conn:
        conn.execute("insert into telemetry.erased_device values (telemetry.tombstone('car-4'), now())")
    gone = client.post("/devices/codes", data={"device": "car-4", **asked})
    assert (gone.status_code, "not used again" in gone.text) == (409, True)
    assert client.post("/devices/codes", data={"device": "../x", **asked}).status_code == 422
    assert client.post("/devices/car-9/end", data={"form_token": token}).status_code == 404
    client.post("/devices/car-1/end", data={"form_token": token})
    rows = {row["device"]: row for row in csv.DictReader(io.StringIO(client.get("/devices.csv").text))}
    assert rows["car-1"]["revoked_at"]
    assert "car-1" in client.get("/devices?state=ended&sort=-last").text
    for sort, last in (("state", "car-1"), ("-state", "car-2"), ("-waiting", "car-2"), ("vehicle", "car-2")):
        text = client.get(f"/devices.csv?sort={sort}").text
        assert [row["device"] for row in csv.DictReader(io.StringIO(text))][-1] == last, sort
    assert acts(database) == ["device_code_made", "device_ended"]
    assert named_in_the_log(database) == []


def test_security_events_and_the_system_are_shown(client: TestClient, database: Database) -> None:
    record(database, SecurityEvent.WRONG_CODE, NOW, channel="http", detail="a code that never was")
    as_whom(client, "admin")
    assert "a code that never was" in client.get("/security-events?kind=wrong_code").text
    assert "Nothing matches" in client.get("/security-events?kind=second_imei").text
    for minute in range(60):
        at, kind = (
            NOW + timedelta(minutes=6 * minute),
            (SecurityEvent.CODE_REUSED, SecurityEvent.VIN_MISMATCH)[minute % 2],
        )
        record(database, kind, at, channel="http", detail=f"number {minute}")
    first, second = (client.get(f"/security-events?sort=when&page={number}").text for number in (1, 2))
    assert ("1–50 of 61" in first, "51–61 of 61" in second) == (True, True)
    assert ("a code that never was" in first, "number 59<" in first, "number 59<" in second) == (True, False, True)
    taken = client.get(f"/security-events.csv?kind=code_reused&since={NOW:%Y-%m-%d}&until=&sort=-when")
    rows = list(csv.DictReader(io.StringIO(taken.text)))
    assert [row["detail"] for row in rows] == [f"number {minute}" for minute in range(58, -1, -2)]
    assert "Nothing matches" in client.get("/security-events?until=2000-01-01").text
    assert client.get("/security-events?sort=1;drop").status_code == 422
    system = client.get("/system").text
    assert "PostgreSQL" in system
    assert "Windows to be scored" in system


def test_the_audit_log_is_filtered_and_notes_its_readers(client: TestClient, database: Database) -> None:
    token = as_whom(client, "admin")
    client.post("/devices/codes", data={"device": "car-2", "form_token": token, "key": "the-first-key"})
    as_whom(client, "privacy_officer")
    shown = client.get("/audit?action=device_code_made&actor=Admin@example.org&since=2026-11-03&until=2026-11-03").text
    assert shown.count(">Device code made<") == 1 + 1  # in the list of actions too
    assert "admin@example.org" in shown
    for other in ("action=policy_read", "actor=nobody@example.org", "until=2026-11-02", "role=support", "policy=T-1"):
        assert "Nothing matches" in client.get(f"/audit?{other}").text, other
    rows = list(csv.DictReader(io.StringIO(client.get("/audit.csv?role=privacy_officer").text)))
    assert {row["action"] for row in rows} == {"audit_read", "audit_exported"}
    assert rows[0]["object"] == "role=privacy_officer"
    client.get("/audit?actor=somebody@example.org&policy=P-1")
    client.get("/audit.csv?actor=somebody@example.org&policy=P-1")
    assert named_in_the_log(database) == []


@pytest.mark.parametrize(
    ("cell", "written"),
    [("=1+1", "'=1+1"), ("-2", "'-2"), ("@x", "'@x"), ("\tx", "'\tx"), ("plain", "plain"), (-2, -2), ("", "")],
)
def test_a_spreadsheet_runs_nothing_of_a_csv_file(cell: object, written: object) -> None:
    assert harmless(cell) == written
