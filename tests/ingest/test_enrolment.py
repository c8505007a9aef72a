"""How devices come to their tokens and lose them, over real HTTP: codes, rotation, revocation, forwarders, IMEIs."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

import httpx
import psycopg
import pytest
from psycopg import errors

from ingest.device_routes import add_device_routes
from ingest.devices import authenticate, enrol, find_device, revoke, rotate
from ingest.enrolment import CODE_LETTERS, Guesses, allow, enrol_without_token, forbid, make_code, redeem
from ingest.enrolment_store import fetch_security_events
from ingest.errors import BadImei, CodeSpent, DeviceExists, TooManyCodes, UnknownCode
from ingest.gateway import create_gateway
from ingest.quarantine import Outcome, replay
from ingest.security import SecurityEvent, record
from scoring.verify import verify
from storage.pool import Database
from tests.ingest.conftest import NOW
from tests.ingest.running import serving_app, upload

IMEI = "356307042441013"


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def http(database: Database, clock: Clock) -> Iterator[httpx.Client]:
    app = create_gateway(database, clock)
    add_device_routes(app, database, clock)
    with serving_app(app) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


def code_for(database: Database, device_id: str, at: datetime = NOW) -> str:
    with database.role("telemetry") as conn:
        return make_code(conn, device_id, at).text


def redeemed(http: httpx.Client, code: str) -> httpx.Response:
    return http.post("/v1/enrol", json={"code": code})


def events(database: Database) -> list[str]:
    with database.role("telemetry") as conn:
        return [event.kind for event in reversed(fetch_security_events(conn, None, None, 100))]


def one_reading(second: int = 0) -> bytes:
    row = {"fix_time": f"2026-10-01T10:00:{second:02d}Z", "latitude_deg": 60.1, "longitude_deg": 24.9}
    return json.dumps({"readings": [row]}).encode()


def test_a_code_becomes_a_token_once(http: httpx.Client, database: Database) -> None:
    code = code_for(database, "car-9")
    assert len(code.replace("-", "")) == 12
    assert set(code) <= {*CODE_LETTERS, "-"}
    answer = redeemed(http, code.lower().replace("-", " "))  # as a person types it
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    new = answer.json()
    assert (new["device_id"], new["tier"]) == ("car-9", "tls")
    assert upload(http, new["token"], one_reading()).json()["accepted"] == 1
    again = redeemed(http, code)
    assert (again.status_code, "token" in again.text.lower()) == (410, False)
    assert events(database) == ["code_reused"]


def test_two_who_redeem_at_once_get_one_token(database: Database) -> None:
    code = code_for(database, "car-9")

    def attempt(number: int) -> str:
        try:
            return redeem(database, code, NOW, address=f"192.0.2.{number}", guesses=Guesses()).token
        except CodeSpent:
            return ""

    with ThreadPoolExecutor(8) as threads:
        tokens = [token for token in threads.map(attempt, range(16)) if token]
    assert len(tokens) == 1
    with database.role("telemetry") as conn:
        assert conn.execute("select count(*) from telemetry.credential").fetchone() == (1,)


def test_an_expired_or_withdrawn_code_or_one_of_a_revoked_device_is_spent(
    http: httpx.Client, database: Database, clock: Clock
) -> None:
    first, second = code_for(database, "car-9"), code_for(database, "car-9")
    assert redeemed(http, first).status_code == 410  # the second one ended it
    clock.now = NOW + timedelta(hours=24)
    assert redeemed(http, second).status_code == 410
    third = code_for(database, "car-9", clock.now)
    with database.role("telemetry") as conn:
        revoke(conn, "car-9", clock.now)
    assert redeemed(http, third).status_code == 410
    with database.role("telemetry") as conn:
        assert conn.execute("select count(*) from telemetry.credential where revoked_at is null").fetchone() == (0,)


def test_who_guesses_waits_and_a_right_code_waits_with_him(
    http: httpx.Client, database: Database, clock: Clock
) -> None:
    code = code_for(database, "car-9")
    guessed = [redeemed(http, f"0000-0000-000{number}").status_code for number in range(7)]
    assert guessed == [404] * 5 + [429] * 2
    waiting = redeemed(http, code)
    assert waiting.status_code == 429
    assert 0 < int(waiting.headers["retry-after"]) <= 600
    assert events(database) == ["wrong_code"] * 5 + ["code_guessing"]
    clock.now = NOW + timedelta(minutes=10)
    assert redeemed(http, code).status_code == 200


def test_guesses_are_counted_by_the_sixty_four_of_an_address() -> None:
    guesses = Guesses()
    for number in range(5):
        guesses.wrong(f"2001:db8:1:1::{number:x}", NOW)
    with pytest.raises(TooManyCodes):
        guesses.check("2001:db8:1:1:ffff::1", NOW)
    guesses.check("2001:db8:1:2::1", NOW)
    guesses.check("192.0.2.1", NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}",
        b'{"code": 5}',
        b'{"code": ""}',
        b'{"code": "\\u0000"}',
        b'{"code": "' + b"A" * 65 + b'"}',
        b"\xff",
    ],
)
def test_what_is_no_code_is_said(http: httpx.Client, body: bytes) -> None:
    assert http.post("/v1/enrol", content=body).status_code == 422


def test_an_earlier_token_is_good_for_the_overlap_and_no_longer(
    http: httpx.Client, database: Database, clock: Clock, token: str
) -> None:
    bearer = {"Authorization": f"Bearer {token}"}
    answer = http.post("/v1/token", headers=bearer).json()
    assert answer["earlier_tokens_end_after_s"] == 7 * 86_400
    clock.now = NOW + timedelta(days=7) - timedelta(seconds=1)
    both = [upload(http, each, one_reading(second)).status_code for second, each in enumerate((token, answer["token"]))]
    assert both == [200, 200]
    clock.now = NOW + timedelta(days=7)
    both = [upload(http, each, one_reading(second)).status_code for second, each in enumerate((token, answer["token"]))]
    assert both == [401, 200]
    assert http.post("/v1/token", headers=bearer).status_code == 401
    with database.role("telemetry") as conn:
        short = rotate(conn, "car-1", clock.now, overlap=timedelta(0)).token
        assert authenticate(conn, answer["token"], clock.now) is None
        assert authenticate(conn, short, clock.now) is not None


@pytest.mark.parametrize("erased", [False, True])
def test_nothing_of_a_revoked_or_erased_device_is_stored(
    http: httpx.Client, database: Database, token: str, *, erased: bool
) -> None:
    """Row 82, on every HTTP channel."""
    with database.role("telemetry") as conn:
        revoke(conn, "car-1", NOW)
        if erased:
            conn.execute("delete from telemetry.credential")
            conn.execute("delete from telemetry.device")
    position = {
        "device": {"uniqueId": "car-1"},
        "position": {"fixTime": "2026-10-01T10:00:00Z", "latitude": 60, "longitude": 24},
    }
    statuses = [
        upload(http, token, one_reading()).status_code,
        http.get(f"/osmand?id={token}&lat=60&lon=24&timestamp=1790848800").status_code,
        http.post("/owntracks", content=b'{"_type":"location"}', auth=("car", token)).status_code,
        http.post("/traccar", json=position, headers={"Authorization": f"Bearer {token}"}).status_code,
        http.post("/v1/token", headers={"Authorization": f"Bearer {token}"}).status_code,
    ]
    assert statuses == [401, 404, 401, 401, 401]
    with database.role("telemetry") as conn:
        for table in ("upload", "reading", "quarantine"):
            assert conn.execute(f"select count(*) from telemetry.{table}").fetchone() == (0,)  # type: ignore[arg-type]


def test_a_forwarder_brings_the_devices_of_its_list_and_no_other(http: httpx.Client, database: Database) -> None:
    """Another device's position is quarantined, acknowledged and a security event; on the list, it is replayed."""
    with database.role("telemetry") as conn:
        token = enrol(conn, "traccar-1", NOW, tier="bound_network").token
        for device_id in ("car-1", "car-2", "car-3"):
            enrol(conn, device_id, NOW)
        allow(conn, "traccar-1", ["car-1", "car-2"], NOW)

    def send(device_id: str) -> int:
        position = {"fixTime": "2026-10-01T10:00:00Z", "latitude": 60.1, "longitude": 24.9}
        body = {"device": {"uniqueId": device_id}, "position": position}
        return http.post("/traccar", json=body, headers={"Authorization": f"Bearer {token}"}).status_code

    assert [send(device_id) for device_id in ("car-1", "car-2", "car-3", "nobody", "../x")] == [200] * 5
    assert events(database) == ["foreign_device"] * 3
    held = """select d.device_id, u.tier, u.records_stored, u.records_quarantined
                from telemetry.upload u join telemetry.device d using (device_key) order by u.upload_id"""
    with database.role("telemetry") as conn:
        assert conn.execute(held).fetchall() == [
            ("car-1", "bound_network", 1, 0),
            ("car-2", "bound_network", 1, 0),
            *[("traccar-1", "bound_network", 0, 1)] * 3,
        ]
        assert conn.execute("select min(quarantine_id), count(*) from telemetry.quarantine").fetchone() == (1, 3)
        allow(conn, "traccar-1", ["car-3"], NOW)
        forbid(conn, "traccar-1", ["car-2"])
    assert [replay(database, number, NOW).outcome for number in (1, 2)] == [Outcome.STORED, Outcome.STILL_QUARANTINED]
    assert send("car-2") == 200
    with database.role("telemetry") as conn:
        stored = conn.execute("select d.device_id from telemetry.reading join telemetry.device d using (device_key)")
        assert sorted(stored.fetchall()) == [("car-1",), ("car-2",), ("car-3",)]
        owner = conn.execute("select count(*) from telemetry.upload where device_key = %s and records_stored > 0",
                             (find_device(conn, "traccar-1").device_key,)).fetchone()  # fmt: skip
    assert owner == (0,)
    assert verify(database).breaks == ()


