"""Expiry takes the raw readings and nothing that was made of them, whatever arrives afterwards."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from time import sleep

import numpy as np
import pytest

from ingest.accept import FileReceipt, accept, accept_file
from ingest.decoded import Decoded
from ingest.decoders import wayrate
from ingest.devices import enrol, find_device
from ingest.errors import UnscoredWindows
from ingest.expiry import expire
from ingest.quarantine import Outcome, replay
from ingest.readings import Readings, concatenate
from scoring.verify import verify
from scoring.worker import work_once
from storage.pool import Database
from tests.scoring.driving import drive, profile
from tests.storage.engine import week_of

FLOOR = week_of(datetime(2026, 10, 5, tzinfo=UTC))
RECEIVED_AT = FLOOR + timedelta(days=3)
EXPIRED_AT = FLOOR + timedelta(days=91)
SPEED = profile((0, 0), (10, 14), (300, 14), (303, 3), (320, 15), (1180, 15), (1190, 0), (1200, 0))
MADE = ("trips", "events", "exposure")


def errand(start: datetime, seed: int) -> Readings:
    start_us = int(start.timestamp()) * 1_000_000
    return drive(1200.0, SPEED, noise_m=2.0, start_us=start_us, seed=seed, origin=(60.1 + seed / 100, 24.9))


# Two in weeks that will be gone, one over midnight of the last Sunday, two that stay.
DRIVES = [errand(FLOOR + timedelta(hours=hours), seed) for seed, hours in enumerate((-200.0, -30.0, -0.15, 9.0, 20.0))]


def upload(database: Database, readings: Readings, received_at: datetime) -> FileReceipt:
    count = len(readings)
    return accept_file(database, "car-1", Decoded(readings, count, (), np.arange(count), lambda _: b"raw"), received_at)


@pytest.fixture
def scored(database: Database) -> Database:
    with database.role("telemetry") as conn:
        enrol(conn, "car-1", FLOOR - timedelta(days=30))
    upload(database, concatenate(DRIVES), RECEIVED_AT)
    work_once(database, None, None, as_of=RECEIVED_AT)
    return database


def made(database: Database) -> dict[str, str]:
    found = verify(database)
    assert found.breaks == ()
    return {part.name: part.digest for part in found.parts if part.name in MADE}


def one(database: Database, query: str) -> int:
    with database.role("telemetry") as conn:
        row = conn.execute(query).fetchone()  # type: ignore[call-overload]
    return int(str(row[0]))


def refused_windows(database: Database) -> list[tuple[object, ...]]:
    with database.role("telemetry") as conn:
        return conn.execute("select reason, from_time from telemetry.refused_window order by 2").fetchall()


def test_what_was_made_of_readings_outlives_them(scored: Database) -> None:
    before = made(scored)
    assert one(scored, "select count(*) from telemetry.trip") == 5
    gone = expire(scored, EXPIRED_AT)
    old = sum(int(np.count_nonzero(each.fix_time_us < FLOOR.timestamp() * 1e6)) for each in DRIVES)
    assert (gone.floor, gone.readings) == (FLOOR, old)
    assert old > 2400
    assert made(scored) == before
    assert one(scored, "select min(extract(epoch from fix_time))::bigint from telemetry.reading") >= FLOOR.timestamp()
    assert one(scored, "select count(*) from telemetry.trip_path") == 2
    again = expire(scored, EXPIRED_AT + timedelta(days=1))
    assert (again.floor, again.weeks, again.readings) == (FLOOR, (), 0)


@pytest.mark.parametrize("late", [RECEIVED_AT + timedelta(hours=1), EXPIRED_AT + timedelta(hours=1)])
def test_late_readings_of_an_expired_drive_change_nothing(scored: Database, late: datetime) -> None:
    """The part below the floor is too late by any clock; the part above it is stored, and its window refused."""
    before = made(scored)
    expire(scored, EXPIRED_AT)
    straddling = DRIVES[2].replace(heading_deg=np.full(len(DRIVES[2]), 91.0))
    below = int(np.count_nonzero(straddling.fix_time_us < FLOOR.timestamp() * 1e6))
    receipt = upload(scored, concatenate([DRIVES[0], straddling]), late)
    assert {each.reason for each in receipt.rejected} == {"too_late"}
    if late < EXPIRED_AT:  # inside ninety days by its own clock: the floor alone refuses
        assert receipt.quarantined == len(DRIVES[0]) + below
        assert receipt.accepted == len(straddling) - below
    assert work_once(scored, None, None, as_of=late) == (1 if late < EXPIRED_AT else 0)
    assert made(scored) == before
    expected = [("expired", FLOOR)] if late < EXPIRED_AT else []
    assert refused_windows(scored) == expected
    assert one(scored, "select count(*) from telemetry.dirty_window") == 0


def test_a_late_drive_that_begins_after_the_first_kept_one_is_cut_as_ever(scored: Database) -> None:
    expire(scored, EXPIRED_AT)
    with scored.role("telemetry") as conn:
        before = dict(conn.execute("select started_at, content_digest from telemetry.trip").fetchall())
    upload(scored, errand(FLOOR + timedelta(hours=15), 7), RECEIVED_AT + timedelta(hours=1))
    work_once(scored, None, None, as_of=EXPIRED_AT)
    with scored.role("telemetry") as conn:
        after = dict(conn.execute("select started_at, content_digest from telemetry.trip").fetchall())
    assert len(after) == len(before) + 1
    (late,) = after.keys() - before.keys()
    assert isinstance(late, datetime)
    assert abs(late - FLOOR - timedelta(hours=15)) < timedelta(minutes=1)
    # The next one's lead-in gap is measured from the late drive now; those before it stand.
    assert {start for start in before if before[start] != after[start]} <= {max(before)}  # type: ignore[type-var]
    assert refused_windows(scored) == []
    assert verify(scored).breaks == ()


def test_a_device_of_which_nothing_has_expired_is_cut_from_its_first_reading(scored: Database) -> None:
    expire(scored, EXPIRED_AT)
    with scored.role("telemetry") as conn:
        enrol(conn, "car-2", FLOOR)
    late = errand(FLOOR + timedelta(hours=1), 8)
    accept_file(scored, "car-2", Decoded(late, len(late), (), np.arange(len(late)), lambda _: b""), RECEIVED_AT)
    work_once(scored, None, None, as_of=EXPIRED_AT)
    assert one(scored, "select count(*) from telemetry.trip") == 6
    assert refused_windows(scored) == []


def test_a_car_that_stood_until_all_had_expired_is_cut_from_its_next_drive_on(scored: Database) -> None:
    later = EXPIRED_AT + timedelta(days=60)
    expire(scored, later)
    assert one(scored, "select count(*) from telemetry.reading") == 0
    next_drive = errand(later - timedelta(hours=2), 9)
    for part in (next_drive.take(slice(0, 700)), next_drive.take(slice(700, None))):  # as it drives
        upload(scored, part, later + timedelta(hours=1))
        work_once(scored, None, None, as_of=later)
    assert one(scored, "select distance_m / 1000 from telemetry.trip order by started_at desc limit 1") == 17
    assert refused_windows(scored) == []


def test_a_device_that_is_never_silent_is_cut_on_after_expiry(database: Database) -> None:
    """All its readings are one segment, of which the beginning is gone: what was received by then stands."""
    with database.role("telemetry") as conn:
        enrol(conn, "car-1", FLOOR)
    drives = [errand(FLOOR + timedelta(hours=hours), 0) for hours in (-3.0, 3.0, 9.0)]
    parked_us = np.arange(drives[0].fix_time_us[0] - 3_600_000_000, drives[2].fix_time_us[-1] + 10**10, 240_000_000)
    driven = np.concatenate([each.fix_time_us for each in drives])
    parked = parked_us[np.searchsorted(driven, parked_us + 1) == np.searchsorted(driven, parked_us - 1)]
    at = drives[0].take(slice(0, 1))
    stands = concatenate([at.replace(fix_time_us=np.array([time_us])) for time_us in parked.tolist()])
    day = concatenate([*drives, stands])
    known = day.fix_time_us <= drives[1].fix_time_us[-1]
    upload(database, day.take(known), FLOOR + timedelta(hours=6))
    work_once(database, None, None, as_of=RECEIVED_AT)
    before = made(database)["trips"]
    assert one(database, "select count(*) from telemetry.trip where distance_m > 0") == 2
    assert expire(database, FLOOR + timedelta(days=2), keep=timedelta(days=1)).floor == FLOOR
    upload(database, day.take(~known), RECEIVED_AT)
    upload(database, drives[1].replace(heading_deg=np.full(len(drives[1]), 91.0)), RECEIVED_AT)
    work_once(database, None, None, as_of=EXPIRED_AT)
    assert before != made(database)["trips"]
    assert one(database, "select count(*) from telemetry.trip where distance_m > 0") == 3


def test_a_rematch_leaves_what_has_expired_alone(scored: Database) -> None:
    before = made(scored)
    expire(scored, EXPIRED_AT)
    with scored.role("telemetry") as conn:
        conn.execute(
            """insert into telemetry.dirty_window (device_key, from_time, to_time, marked_at)
               select device_key, min(started_at), max(ended_at), now() from telemetry.trip group by 1"""
        )
    assert work_once(scored, None, None, as_of=EXPIRED_AT) == 1
    assert made(scored) == before
    assert [reason for reason, _ in refused_windows(scored)] == ["expired"]


def test_what_was_not_scored_yet_does_not_expire_unasked(scored: Database) -> None:
    upload(scored, errand(FLOOR - timedelta(days=3), 9), RECEIVED_AT)
    held = one(scored, "select count(*) from telemetry.reading")
    with pytest.raises(UnscoredWindows, match="wayrate work"):
        expire(scored, EXPIRED_AT)
    assert one(scored, "select count(*) from telemetry.reading") == held
    assert expire(scored, EXPIRED_AT, even_unscored=True).readings > 0
    assert verify(scored).breaks == ()


def test_the_bytes_of_quarantine_go_too_and_its_count_stays(scored: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"readings": [{"fix_time": "2026-09-29T10:00:00Z", "speed_mps": 160}]}'
    with scored.role("telemetry") as conn:
        device = find_device(conn, "car-1")
    for received_at in (FLOOR - timedelta(seconds=1), FLOOR):
        accept(scored, device, body, wayrate.decode, received_at=received_at, channel="http", decoder_version="1")
    assert expire(scored, EXPIRED_AT).quarantined == 1
    with scored.role("telemetry") as conn:
        rows = conn.execute("select quarantine_id, length(raw), detail = '' from telemetry.quarantine").fetchall()
    assert [row[1:] for row in sorted(rows)] == [(0, True), (len(body) - 16, False)]
    monkeypatch.setattr("ingest.validate.MAX_SPEED_MPS", 200.0)
    outcomes = [replay(scored, int(str(row[0])), EXPIRED_AT) for row in sorted(rows)]
    assert [each.outcome for each in outcomes] == [Outcome.EXPIRED, Outcome.STILL_QUARANTINED]
    assert outcomes[1].reason == "too_late"  # the rule that refused it is gone, and so is its time
    assert verify(scored).breaks == ()


def test_an_upload_that_is_being_stored_is_waited_for(scored: Database) -> None:
    """It has been told the floor as it was; what it then stores below the new one is counted and goes."""
    with ThreadPoolExecutor(1) as other, scored.role("telemetry") as conn:
        assert conn.execute("select telemetry.reading_floor()").fetchone() == (None,)
        expiring = other.submit(expire, scored, EXPIRED_AT)
        wait_until(lambda: one(scored, "select count(*) from pg_locks where locktype = 'advisory' and not granted") > 0)
        assert not expiring.done()
        conn.execute(
            """insert into telemetry.reading (device_key, fix_time, content_hash, upload_id, flags)
               select device_key, %s, 1, upload_id, 1 from telemetry.upload order by upload_id limit 1""",
            (FLOOR - timedelta(days=2),),
        )
        conn.execute(
            """update telemetry.upload set records_received = records_received + 1, records_stored = records_stored + 1
                where upload_id = (select min(upload_id) from telemetry.upload)"""
        )
    assert expiring.result(30).floor == FLOOR
    assert verify(scored).breaks == ()


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(200):
        if true():
            return
        sleep(0.02)
    raise TimeoutError("it did not become true")
