"""A quote says what it was made of, how far driving can tell, and what each event cost; wrong files get an answer."""

import json
import shutil
from decimal import Decimal as D  # noqa: N817
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.main import app
from pricing.book_rating import compile_plan, rate_book
from pricing.errors import UnknownLevel
from pricing.policies import packaged_plan
from pricing.quote import quote_of, quote_of_row, read_asked
from pricing.rating import recompute
from pricing.rating_book import read_rating_book
from pricing.rating_errors import BadQuote
from scoring.score import PRIOR_MODEL
from tests.pricing.cases import in_currency
from tests.pricing.rating_books import write_book

PLAN = packaged_plan()
EXAMPLE = json.loads(Path("docs/examples/quote.json").read_text())


def quoted(folder: Path, plan: Any = PLAN, **driving: object) -> dict[str, Any]:
    path = folder / "quote.json"
    path.write_text(json.dumps(EXAMPLE | {"driving": EXAMPLE["driving"] | driving}))
    return quote_of(plan, read_asked(path))


def test_a_quote_names_plan_model_and_inputs_and_its_worksheet_comes_to_its_amount(tmp_path: Path) -> None:
    found = quoted(tmp_path)
    assert (found["plan"]["hash"], found["model"]) == (PLAN.plan_hash, PRIOR_MODEL.version)
    assert recompute(found["worksheet"], "EUR") == D(found["amount"])
    again, other = quoted(tmp_path), quoted(tmp_path, gap_m=1_201)
    assert again["inputs_digest"] == found["inputs_digest"] != other["inputs_digest"]
    low, high = map(D, found["interval"])
    assert low < D(found["amount"]) < high


def test_an_event_is_worth_what_the_same_driving_costs_without_it(tmp_path: Path) -> None:
    found = quoted(tmp_path)
    totals = EXAMPLE["driving"]["totals"]
    less = {one["change"]: one for one in found["counterfactuals"]}
    brakes, corner = totals["hard_brake_events"], totals["hard_corner_events"]
    for change, changed in (
        ("without these 3 hard brakes", {"hard_brake_events": brakes - 3}),
        ("without this hard corner", {"hard_corner_events": corner - 1}),
        ("without all 4 events", {"hard_brake_events": brakes - 3, "hard_corner_events": corner - 1}),
    ):
        without = D(quoted(tmp_path, totals=totals | changed, events=[])["amount"])
        assert D(less[change]["amount"]) == without
        assert D(less[change]["difference"]) == without - D(found["amount"]) < 0
    phone = {"kind": "phone_use", "totals": {"phone_s": 600}}
    measured = totals | {"phone_s": 900, "phone_measurable_s": 40_000, "phone_measurable_m": 812_345}
    held = quoted(tmp_path, totals=measured, events=[phone])
    assert D(held["counterfactuals"][0]["difference"]) < D("-0.5")


