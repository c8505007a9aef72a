"""Filed examples, computed by hand; and an independent computation in fractions, equal to the cent."""

import tomllib
from decimal import Decimal as D  # noqa: N817
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.money import MINOR_DIGITS
from pricing.plan import RatePlan, parse_plan
from pricing.rating import DrivenTrip, Inputs, Terms, rate_period, recompute
from tests.pricing.cases import PLAN, behaviour
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


def in_fractions(plan: RatePlan, given_inputs: Inputs) -> Fraction:
    """The rules of docs/pricing.md once more, in whole numbers and fractions, without the code that prices."""
    digits, terms = MINOR_DIGITS[plan.currency], given_inputs.terms
    pay_plan, charged = plan.pay_plans[terms.pay_plan], [t for t in given_inputs.trips if t.not_charged is None]

    def rounded(amount: Fraction) -> Fraction:
        return Fraction(floor(amount * 10**digits + Fraction(1, 2)), 10**digits)

    multiple = Fraction(1)
    for name, factor in plan.factors.items():
        if name == "declared_km" and terms.pay_plan != "flat":
            continue
        level: Any = terms.declared_km_per_year if name == "declared_km" else terms.factors[name]
        found = [band.relativity for band in factor.bands if band.lowest <= level < band.below] or [
            factor.levels[level]
        ]
        multiple *= Fraction(found[0])
    if terms.pay_plan == "autograph" and given_inputs.behaviour is not None:
        asked = Fraction(given_inputs.behaviour.claims_per_100000_km) / Fraction(given_inputs.behaviour.class_mean)
        asked = Fraction(floor(asked * 10_000 + Fraction(1, 2)), 10_000)
        multiple *= min(max(asked, Fraction(plan.behaviour.lowest)), Fraction(plan.behaviour.highest))
    covers = Fraction(0)
    for name in terms.covers:
        cover = plan.covers[name]
        premium = given_inputs.days * Fraction(cover.per_day) * Fraction(pay_plan.daily_multiple)
        for trip in charged if terms.pay_plan != "flat" else []:
            premium += Fraction(trip.gap_m, 1000) * Fraction(cover.standard_per_km)
            for road, hour, metres in trip.cells:
                rate = cover.per_km[road, hour] if terms.pay_plan == "autograph" else cover.standard_per_km
                premium += Fraction(metres, 1000) * Fraction(rate)
        covers += rounded(premium * multiple)
    charge = max(covers, rounded(Fraction(plan.minimum_premium))) + rounded(Fraction(plan.fee))
    return charge + rounded(charge * Fraction(plan.tax_rate))


IN_CURRENCY = {
    currency: parse_plan(PLAN.content.replace('"EUR"', f'"{currency}"'), currency) for currency in ("EUR", "JPY", "KWD")
}


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
