"""A simulated fleet as a file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from simulator.world import SimulatedTrip


def write_parquet(path: Path, trips: Sequence[SimulatedTrip], device_ids: Mapping[int, str]) -> None:
    """All readings of the trips in their order: `device_id`, `fix_time` (UTC) and the columns of `Readings`.

    What is not reported is null. `device_ids` names each driver's device; a driver without one raises KeyError.
    """
    counts = [len(trip) for trip in trips]
    devices = pa.array([device_ids[trip.driver] for trip in trips], pa.string())
    rows = np.repeat(np.arange(len(trips)), counts)
    times_us = np.concatenate([trip.columns["fix_time_us"] for trip in trips])
    columns = {
        "device_id": devices.take(pa.array(rows)),
        "fix_time": pa.array(times_us.astype("datetime64[us]"), pa.timestamp("us", "UTC")),
    }
    for name in sorted({name for trip in trips for name in trip.columns} - {"fix_time_us"}):
        parts = [trip.columns.get(name, np.full(count, np.nan)) for trip, count in zip(trips, counts, strict=True)]
        columns[name] = pa.array(np.concatenate(parts), pa.float64(), from_pandas=True)
    pyarrow.parquet.write_table(pa.table(columns), path)
