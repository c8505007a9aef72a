"""A device measured one person, then another, then the first again; what an erasure leaves is not cut from the rest."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest.accept import accept_file
from ingest.decoded import Decoded
from ingest.devices import enrol
from ingest.readings import Readings, concatenate
from portfolio.erasure_store import erase_late
from scoring.verify import verify
from scoring.window_store import mark_matched_elsewhere
from scoring.worker import work_once
from storage.pool import Database
from tests.scoring.driving import drive, profile

DAY = datetime(2026, 9, 14, tzinfo=UTC)
FROM, TO = DAY + timedelta(hours=24), DAY + timedelta(hours=48)  # the other person's
RECEIVED_AT, ERASED_AT = DAY + timedelta(days=4), DAY + timedelta(days=20)
SPEED = profile((0, 0), (10, 14), (300, 14), (303, 3), (320, 15), (1180, 15), (1190, 0), (1200, 0))
EVERY_MINUTE = profile((0, 0), (1, 0))


def errand(hours: float, seed: int) -> Readings:
    """Each begins some 11 km from where the one before ended: that gap is the lead-in of its first trip."""
    start_us = round((DAY + timedelta(hours=hours)).timestamp() * 1e6)
    return drive(1200.0, SPEED, noise_m=2.0, start_us=start_us, seed=seed, origin=(60.1 + seed / 10, 24.9))


def upload(database: Database, *parts: Readings, at: datetime) -> None:
    readings = concatenate(list(parts))
    count = len(readings)
    accept_file(database, "car-1", Decoded(readings, count, (), np.arange(count), lambda _: b"raw"), at)
    work_once(database, None, None, as_of=at)


def trips(database: Database) -> dict[float, object]:
    """Content digests by the hour of the start."""
    with database.role("telemetry") as conn:
        rows = conn.execute("select started_at, content_digest from telemetry.trip order by 1").fetchall()
    return {round((start - DAY) / timedelta(hours=1), 1): digest for start, digest in rows}  # type: ignore[operator]


def refused(database: Database) -> set[tuple[object, ...]]:
    with database.role("telemetry") as conn:
        return set(
            conn.execute("select reason, from_time >= %s and from_time < %s from telemetry.refused_window", (FROM, TO))
        )


def erase(database: Database, trips_stay: bool = False) -> None:
    """As an erasure of the person in the middle does."""
    with database.role("owner") as conn:
        conn.execute(
            """insert into telemetry.erased_span (device_key, from_time, to_time, trips_stay, erased_at, received_by)
               select device_key, %s, %s, %s, %s, %s from telemetry.device""",
            (FROM, TO, trips_stay, ERASED_AT, RECEIVED_AT),
        )
        erase_late(conn, ERASED_AT)


@pytest.fixture
def scored(database: Database) -> Database:
    with database.role("telemetry") as conn:
        enrol(conn, "car-1", DAY)
    upload(database, errand(9, 0), errand(23.9, 1), errand(33, 2), errand(57, 3), errand(66, 4), at=RECEIVED_AT)
    assert list(trips(database)) == [9.0, 23.9, 33.0, 57.0, 66.0]
    return database


def test_a_trip_beside_an_erased_time_stands_whatever_comes_late(scored: Database) -> None:
    """Of the one before it the end is gone, of the one after it the place that its lead-in gap is measured from."""
    before = trips(scored)
    with scored.role("telemetry") as conn:
        for hour in (33, 57):
            at = DAY + timedelta(hours=hour)
            conn.execute(
                """insert into telemetry.refused_window (device_key, from_time, to_time, reason, refused_at)
                   select device_key, %(at)s, %(at)s, 'expired', %(at)s from telemetry.device""",
                {"at": at},
            )
    erase(scored)
    assert refused(scored) == {("expired", False)}
    left = {hour: digest for hour, digest in before.items() if hour != 33.0}
    assert trips(scored) == left
    again = [errand(hour, seed).replace(heading_deg=np.full(1201, 91.0)) for hour, seed in ((23.9, 1), (57, 3))]
    upload(scored, *again, at=ERASED_AT + timedelta(hours=1))
    assert trips(scored) == left
    assert refused(scored) == {("expired", False), ("erased", False)}
    with scored.role("telemetry") as conn:
        mark_matched_elsewhere(conn, "another map", ERASED_AT)
    work_once(scored, None, None, as_of=ERASED_AT)
    assert trips(scored) == left
    upload(scored, errand(12, 7), errand(36, 8), errand(60, 9), at=ERASED_AT + timedelta(hours=2))
    after = trips(scored)
    assert list(after) == [9.0, 12.0, 23.9, 57.0, 60.0, 66.0]  # what comes late for the erased time makes no trip
    assert {hour for hour in left if after[hour] != left[hour]} == {66.0}  # its lead-in is from the late one now
    assert verify(scored).breaks == ()


def test_what_is_first_heard_after_the_erasure_is_cut_without_the_gap_that_leads_to_it(scored: Database) -> None:
    erase(scored)
    upload(scored, errand(50, 5), at=ERASED_AT + timedelta(hours=1))
    with scored.role("telemetry") as conn:
        gaps: dict[object, int] = dict(
            conn.execute("select started_at, gap_m from telemetry.trip where started_at > %s", (TO,))
        )  # type: ignore[arg-type]
    assert [gap_m > 10_000 for _, gap_m in sorted(gaps.items())] == [False, True, True]
    assert refused(scored) == set()
