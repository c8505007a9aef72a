"""Notices of a change of plan: exactly those who pay more, with both amounts, why, and by when."""

from datetime import date
from decimal import Decimal as D  # noqa: N817
from pathlib import Path

import pyarrow.parquet as pq
from typer.testing import CliRunner

from cli.main import app
from pricing.book_rating import compile_plan, rate_book
from pricing.plan import parse_plan
from pricing.policies import packaged_plan
from pricing.rating_book import read_rating_book
from tests.pricing.rating_books import write_book
from tests.pricing.test_profiles import text_for


def test_who_pays_more_is_told_why_and_45_days_before(tmp_path: Path) -> None:
    text = text_for("maryland").replace('urban = "1.10"', 'urban = "1.32"').replace("2019-01-01", "2027-03-01")
    (tmp_path / "new.toml").write_text(text.replace('rural = "0.88"', 'rural = "0.80"'))
    write_book(tmp_path / "book.parquet", packaged_plan(), 500, 8)
    out = tmp_path / "notices.parquet"
    answer = CliRunner().invoke(
        app,
        ["plan", "notices", "wayrate-2026", str(tmp_path / "new.toml"), str(tmp_path / "book.parquet"), "-o", str(out)],
    )
    assert answer.exit_code == 0, answer.exception
    amounts = []
    for plan in (packaged_plan(), parse_plan((tmp_path / "new.toml").read_text(), "new")):
        compiled = compile_plan(plan)
        amounts.append(rate_book(compiled, read_rating_book(tmp_path / "book.parquet", compiled)).amount)
    told = pq.read_table(out).to_pylist()
    territory = pq.read_table(tmp_path / "book.parquet").column("territory").to_pylist()
    raised = [row for row in range(500) if amounts[1][row] > amounts[0][row]]
    assert [row["policy"] for row in told] == [f"P-{row}" for row in raised]
    assert raised
    assert {territory[row] for row in raised} == {"urban"}
    assert all(row["reasons"] == ["territory: urban x 1.1 -> urban x 1.32"] for row in told)
    assert {row["send_by"] for row in told} == {date(2027, 1, 15)}
    assert told[0]["new_amount"] == D(int(amounts[1][raised[0]])) / 100
