"""Readings to PostgreSQL and back by columnar COPY: rows a second each way, on a throw-away embedded server.

uv run python benchmarks/columnar_copy.py [ROWS]
"""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import numpy as np
from psycopg import sql

from ingest.readings import COLUMN_DTYPES, content_hash, make_readings
from storage.binary import Column, SqlType, copy_in, copy_out, encode
from storage.open import open_database
from storage.partitions import ensure_partitions_of

SMALL = {"satellites", "ignition", "phone_in_use", "belt_fastened"}
TYPES: dict[str, SqlType] = {"device_key": "bigint", "fix_time_us": "timestamptz", "flags": "integer"}


def columns() -> list[Column]:
    """The columns of telemetry.reading that a reading fills."""
    found = [Column("content_hash", "bigint"), Column("upload_id", "bigint")]
    for name, dtype in COLUMN_DTYPES.items():
        kind: SqlType = "smallint" if name in SMALL else "double precision" if dtype == np.float64 else "real"
        found.append(Column(name.removesuffix("_us"), TYPES.get(name, kind), nullable=name not in TYPES))
    return found


def batch(count: int) -> dict[str, np.ndarray]:
    """A car at one reading a second, a third of the optional columns reported."""
    rng = np.random.default_rng(1)
    start = round(datetime(2026, 10, 1, tzinfo=UTC).timestamp() * 1e6)
    readings = make_readings(
        count,
        device_key=7,
        fix_time_us=start + np.arange(count) * 1_000_000,
        latitude_deg=60.17 + rng.normal(0, 0.01, count),
        longitude_deg=24.94 + rng.normal(0, 0.01, count),
        speed_mps=rng.uniform(0, 30, count),
        heading_deg=rng.uniform(0, 360, count),
        hdop=rng.uniform(0.5, 2, count),
        satellites=rng.integers(4, 20, count),
    )
    arrays = {name.removesuffix("_us"): getattr(readings, name) for name in COLUMN_DTYPES}
    return {**arrays, "content_hash": content_hash(readings), "upload_id": np.ones(count, dtype=np.int64)}


def main(count: int) -> None:
    """Print one line a step."""
    layout, arrays = columns(), batch(count)
    with tempfile.TemporaryDirectory() as folder, open_database(Path(folder), None) as database:
        began = perf_counter()
        size = len(encode(layout, arrays))
        report("encode", count, perf_counter() - began, f"{size / 1e6:.0f} MB")
        began = perf_counter()
        with database.role("telemetry") as conn:
            ensure_partitions_of(conn, arrays["fix_time"])
            copy_in(conn, "telemetry.reading", layout, arrays)
        report("copy in, durable", count, perf_counter() - began)
        began = perf_counter()
        with database.role("telemetry") as conn:
            found = copy_out(
                conn, sql.SQL("from telemetry.reading order by device_key, fix_time, content_hash"), layout
            )
        report("copy out", count, perf_counter() - began)
        for name, sent in arrays.items():
            np.testing.assert_array_equal(found[name], sent)


def report(step: str, count: int, seconds: float, remark: str = "") -> None:
    """One line of the table."""
    print(f"{step:<18} {count:>9,} rows {seconds:7.2f} s {count / seconds:>12,.0f} rows/s  {remark}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500_000)
