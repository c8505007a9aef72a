import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn

from ingest.coalesce import Coalescer
from ingest.devices import enrol
from ingest.gateway import create_gateway
from ingest.http_protocol import GatewayProtocol
from storage.pool import Database

SHARED_DATA = Path(__file__).parents[2].parent / "shared" / "data"
NOW = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)


type Batch = Callable[..., bytes]


@contextmanager
def serving(database: Database) -> Iterator[str]:
    """The address of a gateway that runs until the block ends."""
    with socket.socket() as listener, Coalescer(database) as coalescer:
        app = create_gateway(database, lambda: NOW, coalescer=coalescer)
        config = uvicorn.Config(app, log_level="warning", access_log=False, log_config=None, http=GatewayProtocol)
        server = uvicorn.Server(config)
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # who connects before the server is up waits
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)


def count(database: Database, table: str) -> int:
    with database.role("telemetry") as conn:
        row = conn.execute(f"select count(*) from telemetry.{table}").fetchone()  # type: ignore[arg-type]
    assert row is not None
    return int(str(row[0]))


@pytest.fixture
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder of real data (../shared/data) is not here")
    return SHARED_DATA


@pytest.fixture
def token(database: Database) -> str:
    """The token of an enrolled device called car-1."""
    with database.role("telemetry") as conn:
        return enrol(conn, "car-1", NOW).token


@pytest.fixture
def batch() -> Callable[..., bytes]:
    """A batch of `count` readings from 10:00 on, one a second, with `changes` to the one at place 1."""

    def make(count: int = 3, **changes: object) -> bytes:
        rows: list[dict[str, object]] = [
            {
                "fix_time": f"2026-10-01T{10 + second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}Z",
                "latitude_deg": 60.17 + second * 1e-4,
                "longitude_deg": 24.94,
                "speed_mps": 11.5,
            }
            for second in range(count)
        ]
        if changes:
            rows[1] |= changes
        return json.dumps({"readings": rows}).encode()

    return make
