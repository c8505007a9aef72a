"""`wayrate roads`: a map built once, and what it holds."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.errors import CannotWrite
from cli.main import app
from scoring.extract import demo_extract


def test_a_map_is_built_once_and_tells_what_it_holds(tmp_path: Path) -> None:
    built = tmp_path / "helsinki.npz"
    runner = CliRunner()
    assert runner.invoke(app, ["roads", "build", str(demo_extract()), "--out", str(built)]).exit_code == 0
    told = [
        json.loads(runner.invoke(app, ["roads", "info", str(path), "--json"]).stdout)
        for path in (built, demo_extract())
    ]
    assert told[0] == told[1]
    assert told[0]["edges"] == 1021
    assert sum(told[0]["length_km_by_class"].values()) == pytest.approx(told[0]["length_km"], abs=0.01)
    assert sum(told[0]["length_km_by_limit_source"].values()) == pytest.approx(told[0]["length_km"], abs=0.01)
    assert 0.5 < told[0]["named_km_share"] < 1.0
    text = runner.invoke(app, ["roads", "info", str(built)]).stdout
    assert told[0]["version"] in text
    assert "limit tagged" in text


def test_a_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    for name in ("nowhere/map.npz", "map.pbf"):
        result = CliRunner().invoke(app, ["roads", "build", str(demo_extract()), "--out", str(tmp_path / name)])
        assert isinstance(result.exception, CannotWrite)
