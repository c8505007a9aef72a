"""What a change of plan is, and what it does to a book."""

import json
import tomllib
from decimal import Decimal as D  # noqa: N817
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.main import app
from pricing.plan_change import Difference, differences
from pricing.plan_text import toml_text
from pricing.policies import packaged_plan
from tests.pricing.rating_books import write_book

SHIPPED = Path("pricing/plans/wayrate-2026.toml").read_text()


def changed(folder: Path, *pairs: tuple[str, str]) -> Path:
    text = SHIPPED
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path = folder / "new.toml"
    path.write_text(text)
    return path


def run(*words: object) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["plan", *map(str, words)])
    return answer.exit_code, answer.stdout + str(answer.exception or "")


def test_a_plan_is_checked_and_a_broken_one_names_its_place(tmp_path: Path) -> None:
    assert run("check", "wayrate-2026") == (0, packaged_plan().plan_hash + "\n")
    code, said = run("check", changed(tmp_path, ('urban = "1.10"', 'urban = "-1.10"')))
    assert code != 0
    assert "factors.territory.levels.urban" in said


def test_every_place_that_differs_is_named(tmp_path: Path) -> None:
    path = changed(tmp_path, ('urban = "1.10"', 'urban = "1.15"'), ('fee = "1.50"', 'fee = "1.75"'))
    code, said = run("diff", "wayrate-2026", path)
    assert code == 1
    assert said.splitlines()[:2] == ["fee: 1.50 -> 1.75", "factors.territory.levels.urban: 1.10 -> 1.15"]
    assert run("diff", "wayrate-2026", "wayrate-2026")[0] == 0
    menu = differences(packaged_plan(), packaged_plan("wayrate-menu-2026"))
    assert Difference("covers.glass.per_day", None, "0.0403") in menu


def test_the_impact_adds_up_and_names_who_pays(tmp_path: Path) -> None:
    write_book(tmp_path / "book.parquet", packaged_plan(), 400, 8)
    code, said = run(
        "impact",
        "wayrate-2026",
        changed(tmp_path, ('urban = "1.10"', 'urban = "1.32"')),
        tmp_path / "book.parquet",
        "--json",
    )
    assert code == 0, said
    found = json.loads(said)
    territory = {row["level"]: row for row in found["segments"]["territory"]}
    assert territory["rural"]["change"] == territory["suburban"]["change"] == 0
    assert 0.1 < territory["urban"]["change"] <= 0.2 + 1e-3
    assert found["pay_less"] == 0
    assert found["pay_more"] == territory["urban"]["pay_more"]
    for segment in found["segments"].values():
        if sum(row["policies"] for row in segment) == 400:
            assert sum(D(row["new_amount"]) for row in segment) == D(found["new_amount"])
    assert found["off_balance"] == pytest.approx(float(D(found["old_amount"]) / D(found["new_amount"])))
    for plan, name in (("wayrate-2026", "old_amount"), (tmp_path / "new.toml", "new_amount")):
        out = tmp_path / "out.parquet"
        rated = CliRunner().invoke(app, ["rate", str(tmp_path / "book.parquet"), "-o", str(out), "--plan", str(plan)])
        assert rated.exit_code == 0
        assert sum(pq.read_table(out).column("amount").to_pylist()) == D(found[name])
    assert "off-balance" in run("impact", "wayrate-2026", tmp_path / "new.toml", tmp_path / "book.parquet")[1]


def test_the_impact_of_a_change_from_nothing_or_to_it_is_shown(tmp_path: Path) -> None:
    book = tmp_path / "book.parquet"
    write_book(book, packaged_plan(), 50, 8)
    content = tomllib.loads(SHIPPED) | {"minimum_premium": "0", "fee": "0"}
    for cover in content["covers"].values():
        cover |= {"per_day": "0", "standard_per_km": "0"}
        for road in cover["per_km"].values():
            road.update(dict.fromkeys(road, "0"))
    (tmp_path / "free.toml").write_text(toml_text(content))
    for old, new in (("wayrate-2026", tmp_path / "free.toml"), (tmp_path / "free.toml", "wayrate-2026")):
        code, said = run("impact", old, new, book)
        assert code == 0, said
        assert "off-balance -" in said or "(-); off-balance 0.0000" in said


def test_a_page_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    write_book(tmp_path / "book.parquet", packaged_plan(), 9, 8)
    nowhere = tmp_path / "none" / "file"
    words = ("--old", "wayrate-2026", "--book", tmp_path / "book.parquet", "--version", "3")
    assert "cannot write" in run("balance", "wayrate-2026", *words, "-o", nowhere)[1]
    book = tmp_path / "book.parquet"
    assert "cannot write" in run("impact", "wayrate-2026", "wayrate-2026", book, "--out", f"{nowhere}.html")[1]


def test_a_name_that_is_no_plan_says_which_there_are() -> None:
    code, said = run("check", "wayrate-1926")
    assert code != 0
    assert "wayrate-2026" in said
