"""The main job: one command from device bytes to statements; running it again repairs and continues, never doubles."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest

from cli.demo_world import TIME_ZONE
from pricing.rating import recompute
from simulator.truth import read_truth
from tests.cli.test_commands import run

UNDER_WAY_US = int(datetime(2026, 11, 1, tzinfo=ZoneInfo(TIME_ZONE)).timestamp() * 1e6)
ROW = re.compile(
    r"│ (DEMO-\d\d) │ Simulated driver \d\d │ (\w+)\s*│\s*(\d+) │\s*([\d.]+) │\s*(\d+) │\s*([\d.]+) │\s*([-+\d.]*) │"
)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="wayrate-demo-") as made:  # not pytest's: see the server of tests/conftest.py
        yield Path(made)


@pytest.fixture(scope="module")
def first_run(folder: Path) -> str:
    done = run("demo", "--exit", "--port", "0", "--data-dir", folder)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_the_demo_is_a_month_of_a_fleet_under_three_pay_plans(first_run: str, folder: Path) -> None:
    rows = ROW.findall(first_run)
    assert len(rows) >= 12
    assert {row[1] for row in rows} == {"flat", "per_km", "autograph"}
    assert sum(int(row[2]) for row in rows) >= 300
    assert [row[0] for row in rows if row[6]] == ["DEMO-01"]  # the one late upload, and nobody else
    truths = read_truth(folder / "truth.jsonl")  # the key of the simulated month is kept beside what was made of it
    measured_km = sum(float(row[3]) for row in rows)
    month = [truth.distance_m for truth in truths if truth.departure_us < UNDER_WAY_US]
    assert len(month) < len(truths)  # some have driven on since
    assert sum(month) / 1000 == pytest.approx(measured_km, rel=0.01)
    held = json.loads(run("verify", "--json", "--data-dir", folder).stdout)
    assert held["breaks"] == []
    assert held["parts"][0]["rows"] >= 200_000


def test_every_statement_adds_up_and_names_its_trips(first_run: str, folder: Path) -> None:
    for policy, _, trips, _, _, premium, _ in ROW.findall(first_run)[:3]:
        shown = json.loads(run("statement", policy, "2026-10", "--json", "--data-dir", folder).stdout)
        assert Decimal(shown["total"]) == Decimal(premium)
        assert Decimal(shown["total"]) == recompute(shown["postings"][-1]["worksheet"], shown["currency"])
        assert len(shown["postings"][-1]["inputs"]["trips"]) == int(trips)


def test_running_it_again_changes_nothing(first_run: str, folder: Path) -> None:
    before = run("verify", "--json", "--data-dir", folder).stdout
    again = run("demo", "--exit", "--port", "0", "--data-dir", folder)
    assert again.returncode == 0, again.stderr
    assert again.stdout == first_run
    parts = [json.loads(text)["parts"] for text in (before, run("verify", "--json", "--data-dir", folder).stdout)]
    assert parts[0] == parts[1]
