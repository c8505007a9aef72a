"""A whole book by columns: to the cent what each policy alone costs, whatever the plan, the currency or the tie."""

import json
from decimal import Decimal as D  # noqa: N817
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli.main import app
from pricing.book_rating import BookPremiums, CompiledPlan, RatingBook, compile_plan, rate_book, rate_row
from pricing.money import MINOR_DIGITS
from pricing.plan import parse_plan
from pricing.quote import quote_of_row
from pricing.rating import recompute
from pricing.rating_book import read_rating_book
from pricing.rating_errors import AmountTooLarge, BadRatingBook
from tests.pricing.rating_books import plan_of, write_book


def rated(path: Path, compiled: CompiledPlan) -> tuple[RatingBook, BookPremiums]:
    book = read_rating_book(path, compiled)
    return book, rate_book(compiled, book)


def differing(compiled: CompiledPlan, book: RatingBook, premiums: BookPremiums, rows: np.ndarray) -> list[int]:
    """Rows whose lines are not those of the policy alone, or whose worksheet does not multiply out to the sum."""
    unit = D(1).scaleb(-MINOR_DIGITS[compiled.plan.currency])
    found = []
    for row in rows.tolist():
        alone = rate_row(compiled, book, row)
        lines = {line.name: line.amount for line in alone.lines}
        covers = [lines.get(name, D(0)) for name in compiled.plan.covers]
        same = [
            [int(one) * unit for one in premiums.covers[:, row]] == covers,
            int(premiums.minimum[row]) * unit == lines.get("minimum premium", 0),
            int(premiums.tax[row]) * unit == lines[compiled.plan.tax_name],
            int(premiums.amount[row]) * unit == alone.amount,
            recompute([step.as_json() for step in alone.worksheet], compiled.plan.currency) == alone.amount,
        ]
        found += [] if all(same) else [row]
    return found


@settings(max_examples=12, deadline=None)
@given(
    factors=st.integers(2, 20),
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
    decimals=st.integers(1, 4),
    minimum=st.sampled_from(["0", "3.00", "25", "9000"]),
    tax=st.sampled_from(["0", "0.24", "0.175", "0.123456789"]),
    tables=st.integers(0, 4),
    seed=st.integers(0, 10**6),
)
def test_any_plan_and_book_is_rated_to_the_cent_of_each_policy_alone(
    tmp_path_factory: pytest.TempPathFactory,
    factors: int,
    currency: str,
    decimals: int,
    minimum: str,
    tax: str,
    tables: int,
    seed: int,
) -> None:
    path = tmp_path_factory.mktemp("book") / "book.parquet"
    plan = plan_of(factors, currency=currency, decimals=decimals, minimum=minimum, tax=tax, seed=seed, tables=tables)
    compiled = compile_plan(plan)
    write_book(path, compiled.plan, 60, seed)
    book, premiums = rated(path, compiled)
    assert differing(compiled, book, premiums, np.arange(60)) == []


def test_half_a_cent_is_in_doubt_and_goes_away_from_zero(tmp_path: Path) -> None:
    compiled = compile_plan(plan_of(2, decimals=1))
    write_book(tmp_path / "book.parquet", compiled.plan, 4000, 3)
    book, premiums = rated(tmp_path / "book.parquet", compiled)
    assert premiums.in_doubt > 0  # with few digits there are real ties
    assert differing(compiled, book, premiums, np.arange(0, 4000, 7)) == []


def test_amounts_beyond_what_a_double_holds_are_rated_one_by_one(tmp_path: Path) -> None:
    compiled = compile_plan(plan_of(3))
    path = tmp_path / "book.parquet"
    write_book(path, compiled.plan, 50, 4)
    table = pq.read_table(path)
    near = np.asarray(table["distance_m"])
    far_m = np.where(
        np.asarray(table["pay_plan"]) == "autograph", near, 10**11
    )  # which is the sum of its roads and hours
    far = table.set_column(table.column_names.index("distance_m"), "distance_m", [far_m])
    pq.write_table(far, path)
    book, premiums = rated(path, compiled)
    assert differing(compiled, book, premiums, np.arange(50)) == []


def test_an_amount_over_10_to_the_15_is_refused_by_its_policy(tmp_path: Path) -> None:
    shipped = plan_of(3)
    dear = parse_plan(shipped.content.replace('per_km = "0.021"', 'per_km = "999999999"'), "dear.toml")
    path = tmp_path / "book.parquet"
    write_book(path, dear, 9, 4)
    columns = pq.read_table(path).to_pydict() | {"pay_plan": ["per_km"] * 9, "covers": [["liability"]] * 9}
    columns["distance_m"] = [10] * 6 + [10**11, 10**11, 10]
    pq.write_table(pq.read_table(path).schema.empty_table().from_pydict(columns), path)
    with pytest.raises(AmountTooLarge, match=r"policy P-6: .* is over 10\^15"):
        rated(path, compile_plan(dear))


