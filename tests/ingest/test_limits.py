"""The rate of a credential: a bucket each, 429 with the time to wait, and nobody else is touched."""

import httpx
import pytest
from fastapi.testclient import TestClient

from ingest.devices import enrol
from ingest.gateway import create_gateway
from ingest.limits import UploadLimit
from storage.pool import Database
from tests.ingest.conftest import NOW, Batch, count


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    now = [0.0]
    limit = UploadLimit(per_s=2, burst=3, clock_s=lambda: now[0])
    assert [limit.wait_s(1) for _ in range(4)] == [0, 0, 0, 0.5]
    assert limit.wait_s(2) == 0  # another device's is its own
    now[0] = 0.25
    assert limit.wait_s(1) == pytest.approx(0.25)
    now[0] = 0.5
    assert [limit.wait_s(1), limit.wait_s(1)] == [0, 0.5]
    now[0] = 1000.0
    assert [limit.wait_s(1) for _ in range(4)] == [0, 0, 0, 0.5]


def test_buckets_of_devices_that_have_gone_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.limits._MAX_BUCKETS", 10)
    now = [0.0]
    limit = UploadLimit(per_s=1, burst=1, clock_s=lambda: now[0])
    for device_key in range(100):
        assert limit.wait_s(device_key) == 0
        now[0] += 0.01
    assert len(limit._buckets) <= 10
    assert limit.wait_s(99) > 0  # the newest are kept


def test_a_device_over_its_rate_gets_429_and_the_others_go_on(database: Database, token: str, batch: Batch) -> None:
    with database.role("telemetry") as conn:
        other = enrol(conn, "car-2", NOW).token
    limit = UploadLimit(per_s=0.1, burst=2, clock_s=lambda: 0.0)

    def upload(http: TestClient, credential: str, path: str = "/v1/readings") -> httpx.Response:
        headers = {"Authorization": f"Bearer {credential}", "Content-Type": "application/json"}
        return http.post(path, content=batch(1), headers=headers)

    with TestClient(create_gateway(database, lambda: NOW, limit)) as http:
        assert [upload(http, token).status_code for _ in range(3)] == [200, 200, 429]
        refused = upload(http, token)
        assert refused.headers["retry-after"] == "10"
        assert refused.json()["title"] == "The device uploads too often"
        assert http.get(f"/osmand?id={token}&lat=60&lon=24&timestamp=1790848800").status_code == 429
        assert http.post("/owntracks", content=b"{}", auth=("me", token)).status_code == 429
        assert upload(http, token, "/traccar").status_code == 429
        assert upload(http, other).status_code == 200
    assert count(database, "upload") == 3
