"""Copies of trips: told by their way, whatever came first, and never by chance."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest

from ingest.accept import accept_file
from ingest.decoded import Decoded
from ingest.devices import enrol
from ingest.readings import Readings
from scoring.shape import shape_of
from scoring.worker import work_once
from storage.pool import Database
from tests.scoring.driving import START_US, drive, profile

AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
DAY_US = 86_400_000_000
SPEED = profile((0, 0), (10, 14), (290, 14), (300, 0))


def drove(seed: int = 1, start_us: int = START_US, minutes: float = 6.0) -> Readings:
    return drive(minutes * 60.0, SPEED, noise_m=2.0, start_us=start_us, seed=seed)


def later(readings: Readings, by_us: int) -> Readings:
    return readings.replace(fix_time_us=readings.fix_time_us + by_us)


def bring(database: Database, device: str, readings: Readings) -> None:
    decoded = Decoded(readings, len(readings), (), np.arange(len(readings)), lambda _: b"")
    accept_file(database, device, decoded, AS_OF)
    work_once(database, None, None, as_of=AS_OF)


def enrolled(database: Database, *devices: str) -> None:
    with database.role("telemetry") as conn:
        for device in devices:
            enrol(conn, device, as_of=AS_OF - timedelta(days=60))


def copies(database: Database) -> list[tuple[str, datetime]]:
    with database.role("owner") as conn:
        rows = conn.execute(
            """select d.device_id, t.started_at from telemetry.replay join telemetry.trip t using (trip_id)
                 join telemetry.device d using (device_key) order by 2, 1"""
        ).fetchall()
    return [(str(device), at) for device, at in rows if isinstance(at, datetime)]


def months_told(database: Database) -> list[tuple[str, str]]:
    """The months that pricing has been told of since this was asked last."""
    with database.role("owner") as conn:
        rows = conn.execute(
            """with told as (delete from telemetry.trip_change returning device_key, from_month)
               select distinct device_id, from_month from told join telemetry.device using (device_key)
                order by device_id, from_month"""
        ).fetchall()
    return [(str(device), str(month)) for device, month in rows]


def day(number: int) -> int:
    return START_US + number * DAY_US


@pytest.mark.parametrize("copy_first", [False, True])
def test_row_69_a_copy_at_another_time_is_not_counted_whichever_came_first(
    database: Database, copy_first: bool
) -> None:
    enrolled(database, "car-1")
    parts = [drove(), later(drove(), 3 * DAY_US)]
    for part in reversed(parts) if copy_first else parts:
        bring(database, "car-1", part)
    (copy,) = copies(database)
    assert copy[1].timestamp() * 1e6 == pytest.approx(day(3), abs=60e6)


def test_a_part_of_a_drive_is_a_copy_too(database: Database) -> None:
    enrolled(database, "car-1")
    bring(database, "car-1", drove())
    bring(database, "car-1", later(drove().take(slice(120, 280)), DAY_US))
    assert len(copies(database)) == 1


def test_the_same_street_driven_again_is_none(database: Database) -> None:
    enrolled(database, "car-1", "car-2")
    for number in range(6):
        bring(database, "car-1", drove(seed=number, start_us=day(number)))
    bring(database, "car-2", drove(seed=99, start_us=day(2)))
    assert copies(database) == []


def test_row_70_another_devices_trip_under_an_own_id_is_not_counted(database: Database) -> None:
    enrolled(database, "car-1", "car-2", "car-3")
    bring(database, "car-1", drove())
    bring(database, "car-2", later(drove(), DAY_US))
    assert [device for device, _ in copies(database)] == ["car-2"]
    bring(database, "car-3", drove())  # at the same instant: whose drive it was is not known
    assert [device for device, _ in copies(database)] == ["car-1", "car-3", "car-2"]


def test_pricing_is_told_of_a_month_that_another_trip_made_a_copy(database: Database) -> None:
    enrolled(database, "car-1", "car-2")
    bring(database, "car-1", later(drove(), 20 * DAY_US))
    assert months_told(database) == [("car-1", "2026-10")]
    bring(database, "car-2", drove())
    assert copies(database)[0][0] == "car-1"
    assert months_told(database) == [("car-1", "2026-10"), ("car-2", "2026-09")]


def test_a_copy_is_excluded_and_has_no_score_where_pricing_looks(database: Database) -> None:
    enrolled(database, "car-1")
    bring(database, "car-1", drove())
    bring(database, "car-1", later(drove(), DAY_US))
    policy = UUID(int=1)
    with database.role("owner") as conn:
        conn.execute("insert into policy.person (person_key, name) values (%s, 'Test')", (policy,))
        conn.execute(
            """insert into policy.policy (policy_key, policy_id, person_key, starts_on, ends_on, plan_name, pay_plan,
                                          covers, factors, declared_km_per_year, time_zone)
               values (%(key)s, 'P-1', %(key)s, '2026-01-01', '2027-01-01', 'x', 'flat', '{}', '{}', 1, 'UTC')""",
            {"key": policy},
        )
        conn.execute("insert into link.assignment select device_key, %s, '2026-01-01' from telemetry.device", (policy,))
        seen = conn.execute(
            "select excluded, score is null from link.trip_of_policy where policy_key = %s order by started_at",
            (policy,),
        ).fetchall()
    assert seen == [(None, False), ("replay_suspect", True)]


def test_a_short_way_and_standing_have_no_shape() -> None:
    assert shape_of(drove().take(slice(100, 115))) == ()
    assert shape_of(drove().take(np.full(60, 100))) == ()
    assert len(shape_of(drove().take(slice(100, 130)))) == 8


def test_the_shape_knows_places_and_not_times() -> None:
    whole = drove()
    assert shape_of(whole) == shape_of(later(whole, 7 * DAY_US))
    moved = whole.replace(latitude_deg=whole.latitude_deg + 1e-5)
    assert set(shape_of(whole)).isdisjoint(shape_of(moved))
