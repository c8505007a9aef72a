"""Filed examples, computed by hand; and an independent computation in fractions, equal to the cent."""

import tomllib
from decimal import Decimal as D  # noqa: N817
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.rating import DrivenTrip, Inputs, Terms, rate_period, recompute
from tests.pricing.cases import PLAN, behaviour, in_currency
from tests.pricing.reference import in_fractions
from tests.pricing.test_rating import INPUTS

FILED = tomllib.loads((Path(__file__).parent / "filed" / "wayrate-2026-1.toml").read_text())


def inputs_of(example: dict[str, Any]) -> Inputs:
    trips = [
        DrivenTrip(
            f"trip-{number}",
            sum(cell[2] for cell in trip["cells"]),
            trip.get("gap_m", 0),
            trip.get("not_charged"),
            tuple((road, hour, metres) for road, hour, metres in trip["cells"]),
        )
        for number, trip in enumerate(example["trips"])
    ]
    terms = Terms(
        example["pay_plan"],
        tuple(example["covers"]),
        example["factors"],
        example.get("declared_km_per_year", 12_000),
    )
    driven = behaviour(example["frequency"]) if "frequency" in example else None
    return Inputs("P-1", "2026-10", example["days"], terms, tuple(trips), driven)


def test_the_plan_that_ships_is_the_one_the_examples_are_filed_for() -> None:
    assert FILED["plan_hash"] == PLAN.plan_hash


@pytest.mark.parametrize("example", FILED["example"], ids=lambda example: example["case"])
def test_premium_equals_the_filed_example(example: dict[str, Any]) -> None:
    premium = rate_period(PLAN, inputs_of(example))
    assert {line.name: str(line.amount) for line in premium.lines} == example["lines"]
    assert premium.amount == D(example["amount"])
    assert recompute([step.as_json() for step in premium.worksheet], PLAN.currency) == D(example["amount"])


IN_CURRENCY = {currency: in_currency(PLAN.content, currency) for currency in ("EUR", "JPY", "KWD")}


@given(INPUTS, st.sampled_from(sorted(IN_CURRENCY)))
def test_premium_equals_fractions_in_currencies_of_0_2_and_3_decimals(given_inputs: Inputs, currency: str) -> None:
    plan = IN_CURRENCY[currency]
    premium = rate_period(plan, given_inputs)
    assert Fraction(premium.amount) == in_fractions(plan, given_inputs)
    assert recompute([step.as_json() for step in premium.worksheet], currency) == premium.amount


def test_amounts_of_a_thousand_million_million_are_exact() -> None:
    """10^15 km at 0.021: 21,000,000,000,000 euro, and the 2 cents of 1 km more are not lost."""
    metres = 10**18
    terms = Terms("per_km", ("liability",), {"vehicle_class": "compact", "territory": "suburban", "driver_age": 40}, 0)
    trip = DrivenTrip("t", metres, 1_000, None, (("primary", "day", metres),))
    premium = rate_period(PLAN, Inputs("P-1", "2026-10", 31, terms, (trip,), None))
    assert [str(line.amount) for line in premium.lines] == ["21000000000013.04", "1.50", "5040000000003.49"]
