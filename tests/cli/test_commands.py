"""The command line: it says what it does, refuses with what to do, and its page names every command and option."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from cli.main import app
from scoring.extract import demo_extract

ROOT = Path(__file__).parents[2]


def run(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *map(str, words)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def commands() -> Iterator[tuple[str, list[str]]]:
    root = get_command(app)
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        for sub, leaf in getattr(command, "commands", {"": command}).items():
            options = [option for parameter in leaf.params for option in parameter.opts if option.startswith("--")]
            yield f"wayrate {name} {sub}".strip(), options


def test_the_page_names_every_command_and_option() -> None:
    page = (ROOT / "docs" / "commands.md").read_text("utf-8")
    missing = [name for name, _ in commands() if f"`{name} " not in page]
    missing += [f"{name} {option}" for name, options in commands() for option in options if option not in page]
    assert missing == []


def test_help_names_every_command() -> None:
    shown = run("--help").stdout
    assert all(name.split()[1] in shown for name, _ in commands())


def test_a_port_in_use_is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for command in ("serve", "demo"):
            done = run(command, "--port", str(port), "--data-dir", tmp_path / "data")
            assert done.returncode == 1
            assert f"port {port} on 127.0.0.1 is in use" in done.stderr
            assert "--port" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("text", ["2026-10-01T06:00:00", "yesterday", "2026-13-01"])
def test_a_time_without_an_offset_is_refused(tmp_path: Path, text: str) -> None:
    done = run("close", "2026-09", "--as-of", text, "--data-dir", tmp_path)
    assert done.returncode == 1
    assert repr(text) in done.stderr


def test_a_file_in_place_of_the_data_folder_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    done = run("verify", "--data-dir", blocked)
    assert done.returncode == 1
    assert str(blocked) in done.stderr.replace("\n", "")
    assert "--data-dir" in done.stderr


def test_a_wrong_mapping_names_file_and_column(tmp_path: Path) -> None:
    table = tmp_path / "drive.csv"
    table.write_text("when;lat;lon\n1;2;3\n")
    done = run("score", table, "--mapping", "curitiba")
    assert done.returncode == 1
    assert "drive.csv" in done.stderr.replace("\n", "")
    assert "DAY_CORRIGIDO" in done.stderr


def drive_north(folder: Path) -> Path:
    """Ten minutes due north at 20 m/s from a parked start: 12 km, south of Helsinki and its extract."""
    rows = [f"{1_790_000_000 + s},{60 + max(0, min(s, 630) - 30) * 20 / 111_194.93:.7f},25.0," for s in range(700)]
    speeds = [20 if 30 < s <= 630 else 0 for s in range(700)]
    table = folder / "north.csv"
    table.write_text(
        "fix_time,latitude_deg,longitude_deg,speed_mps\n"
        + "\n".join(f"{row}{speed}" for row, speed in zip(rows, speeds, strict=True))
    )
    return table


def test_scoring_prints_one_object_a_trip_and_nothing_else(tmp_path: Path) -> None:
    done = run("score", drive_north(tmp_path))
    assert done.returncode == 0, done.stderr
    (trip,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert trip["distance_km"] == pytest.approx(12.0, rel=0.01)
    assert trip["gap_km"] == 0
    assert "speeding" in trip["not_measurable"]
    assert trip["score"]["claims_per_100000_km"] > 0


def test_an_extract_that_does_not_cover_the_trip_is_said(tmp_path: Path) -> None:
    """The trip is there, off the map, not scored for speeding; the command and the trip say so, and why."""
    drive, roads = drive_north(tmp_path), demo_extract()
    done = run("score", drive, "--roads", roads)
    (trip,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert trip["totals"]["unmatched_m"] == trip["totals"]["distance_m"] > 11_000
    assert trip["quality"]["matched_share"] == 0
    assert "speeding" in trip["not_measurable"]
    assert "1 of them unmatched" in done.stderr
    late = ("--data-dir", tmp_path / "data", "--as-of", "2026-10-01")
    assert run("device", "enrol", "car-1", *late).returncode == 0
    assert run("ingest", drive, "--device", "car-1", *late).returncode == 0
    worked = run("work", "--roads", roads, *late)
    assert "1 trip(s) unmatched: this extract does not cover them" in worked.stderr
    assert "scored again" in run("work", "--rematch", *late).stderr


def test_rows_that_are_refused_are_counted_with_the_first_of_each(tmp_path: Path) -> None:
    table = tmp_path / "bad.csv"
    table.write_text(
        "fix_time,latitude_deg,longitude_deg\n4070908800,60,25\n2026-10-01T06:00:00,60,25\n1790000000,91,25\n"
    )
    done = run("score", table)
    assert done.returncode == 1
    assert {reason: f"refused 1: {reason}" in done.stderr for reason in ("future", "naive_time", "range")} == {
        "future": True,
        "naive_time": True,
        "range": True,
    }
    assert "bad.csv, record 2" in done.stderr
