"""`wayrate verify` on a real database: digests when all is well; exit code 1 and words when anything is not."""

from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest
from typer.testing import CliRunner

from cli.main import app
from ingest.accept import accept
from ingest.decoders import wayrate
from ingest.devices import find_device
from pricing.close import close_period
from storage.pool import Database
from tests.ingest.conftest import NOW, batch, token
from tests.pricing.book import CLOSED_AT, add_with_device, put_trip

__all__ = ["batch", "token"]  # fixtures


@pytest.fixture
def held(database: Database, token: str, batch: Callable[..., bytes]) -> Database:
    """Three readings, one of them refused, and one posted month."""
    with database.role("telemetry") as conn:
        device = find_device(conn, "car-1")
    accept(
        database, device, batch(3, speed_mps=900.0), wayrate.decode, received_at=NOW, channel="http",
        decoder_version="test/1",
    )  # fmt: skip
    return database


def said(dsn: str, monkeypatch: pytest.MonkeyPatch, *options: str) -> tuple[int, str]:
    monkeypatch.setenv("WAYRATE_DSN", dsn)
    done = CliRunner().invoke(app, ["verify", *options])
    return done.exit_code, " ".join(done.output.split())


def test_what_holds_is_said_with_a_digest_for_each_part(
    held: Database, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, output = said(database_dsn, monkeypatch)
    assert code == 0
    assert "Conserved: 3 received = 2 stored + 0 duplicate + 1 quarantined" in output
    for part in ("readings", "trips", "events", "exposure", "statements"):
        assert f"{part} " in output


@pytest.mark.parametrize(
    ("tampering", "named"),
    [
        ("delete from telemetry.reading where fix_time = '2026-10-01 10:00:00Z'", "the table holds 1 of them"),
        ("delete from telemetry.quarantine", "the quarantine holds 0"),
        ("update telemetry.reading set latitude_deg = latitude_deg + 1e-9", "car-1: 2 reading(s) altered"),
        ("update telemetry.reading set speed_mps = null where speed_mps is not null", "car-1: 2 reading(s) altered"),
        ("update telemetry.reading set upload_id = upload_id + 7", "2 reading(s) in the table that no upload brought"),
        ("update telemetry.upload set records_duplicate = 1, records_received = 4, records_stored = 2", None),
    ],
)
def test_what_was_tampered_with_is_found(
    held: Database, database_dsn: str, monkeypatch: pytest.MonkeyPatch, tampering: str, named: str | None
) -> None:
    """The last case is the limit: a ledger that is rewritten consistently cannot be told from a true one."""
    with psycopg.connect(database_dsn) as conn:
        conn.execute(tampering)  # type: ignore[arg-type]
    code, output = said(database_dsn, monkeypatch)
    assert code == (named is not None)
    assert (named or "Conserved") in output


def test_a_posting_that_does_not_add_up_is_found(
    database: Database, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_with_device(database)
    put_trip(database, datetime(2026, 10, 5, 9, tzinfo=UTC))
    close_period(database, "2026-10", CLOSED_AT)
    assert said(database_dsn, monkeypatch)[0] == 0
    with psycopg.connect(database_dsn) as conn:
        conn.execute("set local session_replication_role = replica")
        conn.execute("update policy.statement set amount = amount + 0.01")
    code, output = said(database_dsn, monkeypatch)
    assert code == 1
    assert "policy P-1, 2026-10, revision 0: not the sum of its lines" in output
