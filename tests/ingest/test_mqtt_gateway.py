"""Devices over MQTT by a real Mosquitto with our configuration: who may send, what we keep, nothing lost on the way."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import paho.mqtt.client as mqtt
import psycopg
import pytest

from ingest.broker_files import GATEWAY_USER, SECRET_FILE, Listener, write_configuration, write_passwords
from ingest.coalesce import Coalescer
from ingest.devices import enrol, revoke, rotate
from ingest.errors import BadBrokerAddress
from ingest.mqtt_gateway import decode, parse_broker, serving_mqtt
from ingest.readings import TIER_FLAGS, Flag
from storage.embedded import embedded_server
from storage.migrate import migrate
from storage.pool import Database
from tests.ingest.broker import (
    RealBroker,
    broker_for,
    connect_packet,
    device_client,
    needs_mosquitto,
    packet,
    publish,
    publish_packet,
    say,
    until,
)
from tests.ingest.conftest import NOW

pytestmark = needs_mosquitto
READINGS = "devices/car-1/readings"
START_S = 1790848800
PINGRESP = b"\xd0\x00"


def one_reading(number: int) -> bytes:
    """A batch of one reading; each number's is another."""
    return json.dumps(
        {"readings": [{"fix_time": START_S + number, "latitude_deg": 60.17, "longitude_deg": 24.94}]}
    ).encode()


def rows(database: Database, query: str) -> list[tuple[object, ...]]:
    with database.role("telemetry") as conn:
        return list(conn.execute(query).fetchall())  # type: ignore[arg-type]


def stored(database: Database) -> int:
    return int(str(rows(database, "select count(*) from telemetry.reading")[0][0]))


def uploads(database: Database) -> int:
    return int(str(rows(database, "select count(*) from telemetry.upload")[0][0]))


@pytest.fixture
def broker(database: Database, token: str, tmp_path: Path) -> Iterator[RealBroker]:
    assert token
    with broker_for(database, tmp_path / "broker", NOW) as running:
        yield running


@contextmanager
def subscribed(database: Database, broker: RealBroker) -> Iterator[None]:
    """Our subscriber, once the broker holds its session."""
    before = broker.log().count(f"Sending SUBACK to {GATEWAY_USER}")
    with Coalescer(database) as coalescer, serving_mqtt(database, coalescer, lambda: NOW, broker.gateway()):
        until(lambda: broker.log().count(f"Sending SUBACK to {GATEWAY_USER}") > before)
        yield


@pytest.fixture
def subscriber(database: Database, broker: RealBroker) -> Iterator[None]:
    with subscribed(database, broker):
        yield


@pytest.mark.usefixtures("subscriber")
@pytest.mark.parametrize("version", [mqtt.MQTTv311, mqtt.MQTTv5])
def test_a_message_is_stored_as_its_topics_device(
    database: Database, broker: RealBroker, token: str, version: int
) -> None:
    moved = json.dumps({"_type": "location", "tst": START_S + 9, "lat": 60.2, "lon": 24.9, "vel": 36}).encode()
    with device_client(broker, "car-1", token, version=version) as client:
        publish(client, READINGS, [one_reading(0), one_reading(1)])
        publish(client, "devices/car-1/owntracks", [moved])
        until(lambda: uploads(database) == 3)
    ledger = rows(
        database,
        "select distinct device_id, channel, tier, decoder_version from telemetry.upload "
        "join telemetry.device using (device_key) order by 4",
    )
    assert ledger == [
        ("car-1", "broker", "tls", "owntracks/1"),
        ("car-1", "broker", "tls", "wayrate-json/1"),
    ]
    assert stored(database) == 3


