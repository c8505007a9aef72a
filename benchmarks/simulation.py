"""A day of 1,000 vehicles that drive about an hour at 1 Hz, with its truth, written to files: seconds and megabytes.

uv run python -m benchmarks.simulation [--vehicles N] [--processes N] [--roads FILE]
"""

import argparse
import resource
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

from scoring.extract import demo_extract, read_road_map
from simulator.blocks import Plan, simulate_to_files
from simulator.drivers import DEFAULT_POPULATION, Spread

READINGS = 3_600_000
# All drive every day, in trips that come to about an hour; phones and boxes, for a tracker makes fewer readings.
DAILY = replace(
    DEFAULT_POPULATION,
    trips_per_week=Spread(24.0, 0.1, 20.0, 30.0, 0.0),
    km_per_year=Spread(3_800.0, 0.1, 2_500.0, 5_000.0, 0.0),
    commuter_share=1.0,
    device_shares=(0.5, 0.5, 0.0),
)


def main() -> None:
    """Print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vehicles", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--roads", type=Path, default=None)
    asked = parser.parse_args()
    extract = asked.roads or demo_extract()
    read_road_map(extract)  # into the cache of maps
    plan = Plan(extract, asked.vehicles, date(2026, 10, 6), 1, "Europe/Helsinki", 1, DAILY)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        written = list(simulate_to_files(plan, Path(folder), asked.processes))
        wall_s = time.perf_counter() - began
        size_mb = sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6
    of_children, of_self = (resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF))
    cpu_s = of_children.ru_utime + of_children.ru_stime + of_self.ru_utime + of_self.ru_stime
    readings = sum(block.readings for block in written)
    print(
        f"{extract.name}: {asked.vehicles:,} vehicles, {sum(block.trips for block in written):,} trips, "
        f"{sum(block.km for block in written):,.0f} km, {readings:,} readings with truth in {wall_s:.1f} s "
        f"on {asked.processes} processes ({cpu_s:.1f} s of processor), {READINGS / readings * wall_s:.1f} s a 3.6 M; "
        f"{size_mb:.0f} MB, {max(of_children.ru_maxrss, of_self.ru_maxrss) / 1024:.0f} MiB a process"
    )


if __name__ == "__main__":
    main()
