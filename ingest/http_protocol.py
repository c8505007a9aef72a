"""HTTP/1.1 of the gateway on uvicorn and h11, with two things that they leave to a proxy in front.

A request's head has a deadline, so that a connection which trickles it ends; and a head that frames its body twice
(two Content-Length, or one beside Transfer-Encoding) is refused: two servers may read such a body differently.
"""

import asyncio
import re
from typing import Any

import h11
import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from ingest.metrics import OPEN_SOCKETS

HEAD_DEADLINE_S = 10.0
LINGER_S = 2.0
MAX_HEAD_BYTES = 64 * 1024
_HEAD_END = re.compile(rb"\n\r?\n")
_FRAMING = re.compile(rb"\n(content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)


class _OneFraming(h11.Connection):
    """A server's connection that refuses a head which says more than once where its body ends."""

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        if self.their_state is h11.IDLE:
            head, end, _ = _split_head(self.trailing_data[0])
            if end and len(_FRAMING.findall(head)) > 1:
                raise h11.RemoteProtocolError("the body is framed twice")
        return super().next_event()


def _split_head(received: bytes) -> tuple[bytes, bytes, bytes]:
    end = _HEAD_END.search(received)
    return (received, b"", b"") if end is None else (received[: end.start()], end[0], received[end.end() :])


class GatewayProtocol(H11Protocol):
    """One connection. Give it to uvicorn as `http`."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = _OneFraming(h11.SERVER, MAX_HEAD_BYTES)
        self._head_deadline: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The first head is awaited from now on."""
        super().connection_made(transport)
        OPEN_SOCKETS.labels("http").inc()
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Bytes came: perhaps the end of a head, or the begin of one. Behind a refusal they are thrown away."""
        if self._refused:
            return
        super().data_received(data)
        self._watch_head()

    def on_response_complete(self) -> None:
        """What came behind the request, if anything, is the next one's head."""
        super().on_response_complete()
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._head_is_here()
        OPEN_SOCKETS.labels("http").dec()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """A request that is not HTTP as we take it: said once, and the connection ends."""
        self._refuse(400, "The request is not valid HTTP", f"{msg} Send one well-formed request with one length.")

    def _watch_head(self) -> None:
        """A head of which a part is here is expected whole; between requests the keep-alive timer counts."""
        if self.conn.their_state is not h11.IDLE:
            self._head_is_here()
        elif self.conn.trailing_data[0]:
            self._expect_head()

    def _expect_head(self) -> None:
        if self._head_deadline is None:
            self._head_deadline = self.loop.call_later(HEAD_DEADLINE_S, self._head_is_late)

    def _head_is_here(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _head_is_late(self) -> None:
        detail = f"the head did not arrive within {HEAD_DEADLINE_S:g} s; send it again on a better connection"
        self._refuse(408, "The request came too slowly", detail)

    def _refuse(self, status: int, title: str, detail: str) -> None:
        self._head_is_here()
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:  # else an answer is under way already
            body = msgspec.json.encode({"type": "about:blank", "status": status, "title": title, "detail": detail})
            headers = [
                ("content-type", "application/problem+json"),
                ("content-length", str(len(body))),
                ("connection", "close"),
            ]
            for event in (h11.Response(status_code=status, headers=headers), h11.Data(body), h11.EndOfMessage()):
                said = self.conn.send(event)
                if said is not None:
                    self.transport.write(said)
        # A socket closed with bytes unread resets the connection, and the sender may lose the answer that says why.
        self.loop.call_later(LINGER_S, self.transport.close)