@pytest.mark.usefixtures("subscriber")
def test_what_no_repetition_would_mend_is_quarantined_and_the_next_message_is_taken(
    database: Database, broker: RealBroker, token: str
) -> None:
    deep = b'{"readings": ' + b"[" * 1000 + b"]" * 1000 + b"}"
    many = b'{"readings": [' + b"0," * 5000 + b"0]}"
    far = json.dumps({"readings": [{"fix_time": START_S, "latitude_deg": 91, "longitude_deg": 24}]}).encode()
    with device_client(broker, "car-1", token) as client:
        publish(client, READINGS, [b"\xff\x00", deep, many, far, b"", b"null"])
        publish(client, "devices/car-1/elsewhere", [one_reading(1)])
        publish(client, "devices/car-1/owntracks", [b'{"_type": "encrypted", "data": "x"}'])
        publish(client, READINGS, [one_reading(0)])
        until(lambda: uploads(database) == 9)
    reasons = rows(database, "select reason, count(*) from telemetry.quarantine group by 1 order by 1")
    assert reasons == [("malformed", 5), ("range", 1)]
    assert stored(database) == 1


@pytest.mark.usefixtures("subscriber")
def test_row_41_a_retained_message_counts_once_and_a_will_holds_nothing_that_is_measured(
    database: Database, broker: RealBroker, token: str
) -> None:
    with device_client(broker, "car-1", token) as client:
        client.publish(READINGS, one_reading(0), 1, retain=True).wait_for_publish(10)
        until(lambda: stored(database) == 1)
    will = connect_packet(b"car-1", token.encode(), will=(b"devices/car-1/will", one_reading(5)))
    assert say(broker, will)[-1] == PINGRESP  # and then hangs up without a farewell
    until(lambda: uploads(database) == 2)
    assert stored(database) == 1
    with subscribed(database, broker):  # takes over the session: what is retained is not sent again
        with device_client(broker, "car-1", token) as client:
            publish(client, READINGS, [one_reading(1)])
        until(lambda: stored(database) == 2)
    assert uploads(database) == 3


@pytest.mark.usefixtures("subscriber")
def test_row_42_qos_0_is_stored_and_flagged_until_a_promise_brings_the_same(
    database: Database, broker: RealBroker, token: str
) -> None:
    flags = "select flags from telemetry.reading"
    with device_client(broker, "car-1", token) as client:
        publish(client, READINGS, [one_reading(0)], qos=0)
        until(lambda: stored(database) == 1)
        assert rows(database, flags) == [(int(Flag.UNACKED_CHANNEL | TIER_FLAGS["tls"]),)]
        publish(client, READINGS, [one_reading(0)])
        until(lambda: uploads(database) == 2)
    assert rows(database, flags) == [(int(TIER_FLAGS["tls"]),)]


# What the broker answers by itself: nothing of it reaches us

REFUSED_TOPICS = {
    "38 another device": b"devices/car-2/readings",
    "39 plus": b"devices/car-1/+",
    "39 hash": b"devices/car-1/#",
    "39 dollar": b"$SYS/broker/log",
    "39 space": b"devices/car 1/readings",
    "39 NUL": b"devices/car-1/rea\0dings",
    "39 empty": b"",
    "no root": b"readings",
}
BROKEN_PACKETS: dict[str, Callable[[int, bytes], bytes]] = {
    "40 packet id 0": lambda version, _: publish_packet(b"devices/car-1/readings", b"{}", version=version, packet_id=0),
    "40 overlong length": lambda _version, _: b"\x32\xff\xff\xff\xff\x01",
    "40 second CONNECT": lambda version, token: connect_packet(b"car-1", token, version=version),
    "QoS 3": lambda version, _: publish_packet(b"devices/car-1/readings", b"{}", version=version, kind=0x36),
    "over 2 MiB": lambda version, _: publish_packet(b"devices/car-1/readings", bytes(2_200_000), version=version),
}


