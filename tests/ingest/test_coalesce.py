"""The coalescer on a real PostgreSQL: one transaction for many uploads, and every promise of the single one kept."""

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta
from functools import partial

import numpy as np
import psycopg
import pytest

from ingest.accept import Offer, Receipt, accept, make_offer
from ingest.coalesce import MAX_WAITING_OF_ONE, Coalescer
from ingest.decoded import Rejected
from ingest.decoders import wayrate
from ingest.devices import enrol, find_device, revoke
from ingest.errors import DeviceRevoked, IdempotencyConflict, Overloaded
from ingest.rejection import Rejection
from ingest.store import Device
from storage.errors import StorageUnavailable
from storage.pool import Database
from tests.ingest.conftest import NOW
from tests.ingest.test_accept import assert_conserved, counts, rows

type Batch = Callable[..., bytes]
FLEET = 20
TOGETHER_S = 0.3  # long enough for everything that a test submits


@pytest.fixture
def fleet(database: Database) -> list[Device]:
    with database.role("telemetry") as conn:
        for number in range(FLEET):
            enrol(conn, f"car-{number}", NOW)
        return [find_device(conn, f"car-{number}") for number in range(FLEET)]


@pytest.fixture
def coalescer(database: Database) -> Iterator[Coalescer]:
    with Coalescer(database, linger_s=TOGETHER_S) as entered:
        yield entered


def offered(device: Device, body: bytes, key: str | None = None, later_s: float = 0) -> Offer:
    received_at = NOW + timedelta(seconds=later_s)
    return make_offer(
        device, body, wayrate.decode(body), received_at=received_at, channel="http",
        decoder_version=wayrate.VERSION, idempotency_key=key,
    )  # fmt: skip


def submit(coalescer: Coalescer, offer: Offer) -> Future[Receipt]:
    future: Future[Receipt] = Future()

    def answer(outcome: Receipt | Exception) -> None:
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    coalescer.submit(offer, answer, None)
    return future


def together(coalescer: Coalescer, offers: Sequence[Offer]) -> list[Receipt]:
    return [future.result(30) for future in [submit(coalescer, offer) for offer in offers]]


def poisoned(offer: Offer) -> Offer:
    """No decoder gives a detail with a NUL, which PostgreSQL refuses."""
    bad = Rejected(0, Rejection.MALFORMED, "a\0b", b"raw")
    decoded = replace(offer.decoded, received=offer.decoded.received + 1, rejected=(bad,))
    return replace(offer, decoded=decoded)


def test_what_arrives_together_is_one_transaction_and_each_has_its_receipt(
    coalescer: Coalescer, database: Database, fleet: list[Device], batch: Batch
) -> None:
    receipts = together(coalescer, [offered(device, batch(3 + at)) for at, device in enumerate(fleet)])
    assert [counts(one) for one in receipts] == [(3 + at, 0, 0) for at in range(FLEET)]
    for table in ("upload", "reading", "dirty_window"):
        assert rows(database, f"select count(distinct xmin::text) from telemetry.{table}") == [(1,)], table
    windows = "select count(*), count(distinct device_key), min(to_time - from_time) from telemetry.dirty_window"
    assert rows(database, windows) == [(FLEET, FLEET, timedelta(seconds=2))]
    assert_conserved(database)


