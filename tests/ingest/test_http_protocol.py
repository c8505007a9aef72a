"""HTTP/1.1 as bytes on a socket: heads that trickle, and bodies that are framed twice."""

import json
import socket

import httpx
import pytest

from ingest import http_protocol
from storage.pool import Database
from tests.ingest.conftest import Batch, count, serving

HEAD = "POST /v1/readings HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.http_protocol.LINGER_S", 0.2)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.http_protocol.HEAD_DEADLINE_S", 0.3)


def answer_to(address: str, *pieces: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """Status, headers and body of every answer on one connection, which the gateway has to end within 20 s."""
    host, port = address.removeprefix("http://").split(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        for piece in pieces:
            connection.sendall(piece)
        while piece := connection.recv(65536):
            received += piece
    found = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers["content-length"])
        found.append((int(lines[0].split()[1]), headers, rest[:length]))
        received = rest[length:]
    return found


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "sent", [b"", b"P", HEAD.encode(), b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HT"],
    ids=["nothing", "one byte", "no end", "the next request"],
)  # fmt: skip
def test_row_21_a_head_that_does_not_come_whole_ends_the_connection_with_408(database: Database, sent: bytes) -> None:
    with serving(database) as address:
        *before, last = answer_to(address, sent)
        assert [status for status, _, _ in before] == [200] * sent.count(b"\r\n\r\n")
        assert (last[0], last[1]["connection"]) == (408, "close")
        assert json.loads(last[2])["title"] == "The request came too slowly"
        assert httpx.get(f"{address}/livez").status_code == 200


@pytest.mark.usefixtures("quick")
def test_row_21_a_whole_head_has_no_deadline_any_more(database: Database, token: str, batch: Batch) -> None:
    """The body has its own, and comes after the head's has passed."""
    body = batch(3)
    whole = f"{HEAD}Authorization: Bearer {token}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with serving(database) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(whole)
            connection.settimeout(0.6)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            connection.settimeout(20)
            connection.sendall(body)
            assert connection.recv(12) == b"HTTP/1.1 200"
    assert count(database, "reading") == 3


FRAMED_TWICE = {
    "length and chunked": "Content-Length: {n}\r\nTransfer-Encoding: chunked\r\n",
    "chunked and length": "Transfer-Encoding: chunked\r\nContent-Length: {n}\r\n",
    "one length twice": "Content-Length: {n}\r\nContent-Length: {n}\r\n",
    "two lengths": "Content-Length: {n}\r\ncontent-length: 3\r\n",
    "two in one": "Content-Length: {n}, 3\r\n",
    "chunked twice": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    "line feeds alone": "Content-Length: {n}\nTransfer-Encoding: chunked\n",
    "space before the colon": "Content-Length : {n}\r\n",
    "folded": "Content-Length:\r\n {n}\r\nTransfer-Encoding: chunked\r\n",
    "unknown coding": "Transfer-Encoding: gzip\r\n",
    "negative": "Content-Length: -{n}\r\n",
}


@pytest.mark.parametrize("framing", FRAMED_TWICE.values(), ids=FRAMED_TWICE)
def test_row_26_a_body_framed_twice_is_400_and_the_connection_ends(
    database: Database, token: str, batch: Batch, framing: str
) -> None:
    body = batch(3)
    head = f"{HEAD}Authorization: Bearer {token}\r\n{framing.format(n=len(body))}\r\n".encode()
    pipelined = f"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n{head.decode()}".encode()
    with serving(database) as address:
        ((status, headers, said),) = answer_to(address, head, body)
        assert (status, headers["connection"]) == (400, "close")
        assert json.loads(said)["title"] == "The request is not valid HTTP"
        assert [status for status, _, _ in answer_to(address, pipelined, body)] == [200, 400]
        assert count(database, "upload") == 0
        good = (
            f"{HEAD}Authorization: Bearer {token}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
        assert answer_to(address, good, body)[0][0] == 200
    assert count(database, "reading") == 3


def test_a_chunk_that_is_none_leaves_nothing(database: Database, token: str) -> None:
    head = f"{HEAD}Authorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    with serving(database) as address:
        assert [status for status, _, _ in answer_to(address, head, b"zz\r\nabc\r\n")] == [400]
        assert httpx.get(f"{address}/livez").status_code == 200
    assert count(database, "upload") == 0


def test_the_deadline_that_we_ship_is_ten_seconds() -> None:
    assert http_protocol.HEAD_DEADLINE_S == 10
