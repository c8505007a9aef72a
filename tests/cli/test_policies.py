"""`wayrate policy`: the same command again, right after, is the same request; later it may be a new one."""

import pytest
from typer.testing import CliRunner

from cli.main import app
from pricing.agreements import history
from storage.pool import Database
from tests.pricing.book import add_with_device


def test_a_term_can_be_put_back_by_the_command_that_set_it(
    database: Database, database_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_with_device(database)
    monkeypatch.setenv("WAYRATE_DSN", database_dsn)

    def territory(level: str) -> str:
        words = ["policy", "endorse", "P-1", "--from", "2026-11-01", "--set", f"factors.territory={level}"]
        done = CliRunner().invoke(app, [*words, "--as-of", "2026-11-05"])
        assert done.exit_code == 0, done.output
        with database.role("policy") as conn:
            held.append(str(history(conn, "P-1")[1][-1].terms.factors["territory"]))
        return " ".join(done.output.split())

    held: list[str] = []
    assert "is agreed" in territory("rural")
    assert "was agreed before" in territory("rural")
    assert "is agreed" in territory("urban")
    assert "is agreed" in territory("rural")
    assert held == ["rural", "rural", "urban", "rural"]
    with database.role("policy") as conn:
        assert len(history(conn, "P-1")[0]) == 4  # the one that binds, and three


@pytest.mark.parametrize("amount", ["1_000", " 1", "1e3", "x"])
def test_what_a_claim_costs_is_written_in_plain_digits(amount: str) -> None:
    done = CliRunner().invoke(app, ["policy", "assess", "C-1", amount])
    assert done.exit_code == 2
    assert "is no amount such as 1234.50" in " ".join(done.output.replace("│", " ").split())