@pytest.mark.usefixtures("subscriber")
@pytest.mark.parametrize("version", [4, 5])
def test_rows_38_to_40_end_at_the_broker_and_the_device_goes_on(
    database: Database, broker: RealBroker, token: str, version: int
) -> None:
    with database.role("telemetry") as conn:
        enrol(conn, "car-2", NOW)
    connect = connect_packet(b"car-1", token.encode(), version=version)
    broken = {name: publish_packet(topic, one_reading(1), version=version) for name, topic in REFUSED_TOPICS.items()}
    broken |= {name: make(version, token.encode()) for name, make in BROKEN_PACKETS.items()}
    for name, sent in broken.items():
        answers = say(broker, connect, sent)
        assert (name, answers[0][0], answers[-1]) == (name, 0x20, b"")  # let in, then hung up on
        acknowledged = [one for one in answers if one and one[0] == 0x40]
        if version == 5:
            assert all(len(one) == 5 and one[4] >= 0x80 for one in acknowledged), name
    assert (
        f"Denied PUBLISH from car-1 (d0, q1, r0, m7, '{REFUSED_TOPICS['38 another device'].decode()}'" in broker.log()
    )
    good = publish_packet(READINGS.encode(), one_reading(0), version=version)
    assert say(broker, connect, good)[-1] == PINGRESP
    until(lambda: stored(database) == 1)
    assert uploads(database) == 1