def test_any_mix_of_uploads_has_the_outcomes_and_rows_that_it_has_one_by_one(
    coalescer: Coalescer, database: Database, fleet: list[Device], batch: Batch
) -> None:
    """News, repetitions, bad records and keys, shuffled by a seed: the same receipts, readings, flags and windows."""
    alone, joined = fleet[0], fleet[1]
    rng = np.random.default_rng(11)
    records = json.loads(batch(80))["readings"]
    records[7]["latitude_deg"] = 91
    records[9]["accuracy_m"] = 500
    bodies = [
        json.dumps({"readings": [records[one] for one in rng.integers(0, 80, rng.integers(1, 15))]}).encode()
        for _ in range(40)
    ]
    keys = [f"key-{at}" if at % 3 == 0 else None for at in range(40)]
    one_by_one = [
        accept(
            database, alone, body, wayrate.decode, received_at=NOW, channel="http",
            decoder_version=wayrate.VERSION, idempotency_key=key,
        )
        for body, key in zip(bodies, keys, strict=True)
    ]  # fmt: skip
    assert together(coalescer, [offered(joined, *one) for one in zip(bodies, keys, strict=True)]) == one_by_one
    assert sum(one.duplicate for one in one_by_one) > 50
    for table, columns in (
        ("reading", "fix_time, content_hash, flags, latitude_deg"),
        ("quarantine", "reason, record_index, raw"),
        ("dirty_window", "from_time, to_time"),
        ("upload", "records_received, records_stored, records_duplicate, records_quarantined, body_sha256"),
    ):
        query = f"select {columns} from telemetry.{table} where device_key = {{}} order by {columns}"
        assert rows(database, query.format(alone.device_key)) == rows(database, query.format(joined.device_key)), table
    assert_conserved(database)


def test_news_by_the_short_way_and_the_repetition_that_it_did_not_expect(
    coalescer: Coalescer, database: Database, fleet: list[Device], batch: Batch
) -> None:
    """The coalescer expects later readings to be new. Where another process stored them they are duplicates still."""
    device = fleet[0]
    records = json.loads(batch(60))["readings"]
    early, later = (json.dumps({"readings": part}).encode() for part in (records[:20], records[20:]))
    assert counts(together(coalescer, [offered(device, early)])[0]) == (20, 0, 0)
    accept(database, device, later, wayrate.decode, received_at=NOW, channel="http", decoder_version="1")
    others = [offered(other, batch(4)) for other in fleet[1:]]
    receipts = together(coalescer, [offered(device, later), *others])
    assert [counts(one) for one in receipts] == [(0, 40, 0)] + [(4, 0, 0)] * (FLEET - 1)
    assert_conserved(database)


def test_a_poisoned_upload_is_kept_and_its_neighbours_are_stored(
    coalescer: Coalescer, database: Database, fleet: list[Device], batch: Batch, caplog: pytest.LogCaptureFixture
) -> None:
    offers = [offered(device, batch(3)) for device in fleet]
    offers[6] = poisoned(offers[6])
    with caplog.at_level(logging.ERROR):
        receipts = together(coalescer, offers)
    assert [counts(one) for one in receipts] == [(0, 0, 1) if at == 6 else (3, 0, 0) for at in range(FLEET)]
    kept = rows(database, "select device_key, reason, raw from telemetry.quarantine")
    assert kept == [(fleet[6].device_key, "internal", offers[6].frame)]
    assert "internal" in caplog.text
    assert "60.17" not in caplog.text
    assert_conserved(database)


def test_a_device_that_somebody_holds_waits_alone(
    coalescer: Coalescer, database: Database, database_dsn: str, fleet: list[Device], batch: Batch
) -> None:
    with psycopg.connect(database_dsn) as holder:
        holder.execute("select from telemetry.device where device_key = %s for update", (fleet[0].device_key,))
        held = submit(coalescer, offered(fleet[0], batch(3)))
        assert counts(together(coalescer, [offered(fleet[1], batch(3))])[0]) == (3, 0, 0)
        assert not held.done()
        holder.rollback()
    assert counts(held.result(30)) == (3, 0, 0)


def test_revoked_conflicting_and_repeated_uploads_have_their_own_answers(
    coalescer: Coalescer, database: Database, fleet: list[Device], batch: Batch
) -> None:
    with database.role("telemetry") as conn:
        revoke(conn, "car-3", NOW)
    offers = [
        offered(fleet[0], batch(3), "k"), offered(fleet[3], batch(3)), offered(fleet[0], batch(3), "k"),
        offered(fleet[0], batch(4), "k"), offered(fleet[1], batch(3), "k"),
    ]  # fmt: skip
    answers = [submit(coalescer, offer) for offer in offers]
    first = answers[0].result(30)
    assert counts(first) == (3, 0, 0)
    assert isinstance(answers[1].exception(30), DeviceRevoked)
    assert answers[2].result(30) == replace(first, replayed=True)
    assert isinstance(answers[3].exception(30), IdempotencyConflict)
    assert counts(answers[4].result(30)) == (3, 0, 0)
    assert_conserved(database)


