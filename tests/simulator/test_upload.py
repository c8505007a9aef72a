"""Uploads over real HTTP to the real gateway: every reading arrives once, whatever the order and the repetitions."""

import gzip
import socket

import numpy as np
import pytest

from ingest.devices import enrol
from simulator.errors import GatewayUnavailable, UnknownSender, UploadRefused
from simulator.faults import double, hold_back, reverse
from simulator.upload import (
    MAX_BODY_BYTES,
    MAX_READINGS,
    Uploaded,
    Uploader,
    batch_json,
    compressed,
    filled_batches,
    joined,
    upload_fleet,
)
from simulator.world import SimulatedTrip
from storage.pool import Database
from tests.simulator.conftest import NOW, serving

type Trips = list[SimulatedTrip]


def enrolled(database: Database, drivers: set[int]) -> dict[int, str]:
    with database.role("telemetry") as conn:
        return {driver: enrol(conn, f"car-{driver}", NOW).token for driver in sorted(drivers)}


def stored(database: Database) -> list[tuple[object, ...]]:
    """Every reading's device and key, in one order."""
    with database.role("telemetry") as conn:
        rows = conn.execute(
            "select device_id, fix_time, content_hash from telemetry.reading join telemetry.device using (device_key)"
            " order by 1, 2, 3"
        )
        return rows.fetchall()


@pytest.fixture
def few(trips: Trips) -> Trips:
    return [trip for trip in trips if trip.driver < 3][:40]


def test_every_reading_arrives_and_sent_again_all_are_duplicates(database: Database, few: Trips) -> None:
    count = sum(map(len, few))
    tokens = enrolled(database, {trip.driver for trip in few})
    seen: list[tuple[int, int]] = []
    with serving(database) as url:
        first = upload_fleet(url, tokens, few, progress=lambda done, total: seen.append((done, total)))
        assert first == Uploaded(sent=count, accepted=count, duplicate=0, quarantined=0)
        assert seen[-1] == (count, count)
        before = stored(database)
        assert len(before) == count
        # The same batches under the same keys: the gateway repeats their first receipts and says so.
        assert upload_fleet(url, tokens, few) == Uploaded(sent=count, accepted=0, duplicate=count, quarantined=0)
        # Under new keys it looks at the readings.
        again = upload_fleet(url, tokens, few, occasion="again")
        assert again == Uploaded(sent=count, accepted=0, duplicate=count, quarantined=0)
    assert stored(database) == before


def test_late_doubled_and_reversed_delivery_ends_at_the_same_rows(database: Database, few: Trips) -> None:
    tokens = enrolled(database, {trip.driver for trip in few})
    now, late = hold_back(few, lambda trip: trip.driver == 1)
    assert late
    assert len(now) + len(late) == len(few)
    count = sum(map(len, few))
    with serving(database) as url:
        first = upload_fleet(url, tokens, double(reverse(now)))
        last = upload_fleet(url, tokens, late)
    assert (first + last).accepted == count
    assert first.duplicate == sum(map(len, now))
    assert len(stored(database)) == count


def test_batches_keep_the_gateways_limits(trips: Trips) -> None:
    of_one = [trip for trip in trips if trip.driver == 0]
    groups = filled_batches(of_one)
    assert [trip for group in groups for trip in group] == of_one
    for group in groups:
        columns = joined(group)
        assert len(columns["fix_time_us"]) <= MAX_READINGS
        body = batch_json(columns)
        content, encoding = compressed(body)
        assert encoding == "gzip"
        assert gzip.decompress(content) == body
        assert compressed(body)[0] == content
        assert len(body) < 8 * 1024 * 1024
        assert len(content) < MAX_BODY_BYTES
        assert len(body) < 100 * len(content)


def test_a_batch_that_would_shrink_too_well_goes_as_it_is() -> None:
    still = {name: np.zeros(MAX_READINGS) for name in ("latitude_deg", "longitude_deg", "speed_mps")}
    body = batch_json({"fix_time_us": np.zeros(MAX_READINGS, dtype=np.int64), **still})
    assert compressed(body) == (body, "identity")


def test_a_wrong_token_is_refused_at_once_and_a_missing_one_before_anything_is_sent(
    database: Database, few: Trips
) -> None:
    with serving(database) as url:
        with Uploader(url, pause=pytest.fail) as uploader, pytest.raises(UploadRefused, match="401"):
            uploader.upload("nobody's", few[0].columns)
        with pytest.raises(UnknownSender):
            upload_fleet(url, {}, few)
    assert stored(database) == []


def test_a_gateway_that_comes_late_gets_everything(database: Database, few: Trips) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    pauses: list[float] = []
    with Uploader(f"http://127.0.0.1:{port}", attempts=4, pause=pauses.append) as uploader:
        with pytest.raises(GatewayUnavailable, match="4 attempts"):
            uploader.upload("any", few[0].columns)
        assert pauses == [0.25, 0.5, 1.0]
        token = enrolled(database, {0})[0]
        with serving(database, port):
            assert uploader.upload(token, few[0].columns).accepted == len(few[0])
