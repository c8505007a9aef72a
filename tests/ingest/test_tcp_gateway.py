"""The TCP gateway on a real socket and a real database: what is acknowledged, what is not, what closes."""

import itertools
import os
import re
import resource
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
import pytest

from ingest.coalesce import Coalescer
from ingest.devices import enrol, revoke
from ingest.tcp_gateway import serving_tcp
from storage.pool import Database
from tests.ingest.conftest import NOW
from tests.ingest.teltonika_frames import Record, body, packet
from tests.ingest.test_gateway import count

ROOT = Path(__file__).parents[2]
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
        Coalescer(database) as coalescer,
        serving_tcp(database, lambda: NOW, listener, coalescer, frame_deadline_s=2.0, revocation_check_s=0.5),
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


def flags(database: Database) -> list[object]:
    with database.role("telemetry") as conn:
        return [row[0] for row in conn.execute("select flags from telemetry.upload order by upload_id")]


def test_an_empty_packet_is_in_the_ledger_with_no_records(address: tuple[str, int], database: Database) -> None:
    with connected(address) as client:
        assert answer(client, packet(body([]))) == bytes(4)
        assert answer(client, packet(body([], 0x8E))) == bytes(4)
    with database.role("telemetry") as conn:
        empty = conn.execute("select count(*) from telemetry.upload where records_received = 0").fetchall()
    assert empty == [(2,)]


def test_a_codec_that_changes_within_a_connection_is_taken_and_flagged(
    address: tuple[str, int], database: Database
) -> None:
    with connected(address) as client:
        for second, codec in enumerate((0x08, 0x08, 0x8E, 0x8E, 0x10)):
            sent = packet(body([Record(time_ms=1_790_852_400_000 + second * 1000)], codec))
            assert answer(client, sent) == struct.pack(">I", 1)
    assert flags(database) == [None, None, ["codec_switch"], None, ["codec_switch"]]
    assert count(database, "reading") == 5


def test_a_revoked_devices_silent_connection_is_closed(address: tuple[str, int], database: Database) -> None:
    with connected(address) as client:
        with database.role("telemetry") as conn:
            revoke(conn, f"imei-{IMEI}", NOW)
        assert client.recv(1) == b""


def test_packets_cut_anywhere_and_sent_ahead_are_answered_in_order(
    address: tuple[str, int], database: Database
) -> None:
    rng = np.random.default_rng(5)
    counted = [int(one) for one in rng.integers(0, 40, 25)]
    stream = b"".join(
        b"\xff" * (at % 3)
        + packet(body([Record(time_ms=1_790_852_400_000 + at * 50_000 + n * 1000) for n in range(size)], 0x8E))
        for at, size in enumerate(counted)
    )
    cuts = [0, *sorted(rng.integers(0, len(stream), 60).tolist()), len(stream)]
    with connected(address) as client:
        for start, stop in itertools.pairwise(cuts):
            client.sendall(stream[start:stop])
        received = b""
        while len(received) < 4 * len(counted):
            received += client.recv(4096)
    assert list(struct.unpack(f">{len(counted)}I", received)) == counted
    assert count(database, "reading") == sum(counted)


def test_a_codec_that_is_not_known_is_kept_once(address: tuple[str, int], database: Database) -> None:
    for _ in range(3):
        with connected(address) as client:
            assert answer(client, packet(b"\x77" + body([Record()])[1:])) == b""
    assert reasons(database) == ["unknown_codec"]


def test_the_newest_of_two_connections_wins_and_its_first_upload_says_so(
    address: tuple[str, int], database: Database
) -> None:
    with connected(address) as earlier, connected(address) as later:
        for _ in range(2):
            assert answer(later, SOUND) == struct.pack(">I", 2)
        assert answer(earlier, b"") == b""
    assert flags(database) == [["dual_session"], None]


def test_the_gateway_says_nothing_but_its_one_byte_and_acknowledgements(address: tuple[str, int]) -> None:
    """It sends no command: every message of codec 12 to 15 is one that nobody asked for."""
    with connected(address) as client:
        for codec in (0x0C, 0x0D, 0x0E, 0x0F):
            client.sendall(packet(bytes([codec]) + b"\x01\x06" + struct.pack(">I", 2) + b"ok\x01"))
        assert answer(client, SOUND) == struct.pack(">I", 2)
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.recv(1)


def test_a_revoked_device_is_not_acknowledged(address: tuple[str, int], database: Database) -> None:
    with connected(address) as client:
        with database.role("telemetry") as conn:
            revoke(conn, f"imei-{IMEI}", NOW)
        assert answer(client, SOUND) == b""
    assert count(database, "upload") == 0


