"""Telemachus record files, made as its specification (SPEC-01, version 0.8) says."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.files.read import read_file
from ingest.rejection import Rejection


def telemachus(tmp_path: Path, **columns: Any) -> Path:
    """A Telemachus record file (SPEC-01 0.8): 10 Hz, GNSS at 1 Hz, NaN in between, with columns that are not ours."""
    nan = float("nan")
    times = [datetime(2026, 10, 1, 10, tzinfo=UTC) + timedelta(milliseconds=100 * tick) for tick in range(11)]
    fix = [tick % 10 == 0 for tick in range(11)]
    record: dict[str, Any] = {
        "ts": pa.array(times, pa.timestamp("ns", "UTC")),
        "lat": [49.33 + tick * 1e-4 if has else nan for tick, has in enumerate(fix)],
        "lon": [1.38 if has else nan for has in fix],
        "speed_mps": pa.array([5.2 if has else nan for has in fix], pa.float32()),
        "ax_mps2": pa.array([0.1 * tick for tick in range(11)], pa.float32()),
        "ay_mps2": pa.array([0.03] * 11, pa.float32()),
        "az_mps2": pa.array([9.81] * 11, pa.float32()),
        "altitude_gps_m": pa.array([120.0 if has else nan for has in fix], pa.float32()),
        "h_accuracy_m": pa.array([4.0 if has else nan for has in fix], pa.float32()),
        "n_satellites": pa.array([9 if has else None for has in fix], pa.int8()),
        "ignition": pa.array([True] * 11),
        "speed_obd_mps": pa.array([5.0] * 11, pa.float32()),
        "trip_id": ["t"] * 11,
        "device_id": ["beaglebone-1"] * 11,
        "x_rs3_road_type": ["primary"] * 11,
    } | columns
    path = tmp_path / "record.parquet"
    pq.write_table(pa.table({name: value for name, value in record.items() if value is not None}), path)
    return path


def test_telemachus_records_are_read_by_their_own_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ((device_id, decoded),) = read_file(telemachus(tmp_path))
    readings = decoded.readings
    assert (device_id, decoded.received, decoded.rejected) == ("beaglebone-1", 11, ())
    assert np.diff(readings.fix_time_us).tolist() == [100_000] * 10
    assert np.flatnonzero(~np.isnan(readings.latitude_deg)).tolist() == [0, 10]
    assert readings.latitude_deg[10] == pytest.approx(49.331)
    assert readings.acceleration_forward_mps2.tolist() == pytest.approx([0.1 * tick for tick in range(11)])
    assert (readings.acceleration_lateral_mps2[3], readings.acceleration_vertical_mps2[3]) == pytest.approx(
        (-0.03, 9.81)
    )
    assert (readings.altitude_m[0], readings.accuracy_m[0], readings.satellites[0]) == (120, 4, 9)
    assert np.isnan(readings.satellites[1])
    assert readings.ignition.tolist() == [1.0] * 11
    assert readings.speed_mps[0] == pytest.approx(5.2)
    assert "speed_obd_mps, trip_id" in caplog.text
    assert "x_rs3" not in caplog.text


def test_a_telemachus_core_record_needs_no_accelerometer_and_a_device_by_name(tmp_path: Path) -> None:
    core = dict.fromkeys(("ax_mps2", "ay_mps2", "az_mps2", "device_id", "ignition", "altitude_gps_m", "n_satellites"))
    ((device_id, decoded),) = read_file(telemachus(tmp_path, **core), None, "car-1")
    assert (device_id, len(decoded.readings)) == ("car-1", 11)
    assert np.isnan(decoded.readings.acceleration_forward_mps2).all()


def test_a_telemachus_time_without_its_zone_is_refused(tmp_path: Path) -> None:
    naive = pa.array([datetime(2026, 10, 1, 10, second=tick) for tick in range(11)], pa.timestamp("ns"))  # noqa: DTZ001
    ((_, decoded),) = read_file(telemachus(tmp_path, ts=naive))
    assert {one.reason for one in decoded.rejected} == {Rejection.NAIVE_TIME}
    assert decoded.received == len(decoded.rejected) == 11