def test_an_imei_is_admitted_when_it_is_one_and_has_no_token(database: Database) -> None:
    with database.role("telemetry") as conn:
        enrol_without_token(conn, f"imei-{IMEI}", NOW)
        assert find_device(conn, f"imei-{IMEI}").device_id == f"imei-{IMEI}"
        assert conn.execute("select count(*) from telemetry.credential").fetchone() == (0,)
        with pytest.raises(DeviceExists):
            enrol_without_token(conn, f"imei-{IMEI}", NOW)


@pytest.mark.parametrize(
    "digits",
    [IMEI[:-1], IMEI + "0", IMEI[:-1] + "4", "35630704244101x", "\uff13" * 15, "\u0663" * 15, ""],
)
def test_what_is_no_imei_is_not_admitted(database: Database, digits: str) -> None:
    with database.role("telemetry") as conn, pytest.raises(BadImei):
        enrol_without_token(conn, f"imei-{digits}", NOW)
    with database.role("telemetry") as conn:
        assert conn.execute("select count(*) from telemetry.device").fetchone() == (0,)


def test_a_code_that_never_was_is_unknown(database: Database) -> None:
    with pytest.raises(UnknownCode):
        redeem(database, "0000-0000-0000", NOW, address="192.0.2.1", guesses=Guesses())


def test_security_events_are_only_ever_added_to(database: Database, database_dsn: str) -> None:
    record(database, SecurityEvent.SECOND_IMEI, NOW, channel="teltonika-tcp", device_key=5)
    for statement in ("update telemetry.security_event set kind = 'x'", "delete from telemetry.security_event",
                      "truncate telemetry.security_event"):  # fmt: skip
        with psycopg.connect(database_dsn) as owner, pytest.raises(errors.RestrictViolation):
            owner.execute(statement)  # type: ignore[call-overload]
        with pytest.raises(errors.InsufficientPrivilege), database.role("telemetry") as conn:
            conn.execute(statement)  # type: ignore[call-overload]
    assert events(database) == ["second_imei"]


def test_whoever_knocks_does_not_fill_the_table(database: Database) -> None:
    for _ in range(30):
        record(database, SecurityEvent.BROKER_REFUSED, NOW, channel="broker")
        record(database, SecurityEvent.FOREIGN_DEVICE, NOW, channel="traccar", device_key=1)
    record(database, SecurityEvent.BROKER_REFUSED, NOW + timedelta(hours=1), channel="broker")
    assert sorted(events(database)) == ["broker_refused"] * 21 + ["foreign_device"] * 20
