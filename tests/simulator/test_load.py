"""The load: packets that our decoder reads back, a vehicle that keeps what is not acknowledged, and the command."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.errors import BadLoad
from cli.main import app
from ingest.decoders.avl import Fault
from ingest.decoders.teltonika import decode_frames
from simulator.load import Step, Target, run_load
from simulator.load_frames import rounds

ROOT = Path(__file__).parents[2]
START_MS = 1_790_852_400_000


def test_packets_of_a_round_are_read_back_and_no_two_readings_share_a_time() -> None:
    stream = rounds(5, 7, START_MS, np.random.default_rng(2))
    times: list[list[int]] = [[] for _ in range(5)]
    for _ in range(3):
        one = next(stream)
        packets = decode_frames(one.packets)
        assert [packet.fault for packet in packets] == [Fault.NONE] * 5
        assert {packet.body[0] for packet in packets} == {0x08, 0x8E}
        for place, packet in enumerate(packets):
            readings = packet.decoded.readings
            np.testing.assert_allclose(readings.latitude_deg, one.latitude_deg[place])
            np.testing.assert_allclose(readings.longitude_deg, one.longitude_deg[place])
            np.testing.assert_allclose(readings.speed_mps, one.speed_mps[place], rtol=1e-6)
            assert (np.diff(readings.odometer_m) >= 0).all()
            times[place] += readings.fix_time_us.tolist()
    assert times == [[(START_MS + second * 1000) * 1000 for second in range(21)]] * 5


@contextmanager
def moody_gateway() -> Iterator[tuple[tuple[str, int], list[bytes]]]:
    """Takes every packet at last: it hangs up on the first, and says a wrong number to the second."""
    heard: list[bytes] = []
    loop = asyncio.new_event_loop()
    ready: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert len(await reader.readexactly(17)) == 17
        writer.write(b"\x01")
        try:
            while True:
                head = await reader.readexactly(8)
                frame = head + await reader.readexactly(int.from_bytes(head[4:]) + 4)
                heard.append(frame)
                if len(heard) == 1:
                    break
                writer.write((0 if len(heard) == 2 else frame[9]).to_bytes(4))
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        ready.append(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    task = loop.create_task(run())
    thread = Thread(target=lambda: loop.run_until_complete(asyncio.wait([task])))
    thread.start()
    while not ready:
        pass
    try:
        yield ("127.0.0.1", ready[0]), heard
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()


def test_what_is_not_acknowledged_is_sent_again_until_it_is() -> None:
    with moody_gateway() as (address, heard):
        targets = [Target(imei="356307042441013", tcp=address)]
        load = asyncio.run(
            run_load(targets, [20.0], 1.0, 5, START_MS, np.random.default_rng(1), lambda done, total: None)
        )
    step = load.steps[0]
    assert heard[0] == heard[1] == heard[2]  # hung up on, answered wrongly, taken
    assert len(set(heard)) == len(heard) - 2
    assert step.offered == step.acknowledged == load.vehicles[0].acknowledged == 5 * len(set(heard))
    assert step.latency_s(50) > 0


def test_the_knee_is_the_last_rate_that_was_kept_up_with() -> None:
    def kept_up(step: Step) -> bool:
        return step.rate < 50

    with moody_gateway() as (address, _):
        targets = [Target(imei="356307042441013", tcp=address)]
        rates = [20.0, 40.0, 60.0, 80.0]
        load = asyncio.run(
            run_load(targets, rates, 0.5, 5, START_MS, np.random.default_rng(1), lambda done, total: None, kept_up)
        )
    assert [step.rate for step in load.steps] == [20.0, 40.0, 60.0]
    assert load.knee == 40.0


def test_the_command_loses_nothing_on_a_gateway_of_its_own() -> None:
    done = wayrate("load", "--vehicles", "40", "--seconds", "2", "--rate", "2000")
    assert done.returncode == 0, done.stderr
    lost = re.search(r"^lost: 0 of ([\d,]+) acknowledged", done.stdout, re.MULTILINE)
    assert lost
    assert int(lost[1].replace(",", "")) > 1000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--tcp", "5027"], "not HOST:PORT"),
        (["--tcp", "localhost:99999"], "not HOST:PORT"),
        (["--records", "256"], "255"),
        (["--vehicles", "0"], "1"),
        (["--vehicles", "1", "--rate", "100000"], "more --vehicles"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(app, ["load", *arguments])
    assert done.exit_code != 0
    said = str(done.exception) if isinstance(done.exception, BadLoad) else done.stderr
    assert says in said


def wayrate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
