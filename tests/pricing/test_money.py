"""Law: rounding is half away from zero to the currency's minor unit, and nothing that is not a number is money."""

from decimal import Decimal as D  # noqa: N817

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricing.errors import NotMoney, UnknownCurrency
from pricing.money import MINOR_DIGITS, to_minor_unit
from storage.pool import Database


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        ("2.675", "EUR", "2.68"),
        ("-2.675", "EUR", "-2.68"),
        ("2.665", "EUR", "2.67"),
        ("0.005", "EUR", "0.01"),
        ("-0.004", "EUR", "0.00"),
        ("1000000000000000.005", "EUR", "1000000000000000.01"),
        ("2.5", "JPY", "3"),
        ("-2.5", "JPY", "-3"),
        ("1.0005", "KWD", "1.001"),
    ],
)
def test_ties_round_away_from_zero(amount: str, currency: str, rounded: str) -> None:
    found = to_minor_unit(D(amount), currency)
    assert str(found) == rounded


def test_the_minor_units_are_those_of_iso_4217() -> None:
    assert len(MINOR_DIGITS) == 155
    assert {code for code, digits in MINOR_DIGITS.items() if digits == 3} == {
        "BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND",
    }  # fmt: skip
    assert sum(digits == 0 for digits in MINOR_DIGITS.values()) == 16
    assert set(MINOR_DIGITS.values()) == {0, 2, 3}


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=6))
def test_rounding_is_symmetric_and_within_half_a_cent(amount: D) -> None:
    assert to_minor_unit(-amount, "EUR") == -to_minor_unit(amount, "EUR")
    assert abs(to_minor_unit(amount, "EUR") - amount) <= D("0.005")


def test_postgresql_rounds_as_we_do(database: Database) -> None:
    amounts = [D("2.675"), D("-2.675"), D("0.005"), D("-0.005"), D("1.004999"), D("1000000000000000.005")]
    with database.role("policy") as conn:
        rows = conn.execute("select round(a, 2) from unnest(%s::numeric[]) a", (amounts,)).fetchall()
    assert [row[0] for row in rows] == [to_minor_unit(amount, "EUR") for amount in amounts]


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_not_finite_is_refused(number: str) -> None:
    with pytest.raises(NotMoney, match=r"Infinity|NaN"):
        to_minor_unit(D(number), "EUR")


def test_a_currency_without_a_known_minor_unit_is_refused() -> None:
    with pytest.raises(UnknownCurrency, match="XTS"):
        to_minor_unit(D(1), "XTS")
