"""Row 82: the device of an erased person goes on sending, by every channel: it is not known, and nothing is stored."""

import base64
import json
import socket
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from ingest.coalesce import Coalescer
from ingest.devices import enrol
from ingest.enrolment import allow
from ingest.tcp_gateway import serving_tcp
from ingest.udp_gateway import serving_udp
from portfolio.erasure import ask, decide, run
from pricing.agreements import Asked, cancel
from pricing.close import post_adjustments
from pricing.policies import add_policy
from storage.pool import Database
from tests.ingest.broker import broker_for, device_client, needs_mosquitto, publish, until
from tests.ingest.conftest import NOW, count, serving
from tests.ingest.teltonika_frames import Record, body, datagram, packet
from tests.ingest.test_forwarders import forwarded, location
from tests.ingest.test_mqtt_gateway import one_reading, subscribed
from tests.pricing.book import document

IMEI = "356307042441013"
DEVICE = f"imei-{IMEI}"
LATER = datetime(2026, 10, 2, 12, tzinfo=UTC)
TABLES = ("reading", "upload", "quarantine", "dirty_window", "trip")


def erase_owner(database: Database) -> None:
    """Whoever the device measured is erased, by the way that leads there."""
    add_policy(database, document(devices=[DEVICE]), NOW)
    cancel(database, "P-1", date(2026, 1, 1), Asked(UUID(int=1), "cancel-it", NOW, True))
    post_adjustments(database, NOW)
    with database.role("policy") as conn:
        row = conn.execute("select person_key from policy.policy").fetchone()
        assert row is not None
        request, _ = ask(conn, UUID(str(row[0])), asked_by=UUID(int=1), as_of=NOW)
        decide(conn, request.request_id, granted=True, words="", decided_by=UUID(int=2), as_of=NOW)
    (done,) = run(database, LATER)
    assert (done.waits, done.devices) == ((), 1)


def stored(database: Database) -> list[int]:
    return [count(database, table) for table in TABLES]


@pytest.fixture
def device_token(database: Database) -> str:
    with database.role("telemetry") as conn:
        return enrol(conn, DEVICE, NOW).token


@pytest.fixture
def forwarder(database: Database, device_token: str) -> str:
    with database.role("telemetry") as conn:
        token = enrol(conn, "traccar-1", NOW).token
        allow(conn, "traccar-1", [DEVICE], NOW)
    return token


def test_row_82_over_http_it_is_401_or_404_and_nothing_is_stored(
    database: Database, device_token: str, forwarder: str
) -> None:
    named = json.loads(forwarded())
    named["device"]["uniqueId"] = DEVICE
    basic = base64.b64encode(f"anyone:{device_token}".encode()).decode()
    bearer = {"Authorization": f"Bearer {device_token}"}
    asked = [
        (
            "/v1/readings",
            bearer | {"Content-Type": "application/json"},
            one_reading(0),
        ),
        ("/owntracks", {"Authorization": f"Basic {basic}"}, location()),
        ("/traccar", {"Authorization": f"Bearer {forwarder}"}, json.dumps(named).encode()),
        (f"/osmand?id={device_token}&lat=60.17&lon=24.94&timestamp=1790852400", {}, b""),
    ]
    with serving(database) as address, httpx.Client(base_url=address, timeout=30) as http:
        for path, headers, content in asked:
            assert http.post(path, headers=headers, content=content).status_code == 200, path
        assert count(database, "upload") == 4
        erase_owner(database)
        assert stored(database) == [0] * len(TABLES)
        for path, headers, content in asked:
            answer = http.post(path, headers=headers, content=content)
            assert answer.status_code == (404 if path.startswith("/osmand") else 401), path
    assert stored(database) == [0] * len(TABLES)
    assert count(database, "security_event") == 0


def test_row_82_over_tcp_and_udp_it_gets_0x00_and_silence(database: Database, device_token: str) -> None:
    sound = body([Record()])
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound,
        Coalescer(database) as coalescer,
    ):
        bound.bind(("127.0.0.1", 0))
        with (
            serving_tcp(database, lambda: NOW, listener, coalescer, revocation_check_s=0.5),
            serving_udp(database, lambda: NOW, bound, coalescer),
            socket.socket(type=socket.SOCK_DGRAM) as sender,
            socket.create_connection(listener.getsockname(), timeout=10) as open_before,
        ):
            open_before.sendall(b"\x00\x0f" + IMEI.encode())
            assert open_before.recv(1) == b"\x01"
            erase_owner(database)
            open_before.sendall(packet(sound))
            assert open_before.recv(16) == b""  # closed, and no record of it acknowledged
            with socket.create_connection(listener.getsockname(), timeout=10) as anew:
                anew.sendall(b"\x00\x0f" + IMEI.encode())
                assert anew.recv(1) == b"\x00"
            sender.connect(bound.getsockname())
            sender.settimeout(1)
            sender.send(datagram(IMEI, sound))
            with pytest.raises(TimeoutError):
                sender.recv(16)
    assert stored(database) == [0] * len(TABLES)


@needs_mosquitto
def test_row_82_what_a_broker_still_lets_in_leaves_nothing(
    database: Database, device_token: str, tmp_path: Path
) -> None:
    with database.role("telemetry") as conn:
        other = enrol(conn, "car-2", NOW).token
    with broker_for(database, tmp_path / "broker", NOW) as broker, subscribed(database, broker):
        erase_owner(database)
        with device_client(broker, DEVICE, device_token) as client:
            publish(client, f"devices/{DEVICE}/readings", [one_reading(number) for number in range(3)])
        with device_client(broker, "car-2", other) as client:
            publish(client, "devices/car-2/readings", [one_reading(9)])
        until(lambda: count(database, "reading") == 1)
    assert (count(database, "upload"), count(database, "quarantine")) == (1, 0)
