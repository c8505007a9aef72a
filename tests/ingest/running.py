"""A gateway on the server that `wayrate serve` uses, and an upload to it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from starlette.types import ASGIApp

from cli.asgi import bind, server


@contextmanager
def serving_app(app: ASGIApp) -> Iterator[str]:
    """The address of an application that runs until the block ends."""
    listener = bind("127.0.0.1", 0)
    running = server(app)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        running.should_exit = True
        thread.join(30)
        listener.close()


def upload(http: httpx.Client, token: str, body: bytes) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return http.post("/v1/readings", content=body, headers=headers)
