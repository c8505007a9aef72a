"""Rows 43 to 47, 53, 56, 57, 63: what validation refuses, nulls and flags."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ingest.decoded import Decoded
from ingest.moments import microseconds
from ingest.readings import Flag, make_readings
from ingest.rejection import Rejection
from ingest.validate import validate

RECEIVED = datetime(2026, 10, 1, 12, tzinfo=UTC)


def decoded(**columns: object) -> Decoded:
    defaults: dict[str, object] = {"fix_time_us": microseconds(RECEIVED), "latitude_deg": 60.0, "longitude_deg": 24.0}
    return Decoded(make_readings(1, **(defaults | columns)), 1, (), np.zeros(1, dtype=np.int64), lambda _: b"raw")


def reasons(**columns: object) -> list[Rejection]:
    checked = validate(decoded(**columns), RECEIVED)
    assert [one.raw for one in checked.rejected] == [b"raw"] * len(checked.rejected)
    assert checked.received == len(checked.readings) + len(checked.rejected)
    return [one.reason for one in checked.rejected]


@pytest.mark.parametrize(
    "columns",
    [
        {"latitude_deg": 91.0},
        {"latitude_deg": -90.0001},
        {"longitude_deg": 181.0},
        {"latitude_deg": 214.7483647, "longitude_deg": -214.7483648},  # int32 extremes of a raw frame
        {"speed_mps": 151.0},
        {"speed_mps": -2.0},
        {"heading_deg": 361.0},
        {"satellites": 7.5},
        {"satellites": -1.0},
        {"ignition": 2.0},
        {"odometer_m": -1.0},
    ],
)
def test_what_cannot_be_is_out_of_range(columns: dict[str, object]) -> None:
    assert reasons(**columns) == [Rejection.RANGE]


def test_the_extremes_of_the_earth_are_in_range() -> None:
    assert reasons(latitude_deg=-90.0, longitude_deg=180.0, altitude_m=-400.0, heading_deg=360.0) == []


def test_an_infinite_value_is_not_finite() -> None:
    assert reasons(altitude_m=np.inf) == [Rejection.NOT_FINITE]


def test_half_a_position_misses_a_field() -> None:
    assert reasons(longitude_deg=np.nan) == [Rejection.MISSING_FIELD]


@pytest.mark.parametrize(
    ("columns", "flags"),
    [
        ({"latitude_deg": 0.0, "longitude_deg": 0.0}, Flag.NO_FIX),
        ({"latitude_deg": 0.0009, "longitude_deg": -0.0009}, Flag.NO_FIX),
        ({"satellites": 0.0}, Flag.NO_FIX),
        ({"flags": int(Flag.NO_FIX)}, Flag.NO_FIX),
        ({"latitude_deg": np.nan, "longitude_deg": np.nan}, Flag.NO_FIX),
    ],
)
def test_a_position_that_is_none_is_nulled_and_flagged_not_refused(columns: dict[str, object], flags: int) -> None:
    readings = validate(decoded(**columns), RECEIVED).readings
    assert readings.flags.tolist() == [flags]
    assert np.isnan(readings.latitude_deg).all()


def test_null_island_ends_at_a_thousandth_of_a_degree() -> None:
    readings = validate(decoded(latitude_deg=0.001, longitude_deg=0.0), RECEIVED).readings
    assert (readings.flags.tolist(), readings.latitude_deg.tolist()) == ([0], [0.001])


@pytest.mark.parametrize(("accuracy_m", "flag"), [(0.0, 8), (-1.0, 8), (100.0, 0), (100.5, 8), (5.0, 0)])
def test_bad_accuracy_is_kept_and_flagged(accuracy_m: float, flag: int) -> None:
    assert validate(decoded(accuracy_m=accuracy_m), RECEIVED).readings.flags.tolist() == [flag]


def test_speed_minus_one_is_unknown() -> None:
    assert np.isnan(validate(decoded(speed_mps=-1.0), RECEIVED).readings.speed_mps).all()


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        (datetime(1970, 1, 1, 0, 3, tzinfo=UTC), Rejection.UNSYNCED_CLOCK),
        (datetime(1980, 1, 6, tzinfo=UTC), Rejection.UNSYNCED_CLOCK),
        (datetime(2000, 1, 1, 0, 10, tzinfo=UTC), Rejection.UNSYNCED_CLOCK),
        (datetime(2099, 1, 1, tzinfo=UTC), Rejection.FUTURE),
        (RECEIVED + timedelta(hours=24, microseconds=1), Rejection.FUTURE),
        (RECEIVED - timedelta(days=90, microseconds=1), Rejection.TOO_LATE),
    ],
)
def test_times_that_cannot_be_are_refused_with_their_reason(time: datetime, reason: Rejection) -> None:
    assert reasons(fix_time_us=microseconds(time)) == [reason]


@pytest.mark.parametrize(
    ("ahead", "flag"),
    [
        (timedelta(minutes=5), 0),
        (timedelta(minutes=5, seconds=1), Flag.CLOCK_AHEAD),
        (timedelta(hours=24), Flag.CLOCK_AHEAD),
    ],
)
def test_a_clock_ahead_up_to_a_day_is_stored_and_flagged(ahead: timedelta, flag: int) -> None:
    checked = validate(decoded(fix_time_us=microseconds(RECEIVED + ahead)), RECEIVED)
    assert checked.readings.flags.tolist() == [flag]


def test_a_reading_of_exactly_90_days_ago_is_in_retention() -> None:
    assert reasons(fix_time_us=microseconds(RECEIVED - timedelta(days=90))) == []


def test_without_a_time_of_receipt_only_the_clocks_epochs_are_refused() -> None:
    old = validate(decoded(fix_time_us=microseconds(datetime(2016, 1, 1, tzinfo=UTC))), None)
    assert (len(old.readings), old.rejected) == (1, ())
