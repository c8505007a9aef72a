import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingest.devices import enrol
from storage.pool import Database

SHARED_DATA = Path(__file__).parents[2].parent / "shared" / "data"
NOW = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)


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
