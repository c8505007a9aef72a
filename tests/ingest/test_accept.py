"""The front door: duplicates, order, conservation, idempotency, the dirty window; on a real PostgreSQL."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import permutations

import numpy as np
import pytest

from ingest.accept import Receipt, accept
from ingest.decoders import osmand, wayrate
from ingest.devices import authenticate, enrol, find_device, revoke, rotate
from ingest.errors import BadDeviceId, DeviceExists, DeviceRevoked, IdempotencyConflict, UnknownDevice
from ingest.readings import CONTENT_COLUMNS, TIER_FLAGS, Flag, Readings, content_hash
from ingest.store import Device, fetch_readings
from storage.pool import Database
from tests.ingest.conftest import NOW

WEEKS_US = (0, 4_000_000_000_000_000)
type Batch = Callable[..., bytes]


@pytest.fixture
def device(database: Database, token: str) -> Device:
    with database.role("telemetry") as conn:
        found = authenticate(conn, token, NOW)
    assert found is not None
    return found


def send(database: Database, device: Device, body: bytes, *, key: str | None = None, later: int = 0) -> Receipt:
    return accept(
        database, device, body, wayrate.decode, received_at=NOW + timedelta(seconds=later), channel="http",
        decoder_version=wayrate.VERSION, idempotency_key=key,
    )  # fmt: skip


def counts(receipt: Receipt) -> tuple[int, int, int]:
    return receipt.accepted, receipt.duplicate, receipt.quarantined


def stored(database: Database, device: Device) -> Readings:
    with database.role("telemetry") as conn:
        return fetch_readings(conn, device.device_key, *WEEKS_US)


def rows(database: Database, query: str) -> list[tuple[object, ...]]:
    with database.role("telemetry") as conn:
        return conn.execute(query).fetchall()  # type: ignore[arg-type]


def assert_conserved(database: Database) -> None:
    ledger = rows(
        database, "select sum(records_received), sum(records_stored), sum(records_duplicate), sum(records_quarantined) "
        "from telemetry.upload",
    )[0]  # fmt: skip
    received, kept, duplicate, quarantined = (int(str(one or 0)) for one in ledger)
    assert received == kept + duplicate + quarantined
    assert rows(database, "select count(*) from telemetry.reading") == [(kept,)]
    assert rows(database, "select count(*) from telemetry.quarantine") == [(quarantined,)]


def test_what_is_accepted_comes_back_bit_for_bit(database: Database, device: Device, batch: Batch) -> None:
    body = batch(3, hdop=1.1, satellites=7, altitude_m=-12.5, ignition=True, odometer_m=123456.789, phone_in_use=0)
    assert counts(send(database, device, body)) == (3, 0, 0)
    sent, kept = wayrate.decode(body).readings, stored(database, device)
    for name in CONTENT_COLUMNS:
        np.testing.assert_array_equal(getattr(kept, name), getattr(sent, name), err_msg=name)
    assert kept.device_key.tolist() == [device.device_key] * 3
    assert content_hash(kept).tolist() == content_hash(sent).tolist()
    assert_conserved(database)


def test_the_same_batch_again_is_all_duplicate_and_marks_nothing(
    database: Database, device: Device, batch: Batch
) -> None:
    send(database, device, batch(50))
    assert counts(send(database, device, batch(50), later=7200)) == (0, 50, 0)
    assert len(stored(database, device)) == 50
    assert rows(database, "select count(*) from telemetry.dirty_window") == [(1,)]
    assert_conserved(database)


def test_equal_readings_within_one_batch_are_one(database: Database, device: Device, batch: Batch) -> None:
    records = json.loads(batch(4))["readings"]
    body = json.dumps({"readings": records + records[::-1]}).encode()
    assert counts(send(database, device, body)) == (4, 4, 0)
    assert_conserved(database)


def test_eight_senders_of_one_batch_at_once_store_it_once(database: Database, device: Device, batch: Batch) -> None:
    with ThreadPoolExecutor(8) as threads:
        receipts = list(threads.map(lambda _: send(database, device, batch(200), key="same"), range(8)))
        others = list(threads.map(lambda _: send(database, device, batch(200)), range(8)))
    assert {counts(receipt) for receipt in receipts} == {(200, 0, 0)}  # the one upload's receipt, to all
    assert {counts(receipt) for receipt in others} == {(0, 200, 0)}
    assert rows(database, "select count(*) from telemetry.upload") == [(9,)]
    assert_conserved(database)


def test_one_time_with_two_contents_is_two_readings(database: Database, device: Device, batch: Batch) -> None:
    send(database, device, batch(2))
    assert counts(send(database, device, batch(2, speed_mps=3.5))) == (1, 1, 0)
    assert len(stored(database, device)) == 3


def table_of(database: Database, device: Device, batches: Sequence[bytes]) -> list[tuple[object, ...]]:
    for body in batches:
        send(database, device, body)
    assert_conserved(database)
    found = rows(
        database, "select fix_time, content_hash, flags, latitude_deg, longitude_deg, speed_mps "
        "from telemetry.reading order by 1, 2",
    )  # fmt: skip
    with database.role("telemetry") as conn:
        conn.execute("delete from telemetry.reading")
        conn.execute("delete from telemetry.quarantine")
        conn.execute("delete from telemetry.upload")
    return found


def test_any_order_and_cutting_of_the_batches_ends_at_identical_rows(
    database: Database, device: Device, batch: Batch
) -> None:
    records = json.loads(batch(60))["readings"]

    def cut(order: Sequence[int], size: int) -> list[bytes]:
        chosen = [records[one] for one in order]
        return [json.dumps({"readings": chosen[at : at + size]}).encode() for at in range(0, len(chosen), size)]

    forward = table_of(database, device, cut(range(60), 10))
    assert len(forward) == 60
    assert table_of(database, device, cut(range(59, -1, -1), 10)) == forward
    shuffled = np.random.default_rng(7).permutation(np.repeat(np.arange(60), 2)).tolist()
    assert table_of(database, device, cut(shuffled, 7)) == forward


def test_flags_of_a_reading_do_not_depend_on_which_arrival_was_first(database: Database, device: Device) -> None:
    frame = b"timestamp=1790848800&lat=60.17&lon=24.94"
    guessed = partial(osmand.decode, credential="", is_json=False)
    own = b'{"readings": [{"fix_time": 1790848800, "latitude_deg": 60.17, "longitude_deg": 24.94}]}'

    def osmand_first() -> None:
        accept(database, device, frame, guessed, received_at=NOW, channel="osmand", decoder_version="1")

    osmand_first()
    assert stored(database, device).flags.tolist() == [Flag.TIME_UNIT_GUESSED | TIER_FLAGS[device.tier]]
    assert counts(send(database, device, own)) == (0, 1, 0)
    assert stored(database, device).flags.tolist() == [TIER_FLAGS[device.tier]]
    osmand_first()
    assert stored(database, device).flags.tolist() == [TIER_FLAGS[device.tier]]


@pytest.mark.parametrize("order", list(permutations(["claim", "signed", "tls"])))
def test_the_best_proof_of_a_reading_counts_in_any_order_of_arrival(
    database: Database, device: Device, order: tuple[str, ...]
) -> None:
    own = b'{"readings": [{"fix_time": 1790848800, "latitude_deg": 60.17, "longitude_deg": 24.94}]}'
    for number, tier in enumerate(order, start=1):
        send(database, replace(device, tier=tier), own)
        best = max(order[:number], key=["claim", "tls", "signed"].index)
        assert stored(database, device).flags.tolist() == [TIER_FLAGS[best]]


def test_bad_records_are_kept_whole_with_their_reasons_and_the_others_stored(
    database: Database, device: Device
) -> None:
    records = [
        '{"fix_time": 1790848800, "latitude_deg": 91, "longitude_deg": 24}',
        '{"fix_time": 0, "latitude_deg": 60, "longitude_deg": 24}',
        '{"fix_time": "2099-01-01T00:00:00Z"}',
        '{"fix_time": "2026-10-01T10:00:00"}',
        '{"fix_time": 1790848800, "speed_mps": "nan"}',
        '{"fix_time": 1790848800, "latitude_deg": 60, "longitude_deg": 24}',
        '{"fix_time": 1700000000, "latitude_deg": 60, "longitude_deg": 24}',
        '{"fix_time": "; DROP TABLE telemetry.reading --"}',
    ]
    receipt = send(database, device, b'{"readings": [' + ", ".join(records).encode() + b"]}")
    assert counts(receipt) == (1, 0, 7)
    kept = rows(database, "select record_index, reason, raw from telemetry.quarantine order by record_index")
    assert kept == [
        (0, "range", records[0].encode()),
        (1, "unsynced_clock", records[1].encode()),
        (2, "future", records[2].encode()),
        (3, "naive_time", records[3].encode()),
        (4, "not_finite", records[4].encode()),
        (6, "too_late", records[6].encode()),
        (7, "malformed", records[7].encode()),
    ]
    assert sorted((one.index, one.reason) for one in receipt.records) == [(index, reason) for index, reason, _ in kept]
    assert_conserved(database)


def test_same_key_and_body_gives_the_earlier_receipt_and_another_body_a_conflict(
    database: Database, device: Device, batch: Batch
) -> None:
    first = send(database, device, batch(3, latitude_deg=91), key="k-1")
    assert counts(first) == (2, 0, 1)
    assert send(database, device, batch(3, latitude_deg=91), key="k-1", later=60) == replace(first, replayed=True)
    with pytest.raises(IdempotencyConflict):
        send(database, device, batch(4), key="k-1")
    assert rows(database, "select count(*) from telemetry.upload") == [(1,)]
    assert_conserved(database)


def test_an_upload_marks_the_span_of_its_readings_dirty(database: Database, device: Device, batch: Batch) -> None:
    send(database, device, batch(61))
    window = (
        "select extract(epoch from from_time)::bigint, extract(epoch from to_time)::bigint from telemetry.dirty_window"
    )
    assert rows(database, window) == [(1790848800, 1790848860)]


def test_readings_come_back_between_two_times_both_included(database: Database, device: Device, batch: Batch) -> None:
    start_us = 1_790_848_800_000_000
    send(database, device, batch(10))
    with database.role("telemetry") as conn:
        inner = fetch_readings(conn, device.device_key, start_us + 2_000_000, start_us + 4_000_000)
    assert inner.fix_time_us.tolist() == [start_us + second * 1_000_000 for second in (2, 3, 4)]


def test_only_the_hash_of_a_token_is_stored(database: Database, token: str) -> None:
    assert len(token) == 32  # 192 bits
    assert token.encode() not in b"".join(
        bytes(row[0]) for row in rows(database, "select token_hash from telemetry.credential")
    )  # type: ignore[arg-type]


def test_rotation_keeps_the_earlier_token_for_its_overlap(database: Database, token: str) -> None:
    with database.role("telemetry") as conn:
        fresh = rotate(conn, "car-1", NOW, overlap=timedelta(days=1)).token
        assert authenticate(conn, token, NOW + timedelta(hours=23)) is not None
        assert authenticate(conn, token, NOW + timedelta(hours=24)) is None
        assert authenticate(conn, fresh, NOW + timedelta(days=400)) is not None


def test_a_revoked_device_is_nobody_and_stores_nothing(
    database: Database, device: Device, token: str, batch: Batch
) -> None:
    with database.role("telemetry") as conn:
        revoke(conn, "car-1", NOW)
        assert authenticate(conn, token, NOW) is None
    with pytest.raises(DeviceRevoked):  # authenticated just before
        send(database, device, batch(3))
    assert rows(database, "select count(*) from telemetry.upload") == [(0,)]


def test_enrolling_twice_and_ids_that_are_none(database: Database, token: str) -> None:
    del token
    with database.role("telemetry") as conn:
        with pytest.raises(DeviceExists, match="rotate"):
            enrol(conn, "car-1", NOW)
        for bad in (
            "",
            "Car-1",
            "car 1",
            "../../etc/passwd",
            "'; drop table--",
            "a" * 65,
            "car-1 ",
            "саr-1",
            "car\u202e",
        ):
            with pytest.raises(BadDeviceId):
                enrol(conn, bad, NOW)
            with pytest.raises(UnknownDevice):
                find_device(conn, bad)
        for bad in ("", "short", "x" * 200, "токен" * 10, "%s" * 20):
            assert authenticate(conn, bad, NOW) is None
