"""The lines of a menu: to the minor unit what the exact rating says, whatever the plan, the currency or the tie."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pricing import menu_lines
from pricing.book_rating import compile_plan, inputs_of
from pricing.errors import UnknownLevel
from pricing.menu_lines import cover_amounts, cover_rates
from pricing.plan import RatePlan
from pricing.rating import Inputs, cover_minor_units
from pricing.rating_book import read_rating_book
from tests.pricing.rating_books import plan_of, write_book
from tests.pricing.test_plan_features import ANY, FULL, OTHER_RULES


def customers(folder: Path, plan: RatePlan, count: int, seed: int) -> list[Inputs]:
    """So many policies of a book, each as it would be asked alone."""
    compiled = compile_plan(plan)
    path = folder / "book.parquet"
    write_book(path, plan, count, seed)
    book = read_rating_book(path, compiled)
    return [inputs_of(compiled, book, row) for row in range(count)]


def exact(plan: RatePlan, inputs: Inputs) -> list[list[int]]:
    covers = tuple(plan.covers)
    terms = [replace(inputs.terms, pay_plan=name, covers=covers) for name in plan.pay_plans]
    return [cover_minor_units(plan, replace(inputs, terms=one)) for one in terms]


@settings(max_examples=12, deadline=None)
@given(
    factors=st.integers(2, 20),
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
    decimals=st.integers(1, 4),
    tables=st.integers(0, 4),
    seed=st.integers(0, 10**6),
)
def test_any_plan_and_customer_is_priced_as_exactly_alone(
    tmp_path_factory: pytest.TempPathFactory, factors: int, currency: str, decimals: int, tables: int, seed: int
) -> None:
    plan = plan_of(factors, currency=currency, decimals=decimals, seed=seed, tables=tables)
    rates = cover_rates(plan, tuple(plan.covers))
    for inputs in customers(tmp_path_factory.mktemp("book"), plan, 30, seed):
        assert cover_amounts(rates, inputs).tolist() == exact(plan, inputs)


def test_ties_and_amounts_beyond_a_double_are_rated_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    exactly = menu_lines._exactly

    def noted(rates: menu_lines.CoverRates, inputs: Inputs, pay_plan: str, before: tuple[RatePlan, ...]) -> list[int]:
        asked.append(inputs.policy)
        return exactly(rates, inputs, pay_plan, before)

    monkeypatch.setattr(menu_lines, "_exactly", noted)
    plan = plan_of(2, decimals=1)  # with few digits there are real ties
    rates = cover_rates(plan, tuple(plan.covers))
    found = customers(tmp_path, plan, 600, 3)
    for inputs in found:
        assert cover_amounts(rates, inputs).tolist() == exact(plan, inputs)
    assert 0 < len(set(asked)) < len(found)
    far = replace(found[0], trips=tuple(replace(one, distance_m=10**16) for one in found[0].trips))
    asked.clear()
    assert cover_amounts(rates, far).tolist() == exact(plan, far)
    assert asked


def test_covers_come_as_they_are_asked_for_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    plan = plan_of(3)
    (inputs,) = customers(tmp_path, plan, 1, 5)
    covers = tuple(plan.covers)
    whole = cover_amounts(cover_rates(plan, covers), inputs)
    assert np.array_equal(cover_amounts(cover_rates(plan, covers[::-1]), inputs), whole[:, ::-1])
    with pytest.raises(UnknownLevel, match="cover"):
        cover_rates(plan, ("hail",))
    unknown = replace(inputs.terms, factors={**inputs.terms.factors, "f0": "the moon"})
    with pytest.raises(UnknownLevel, match="the moon"):
        cover_amounts(cover_rates(plan, covers), replace(inputs, terms=unknown))


@given(ANY, st.sampled_from([FULL, OTHER_RULES]))
def test_every_feature_of_a_plan_is_in_the_lines(found: Inputs, plan: RatePlan) -> None:
    assert cover_amounts(cover_rates(plan, tuple(plan.covers)), found).tolist() == exact(plan, found)
