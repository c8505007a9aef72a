"""A real Mosquitto for the tests, with the configuration that we ship, and clients of it: paho's, and plain sockets."""

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ingest.broker_files import SECRET_FILE, Listener, read_secret, write_configuration, write_passwords
from ingest.mqtt_gateway import Broker
from storage.pool import Database

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="Mosquitto is not installed")


def until(happened: Callable[[], object], within_s: float = 30.0) -> None:
    """Wait for it; TimeoutError when it does not happen."""
    deadline = time.monotonic() + within_s
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not happen")
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass(slots=True)
class RealBroker:
    """A Mosquitto that can be ended in any way and started again."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO is not None
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen([MOSQUITTO, "-c", str(self.folder / "mosquitto.conf")], stderr=log)
        until(self._listens)

    def stop(self) -> None:
        """As an operator would: it saves what it holds."""
        assert self.process is not None
        self.process.terminate()
        self.process.wait(30)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def reread(self) -> None:
        assert self.process is not None
        self.process.send_signal(1)

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def gateway(self) -> Broker:
        return Broker("127.0.0.1", self.port, tls=False, password=read_secret(self.folder / SECRET_FILE))

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def broker_for(database: Database, folder: Path, as_of: datetime, **wishes: int) -> Iterator[RealBroker]:
    """The broker on a free port, with the devices that are enrolled now; ended with the block."""
    for place in (folder.parent, folder):
        place.mkdir(exist_ok=True)
        place.chmod(0o711)  # as root Mosquitto becomes another account, which has to pass here
    broker = RealBroker(folder / "mosquitto", free_port())
    write_configuration(broker.folder, Listener(port=broker.port), **wishes)
    write_passwords(database, broker.folder, as_of)
    broker.start()
    try:
        yield broker
    finally:
        if broker.process is not None and broker.process.poll() is None:
            broker.stop()


@contextmanager
def device_client(
    broker: RealBroker, name: str, token: str, *, version: int = mqtt.MQTTv311, client_id: str = ""
) -> Iterator[mqtt.Client]:
    """A device's client, connected."""
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=version,  # type: ignore[arg-type]
    )
    client.username_pw_set(name, token)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    until(client.is_connected)
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def publish(client: mqtt.Client, topic: str, payloads: Sequence[bytes], qos: int = 1) -> None:
    """Publish and, but for QoS 0, wait until the broker has acknowledged every message."""
    sent = [client.publish(topic, payload, qos) for payload in payloads]
    for one in sent:
        one.wait_for_publish(30)
        assert one.is_published()


# MQTT by hand: what no client library sends


def text(value: bytes) -> bytes:
    return len(value).to_bytes(2) + value


def packet(kind: int, body: bytes) -> bytes:
    """A control packet; its length in as few bytes as it takes."""
    length, size = b"", len(body)
    while True:
        size, digit = divmod(size, 128)
        length += bytes((digit | 0x80 if size else digit,))
        if not size:
            return bytes((kind,)) + length + body


def connect_packet(name: bytes, password: bytes, *, version: int = 4, will: tuple[bytes, bytes] | None = None) -> bytes:
    properties = b"\0" if version == 5 else b""
    flags = 0xC2 | (0x0C if will else 0)
    payload = text(b"client") + (properties + text(will[0]) + text(will[1]) if will else b"")
    head = text(b"MQTT") + bytes((version, flags)) + (60).to_bytes(2) + properties
    return packet(0x10, head + payload + text(name) + text(password))


def publish_packet(topic: bytes, payload: bytes, *, version: int = 4, packet_id: int = 7, kind: int = 0x32) -> bytes:
    numbered = packet_id.to_bytes(2) if kind & 0x06 else b""
    return packet(kind, text(topic) + numbered + (b"\0" if version == 5 else b"") + payload)


def say(broker: RealBroker, *packets: bytes) -> list[bytes]:
    """What the broker answers to packets on one connection, packet by packet, until it is silent or hangs up.

    The last element is b"" when it hung up.
    """
    answers = b""
    hung_up = False
    with socket.create_connection(("127.0.0.1", broker.port), timeout=5) as connection:
        with suppress(ConnectionError):
            for one in packets:
                connection.sendall(one)
            connection.sendall(packet(0xC0, b""))  # a ping: its answer says that all before it was read
        while not answers.endswith(b"\xd0\x00"):
            try:
                piece = connection.recv(4096)
            except ConnectionError:
                piece = b""
            if not piece:
                hung_up = True
                break
            answers += piece
    return [*split(answers), *([b""] if hung_up else [])]


def split(stream: bytes) -> list[bytes]:
    """The control packets of a stream; all that a broker answers here is shorter than 128 bytes."""
    found = []
    while stream:
        end = 2 + stream[1]
        found.append(stream[:end])
        stream = stream[end:]
    return found