@pytest.mark.parametrize(
    ("driving", "said"),
    [
        ({"model": "frequency-prior-0"}, "driving.model"),
        ({"claims_per_100000_km": 0.9}, "leave claims_per_100000_km"),
        ({"totals": {"hard_brakes": 3}}, "hard_brakes is no total"),
        ({"totals": {"distance_m": -3}, "events": []}, "from 0 to"),
        ({"totals": {"distance_m": 10**16}, "events": []}, "driving.totals: must be from 0"),
        ({"totals": {"distance_m": 1000, "night_m": 1001}, "events": []}, "night_m is more than distance_m"),
        ({"totals": {}, "events": [], "claims_per_100000_km": "1e300000"}, "driving.claims_per_100000_km"),
        ({"totals": {}, "events": [], "claims_per_100000_km": "1e-300000"}, "driving.claims_per_100000_km"),
        ({"totals": {}, "events": [], "claims_per_100000_km": 0.9, "interval": [1.2, 0.7]}, "driving.interval"),
        ({"totals": {}, "events": [], "claims_per_100000_km": 0.9, "interval": [1.0, 1.2]}, "driving.interval"),
        ({"totals": {}, "events": [], "interval": [0.7, 1.2]}, "driving.interval"),
        ({"gap_m": 10**11 + 1}, "metres must be from 0 to 100,000,000,000"),
        ({"minutes": 10**7 + 1}, "driving.minutes"),
        ({"events": [{"kind": "sneeze"}]}, "kind must be one of hard_brake"),
        ({"events": [{"kind": "hard_brake"}] * 22}, "more than driving.totals hold"),
        ({"events": [{"kind": "hard_brake", "totals": {"hard_brake_events": -1}}]}, "more than driving.totals hold"),
        ({"tier": "radio"}, "driving.tier"),
        ({"minutes": -1}, "driving.minutes"),
        (
            {"distance_m": 812_346},
            "cells: add up to 812345 m, and driving.distance_m is 812346: autograph charges every",
        ),
        ({"cells": []}, "driving.cells: add up to 0 m"),
    ],
)
def test_driving_that_cannot_be_priced_names_its_field(tmp_path: Path, driving: dict[str, object], said: str) -> None:
    with pytest.raises(BadQuote, match=said):
        quoted(tmp_path, **driving)