def test_what_may_wait_is_bounded_and_leaving_stores_it(database: Database, fleet: list[Device], batch: Batch) -> None:
    with Coalescer(database, linger_s=600) as coalescer:
        answers = [submit(coalescer, offered(fleet[0], batch(1 + at))) for at in range(MAX_WAITING_OF_ONE)]
        with pytest.raises(Overloaded, match="uploads of this device"):
            submit(coalescer, offered(fleet[0], batch(1)))
        answers.append(submit(coalescer, offered(fleet[1], batch(1))))
        assert coalescer.waiting_records == sum(range(1, MAX_WAITING_OF_ONE + 1)) + 1
        assert not any(one.done() for one in answers)
    assert sum(one.result(0).accepted for one in answers) == MAX_WAITING_OF_ONE + 1
    with pytest.raises(StorageUnavailable):
        submit(coalescer, offered(fleet[0], batch(1)))
    assert_conserved(database)


def test_a_device_that_floods_waits_for_itself(database: Database, fleet: list[Device], batch: Batch) -> None:
    """More than one transaction takes, of one device; who comes last with one upload is second in the first of them."""
    flood = [offered(fleet[0], batch(400, odometer_m=at)) for at in range(60)]
    late = offered(fleet[1], batch(3))
    coalescer = Coalescer(database)  # not entered: nobody commits, so that the next transaction can be looked at
    for offer in [*flood, late]:
        submit(coalescer, offer)
    taken = [one.offer for one in coalescer._next_batch()]
    assert taken == [flood[0], late, *flood[1:50]]
    assert coalescer.waiting_records == 10 * 400


@pytest.mark.parametrize("lies", [False, True])
def test_nobody_is_told_before_the_commit_unless_a_test_asks_for_the_lie(
    database: Database, database_dsn: str, fleet: list[Device], batch: Batch, lies: bool
) -> None:
    with (
        Coalescer(database, acknowledge_before_commit=lies) as coalescer,
        psycopg.connect(database_dsn) as holder,
    ):
        holder.execute("select from telemetry.device for update")
        answers = [submit(coalescer, offered(device, batch(2))) for device in fleet]
        if lies:
            assert [counts(one.result(0)) for one in answers] == [(2, 0, 0)] * FLEET
        else:
            with pytest.raises(TimeoutError):
                answers[0].result(1)
        assert rows(database, "select count(*) from telemetry.reading") == [(0,)]
        holder.rollback()
    assert [counts(one.result(0)) for one in answers] == [(2, 0, 0)] * FLEET


def test_without_a_database_everybody_hears_that_nothing_was_stored(fleet: list[Device], batch: Batch) -> None:
    with (
        Database("host=/nonexistent", wait_s=0.5) as nowhere,
        Coalescer(nowhere) as coalescer,
    ):
        answers = list(map(partial(submit, coalescer), [offered(device, batch(2)) for device in fleet]))
        assert all(isinstance(one.exception(30), StorageUnavailable) for one in answers)


def test_it_says_that_it_fails_until_a_transaction_is_stored_again(
    fleet: list[Device], coalescer: Coalescer, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StorageUnavailable("no space left on device")

    assert not coalescer.is_failing
    with monkeypatch.context() as full:
        full.setattr("ingest.coalesce.accept_together", refuse)
        with pytest.raises(StorageUnavailable):
            coalescer.accept_waiting(offered(fleet[0], batch(3)))
    assert coalescer.is_failing
    assert coalescer.accept_waiting(offered(fleet[0], batch(3))).accepted == 3
    assert not coalescer.is_failing
