"""A simulated fleet as Parquet: ingest reads back every value of every device."""

from pathlib import Path

import numpy as np
import pytest

from ingest.files.read import read_file
from simulator.files import write_parquet
from simulator.world import SimulatedTrip


def test_a_fleet_is_read_back_value_by_value(trips: list[SimulatedTrip], tmp_path: Path) -> None:
    names = {trip.driver: f"car-{trip.driver + 1:02}" for trip in trips}
    write_parquet(tmp_path / "fleet.parquet", trips, names)
    read = dict(read_file(tmp_path / "fleet.parquet"))
    assert set(read) == set(names.values())
    for driver, name in names.items():
        own = [trip for trip in trips if trip.driver == driver]
        assert not read[name].rejected
        for column in own[0].columns:
            told = np.concatenate([trip.columns[column] for trip in own])
            found = getattr(read[name].readings, column)
            np.testing.assert_array_equal(found, told.astype(found.dtype), err_msg=column)
        absent = {"acceleration_forward_mps2", "phone_in_use"} - set(own[0].columns)
        assert all(np.isnan(getattr(read[name].readings, column)).all() for column in absent)


def test_a_driver_without_a_device_is_an_error_and_no_file(trips: list[SimulatedTrip], tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        write_parquet(tmp_path / "fleet.parquet", trips, {})
    assert not (tmp_path / "fleet.parquet").exists()