def test_nobody_is_let_in_without_the_token(broker: RealBroker, token: str) -> None:
    not_authorised = {4: [b"\x20\x02\x00\x05"], 5: [b"\x20\x03\x00\x87\x00"]}
    assert say(broker, connect_packet(b"car-1", token.encode()))[-1] == PINGRESP
    for version, refused in not_authorised.items():
        for name, password in ((b"car-1", b"x"), (b"car-2", token.encode()), (GATEWAY_USER.encode(), token.encode())):
            answer = say(broker, connect_packet(name, password, version=version))
            assert answer[:-1] == refused or answer[0][:1] == b"\x20"
            assert answer[0][3] in {0x05, 0x87}
            assert answer[-1] == b""
    anonymous = packet(0x10, b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x01x")
    assert say(broker, anonymous)[0][3] == 0x05


def test_the_files_hold_no_token_and_only_their_owner_reads_them(
    broker: RealBroker, token: str, database: Database
) -> None:
    for file in (one for one in broker.folder.rglob("*") if one.is_file() and one.name != "log"):
        if file.name != "mosquitto.pid":
            assert file.stat().st_mode & 0o077 == 0, file
        assert token.encode() not in file.read_bytes()
    passwords = (broker.folder / "passwords").read_text()
    assert (broker.folder / SECRET_FILE).read_text().strip() not in passwords
    assert [line.split("$")[:2] for line in passwords.splitlines()] == [[f"{GATEWAY_USER}:", "7"], ["car-1:", "7"]]
    assert not write_passwords(database, broker.folder, NOW).changed


def test_a_rotated_token_and_a_revocation_reach_the_broker_and_live_connections(
    database: Database, broker: RealBroker, token: str
) -> None:
    with database.role("telemetry") as conn:
        other = rotate(conn, "car-1", NOW + timedelta(seconds=1)).token
        enrol(conn, "car-2", NOW)
    assert write_passwords(database, broker.folder, NOW + timedelta(seconds=2)).devices == 2
    broker.reread()
    until(lambda: say(broker, connect_packet(b"car-1", other.encode()))[-1] == PINGRESP)
    assert say(broker, connect_packet(b"car-1", token.encode()))[-1] == b""
    with device_client(broker, "car-1", other) as client:
        with database.role("telemetry") as conn:
            revoke(conn, "car-1", NOW)
        assert write_passwords(database, broker.folder, NOW).devices == 1
        broker.reread()
        until(lambda: not client.is_connected())


@pytest.mark.usefixtures("subscriber")
def test_row_82_a_revoked_device_that_the_broker_still_lets_in_leaves_nothing(
    database: Database, broker: RealBroker, token: str
) -> None:
    with database.role("telemetry") as conn:
        other = enrol(conn, "car-2", NOW).token
        revoke(conn, "car-1", NOW)
    with device_client(broker, "car-1", token) as client:
        publish(client, READINGS, [one_reading(number) for number in range(3)])
    write_passwords(database, broker.folder, NOW)
    broker.reread()
    until(lambda: say(broker, connect_packet(b"car-2", other.encode()))[-1] == PINGRESP)
    with device_client(broker, "car-2", other) as client:
        publish(client, "devices/car-2/readings", [one_reading(9)])
    until(lambda: stored(database) == 1)
    assert (uploads(database), rows(database, "select count(*) from telemetry.quarantine")) == (1, [(0,)])


# Nothing lost


@pytest.mark.usefixtures("subscriber")
def test_nobody_ends_our_session_by_naming_its_client_id(database: Database, broker: RealBroker, token: str) -> None:
    with device_client(broker, "car-1", token, client_id=GATEWAY_USER) as client:
        publish(client, READINGS, [one_reading(0)])
        until(lambda: stored(database) == 1)


def test_a_device_gets_nothing_of_others(database: Database, broker: RealBroker, token: str) -> None:
    with database.role("telemetry") as conn:
        spy = enrol(conn, "spy", NOW).token
    write_passwords(database, broker.folder, NOW)
    broker.reread()
    until(lambda: say(broker, connect_packet(b"spy", spy.encode()))[-1] == PINGRESP)
    heard: list[bytes] = []
    with device_client(broker, "spy", spy) as listener, device_client(broker, "car-1", token) as client:
        listener.on_message = lambda *said: heard.append(said[2].payload)
        listener.subscribe([("devices/#", 1), ("$SYS/#", 1), ("#", 1)])
        publish(client, READINGS, [one_reading(0)])
        until(lambda: broker.log().count("Received PUBLISH from car-1"))
        publish(listener, "devices/spy/readings", [one_reading(1)])  # the broker reads one after the other
    assert heard == []


def test_what_comes_while_we_are_away_survives_a_restart_of_the_broker(
    database: Database, broker: RealBroker, token: str
) -> None:
    with subscribed(database, broker):
        pass
    with device_client(broker, "car-1", token) as client:
        publish(
            client, READINGS, [one_reading(number) for number in range(1100)]
        )  # more than Mosquitto queues by default
    broker.stop()
    broker.start()
    assert stored(database) == 0
    with subscribed(database, broker):
        until(lambda: stored(database) == 1100)


def test_the_database_away_holds_back_the_acknowledgement(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    with embedded_server(folder) as dsn:
        migrate(dsn)
        with Database(dsn, wait_s=0.5) as database:
            with database.role("telemetry") as conn:
                token = enrol(conn, "car-1", NOW).token
            with broker_for(database, tmp_path / "broker", NOW) as broker, subscribed(database, broker):
                pid = int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])
                os.kill(pid, signal.SIGINT)
                until(lambda: not (folder / "postgres" / "postmaster.pid").exists())
                with device_client(broker, "car-1", token) as client:
                    publish(client, READINGS, [one_reading(number) for number in range(20)])
                until(lambda: broker.log().count(f"Sending PUBLISH to {GATEWAY_USER}") == 20)
                with embedded_server(folder):
                    until(lambda: f"Received PUBACK from {GATEWAY_USER}" in broker.log())
                    until(lambda: stored(database) == 20)
                until(lambda: broker.log().count(f"Received PUBACK from {GATEWAY_USER}") == 20)


@contextmanager
def subscriber_process(dsn: str, broker: RealBroker) -> Iterator[subprocess.Popen[bytes]]:
    """`wayrate serve --mqtt` as a process of its own, once the broker holds its session."""
    secret = str(broker.folder / SECRET_FILE)
    there = ["--mqtt", f"mqtt://127.0.0.1:{broker.port}", "--mqtt-secret", secret]
    command = [
        sys.executable,
        "-m",
        "cli.main",
        "serve",
        "--only",
        "gateway",
        "--port",
        "0",
        "--as-of",
        NOW.isoformat(),
    ]
    command += there
    before = broker.log().count("Sending SUBACK")
    environment = os.environ | {"WAYRATE_DSN": dsn}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        until(lambda: process.poll() is not None or broker.log().count("Sending SUBACK") > before, within_s=120)
        assert process.poll() is None
        yield process
    finally:
        process.kill()
        process.wait(30)