def test_a_packet_that_trickles_in_closes_at_the_deadline(address: tuple[str, int], database: Database) -> None:
    """A byte each 0.2 s would take 40 s for a packet that has 2 s."""
    with connected(address) as client:
        began = time.monotonic()
        with suppress(ConnectionError):
            for byte in SOUND:
                client.sendall(bytes([byte]))
                time.sleep(0.2)
        assert 2 <= time.monotonic() - began < 10
    assert count(database, "upload") == 0


def test_an_imei_that_trickles_in_closes_at_the_deadline(address: tuple[str, int]) -> None:
    with connected(address, greeted=False) as client:
        began = time.monotonic()
        with suppress(ConnectionError):
            for byte in HELLO:
                client.sendall(bytes([byte]))
                time.sleep(0.2)
        assert 2 <= time.monotonic() - began < 10


def test_five_thousand_silent_connections_starve_nobody(database: Database) -> None:
    """Admitted and silent; meanwhile one device sends, and each of them is there still at the end."""
    idle = 5000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * idle + 500  # both ends are in this process
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"{needed} open files are needed; the limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    imeis = list(itertools.islice(sound_imeis(), idle + 1))
    with database.role("telemetry") as conn, conn.cursor() as cursor:
        rows = [(1000 + at, f"imei-{imei}", NOW) for at, imei in enumerate(imeis)]
        cursor.executemany(
            "insert into telemetry.device (device_key, device_id, enrolled_at) values (%s, %s, %s)", rows
        )
    with (
        ExitStack() as held,
        socket.create_server(("127.0.0.1", 0), backlog=2048) as listener,
        Coalescer(database) as coalescer,
        serving_tcp(database, lambda: NOW, listener, coalescer),
    ):
        silent = []
        for imei in imeis[:idle]:
            client = held.enter_context(socket.create_connection(listener.getsockname(), timeout=30))
            client.sendall(b"\x00\x0f" + imei.encode())
            silent.append(client)
        assert all(client.recv(1) == b"\x01" for client in silent)
        with socket.create_connection(listener.getsockname(), timeout=10) as busy:
            busy.sendall(b"\x00\x0f" + imeis[idle].encode())
            assert busy.recv(1) == b"\x01"
            for second in range(20):
                sent = packet(body([Record(time_ms=1_790_852_400_000 + second * 1000)]))
                assert answer(busy, sent) == struct.pack(">I", 1)
        for client in silent[:: idle // 10]:
            assert answer(client, packet(body([Record()]))) == struct.pack(">I", 1)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def sound_imeis() -> Iterator[str]:
    for number in itertools.count(35_000_000_000_000):
        digits = f"{number:014d}"
        doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(digits)]
        yield digits + str(-sum(value // 10 + value % 10 for value in doubled) % 10)


def test_what_was_acknowledged_survives_the_gateways_death(
    database: Database, database_dsn: str, tmp_path: Path
) -> None:
    """SIGKILL under load: every acknowledged reading is stored, and at most the packet under way is stored besides."""
    rng = np.random.default_rng(3)
    with database.role("telemetry") as conn:
        enrol(conn, f"imei-{IMEI}", datetime.now(UTC))
    start_ms = round(time.time() * 1000) - 3_600_000
    acknowledged = sent = 0
    for _ in range(2):
        log = tmp_path / "serve.log"
        with log.open("wb") as written, subprocess.Popen(
            [sys.executable, "-m", "cli.main", "serve", "--only", "gateway", "--port", "0", "--tcp-port", "0"],
            env=os.environ | {"WAYRATE_DSN": database_dsn}, stdout=written, stderr=written, cwd=ROOT,
        ) as gateway:  # fmt: skip
            with connected(("127.0.0.1", announced_port(log))) as client:
                threading.Timer(rng.uniform(0.3, 1.0), gateway.kill).start()
                with suppress(ConnectionError):
                    while True:
                        client.sendall(packet(body([Record(time_ms=start_ms + sent * 1000)])))
                        sent += 1
                        if client.recv(4) != b"\0\0\0\1":
                            break
                        acknowledged += 1
            gateway.wait(30)
    assert acknowledged > 5
    assert acknowledged <= count(database, "reading") <= sent


def announced_port(log: Path) -> int:
    for _ in range(300):
        found = re.search(rb"connect to [\d.]+, port (\d+)", log.read_bytes())
        if found:
            return int(found[1])
        time.sleep(0.1)
    raise AssertionError(log.read_text())


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


def test_a_refusal_reaches_a_device_whose_packets_are_already_under_way(address: tuple[str, int]) -> None:
    """Bytes that nobody read would end the connection with a reset, and the refusal with it."""
    with connected(address, greeted=False) as client:
        stranger = b"\x00\x0f" + b"490154203237518"
        client.sendall(stranger + SOUND * 200)
        time.sleep(0.3)
        assert client.recv(10) == b"\x00"
        assert client.recv(10) == b""
