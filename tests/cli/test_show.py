"""`wayrate show`: a trip drawn as a page and a picture."""

import re
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.errors import CannotWrite, NotFound
from cli.main import app
from cli.trip_drawing import CREDIT
from ingest.accept import accept_file
from ingest.devices import enrol
from ingest.files.read import read_file
from scoring.extract import demo_extract, read_road_map
from scoring.worker import work_once
from storage.pool import Database
from tests.scoring.driving import START_US

AS_OF = datetime(2026, 10, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def drive_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPX of a drive to and fro on a long street of central Helsinki, 40 s each way, then a minute of standing."""
    roads = read_road_map(demo_extract())
    usable = roads.edge_forward & roads.edge_backward & np.isfinite(roads.edge_limit_mps)
    edge = int(np.argmax(np.where(usable, roads.edge_length_m, 0.0)))
    length_m = float(roads.edge_length_m[edge])
    along_m = np.concatenate((np.linspace(0, length_m, 40), np.linspace(length_m, 0, 40), np.zeros(60)))
    latitude, longitude = roads.position_on_edge(np.full(len(along_m), edge, dtype=np.int32), along_m)
    start = np.datetime64(START_US, "us")
    points = "".join(
        f'<trkpt lat="{lat:.7f}" lon="{lon:.7f}"><time>{start + np.timedelta64(second, "s")}Z</time></trkpt>'
        for second, (lat, lon) in enumerate(zip(latitude.tolist(), longitude.tolist(), strict=True))
    )
    path = tmp_path_factory.mktemp("show") / "drive.gpx"
    path.write_text(
        '<gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1" creator="test">'
        f"<trk><trkseg>{points}</trkseg></trk></gpx>"
    )
    return path


def test_a_file_is_drawn_on_its_roads_with_the_credit(drive_file: Path, tmp_path: Path) -> None:
    arguments = [str(drive_file), "--roads", str(demo_extract()), "--out", str(tmp_path / "drawn")]
    result = CliRunner().invoke(app, ["show", *arguments])
    assert result.exit_code == 0, result.output
    html = (tmp_path / "drawn.html").read_text(encoding="utf-8")
    assert html.count(CREDIT) == 2
    assert re.findall(r'(?:src|href)="|url\(|@import', html) == []  # nothing beside it is asked for
    assert len(re.findall(r'<path class="[^"]*road', html)) >= 1
    assert re.search(r'<path class="speed"[^>]* d="M', html)
    assert re.search(r'<path class="limit"[^>]* d="M', html)
    picture = (tmp_path / "drawn.png").read_bytes()
    assert struct.unpack(">II", picture[16:24]) == (1600, 1000)


def test_what_is_not_there_is_said(drive_file: Path, tmp_path: Path) -> None:
    for arguments, error in (
        ([str(drive_file), "--number", "2", "--out", str(tmp_path / "drawn")], NotFound),
        (["neither-file-nor-id"], NotFound),
        ([str(drive_file), "--out", str(tmp_path / "nowhere" / "drawn")], CannotWrite),
    ):
        assert isinstance(CliRunner().invoke(app, ["show", *arguments]).exception, error)


def test_a_trip_of_the_database_is_drawn_by_its_id(
    drive_file: Path, tmp_path: Path, database: Database, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.role("telemetry") as conn:
        enrol(conn, "car-1", as_of=AS_OF - timedelta(days=60))
    [(_, decoded)] = read_file(drive_file, None)
    accept_file(database, "car-1", decoded, AS_OF)
    work_once(database, None, None, as_of=AS_OF)
    with database.role("telemetry") as conn:
        [(trip_id,)] = conn.execute("select trip_id from telemetry.trip").fetchall()
    monkeypatch.setenv("WAYRATE_DSN", database_dsn)
    result = CliRunner().invoke(app, ["show", str(trip_id), "--out", str(tmp_path / "stored")])
    assert result.exit_code == 0, result.output
    assert str(trip_id) in (tmp_path / "stored.html").read_text(encoding="utf-8")
    assert (tmp_path / "stored.png").stat().st_size > 10_000
    gone = CliRunner().invoke(app, ["show", str(UUID(int=0))])
    assert isinstance(gone.exception, NotFound)
