"""The gateway and the API as one web server, or either alone; a port that is taken is said before anything starts."""

import errno
import gc
import socket
from asyncio import get_running_loop
from concurrent.futures import ThreadPoolExecutor

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from cli.errors import PortInUse
from ingest.http_protocol import GatewayProtocol

# Threads of a process that serves the pages alone: so many of the framework's, and as many for `in_thread`. One runs at
# a time; of a dozen that want to, some are passed over for a second and more, while requests that queue before a few of
# them wait their turn.
PAGE_THREADS = 4
GATEWAY_PATHS = ("/v1/", "/osmand", "/owntracks", "/traccar", "/readyz", "/livez", "/metrics")


def combined(gateway: FastAPI, api: FastAPI) -> ASGIApp:
    """One application: device protocols go to the gateway, everything else to the API and its pages."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await api(scope, receive, send)
            return
        chosen = gateway if scope["path"].startswith(GATEWAY_PATHS) else api
        await chosen(scope, receive, send)

    return app


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; `PortInUse` when somebody else has it. Port 0 takes any free one."""
    return _bound(host, port, socket.SO_REUSEADDR)


def bind_beside(host: str, port: int) -> socket.socket:
    """The same beside others of this kind on one port; each connection goes to one of them."""
    return _bound(host, port, socket.SO_REUSEADDR, socket.SO_REUSEPORT)


def _bound(host: str, port: int, *options: int) -> socket.socket:
    # The protocol is named: asyncio switches Nagle's algorithm off for what says that it is TCP, and nothing else. Left
    # on, each answer's body waits 40 ms for the other side's delayed acknowledgement of its head.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    for option in options:
        listener.setsockopt(socket.SOL_SOCKET, option, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(host, port) from None
        raise
    return listener


def bind_udp(host: str, port: int) -> socket.socket:
    """A bound datagram socket; `PortInUse` when somebody else has it. Port 0 takes any free one."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(host, port) from None
        raise
    return bound


def keep_loaded() -> None:
    """What is loaded by now stays: a search of all of it for garbage would halt every request for half a second.

    For a process that serves and does nothing else.
    """
    gc.collect()
    gc.freeze()


class _Server(uvicorn.Server):
    """A server with so many threads for routes that wait (None: as many as its framework takes)."""

    def __init__(self, config: uvicorn.Config, threads: int | None) -> None:
        super().__init__(config)
        self.threads = threads

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Limits the threads of the loop that runs by now: those of the framework, and those of `in_thread`."""
        limiter = current_default_thread_limiter()
        if self.threads is not None:
            limiter.total_tokens = self.threads
        get_running_loop().set_default_executor(ThreadPoolExecutor(int(limiter.total_tokens)))
        await super().startup(sockets)


def server(app: ASGIApp, *, threads: int | None = None) -> uvicorn.Server:
    """A server with our deadlines and without an access log: a phone's credential stands in its query string.

    `threads`: None, as many as the framework takes.
    """
    config = uvicorn.Config(app, log_level="warning", access_log=False, log_config=None, http=GatewayProtocol)
    return _Server(config, threads)
