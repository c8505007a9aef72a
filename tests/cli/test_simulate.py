"""`wayrate simulate` as its users run it: files that the other commands read, a stream into a gateway, a report."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from cli.errors import NotFound
from cli.main import app
from simulator.truth import read_truth
from storage.pool import Database
from tests.simulator.conftest import serving

REAL = Path(__file__).parents[2].parent / "shared" / "data"


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, words)])


def test_simulated_trips_are_scored_as_what_they_were(tmp_path: Path) -> None:
    """Readings go through the door of any file; the key beside them says what was driven."""
    made = run(
        "simulate", "trips", "--out", tmp_path, "--drivers", "2", "--days", "1", "--processes", "1", "--seed", "3"
    )
    assert made.exit_code == 0, made.output
    truths = [truth for path in tmp_path.glob("truth-*.jsonl") for truth in read_truth(path)]
    (readings,) = tmp_path.glob("readings-*.parquet")
    scored = run("score", readings)
    assert scored.exit_code == 0, scored.output
    trips = [json.loads(line) for line in scored.stdout.splitlines()]
    assert 0 < len(trips) <= len(truths)
    driven_km = sum(truth.distance_m for truth in truths) / 1000.0
    measured_km = sum(trip["distance_km"] for trip in trips)
    assert measured_km == pytest.approx(driven_km, rel=0.1)
    (motion,) = tmp_path.glob("motion-*.parquet")
    assert pq.read_metadata(motion).num_rows > pq.read_metadata(readings).num_rows / 2


def test_a_fleet_streams_into_a_running_gateway_and_stops(
    database: Database, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYRATE_DSN", database_dsn)
    with serving(database, clock=lambda: datetime.now(UTC)) as url:
        done = run("simulate", "fleet", "--vehicles", "2", "--minutes", "2", "--speed", "600x", "--url", url)
    assert done.exit_code == 0, done.output
    with database.role("telemetry") as conn:
        counted = conn.execute("select count(*), min(fix_time), max(fix_time) from telemetry.reading").fetchone()
    assert counted is not None
    assert counted[0] > 50
    assert f"{counted[0]:,} acknowledged, 0 not" in done.output
    assert (counted[2] - counted[1]).total_seconds() <= 120.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fleet", "--speed", "0x"), "'0x' is no speed"),
        (("fleet", "--tcp", "5027"), "'5027' is no address"),
        (("trips", "--out", "x", "--first-day", "2026-02-30"), "'2026-02-30' is not a date"),
        (("trips", "--out", "x", "--time-zone", "Mars/Olympus"), "'Mars/Olympus' is no time zone"),
    ],
)
def test_a_value_that_cannot_be_is_answered_with_one_that_can(words: tuple[str, ...], said: str) -> None:
    answer = run("simulate", *words)
    assert answer.exit_code == 2
    assert said in " ".join(answer.output.replace("\u2502", " ").split())


def test_a_report_without_real_drives_says_where_to_find_them(tmp_path: Path) -> None:
    answer = run("simulate", "report", "--data", tmp_path, "--out", tmp_path)
    assert isinstance(answer.exception, NotFound)
    assert "--data" in str(answer.exception)


@pytest.mark.long
@pytest.mark.skipif(not REAL.exists(), reason="needs ../shared/data beside the project")
def test_simulated_driving_holds_beside_real_driving(tmp_path: Path) -> None:
    """The shipped world on the real city's roads, with a seed that it was not looked at with."""
    answer = run("simulate", "report", "--data", REAL, "--out", tmp_path, "--seed", "11")
    assert answer.exit_code == 0, answer.output
    page = (tmp_path / "realism.html").read_text()
    assert "<svg" in page
    assert "© OpenStreetMap contributors" in page
