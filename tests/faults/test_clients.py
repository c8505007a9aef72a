"""Clients that reset, trickle, idle by the thousand or flood: the others are acknowledged all the while."""

import asyncio
import resource
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.faults.senders import packet
from tests.faults.system import HOST, RunningSystem, running_system

pytestmark = pytest.mark.faults

QUIET = 6  # devices that send as they should; the last one enrolled is the one that does not
IDLE = 5000
START_MS = round(time.time()) * 1000 - 40 * 86_400_000


@pytest.fixture(scope="module")
def system() -> Iterator[RunningSystem]:
    with (
        TemporaryDirectory(prefix="wayrate-tests-", ignore_cleanup_errors=True) as folder,
        running_system(Path(folder), devices=QUIET + 1, worker=False) as found,
    ):
        yield found


def greeted(system: RunningSystem, device_id: str) -> socket.socket:
    """A connection on which the device has said who it is."""
    client = socket.create_connection((HOST, system.tcp_port), timeout=20)
    client.sendall(b"\x00\x0f" + device_id.removeprefix("imei-").encode())
    assert client.recv(1) == b"\x01"
    return client


def ledger_lines(system: RunningSystem) -> list[str]:
    path = system.folder / "ledger"
    return path.read_text().splitlines() if path.exists() else []


def senders_since(system: RunningSystem, lines: int) -> set[str]:
    """Which devices have been acknowledged since the ledger had so many lines."""
    return {line.split()[0] for line in ledger_lines(system)[lines:]}


def wait_for_all_quiet(system: RunningSystem) -> float:
    """Seconds until every quiet device has been acknowledged again."""
    lines, began = len(ledger_lines(system)), time.monotonic()
    while senders_since(system, lines) < {device_id for device_id, _, _ in system.devices[:QUIET]}:
        assert time.monotonic() - began < 30, system.log_tail()
        time.sleep(0.05)
    return time.monotonic() - began


def stored(system: RunningSystem, device_id: str) -> int:
    with system.database.role("telemetry") as conn:
        row = conn.execute(
            "select count(*) from telemetry.reading join telemetry.device using (device_key) where device_id = %s",
            (device_id,),
        ).fetchone()
    assert row is not None
    return int(str(row[0]))


def test_a_client_that_resets_right_after_sending(system: RunningSystem) -> None:
    """Whether its packets were stored it does not know; it sends them again, and each record is there once."""
    rude = system.devices[QUIET][0]
    system.send(system.devices[:QUIET])
    for number in range(20):
        with greeted(system, rude) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(packet(START_MS + number * 10_000, 10))
    with greeted(system, rude) as client:
        for number in range(20):
            client.sendall(packet(START_MS + number * 10_000, 10))
            assert client.recv(4) == struct.pack(">I", 10)
    wait_for_all_quiet(system)
    assert stored(system, rude) == 200
    assert system.check() > 0


def test_slow_senders(system: RunningSystem) -> None:
    """A hundred connections that give a byte every second hold up nobody."""
    system.send(system.devices[:QUIET])
    sent = packet(START_MS, 5)
    slow = [socket.create_connection((HOST, system.tcp_port), timeout=20) for _ in range(100)]
    try:
        for byte in (b"\x00\x0f3563" + sent)[:4]:
            for client in slow:
                with suppress(OSError):
                    client.sendall(bytes([byte]))
            assert wait_for_all_quiet(system) < 15
    finally:
        for client in slow:
            client.close()
    assert system.check() > 0


@pytest.mark.long
def test_thousands_of_idle_sockets(system: RunningSystem) -> None:
    """5,000 connections, half of them without a word, half of them of devices that said who they are."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < IDLE + 500:
        pytest.skip(f"`ulimit -n` is under {IDLE + 500}")
    before = len(system.devices)
    system.enrol(IDLE // 2, http_share=0.0)
    system.send(system.devices[:QUIET])

    async def idle() -> float:
        opened = []
        try:
            for number in range(IDLE // 2):
                opened.append(await asyncio.open_connection(HOST, system.tcp_port))
                reader, writer = await asyncio.open_connection(HOST, system.tcp_port)
                writer.write(b"\x00\x0f" + system.devices[before + number][0].removeprefix("imei-").encode())
                assert await asyncio.wait_for(reader.readexactly(1), 20) == b"\x01"
                opened.append((reader, writer))
            return await asyncio.to_thread(wait_for_all_quiet, system)
        finally:
            for _, writer in opened:
                writer.close()

    print(f"{IDLE} idle sockets: every quiet device acknowledged again within {asyncio.run(idle()):.1f} s")
    assert system.check() > 0


@pytest.mark.long
def test_one_device_that_floods(system: RunningSystem) -> None:
    """A thousand full packets without waiting for an answer: the quiet devices are acknowledged meanwhile."""
    flooder = system.devices[QUIET][0]
    system.send(system.devices[:QUIET])
    alone_s = max(wait_for_all_quiet(system) for _ in range(3))

    async def flood() -> tuple[float, int]:
        reader, writer = await asyncio.open_connection(HOST, system.tcp_port)
        writer.write(b"\x00\x0f" + flooder.removeprefix("imei-").encode())
        assert await reader.readexactly(1) == b"\x01"

        async def pour() -> None:
            with suppress(OSError):
                for number in range(1000):
                    writer.write(packet(START_MS + 10**9 + number * 255_000, 255))
                    await writer.drain()

        async def drink() -> int:
            answers = 0
            with suppress(OSError, asyncio.IncompleteReadError):
                while answers < 1000:
                    await reader.readexactly(4)
                    answers += 1
            return answers

        pouring, drinking = asyncio.create_task(pour()), asyncio.create_task(drink())
        waits = []
        while not drinking.done() and len(waits) < 10:
            waits.append(await asyncio.to_thread(wait_for_all_quiet, system))
        answers = await drinking
        await pouring
        writer.close()
        return max(waits), answers

    beside_s, answers = asyncio.run(flood())
    print(
        f"flood: {answers} of 1000 packets acknowledged; all quiet ones within {beside_s:.1f} s (alone {alone_s:.1f})"
    )
    assert stored(system, flooder) >= answers * 255
    assert beside_s < 15
    assert system.check() > 0
