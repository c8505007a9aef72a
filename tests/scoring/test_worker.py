"""Order does not matter: any order, repetition, batching or lateness of uploads ends at identical rows."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest.accept import accept_file
from ingest.decoded import Decoded
from ingest.devices import enrol
from ingest.readings import Flag, Readings, concatenate, make_readings
from ingest.store import fetch_readings
from scoring import window_store
from scoring.clean import clean_readings, placed
from scoring.store import fetch_events, fetch_track, fetch_trip, fetch_trips
from scoring.verify import Verification, verify
from scoring.worker import work_once
from storage.pool import Database
from tests.scoring.driving import START_US, drive, profile

AS_OF = datetime(2026, 10, 1, tzinfo=UTC)


def month() -> Readings:
    """Three days of errands: a gap in motion, a teleport, a tunnel, clashes, readings without fix, a parked day."""
    speed = profile(
        (0, 0), (10, 15), (100, 15), (103, 2), (120, 16), (700, 16), (710, 0), (1200, 0), (1210, 12), (1800, 12)
    )
    parts = [
        drive(
            1800.0,
            speed,
            noise_m=3.0,
            start_us=START_US + hours * 3_600_000_000,
            seed=hours,
            origin=(60.1 + hours / 300, 24.9),
        )
        for hours in (0, 3, 27, 30, 51)
    ]
    t_s = np.arange(1801)
    parts[1] = parts[1].take((t_s < 300) | (t_s > 380))
    parts[2] = parts[2].take((t_s < 300) | (t_s > 700))
    parts[3] = parts[3].replace(latitude_deg=parts[3].latitude_deg + np.where(t_s > 900, 5.0, 0.0))
    clash = parts[0].take(slice(200, 230))
    clash = clash.replace(latitude_deg=clash.latitude_deg + 0.001, satellites=np.full(30, 4.0))
    lost = make_readings(
        50, fix_time_us=START_US + 2 * 10**9 + np.arange(50) * 10**6, flags=int(Flag.NO_FIX), speed_mps=0
    )
    heartbeat = drive(1.0, profile((0, 0), (1, 0)), start_us=START_US + 20 * 3_600_000_000, origin=(60.9, 24.9))
    return concatenate([*parts, clash, lost, heartbeat.take(slice(0, 1))])


def upload(database: Database, batches: Sequence[Readings], *, work_every: int, late: timedelta = timedelta(0)) -> None:
    for number, batch in enumerate(batches):
        decoded = Decoded(batch, len(batch), (), np.arange(len(batch)), lambda _: b"")
        accept_file(database, "car-1", decoded, AS_OF + late)
        if number % work_every == work_every - 1:
            work_once(database, None, None, as_of=AS_OF)
    work_once(database, None, None, as_of=AS_OF)


def enrolled(database: Database) -> int:
    with database.role("telemetry") as conn:
        return enrol(conn, "car-1", as_of=AS_OF - timedelta(days=60)).device_key


def digests(found: Verification) -> dict[str, tuple[int, str]]:
    return {part.name: (part.rows, part.digest) for part in found.parts}


def windows_left(database: Database) -> int:
    with database.role("telemetry") as conn:
        return window_store.count_dirty(conn)


def test_shuffled_doubled_rebatched_and_late_uploads_end_at_identical_rows(
    database: Database, database_dsn: str
) -> None:
    readings = month()
    device_key = enrolled(database)
    upload(database, [readings], work_every=1)
    expected = verify(database)
    assert {part.name: part.rows for part in expected.parts}["trips"] >= 10
    rng = np.random.default_rng(11)
    for variant in range(4):
        forget(database, device_key)
        order = rng.permutation(len(readings)) if variant == 0 else np.argsort(readings.fix_time_us)[::-1]
        cuts = np.sort(rng.choice(len(readings), size=15, replace=False))
        batches = [readings.take(rows) for rows in np.split(order, cuts) if len(rows)]
        if variant > 1:
            batches = [batches[number] for number in rng.permutation(len(batches))]
        batches += batches[:3]
        upload(database, batches, work_every=1 if variant > 1 else 5, late=timedelta(days=variant))
        assert digests(verify(database)) == digests(expected)
        assert verify(database).breaks == ()
        assert windows_left(database) == 0


def test_a_late_hour_between_others_changes_only_what_it_touches(database: Database) -> None:
    readings = month()
    device_key = enrolled(database)
    hour = (readings.fix_time_us >= START_US + 27 * 3_600_000_000) & (
        readings.fix_time_us < START_US + 28 * 3_600_000_000
    )
    upload(database, [readings.take(~hour)], work_every=1)
    with database.role("telemetry") as conn:
        before = {trip.trip_id: trip for trip in fetch_trips(conn, [device_key])}
    upload(database, [readings.take(hour)], work_every=1)
    with database.role("telemetry") as conn:
        after = {trip.trip_id: trip for trip in fetch_trips(conn, [device_key])}
    late = {trip.trip_id for trip in after.values() if 27 <= (trip.started_at.timestamp() - START_US / 1e6) / 3600 < 31}
    assert {key for key in after if before.get(key) != after[key]} <= late
    assert len(after) > len(before)


def test_a_repeated_upload_makes_no_change_to_price(database: Database) -> None:
    readings = month()
    enrolled(database)
    upload(database, [readings], work_every=1)
    assert changes(database) == [("2026-09",)]
    upload(database, [readings, readings.take(slice(None, None, -1))], work_every=1)
    assert changes(database) == [("2026-09",)]


def test_work_with_nothing_dirty_does_nothing(database: Database) -> None:
    enrolled(database)
    assert work_once(database, None, None, as_of=AS_OF) == 0


def test_a_device_that_another_worker_has_is_left_to_it(database: Database) -> None:
    device_key = enrolled(database)
    readings = month()
    decoded = Decoded(readings, len(readings), (), np.arange(len(readings)), lambda _: b"")
    accept_file(database, "car-1", decoded, AS_OF)
    with database.role("telemetry") as conn:
        assert window_store.take_windows(conn, device_key)
        assert work_once(database, None, None, as_of=AS_OF) == 0
    assert windows_left(database) > 0
    assert work_once(database, None, None, as_of=AS_OF) > 0


def test_what_is_stored_comes_back_for_pages(database: Database) -> None:
    device_key = enrolled(database)
    upload(database, [month()], work_every=1)
    with database.role("telemetry") as conn:
        trips = fetch_trips(conn, [device_key], 5)
        assert [trip.started_at for trip in trips] == sorted((trip.started_at for trip in trips), reverse=True)
        braked = next(trip for trip in fetch_trips(conn, [device_key]) if trip.totals.get("hard_brake_events"))
        assert fetch_trip(conn, braked.trip_id) == braked
        assert [event.kind for event in fetch_events(conn, braked.trip_id)] == ["hard_brake"]
        track = fetch_track(conn, braked.trip_id)
    assert track is not None
    assert track.t_s[-1] == pytest.approx(braked.duration_s, abs=1)
    assert braked.score is not None
    assert braked.score["claims_per_100000_km"] > 0


def test_sql_and_arrays_agree_on_which_readings_are_usable(database: Database) -> None:
    device_key = enrolled(database)
    rng = np.random.default_rng(2)
    readings = drive(400.0, profile((0, 10), (1, 10)))
    nowhere = rng.random(len(readings)) < 0.3
    mixed = readings.replace(
        flags=rng.integers(0, 512, len(readings)),
        latitude_deg=np.where(nowhere, np.nan, readings.latitude_deg),
        longitude_deg=np.where(nowhere, np.nan, readings.longitude_deg),
        speed_mps=np.where(rng.random(len(readings)) < 0.5, np.nan, readings.speed_mps),
    )
    decoded = Decoded(mixed, len(mixed), (), np.arange(len(mixed)), lambda _: b"")
    accept_file(database, "car-1", decoded, AS_OF)
    with database.role("telemetry") as conn:
        held = fetch_readings(conn, device_key, START_US, START_US + 10**10)
        usable = clean_readings(held).readings
        assert (
            window_store.usable_times(conn, device_key, START_US, START_US + 10**10).tolist()
            == usable.fix_time_us.tolist()
        )
        known = usable.fix_time_us[placed(usable)]
        middle = int(known[len(known) // 2])
        place = window_store.last_place(conn, device_key, middle + 1)
        assert place is not None
        assert place.fix_time_us == middle
        assert window_store.placed_time_after(conn, device_key, middle) == known[len(known) // 2 + 1]


def changes(database: Database) -> list[tuple[object, ...]]:
    with database.role("telemetry") as conn:
        return conn.execute("select from_month from telemetry.trip_change order by 1").fetchall()


def forget(database: Database, device_key: int) -> None:
    """Everything of a device away, the device itself stays."""
    with database.role("owner") as conn:
        for table in ("reading", "quarantine", "upload", "dirty_window", "trip", "trip_change"):
            conn.execute(f"delete from telemetry.{table} where device_key = %s", (device_key,))  # type: ignore[arg-type]
