"""The TCP gateway on a real socket and a real database: what is acknowledged, what is not, what closes."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from ingest.devices import enrol, revoke
from ingest.tcp_gateway import serving_tcp
from storage.pool import Database
from tests.ingest.conftest import NOW
from tests.ingest.teltonika_frames import Record, body, packet
from tests.ingest.test_gateway import count

IMEI = "356307042441013"
HELLO = b"\x00\x0f" + IMEI.encode()
SOUND = packet(body([Record(), Record(time_ms=1_790_852_401_000)], 0x8E))
DAMAGED = SOUND[:-1] + bytes([SOUND[-1] ^ 1])


@pytest.fixture
def address(database: Database) -> Iterator[tuple[str, int]]:
    with database.role("telemetry") as conn:
        enrol(conn, f"imei-{IMEI}", NOW)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        serving_tcp(database, lambda: NOW, listener, frame_deadline_s=2.0),
    ):
        yield listener.getsockname()


@contextmanager
def connected(address: tuple[str, int], *, greeted: bool = True) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=10) as client:
        if greeted:
            client.sendall(HELLO)
            assert client.recv(1) == b"\x01"
        yield client


def answer(client: socket.socket, sent: bytes) -> bytes:
    """What comes back for what is sent; nothing when the gateway hangs up."""
    client.sendall(sent)
    try:
        return client.recv(16)
    except ConnectionResetError:
        return b""


def reasons(database: Database) -> list[str]:
    with database.role("telemetry") as conn:
        return [str(row[0]) for row in conn.execute("select reason from telemetry.quarantine order by quarantine_id")]


def test_the_acknowledgement_is_the_number_of_records_and_a_repetition_stores_nothing(
    address: tuple[str, int], database: Database
) -> None:
    with connected(address) as client:
        assert answer(client, SOUND) == struct.pack(">I", 2)
        assert count(database, "reading") == 2
        assert answer(client, b"\xff\xff" + SOUND) == struct.pack(">I", 2)
        assert answer(client, packet(body([Record(speed_kmh=9)], 0x10))) == struct.pack(">I", 1)
    assert count(database, "reading") == 3
    with database.role("telemetry") as conn:
        assert set(conn.execute("select tier, channel from telemetry.upload")) == {("claim", "teltonika-tcp")}


@pytest.mark.parametrize(
    "hello",
    [
        b"\x00\x0e" + IMEI[:14].encode(),
        b"\x00\x10" + IMEI.encode() + b"0",
        b"\x00\x0f35630704244101a",
        b"\x00\x0f356307042441014",
        b"\x00\x0f" + "٣".encode() * 7 + b"3",
        b"\x00\x0f352093081452251",  # sound, but nobody's
    ],
)
def test_who_is_not_enrolled_is_told_so_and_left(address: tuple[str, int], hello: bytes) -> None:
    with connected(address, greeted=False) as client:
        assert answer(client, hello) == b"\x00"
        assert answer(client, b"") == b""


@pytest.mark.parametrize(
    "sent",
    [
        b"\x01" + SOUND[1:],
        bytes(8),
        bytes(4) + struct.pack(">I", 65537),
        bytes(4) + b"\xff" * 4,
        HELLO,
        SOUND[:20],  # and then silence
        packet(b"\x77" + body([Record()])[1:]),
    ],
    ids=["preamble", "length 0", "length over 64 KiB", "length 0xFFFFFFFF", "second IMEI", "truncated", "codec"],
)
def test_what_breaks_the_protocol_closes_without_an_answer(
    address: tuple[str, int], database: Database, sent: bytes
) -> None:
    with connected(address) as client:
        assert answer(client, sent) == b""
    assert count(database, "reading") == 0


def test_a_packet_before_the_imei_closes(address: tuple[str, int]) -> None:
    with connected(address, greeted=False) as client:
        assert answer(client, SOUND) == b""


def test_damaged_packets_are_not_acknowledged_and_the_fifth_repetition_frees_the_device(
    address: tuple[str, int], database: Database
) -> None:
    with connected(address) as client:
        for _ in range(4):
            assert answer(client, DAMAGED + SOUND) == struct.pack(">I", 2)  # of the sound one alone
        assert reasons(database) == []
        assert answer(client, DAMAGED) == struct.pack(">I", 2)
    assert reasons(database) == ["crc_stuck"]


def test_no_records_what_is_left_over_and_an_unsolicited_answer(address: tuple[str, int], database: Database) -> None:
    with connected(address) as client:
        assert answer(client, packet(body([]))) == bytes(4)
        assert answer(client, packet(body([Record()], trailing=b"\xab"))) == struct.pack(">I", 1)
        unsolicited = packet(b"\x0c\x01\x06" + struct.pack(">I", 2) + b"ok\x01")
        assert answer(client, unsolicited + packet(body([]))) == bytes(4)
    assert reasons(database) == ["trailing", "unsolicited"]
    assert count(database, "reading") == 1


def test_a_codec_that_is_not_known_is_kept_once(address: tuple[str, int], database: Database) -> None:
    for _ in range(3):
        with connected(address) as client:
            assert answer(client, packet(b"\x77" + body([Record()])[1:])) == b""
    assert reasons(database) == ["unknown_codec"]


def test_the_newest_of_two_connections_wins(address: tuple[str, int]) -> None:
    with connected(address) as earlier, connected(address) as later:
        assert answer(later, SOUND) == struct.pack(">I", 2)
        assert answer(earlier, b"") == b""


def test_a_revoked_device_is_not_acknowledged(address: tuple[str, int], database: Database) -> None:
    with connected(address) as client:
        with database.role("telemetry") as conn:
            revoke(conn, f"imei-{IMEI}", NOW)
        assert answer(client, SOUND) == b""
    assert count(database, "upload") == 0


def test_nothing_is_acknowledged_before_the_commit(
    address: tuple[str, int], database: Database, database_dsn: str
) -> None:
    """While somebody else holds the device's row, the readings wait, and so does the answer."""
    with connected(address) as client, psycopg.connect(database_dsn) as holder:
        holder.execute("select from telemetry.device for update")
        client.settimeout(1)
        with pytest.raises(TimeoutError):
            answer(client, SOUND)
        assert count(database, "reading") == 0
        holder.rollback()
        client.settimeout(10)
        assert client.recv(4) == struct.pack(">I", 2)
    assert count(database, "reading") == 2
