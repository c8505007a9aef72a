"""Notices of a change of plan: exactly those who pay more, with both amounts, why, and by when."""

from datetime import date
from decimal import Decimal as D  # noqa: N817
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.main import app
from pricing.book_rating import compile_plan, rate_book
from pricing.notices import notices
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


EXAMPLE = Path("docs/examples/rate-plan.toml").read_text()


def reasons(folder: Path, *changes: tuple[str, str], **columns: object) -> list[tuple[str, ...]]:
    """Why each of a hundred policies pays more by the example's next version."""
    path = folder / "book.parquet"
    new = EXAMPLE.replace('version = "1"', 'version = "2"')
    for found, instead in changes:
        assert found in new
        new = new.replace(found, instead)
    old_plan, new_plan = (compile_plan(parse_plan(text, "plan")) for text in (EXAMPLE, new))
    write_book(path, old_plan.plan, 100, 8)
    table = pq.read_table(path)
    for name, value in columns.items():
        column = pa.array([value] * len(table))
        held = table.drop_columns([name]) if name in table.column_names else table
        table = held.append_column(name, column)
    pq.write_table(table, path)
    books = [read_rating_book(path, plan) for plan in (old_plan, new_plan)]
    return list(notices(old_plan, books[0], new_plan, books[1]).reasons)


@pytest.mark.parametrize(
    ("change", "columns", "said"),
    [
        (
            ('unmeasured_days = "daily_rate_only"', 'unmeasured_days = "declared_km"'),
            {"days": 31, "unmeasured_days": 5, "pay_plan": "per_km"},
            "rules.unmeasured_days: daily_rate_only -> declared_km",
        ),
        (
            ('gap_km = "not_charged"', 'gap_km = "standard_rate"'),
            {"gap_m": 90_000, "pay_plan": "per_km"},
            "rules.gap_km: not_charged -> standard_rate",
        ),
        (
            ('claim = "0.90"', 'claim = "1.00"'),
            {"tier": "claim", "claims_per_100000_km": 0.4, "pay_plan": "autograph"},
            "behaviour: x 0.9 -> x 1",
        ),
        (
            ('highest = "1.15"', 'highest = "1.30"'),
            {"days": 31, "expiring_liability": D("8.00"), "covers": ["liability"]},
            "smoothing.highest: 1.15 -> 1.30",
        ),
        (
            ('lowest = "0.80"', 'lowest = "1.00"'),
            {"expiring_liability": D("900.00"), "covers": ["liability"]},
            "smoothing.lowest: 0.80 -> 1.00",
        ),
    ],
)
def test_every_notice_says_what_in_the_plan_raised_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], columns: dict[str, object], said: str
) -> None:
    before = {'unmeasured_days = "declared_km"': 'unmeasured_days = "daily_rate_only"',
              'gap_km = "standard_rate"': 'gap_km = "not_charged"', 'claim = "1.00"': 'claim = "0.90"'}  # fmt: skip
    old = EXAMPLE
    for found, instead in before.items():
        assert found in old
        old = old.replace(found, instead)
    monkeypatch.setattr("tests.pricing.test_notices.EXAMPLE", old)
    found = reasons(tmp_path, change, **columns)
    assert found
    assert set(found) == {(said,)}


def test_a_rate_that_rises_while_others_fall_is_named(tmp_path: Path) -> None:
    rates = EXAMPLE[EXAMPLE.index("[covers.liability.per_km]") :]
    line = next(one for one in rates.splitlines() if one.startswith("motorway"))
    night = line[line.index("night") :].partition(",")[0]
    day = line[line.index("day =") :].partition(",")[0]
    cell = line.replace(night, 'night = "0.5000"').replace(day, 'day = "0.0000"')
    found = reasons(tmp_path, (line, cell), pay_plan="autograph")
    assert found
    assert all("a km on motorway, night" in " ".join(one) for one in found)


def test_a_policy_is_told_only_what_it_is_charged_by(tmp_path: Path) -> None:
    shipped = packaged_plan().content
    changes = {
        'urban = "1.10"': 'urban = "1.32"',
        'per_day = "0.31"': 'per_day = "0.33"',  # collision
        'minimum_premium = "3.00"': 'minimum_premium = "20.00"',
        'daily_multiple = "2.1"': 'daily_multiple = "2.2"',  # flat
        'motorway    = { night = "0.0190"': 'motorway    = { night = "0.0200"',  # liability
        "2019-01-01": "2027-03-01",
    }
    new = shipped
    for found, instead in changes.items():
        assert found in new
        new = new.replace(found, instead, 1)
    old_plan, new_plan = (compile_plan(parse_plan(text, "plan")) for text in (shipped, new))
    path = tmp_path / "book.parquet"
    write_book(path, old_plan.plan, 600, 8)
    books = [read_rating_book(path, plan) for plan in (old_plan, new_plan)]
    told = notices(old_plan, books[0], new_plan, books[1])
    table, rated = pq.read_table(path).to_pylist(), rate_book(new_plan, books[1])
    bears = {
        "territory": lambda row, _: row["territory"] == "urban",
        "collision: a day": lambda row, _: "collision" in row["covers"] and row["days"] > 0,
        "minimum_premium": lambda _, place: rated.minimum[place] > 0,
        "flat: days": lambda row, _: row["pay_plan"] == "flat" and row["days"] > 0,
        "liability: a km on motorway, night": lambda row, _: (
            row["pay_plan"] == "autograph" and "liability" in row["covers"] and row["m_motorway_night"] > 0
        ),
    }
    seen = set()
    for place, reasons_of in zip(told.rows.tolist(), told.reasons, strict=True):
        names = {one.rpartition(": ")[0] for one in reasons_of}
        assert names == {name for name, holds in bears.items() if holds(table[place], place)}
        seen |= names
    assert seen == set(bears)


def test_plans_of_two_currencies_are_not_compared(tmp_path: Path) -> None:
    text = packaged_plan().content.replace('currency = "EUR"', 'currency = "USD"')
    (tmp_path / "usd.toml").write_text(text)
    write_book(tmp_path / "book.parquet", packaged_plan(), 9, 8)
    usd, book = str(tmp_path / "usd.toml"), str(tmp_path / "book.parquet")
    for command in (
        ["plan", "impact", "wayrate-2026", usd, book],
        ["plan", "notices", "wayrate-2026", usd, book, "-o", str(tmp_path / "out.parquet")],
        [
            "plan",
            "balance",
            usd,
            "--old",
            "wayrate-2026",
            "--book",
            book,
            "--version",
            "3",
            "-o",
            str(tmp_path / "out"),
        ],
    ):
        answer = CliRunner().invoke(app, command)
        assert "wayrate-2026 charges EUR, wayrate-2026 USD: neither is more" in str(answer.exception), command
