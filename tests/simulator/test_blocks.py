"""A fleet in files: the same bytes for any number of processes, in another time zone, under another hash seed."""

import hashlib
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from scoring.extract import demo_extract
from simulator.blocks import DRIVERS_A_BLOCK, Plan, simulate_to_files
from simulator.drivers import CITY_CENTRE
from simulator.truth import read_truth

ROOT = Path(__file__).parents[2]
PLAN = Plan(demo_extract(), DRIVERS_A_BLOCK + 5, date(2026, 10, 5), 1, "Europe/Helsinki", 7, CITY_CENTRE)
ELSEWHERE = """
import sys
from pathlib import Path
from simulator.blocks import simulate_to_files
from tests.simulator.test_blocks import PLAN
if __name__ == "__main__":
    list(simulate_to_files(PLAN, Path(sys.argv[1]), 1))
"""


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.mark.long
def test_files_are_the_same_bytes_by_two_processes_and_in_another_time_zone(tmp_path: Path) -> None:
    written = list(simulate_to_files(PLAN, tmp_path / "here", 2))
    environment = os.environ | {"TZ": "America/Lima", "PYTHONHASHSEED": "99", "PYTHONPATH": str(ROOT)}
    there = tmp_path / "there"
    subprocess.run([sys.executable, "-c", ELSEWHERE, str(there)], env=environment, cwd=ROOT, check=True)
    found = digests(tmp_path / "here")
    assert len(found) == 6  # two blocks of three files
    assert digests(there) == found
    readings = [pyarrow.parquet.read_table(path) for path in sorted(there.glob("readings-*.parquet"))]
    assert sum(map(len, readings)) == sum(block.readings for block in written) > 5000
    truths = [truth for path in sorted(there.glob("truth-*.jsonl")) for truth in read_truth(path)]
    assert len(truths) == sum(block.trips for block in written)
    motion = [pyarrow.parquet.read_table(path) for path in sorted(there.glob("motion-*.parquet"))]
    driven_m = sum(float(np.sum(part["speed_mps"].to_numpy())) for part in motion)
    assert abs(driven_m / sum(truth.distance_m for truth in truths) - 1.0) < 1e-3
