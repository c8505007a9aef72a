"""A plan that is not whole does not load, and the refusal names the place in the file."""

import pytest

from pricing.errors import BadPlan
from pricing.plan import parse_plan
from tests.pricing.cases import PLAN


@pytest.mark.parametrize(
    ("found", "instead", "place", "problem"),
    [
        ('per_day = "0.42"', 'per_day = "NaN"', "covers.liability.per_day", "not finite"),
        ('per_day = "0.42"', "per_day = inf", "covers.liability.per_day", "not finite"),
        ('per_day = "0.42"', 'per_day = "-0.42"', "covers.liability.per_day", "0 or more"),
        ('per_day = "0.42"', "per_day = true", "covers.liability.per_day", "not a number"),
        (
            'per_day = "0.42"',
            'per_day = "1_000"',
            "covers.liability.per_day",
            "'1_000' is not a number: write its digits",
        ),
        ('per_day = "0.42"', 'per_day = " 1"', "covers.liability.per_day", "write its digits"),
        ('per_day = "0.42"', 'per_day = "０.42"', "covers.liability.per_day", "write its digits"),
        ('name = "', 'name = "\\u0000', "name", "must be a text"),
        ('small = "0.94"', 'small = "-0.94"', "factors.vehicle_class.levels.small", "over 0"),
        ("{ from = 21, to = 25", "{ from = 20, to = 25", "factors.driver_age.bands[1].from", "overlap"),
        ("{ from = 21, to = 25", "{ from = 22, to = 25", "factors.driver_age.bands[1].from", "gap"),
        ("from = 17, to = 21", "from = 21, to = 21", "factors.driver_age.bands[0].to", "not over"),
        ('currency = "EUR"', 'currency = "XTS"', "currency", "not one of"),
        ('fee = "1.50"', "", "fee", "missing"),
        ('fee = "1.50"', 'fee = "1.505"', "fee", "cannot be paid in EUR"),
        ('currency = "EUR"', 'currency = "JPY"', "fee", "which has 0 decimals"),
        ('minimum_premium = "3.00"', 'minimum_premium = "3.001"', "minimum_premium", "which has 2 decimals"),
        ('minimum_premium = "3.00"', 'minimum_premium = "1e15"', "minimum_premium", "9 digits"),
        ('currency = "EUR"', 'currency = "XAU"', "currency", "not one of"),
        ('gap_km = "standard_rate"', 'gap_km = "double"', "rules.gap_km", "not one of"),
        ('lowest = "0.75"', 'lowest = "1.10"', "behaviour.lowest", "enclose 1"),
        ('night = "0.0190", ', "", "covers.liability.per_km.motorway.night", "missing"),
        ("service     = { night", "alley = { night", "covers.liability.per_km.alley", "not known here"),
        ('tax_name = "insurance premium tax"', 'tax_name = "t"\ntyop = 1', "tyop", "not known here"),
        ("effective_from = 2019-01-01", 'effective_from = "soon"', "effective_from", "must be a date"),
        ("decimals = 4", "decimals = 999999999", "behaviour.decimals", "over 9"),
        ("window_months = 3", "window_months = 99999", "behaviour.window_months", "over 120"),
        ('tax_name = "insurance premium tax"', 'tax_name = "fee"', "tax_name", "a line of every statement"),
        (
            'tax_name = "insurance premium tax"',
            'tax_name = "collision"',
            "covers.collision",
            "a line of every statement",
        ),
        ("[covers.collision", "[covers.fee", "covers.fee", "a line of every statement"),
        ("[covers.collision", '[covers."minimum premium"', "covers.minimum premium", "a line of every statement"),
        ("[covers.collision", "[covers.amount", "covers.amount", "a column of every rated book"),
        ("[covers.collision", "[covers.plan_hash", "covers.plan_hash", "a column of every rated book"),
        ("[factors.territory", "[factors.policy", "factors.policy", "a book's own column"),
        ("[factors.territory", "[factors.distance_m", "factors.distance_m", "a book's own column"),
        ("[factors.territory", "[factors.m_motorway_day", "factors.m_motorway_day", "a book's own column"),
        ("[factors.territory", '[factors."a\\u0000b"', "factors.'a\\x00b'", "is no name"),
        ("[pay_plans.flat", '[pay_plans." "', "pay_plans.' '", "is no name"),
    ],
)
def test_a_broken_plan_names_its_place(found: str, instead: str, place: str, problem: str) -> None:
    assert PLAN.content.count(found) >= 1
    with pytest.raises(BadPlan) as refused:
        parse_plan(PLAN.content.replace(found, instead, -1 if found.startswith("[") else 1), "a.toml")
    assert refused.value.place == place
    assert problem in refused.value.problem


def test_the_hash_is_of_the_content_not_of_its_layout() -> None:
    assert parse_plan("# a comment\n" + PLAN.content, "b.toml").plan_hash == PLAN.plan_hash
    changed = parse_plan(PLAN.content.replace('fee = "1.50"', 'fee = "1.51"'), "c.toml")
    assert changed.plan_hash != PLAN.plan_hash


@pytest.mark.parametrize(
    "content", ["a = " + "[" * 5000, "a = " + "{b = " * 5000, "x = " + "1" * 5000, "\0", "a = 1\na = 2"]
)
def test_a_file_that_no_reader_follows_to_its_end_is_refused(content: str) -> None:
    with pytest.raises(BadPlan) as refused:
        parse_plan(content, "deep")
    assert refused.value.place == "file"