U64 = pa.array(np.array([2**64 - 1] + [1] * 8, dtype=np.uint64))


@pytest.mark.parametrize(
    ("field", "column", "said"),
    [
        ("days", U64, r"row 1, policy 'P-0': days: is over 3,660"),
        ("distance_m", U64, r"row 1.*distance_m: is over 100,000,000,000"),
        ("claims_per_100000_km", pa.array(["0.9"] * 4 + ["much"] * 5), r"row 5.*claims_per_100000_km: is no number"),
        ("claims_per_100000_km", pa.array(["0.9"] * 4 + ["1e999"] * 5), r"row 5.*is no frequency"),
        ("claims_per_100000_km", pa.array([True] * 9), "claims_per_100000_km: must hold numbers, not bool"),
        ("claims_per_100000_km_low", pa.array([0.5] * 3 + [2.0] * 6), r"row 4.*_low: the interval does not hold it"),
        ("expiring_liability", pa.array(["1.00"] * 9), "expiring_liability: must hold decimals, not string"),
        ("expiring_liability", pa.array([D("1e20")] * 9, pa.decimal128(38, 2)), r"row 1.*expiring_liability: is over"),
        ("covers", pa.array([["liability"]] * 2 + [["liability", None]] * 7), r"row 3.*holds a cover without a name"),
        ("covers", pa.array([["liability"]] * 8 + [["liability", "liability"]]), r"row 9.*'liability' twice"),
        ("covers", pa.array([[["liability"]]] * 9), "covers: must hold lists of covers"),
        ("pay_plan", pa.array([["flat"]] * 9), "pay_plan: must hold texts, not list"),
        ("driver_age", pa.array(np.array([2**63] * 9, dtype=np.uint64)), "driver_age: is over 1,000,000,000"),
        (
            "totals",
            pa.array([{"night_m": 2**63}] * 9, pa.map_(pa.string(), pa.uint64())),
            r"totals: must be whole numbers",
        ),
    ],
)
def test_odd_columns_are_refused_by_row_and_field(tmp_path: Path, field: str, column: pa.Array, said: str) -> None:
    path = tmp_path / "book.parquet"
    write_book(path, plan_of(3), 9, 4)
    table = pq.read_table(path)
    table = table.drop_columns([one for one in table.column_names if one.startswith((field, "claims_per_100000_km"))])
    if field.endswith("_low"):
        for other in ("claims_per_100000_km", "claims_per_100000_km_high"):
            table = table.append_column(other, pa.array([1.0] * 9))
    pq.write_table(table.append_column(field, column), path)
    with pytest.raises(BadRatingBook, match=said):
        rated(path, compile_plan(plan_of(3)))


@pytest.mark.long
def test_a_million_policies_and_ten_thousand_of_them_alone_differ_in_no_cent(tmp_path: Path) -> None:
    compiled = compile_plan(plan_of(15))
    write_book(tmp_path / "book.parquet", compiled.plan, 1_000_000, 9)
    book, premiums = rated(tmp_path / "book.parquet", compiled)
    chosen = np.random.default_rng(1).choice(1_000_000, 10_000, replace=False)
    wrong = differing(compiled, book, premiums, chosen)
    print(f"1,000,000 rated, {premiums.in_doubt:,} in doubt; 10,000 again alone: {len(wrong)} differ")
    assert wrong == []
    for row in chosen[:200].tolist():  # and all that a quote says of any row, by the same compiled plan
        found = quote_of_row(compiled, book, f"P-{row}")
        assert D(found["amount"]) == D(int(premiums.amount[row])).scaleb(-2) == recompute(found["worksheet"], "EUR")
        assert found["plan"]["hash"] == compiled.plan.plan_hash
        assert len(found["counterfactuals"]) >= 2


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("driver_age", 16, "is not within 17 to under 120"),
        ("driver_age", -1, "is negative"),
        ("days", -1, "is negative"),
        ("pay_plan", "weekly", "has no level 'weekly'"),
        ("f0", "l9", "has no level 'l9'"),
        ("claims_per_100000_km", -0.5, "is no frequency over 0"),
        ("distance_m", 10**12, "is over"),
        ("f0", None, "is missing"),
        ("covers", ["liability", "moon"], "has no cover 'moon'"),
        ("covers", [], "is empty"),
    ],
)
def test_a_row_that_cannot_be_rated_is_named_and_nothing_is_written(
    tmp_path: Path, field: str, value: object, problem: str
) -> None:
    compiled = compile_plan(plan_of(4))
    path = tmp_path / "book.parquet"
    write_book(path, compiled.plan, 20, 5)
    columns = pq.read_table(path).to_pydict()
    columns[field][6] = value
    if field == "driver_age":
        columns["driver_age"][6] = value
    pq.write_table(pq.read_table(path).schema.empty_table().from_pydict(columns), path)
    with pytest.raises(BadRatingBook, match=problem) as refused:
        read_rating_book(path, compiled)
    assert (refused.value.row, refused.value.policy, refused.value.field) == (7, "P-6", field)