def test_another_pay_plan_is_told_where_what_was_driven_is_known_as_it_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "quote.json"
    told = {}
    for known, cells in (("all", EXAMPLE["driving"]["cells"]), ("sum", [])):
        driving = EXAMPLE["driving"] | {"cells": cells}
        path.write_text(json.dumps(EXAMPLE | {"pay_plan": "per_km", "driving": driving}))
        told[known] = {one["change"]: one["amount"] for one in quote_of(PLAN, read_asked(path))["counterfactuals"]}
    assert told["all"].pop("pay plan autograph") == quoted(tmp_path)["amount"]
    assert told["all"] == told["sum"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"unmeasured_days": 32}, "unmeasured_days"),
        ({"expiring": {"collision": "-1"}}, "expiring"),
        ({"expiring": {"glass": "1"}}, "names a cover that the policy has not"),
        ({"plan_hash": "ab" * 32}, "plan_hash"),
        ({"days": 3.5}, "days"),
        ({"expiring": {"collision": "NaN"}}, "expiring"),
        ({"expiring": {"collision": "1e5000"}}, "expiring"),
        ({"expiring": {"collision": "1e-5000"}}, "expiring"),
        ({"days": 0}, "days: must be from 1 to 3,660"),
        ({"days": 10**30}, "days"),
        ({"declared_km_per_year": 10**10}, "declared_km_per_year"),
        ({"factors": EXAMPLE["factors"] | {"shoe_size": 43}}, "shoe_size is not a factor of the plan"),
    ],
)
def test_terms_that_cannot_be_priced_name_their_field(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "quote.json"
    path.write_text(json.dumps(EXAMPLE | change))
    with pytest.raises(BadQuote, match=said):
        quote_of(PLAN, read_asked(path))


def test_a_factor_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "quote.json"
    path.write_text(json.dumps(EXAMPLE | {"factors": {"vehicle_class": "compact", "territory": "urban"}}))
    with pytest.raises(UnknownLevel, match="factor 'driver_age' is missing"):
        quote_of(PLAN, read_asked(path))


@pytest.mark.parametrize(("currency", "digits"), [("JPY", 0), ("KWD", 3)])
def test_a_plan_in_a_currency_of_0_or_3_decimals_quotes_in_its_minor_unit(
    tmp_path: Path, currency: str, digits: int
) -> None:
    plan = in_currency(PLAN.content, currency)
    found = quoted(tmp_path, plan)
    assert {-D(line["amount"]).as_tuple().exponent for line in found["lines"]} == {digits}  # type: ignore[operator]
    assert recompute(found["worksheet"], currency) == D(found["amount"])


def test_any_row_of_a_book_is_quoted_by_the_plan_that_the_book_is_rated_by(tmp_path: Path) -> None:
    path = tmp_path / "book.parquet"
    write_book(path, PLAN, 60, 11)
    table = pq.read_table(path)
    claims = table.column("claims_per_100000_km").to_pylist()
    for name, times in (("_low", 0.8), ("_high", 1.25)):
        ends = [None if one is None else one * times for one in claims]
        table = table.append_column(f"claims_per_100000_km{name}", [ends])
    pq.write_table(table, path)
    compiled = compile_plan(PLAN)
    book = read_rating_book(path, compiled)
    amounts = rate_book(compiled, book).amount
    with_interval = 0
    for row, policy in enumerate(book.policy):
        found = quote_of_row(compiled, book, policy)
        assert D(found["amount"]) == D(int(amounts[row])).scaleb(-2) == recompute(found["worksheet"], "EUR")
        assert found["plan"]["hash"] == PLAN.plan_hash
        assert {one["change"][:8] for one in found["counterfactuals"]} >= {"pay plan"}
        if found["interval"] is not None:
            with_interval += 1
            assert D(found["interval"][0]) <= D(found["amount"]) <= D(found["interval"][1])
    assert with_interval > 5
    with pytest.raises(BadQuote, match="not in the book"):
        quote_of_row(compiled, book, "P-60")


def test_files_that_are_none_get_an_answer_and_nothing_is_written(tmp_path: Path) -> None:
    book, out = tmp_path / "book.parquet", tmp_path / "out.parquet"
    write_book(book, PLAN, 5, 2)
    twice = tmp_path / "twice.parquet"
    pq.write_table(pq.read_table(book).take([0, 1, 1]), twice)
    for name, content in (
        ("not.toml", b"\xff\xfe"),
        ("not.parquet", b"none"),
        ("not.json", b'{"a":'),
        ("b.json", b"\xff"),
    ):
        (tmp_path / name).write_bytes(content)

    def said(*words: object) -> str:
        answer = CliRunner().invoke(app, list(map(str, words)))
        assert answer.exit_code != 0
        assert not isinstance(answer.exception, OSError | UnicodeDecodeError)
        assert not out.exists()
        return str(answer.exception)

    assert "cannot be read as text" in said("rate", book, "-o", out, "--plan", tmp_path / "not.toml")
    assert "cannot be read as Parquet" in said("rate", tmp_path / "not.parquet", "-o", out)
    assert "cannot be written" in said("rate", book, "-o", tmp_path / "none" / "out.parquet")
    assert "would be overwritten" in said("rate", book, "-o", book)
    assert "row 3" in said("rate", twice, "-o", out)
    (tmp_path / "twice.json").write_text(json.dumps(EXAMPLE).replace('"days": 31', '"days": 31, "days": 1'))
    assert "names a key twice: policy, days, days" in said("quote", tmp_path / "twice.json")
    (tmp_path / "dear.toml").write_text(PLAN.content.replace('"0.0190"', '"999999999"').replace("0.0090", "999999999"))
    far = {"distance_m": 10**11, "cells": [["motorway", "night", 10**11]]}
    (tmp_path / "far.json").write_text(json.dumps(EXAMPLE | {"driving": far}))
    assert "is over 10^15" in said("quote", tmp_path / "far.json", "--plan", tmp_path / "dear.toml")
    assert "not.json" in said("quote", tmp_path / "not.json")
    assert "b.json" in said("quote", tmp_path / "b.json")
    assert "--policy" in said("quote", book)
    assert "not in the book" in said("quote", book, "--policy", "P-9")
    shutil.copy(book, out)
    kept = out.read_bytes()
    assert CliRunner().invoke(app, ["quote", str(book), "--policy", "P-3"]).exit_code == 0
    assert CliRunner().invoke(app, ["rate", str(twice), "-o", str(out)]).exit_code != 0
    assert out.read_bytes() == kept
    assert list(tmp_path.glob("*.part")) == []