def test_killed_between_receipt_and_commit_nothing_is_acknowledged_and_nothing_lost(
    database: Database, database_dsn: str, broker: RealBroker, token: str
) -> None:
    with psycopg.connect(database_dsn) as blocker, subscriber_process(database_dsn, broker) as process:
        blocker.execute("lock table telemetry.dirty_window in access exclusive mode")
        with device_client(broker, "car-1", token) as client:
            publish(client, READINGS, [one_reading(number) for number in range(50)])
        with psycopg.connect(database_dsn, autocommit=True) as observer:
            waits = (
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            )
            until(lambda: (observer.execute(waits).fetchone() or (0,))[0])
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        blocker.rollback()
    assert f"Received PUBACK from {GATEWAY_USER}" not in broker.log()
    with subscribed(database, broker):
        until(lambda: stored(database) == 50)


@pytest.mark.long
def test_killed_ten_times_under_load_nothing_that_the_broker_took_is_lost(
    database: Database, database_dsn: str, broker: RealBroker, token: str
) -> None:
    with subscribed(database, broker):
        pass
    taken: list[int] = []
    stop = threading.Event()

    def send() -> None:
        with device_client(broker, "car-1", token, version=mqtt.MQTTv5) as client:
            while not stop.is_set():
                publish(client, READINGS, [one_reading(len(taken) + number) for number in range(20)])
                taken.extend(range(20))
                stop.wait(0.4)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        for kill in range(10):
            before = stored(database)
            with subscriber_process(database_dsn, broker) as process:
                until(lambda before=before: stored(database) > before)  # type: ignore[misc]
                stop.wait(0.1 * kill)
                process.send_signal(signal.SIGKILL)
                process.wait(30)
            if kill % 3 == 2:
                broker.reread()
    finally:
        stop.set()
        sender.join(60)
    with subscribed(database, broker):
        until(lambda: stored(database) == len(taken), within_s=120)
    counts = rows(database, "select sum(records_received), sum(records_stored) from telemetry.upload")
    assert int(str(counts[0][1])) == len(taken) > 500


def test_a_broker_out_of_memory_acknowledges_nothing_that_it_drops(
    database: Database, token: str, tmp_path: Path
) -> None:
    body = one_reading(0)[:-2] + b" " * 100_000 + b"]}"
    acknowledged = 0
    with broker_for(database, tmp_path / "broker", NOW, memory_bytes=8_000_000) as broker:
        with subscribed(database, broker):
            pass
        connect = connect_packet(b"car-1", token.encode())
        for number in range(200):
            numbered = body.replace(str(START_S).encode(), str(START_S + number).encode())
            answers = say(broker, connect, publish_packet(READINGS.encode(), numbered))
            acknowledged += any(one[:1] == b"\x40" for one in answers)
        assert 10 < acknowledged < 100
        write_configuration(
            broker.folder, Listener(port=broker.port)
        )  # full, it lets nobody in: its owner gives it more
        broker.reread()
        with subscribed(database, broker):
            until(lambda: stored(database) == acknowledged)


def test_the_topic_names_the_decoder_and_the_address_the_port() -> None:
    assert decode("devices/car-1/owntracks/event", b"")[0] == "owntracks/1"
    assert decode("devices/car-1/readings", one_reading(0))[1].readings.fix_time_us.tolist() == [START_S * 1_000_000]
    assert [one.reason for one in decode("devices/car-1", b"x")[1].rejected] == ["malformed"]
    assert parse_broker("mqtts://broker.example", "x").port == 8883
    for wrong in ("broker", "http://broker", "mqtt://", "mqtt://user:word@broker", "mqtt://broker:x", "mqtt://b/path"):
        with pytest.raises(BadBrokerAddress):
            parse_broker(wrong, "x")
    assert "x" * 9 not in repr(parse_broker("mqtt://broker", "x" * 9))
