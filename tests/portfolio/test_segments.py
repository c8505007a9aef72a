"""Planning segments: known groups are found, quotes fall where they belong, and what is not a book is refused."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet
import pytest

from portfolio.customers_file import Asked, Customers, read_customers
from portfolio.errors import BadBook, TooFewRows
from portfolio.segments import segment_customers
from simulator.book.behaviour import read_behaviour
from simulator.book.files import write_book
from simulator.book.formula import read_formula
from simulator.book.terms import Scope, World
from simulator.book.world import simulate_book


def made(count: int, rng: np.random.Generator) -> Customers:
    """Half are under 40 and drive twice as much at twice the risk; all else is chance."""
    age = rng.uniform(20, 60, count)
    young = age < 40
    km = np.where(young, 20_000, 10_000) * rng.uniform(0.9, 1.1, count)
    claims = rng.poisson(np.where(young, 0.2, 0.1))
    return Customers(
        exposure_years=np.ones(count),
        km_per_year=km,
        declared_km_per_year=rng.uniform(5_000, 25_000, count),
        age=age,
        territory=np.where(rng.random(count) < 0.5, "urban", "rural"),
        household_vehicles=np.ones(count),
        night_share=np.full(count, np.nan),
        premium=np.full(count, 500.0),
        losses=claims * 2_000.0,
        claims=claims.astype(np.float64),
        service_cost=np.full(count, 10.0),
        contacts=np.ones((count, 5)),
        may_be_contacted=rng.random(count) < 0.5,
        pay_plan=np.where(young, "flat", "per_km"),
        renewed=(rng.random(count) < 0.8).astype(np.float64),
        left=np.zeros(count),
    )


def asked_by(customers: Customers) -> Asked:
    return Asked(customers.declared_km_per_year, customers.age, customers.urban, customers.age < 40)


def test_the_two_groups_that_are_there_are_found_and_said_in_words() -> None:
    customers = made(4000, np.random.default_rng(1))
    found = segment_customers(customers, asked_by(customers), most=2, least=200)
    assert {one.name for one in found.segments} == {"younger than 40", "40 or older"}
    assert found.stability.low > 0.95
    young = next(one for one in found.segments if one.name == "younger than 40")
    assert young.customers == int((customers.age < 40).sum())
    assert young.km_per_year == pytest.approx(20_000, rel=0.01)
    assert young.loss_ratio.low < 0.2 * 2000 / 500 < young.loss_ratio.high
    assert young.value.low < 500 - 400 - 10 < young.value.high
    assert young.take_up is not None
    assert young.take_up.value == 1.0
    assert young.choices.keys() == {"flat"}
    assert young.needs["night worker"] == 0.0  # nobody shares it
    assert young.night_known == 0.0


def test_no_segment_is_smaller_than_allowed_and_all_customers_are_in_one() -> None:
    customers = made(3000, np.random.default_rng(2))
    found = segment_customers(customers, asked_by(customers), most=50, least=300)
    assert min(one.customers for one in found.segments) >= 300
    assert sum(one.customers for one in found.segments) == 3000
    assert np.bincount(found.labels).tolist() == [one.customers for one in found.segments]


def test_where_nothing_differs_the_segments_are_called_unstable() -> None:
    customers = made(4000, np.random.default_rng(3))
    shuffled = np.random.default_rng(4).permutation(len(customers))
    told = ("age", "declared_km_per_year", "territory")
    noise = Customers(
        **{
            field.name: getattr(customers, field.name)[shuffled if field.name in told else slice(None)]
            for field in fields(Customers)
        }
    )
    found = segment_customers(noise, asked_by(noise), most=6, least=300)
    assert found.stability.value < 0.4
    with pytest.raises(TooFewRows, match="customers: 4000 rows, 6000 are needed"):
        segment_customers(noise, asked_by(noise), least=3000)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    scope = Scope(8000, 2, np.datetime64("2023-01-01", "D"), 1)
    write_book(folder, simulate_book(World(scope, read_formula(), read_behaviour())))
    return folder


def test_take_up_holds_the_true_chance_of_taking_a_quote(book: Path) -> None:
    customers, asked = read_customers(book)
    found = segment_customers(customers, asked, most=5, least=300)
    truth = pyarrow.parquet.read_table(book / "truth_quotes.parquet")["conversion_chance"].to_numpy()
    quotes = pyarrow.parquet.read_table(book / "quotes.parquet")
    by_use = pc.not_equal(quotes["pay_plan"], "flat").to_numpy(zero_copy_only=False)
    assert len(asked.taken) == int(by_use.sum())
    assert asked.taken.mean() == pytest.approx(truth[by_use].mean(), abs=0.02)
    held = [one.take_up for one in found.segments if one.take_up]
    assert len(held) == len(found.segments)
    assert min(one.low for one in held) < truth[by_use].mean() < max(one.high for one in held)
    assert sum(one.exposure_years for one in found.segments) == pytest.approx(customers.exposure_years.sum())


def test_what_is_no_book_is_refused_with_file_and_column(book: Path, tmp_path: Path) -> None:
    with pytest.raises(BadBook, match=r"policies, file: .*policies.parquet is not there"):
        read_customers(tmp_path)
    for file in book.glob("*.parquet"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    without = pyarrow.parquet.read_table(tmp_path / "service.parquet").drop_columns(["cost_cents"])
    pyarrow.parquet.write_table(without, tmp_path / "service.parquet")
    with pytest.raises(BadBook, match="service, cost_cents"):
        read_customers(tmp_path)
    (tmp_path / "claims.parquet").write_bytes(b"no parquet")
    with pytest.raises(BadBook, match=r"claims, file: .* is no Parquet file"):
        read_customers(tmp_path)
