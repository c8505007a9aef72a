"""`wayrate serve --workers N`: several processes on one port, started again when they die, ended with their parent."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import httpx
import psutil
import pytest

from cli.asgi import bind, bind_beside
from cli.errors import PortInUse
from cli.workers import bind_each, processor_of
from storage.pool import Database


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    end = monotonic() + seconds
    while not true():
        assert monotonic() < end, "it did not come to that"
        sleep(0.1)


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def test_sockets_of_one_port_are_nobody_elses() -> None:
    listeners = bind_each("127.0.0.1", 0, 3)
    port = listeners[0].getsockname()[1]
    assert {one.getsockname()[1] for one in listeners} == {port}
    for other in (bind, lambda host, port: bind_each(host, port, 2)):
        with pytest.raises(PortInUse):
            other("127.0.0.1", port)
    for one in listeners:
        one.close()


def test_a_listener_says_that_it_is_tcp_so_that_no_answer_waits_for_an_acknowledgement() -> None:
    for listener in (bind("127.0.0.1", 0), bind_beside("127.0.0.1", 0)):
        with listener, socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            assert accepted.proto == socket.IPPROTO_TCP  # what asyncio asks before it sets TCP_NODELAY


def test_as_many_workers_as_processors_have_one_each() -> None:
    mine = sorted(os.sched_getaffinity(0))
    assert processor_of(0, 1) is None
    assert processor_of(0, len(mine) + 1) is None
    if len(mine) > 1:
        assert [processor_of(place, len(mine)) for place in range(len(mine))] == mine


def test_workers_want_the_pages_alone() -> None:
    refused = subprocess.run([sys.executable, "-m", "cli.main", "serve", "--port", "0", "--workers", "2"],
                             capture_output=True, text=True, check=False)  # fmt: skip
    assert refused.returncode != 0
    assert "give --only api too" in refused.stderr


@pytest.mark.long  # each process loads the whole application
def test_a_killed_worker_is_started_again_and_all_end_with_their_parent(database: Database, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cli.main", "serve", "--only", "api", "--port", "0", "--workers", "2"]
    environment = os.environ | {"WAYRATE_DSN": database.dsn}
    said = tmp_path / "said"
    for ending in (signal.SIGTERM, signal.SIGKILL):
        with said.open("w") as errors, subprocess.Popen(command, env=environment, stderr=errors) as server:
            until(lambda: "Serving on" in said.read_text())
            address = re.search(r"http://\S+", said.read_text())[0]  # type: ignore[index]
            until(lambda address=address: answers(address))  # type: ignore[misc]
            workers = [one for one in psutil.Process(server.pid).children() if "spawn_main" in str(one.cmdline())]
            assert len(workers) == 2
            if len(os.sched_getaffinity(0)) > 1:
                assert [one.cpu_affinity() for one in workers] == [[own] for own in sorted(os.sched_getaffinity(0))[:2]]
            workers[0].kill()
            until(lambda: "is started again" in said.read_text())
            until(lambda address=address: all(answers(address) for _ in range(8)))  # type: ignore[misc]
            workers = [one for one in psutil.Process(server.pid).children() if "spawn_main" in str(one.cmdline())]
            assert len(workers) == 2
            server.send_signal(ending)
            server.wait(30)
            until(lambda workers=workers: not any(one.is_running() for one in workers))  # type: ignore[misc]
            assert not answers(address)
        assert server.returncode == (0 if ending == signal.SIGTERM else -signal.SIGKILL)
