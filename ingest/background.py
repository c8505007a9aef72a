"""An event loop in a thread of its own, for a gateway that runs beside the web server."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager


@contextmanager
def running_beside(name: str, run: Callable[[asyncio.Event], Coroutine[None, None, None]]) -> Iterator[None]:
    """`run(stop)` in the background until the block ends, which sets `stop`; what is then left over is cancelled."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def in_thread() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(run(stop))

    thread = threading.Thread(target=in_thread, name=name)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
