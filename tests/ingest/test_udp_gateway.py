"""The UDP gateway on a real socket and a real database: the stated acknowledgement, or silence."""

import socket
from collections.abc import Iterator

import pytest

from ingest.coalesce import Coalescer
from ingest.devices import enrol
from ingest.udp_gateway import serving_udp
from storage.pool import Database
from tests.ingest.conftest import NOW
from tests.ingest.teltonika_frames import Record, body, datagram
from tests.ingest.test_gateway import count

IMEI = "356307042441013"


@pytest.fixture
def client(database: Database) -> Iterator[socket.socket]:
    with database.role("telemetry") as conn:
        enrol(conn, f"imei-{IMEI}", NOW)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound, socket.socket(type=socket.SOCK_DGRAM) as sender:
        bound.bind(("127.0.0.1", 0))
        with Coalescer(database) as coalescer, serving_udp(database, lambda: NOW, bound, coalescer):
            sender.connect(bound.getsockname())
            sender.settimeout(10)
            yield sender


def test_a_datagram_is_acknowledged_with_its_ids_and_repeated_ids_are_no_repetition(
    client: socket.socket, database: Database
) -> None:
    for speed, stored in ((36, 1), (36, 1), (37, 2)):
        client.send(datagram(IMEI, body([Record(speed_kmh=speed)]), 0xBEEF, 9))
        assert client.recv(16) == bytes.fromhex("0005beef010901")
        assert count(database, "reading") == stored


def test_what_is_damaged_or_nobodys_gets_no_answer_and_stops_nobody_else(
    client: socket.socket, database: Database
) -> None:
    sound = body([Record()])
    for silent in (
        b"", b"hello", datagram(IMEI, sound)[:-1], datagram(IMEI, sound[:-1] + b"\2"),
        datagram("352093081452251", sound), datagram("356307042441014", sound),
    ):  # fmt: skip
        client.send(silent)
    client.send(datagram(IMEI, sound, 1, 2))
    assert client.recv(16) == bytes.fromhex("00050001010201")
    assert (count(database, "reading"), count(database, "upload")) == (1, 1)


def test_a_codec_that_is_not_known_is_kept_once_whatever_its_packet_ids_and_not_acknowledged(
    client: socket.socket, database: Database
) -> None:
    strange = b"\x77" + body([Record()])[1:]
    for packet_id in (1, 2, 3):
        client.send(datagram(IMEI, strange, packet_id))
        client.send(datagram(IMEI, body([Record()]), packet_id, 8))  # answered after it
        assert client.recv(16) == bytes((0, 5, 0, packet_id, 1, 8, 1))
    with database.role("telemetry") as conn:
        kept = conn.execute("select reason, raw from telemetry.quarantine").fetchall()
    assert kept == [("unknown_codec", datagram(IMEI, strange, 1))]
    assert count(database, "reading") == 1


def test_row_13_a_codec_that_changes_is_taken_and_flagged_once(client: socket.socket, database: Database) -> None:
    for number, codec in enumerate((0x08, 0x8E, 0x8E)):
        client.send(datagram(IMEI, body([Record(speed_kmh=number)], codec), number + 1))
        client.recv(16)
    with database.role("telemetry") as conn:
        flags = conn.execute("select flags from telemetry.upload order by upload_id").fetchall()
    assert flags == [(None,), (["codec_switch"],), (None,)]
