"""The families of real driving through their mappings: counts and numbers of the files themselves."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from ingest.accept import accept_file
from ingest.decoded import Decoded
from ingest.devices import enrol
from ingest.files.mapping import find_mapping
from ingest.files.read import read_file
from ingest.moments import microseconds
from ingest.readings import Flag
from ingest.rejection import Rejection
from ingest.validate import validate
from storage.pool import Database


def read(path: Path, mapping: str | None) -> tuple[str | None, Decoded]:
    ((device_id, decoded),) = read_file(path, find_mapping(mapping) if mapping else None)
    return device_id, decoded


def test_curitiba_is_read_whole_in_utc_and_si(shared_data: Path) -> None:
    device_id, decoded = read(shared_data / "curitiba" / "driver_A.csv", "curitiba")
    readings = decoded.readings
    assert (device_id, len(readings), decoded.rejected) == ("curitiba-a", 3623, ())
    assert readings.fix_time_us[0] == microseconds(datetime(2019, 8, 26, 22, 17, 27, tzinfo=UTC))
    assert int(np.count_nonzero(np.isnan(readings.reported_limit_mps))) == 341
    limits_kmh = np.round(readings.reported_limit_mps[~np.isnan(readings.reported_limit_mps)] * 3.6)
    assert np.unique(limits_kmh).tolist() == [30, 40, 50, 60, 70]
    np.testing.assert_allclose(readings.speed_mps.max() * 3.6, 75.1562, rtol=1e-6)
    assert int(readings.phone_in_use.sum()) == 819
    assert readings.belt_fastened.tolist() == [1.0] * 3623
    # The city lies at about 930 m, and the restored feet are whole decimetres.
    assert 900 < np.median(readings.altitude_m) < 950
    np.testing.assert_allclose(readings.altitude_m * 10, np.rint(readings.altitude_m * 10), atol=0.01)
    # Three trips at 1 Hz, in which two seconds are missing.
    steps_s = np.diff(readings.fix_time_us) // 1_000_000
    assert sorted(steps_s[steps_s != 1].tolist())[:2] == [2, 2]
    assert int(np.count_nonzero(steps_s > 2)) == 2


def test_curitiba_speed_agrees_with_its_positions(shared_data: Path) -> None:
    """The integral of the speed is the length of the path within 5 %: units, decimal mark and axes are right."""
    _, decoded = read(shared_data / "curitiba" / "driver_A.csv", "curitiba")
    readings = decoded.readings
    same_trip = np.diff(readings.fix_time_us) == 1_000_000
    north_m = np.diff(readings.latitude_deg) * 111_195
    east_m = np.diff(readings.longitude_deg) * 111_195 * np.cos(np.radians(-25.44))
    path_m = np.hypot(north_m, east_m)[same_trip].sum()
    np.testing.assert_allclose(readings.speed_mps[1:][same_trip].sum(), path_m, rtol=0.05)


def test_omaha_accelerometer_has_the_declared_axes(shared_data: Path) -> None:
    _, decoded = read(shared_data / "omaha" / "drives_1_9.csv.gz", "omaha")
    readings = decoded.readings
    assert (len(readings), decoded.rejected) == (4495, ())
    assert readings.fix_time_us[0] == microseconds(datetime(2019, 5, 23, 20, 54, 11, tzinfo=UTC))
    assert 9.5 < np.median(readings.acceleration_vertical_mps2) < 10
    # GPS speed lags the accelerometer by a second or two.
    gained_mps2 = np.gradient(readings.speed_mps.astype(float))
    forward = [
        np.corrcoef(gained_mps2[lag:-5], readings.acceleration_forward_mps2[: -5 - lag])[0, 1] for lag in range(4)
    ]
    assert int(np.argmax(forward)) in {1, 2}
    assert max(forward) > 0.5
    # Clockwise, so to the right, is positive. A heading at walking pace is noise.
    turned_rad = np.gradient(np.unwrap(np.radians(readings.heading_deg.astype(float))))
    sideways = (turned_rad * readings.speed_mps)[1:]
    one_drive = np.gradient(readings.fix_time_us / 1e6)[1:] == 1
    moving = (readings.speed_mps[1:] > 3) & one_drive
    assert np.corrcoef(sideways[moving], readings.acceleration_lateral_mps2[:-1][moving])[0, 1] > 0.5


@pytest.mark.parametrize(
    ("file", "rows", "impossible", "half"),
    [
        ("T1_03_29_2021", 6189, 10, 0),
        ("T1_06_30_2021_1", 5200, 34, 0),
        ("T1_06_30_2021_2", 5903, 0, 4),
        ("T1_07_01_2021", 4535, 0, 0),
    ],
)
def test_rabat_dates_that_no_calendar_has_are_quarantined(
    shared_data: Path, file: str, rows: int, impossible: int, half: int
) -> None:
    _, decoded = read(shared_data / "rabat" / f"{file}.csv", "rabat")
    checked = validate(decoded, None)
    reasons = [one.reason for one in checked.rejected]
    assert (reasons.count(Rejection.MALFORMED), reasons.count(Rejection.MISSING_FIELD)) == (impossible, half)
    assert len(checked.readings) == rows - impossible - half
    held = (checked.readings.flags & Flag.IMPUTED_RECEIVER_POSITION) != 0
    np.testing.assert_array_equal(np.isnan(checked.readings.latitude_deg), held)
    assert 10 < rows / np.count_nonzero(~held) < 16  # a new position every ~13 s


def test_a_gpx_of_the_field_is_read(shared_data: Path) -> None:
    _, decoded = read(shared_data / "match" / "issue-70.gpx", None)
    assert len(decoded.readings) == 17
    assert decoded.readings.fix_time_us[0] == microseconds(datetime(2010, 1, 1, 1, 0, 53, tzinfo=UTC))


def test_curitiba_twice_into_the_database_is_there_once(shared_data: Path, database: Database) -> None:
    device_id, decoded = read(shared_data / "curitiba" / "driver_A.csv", "curitiba")
    as_of = datetime(2019, 10, 1, tzinfo=UTC)
    with database.role("telemetry") as conn:
        enrol(conn, device_id or "", as_of)
    first, again = (accept_file(database, device_id, decoded, as_of) for _ in range(2))
    assert (first.accepted, first.duplicate, first.quarantined) == (3623, 0, 0)
    assert (again.accepted, again.duplicate, again.quarantined) == (0, 3623, 0)
