"""One server in several processes: each has a socket of its own on one port, and the system deals connections out.

One socket for all would not do: whoever wakes first takes every connection that waits, and the other processors idle.
"""

import logging
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import FrameType

from cli.asgi import bind, bind_beside

STOP_S = 20.0  # for requests under way
LOOK_S = 0.5
RESTART_S = 1.0

type Work = Callable[[socket.socket], None]

_SPAWN = multiprocessing.get_context("spawn")  # a fork would copy locks that threads of the parent hold
_log = logging.getLogger(__name__)


def bind_each(host: str, port: int, count: int) -> list[socket.socket]:
    """So many listening sockets on one port; `PortInUse` when somebody else has it. Port 0 takes any free one."""
    bind(host, port).close()  # alone: else another server's sockets of this kind would share their port with ours
    first = bind_beside(host, port)
    return [first, *(bind_beside(host, first.getsockname()[1]) for _ in range(count - 1))]


class Workers:
    """Processes that run `work` (it can be pickled), one a socket. Each ends when its parent does, however."""

    def __init__(self, listeners: Sequence[socket.socket], work: Work) -> None:
        self.listeners, self.work = listeners, work
        self._life, self._parent = _SPAWN.Pipe(duplex=False)
        self.processes = [self._started(place) for place in range(len(listeners))]

    def watch(self, stop: threading.Event) -> None:
        """Until `stop` is set: who ends by itself is started again, on the socket where its callers wait."""
        while not stop.wait(LOOK_S):
            for place, process in enumerate(self.processes):
                if not process.is_alive() and not stop.wait(RESTART_S):
                    _log.error("worker %d ended with %s and is started again", place + 1, process.exitcode)
                    self.processes[place] = self._started(place)

    def stop(self) -> None:
        """Asks each to end, lets it answer what it has begun, and kills who does not."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.join(STOP_S)
            if process.is_alive():
                process.kill()
                process.join()
        self._parent.close()

    def _started(self, place: int) -> SpawnProcess:
        own = processor_of(place, len(self.listeners))
        process = _SPAWN.Process(target=_run, args=(self.work, self.listeners[place], own, self._life))
        process.start()
        return process


@contextmanager
def running(listeners: Sequence[socket.socket], work: Work) -> Iterator[Workers]:
    """Workers that are stopped at the end; the sockets are closed with them."""
    workers = Workers(listeners, work)
    try:
        yield workers
    finally:
        workers.stop()
        for listener in listeners:
            listener.close()


def run_until_told(listeners: Sequence[socket.socket], work: Work) -> None:
    """Runs them until SIGTERM or Ctrl-C."""
    stop = threading.Event()

    def told(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, told) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with running(listeners, work) as workers:
            workers.watch(stop)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def processor_of(place: int, workers: int) -> int | None:
    """The processor of a worker alone; None where there are fewer than workers, or one cannot be had.

    One thread of a worker runs at a time, and each of its requests goes from one to another and back: on another
    processor, whose caches know nothing of it, a request takes twice as long.
    """
    mine = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return mine[place] if 1 < workers <= len(mine) else None


def _run(work: Work, listener: socket.socket, processor: int | None, life: Connection) -> None:
    if processor is not None:
        os.sched_setaffinity(0, {processor})
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent says when to end
    threading.Thread(target=_end_with, args=(life,), daemon=True).start()
    work(listener)


def _end_with(life: Connection) -> None:
    """Waits until the parent's end of the pipe is closed."""
    with suppress(EOFError, OSError):
        life.recv_bytes()
    os.kill(os.getpid(), signal.SIGTERM)