def test_of_every_metre_the_road_and_hour_are_known_where_they_are_charged(tmp_path: Path) -> None:
    """A column that is misspelled, or left out, makes no kilometre free."""
    compiled = compile_plan(plan_of(4))
    path = tmp_path / "book.parquet"

    def read(columns: dict[str, list[Any]]) -> RatingBook:
        pq.write_table(pa.table(columns), path)
        return read_rating_book(path, compiled)

    write_book(path, compiled.plan, 20, 5)
    columns = pq.read_table(path).to_pydict() | {"pay_plan": ["flat", "autograph"] * 10}
    without = {name: column for name, column in columns.items() if name != "distance_m"}
    assert read(without).distance_m.tolist() == read(columns).distance_m.tolist() == columns["distance_m"]
    first = next(name for name in columns if name.startswith("m_"))
    left_out = {name: column for name, column in columns.items() if name != first}
    with pytest.raises(BadRatingBook, match="is not the sum of the metres by road and hour") as refused:
        read(left_out)
    assert (refused.value.row, refused.value.policy, refused.value.field) == (2, "P-1", "distance_m")
    with pytest.raises(BadRatingBook, match="is no road class and hour band") as refused:
        read(left_out | {"m_motorvay_night": columns[first]})
    assert refused.value.field == "m_motorvay_night"


def test_the_commands_rate_a_book_and_quote_one_of_it_alike(tmp_path: Path) -> None:
    from pricing.policies import packaged_plan  # noqa: PLC0415

    plan = packaged_plan()
    path, out, asked = tmp_path / "book.parquet", tmp_path / "out.parquet", tmp_path / "quote.json"
    write_book(path, plan, 30, 6)
    answer = CliRunner().invoke(app, ["rate", str(path), "-o", str(out)])
    assert answer.exit_code == 0, answer.output
    rates, rows = pq.read_table(out), pq.read_table(path).to_pylist()
    assert rates.schema.metadata[b"plan_hash"].decode() == plan.plan_hash
    for row, rated_row in zip(rows, rates.to_pylist(), strict=True):
        frequency = row["claims_per_100000_km"]
        document = {
            "policy": row["policy"], "days": row["days"], "pay_plan": row["pay_plan"], "covers": row["covers"],
            "factors": {name: row[name] for name in ("vehicle_class", "territory", "driver_age")},
            "declared_km_per_year": row["declared_km_per_year"],
            "driving": {
                "distance_m": row["distance_m"], "gap_m": row["gap_m"],
                "cells": [[*name[2:].split("_"), metres] for name, metres in row.items() if name.startswith("m_")],
            } | ({} if frequency is None else {"claims_per_100000_km": frequency, "interval": ["0.0001", frequency]}),
        }  # fmt: skip
        asked.write_text(json.dumps(document))
        quoted = CliRunner().invoke(app, ["quote", str(asked), "--json"])
        assert quoted.exit_code == 0, quoted.output
        found = json.loads(quoted.stdout)
        assert D(found["amount"]) == rated_row["amount"]
        assert recompute(found["worksheet"], "EUR") == rated_row["amount"]
        assert found["plan"]["hash"] == rated_row["plan_hash"]
        assert {one["change"] for one in found["counterfactuals"]} >= {"pay plan flat"} - {
            f"pay plan {row['pay_plan']}"
        }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"days": -1}, "days"),
        ({"covers": []}, "covers"),
        ({"pay_plan": "weekly"}, "weekly"),
        ({"factors": {"vehicle_class": "tank"}}, "tank"),
        ({"colour": "red"}, "colour"),
        ({"driving": {"cells": [["moon", "day", 5]]}}, "moon"),
        ({"driving": {"claims_per_100000_km": 0}}, "over 0"),
        ({"driving": {"distance_m": -4}}, "metres must be from 0"),
    ],
)
def test_a_quote_that_cannot_be_made_names_its_field(tmp_path: Path, change: dict[str, object], said: str) -> None:
    path = tmp_path / "quote.json"
    path.write_text(json.dumps(json.loads(Path("docs/examples/quote.json").read_text()) | change))
    answer = CliRunner().invoke(app, ["quote", str(path)])
    assert answer.exit_code != 0
    assert said in f"{answer.output} {answer.exception}"
