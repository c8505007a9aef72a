"""Exact money: decimals, rounded half away from zero to the currency's minor unit and at named steps only."""

from decimal import ROUND_HALF_UP, Clamped, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from functools import cache

from pricing.errors import NotMoney, UnknownCurrency

# Digits after the point, ISO 4217.
MINOR_DIGITS = {
    "AUD": 2, "BRL": 2, "CAD": 2, "CHF": 2, "DKK": 2, "EUR": 2, "GBP": 2, "JPY": 0, "KRW": 0, "KWD": 3,
    "MAD": 2, "NOK": 2, "PLN": 2, "SEK": 2, "TND": 3, "USD": 2,
}  # fmt: skip

# Products and sums of a plan's numbers are exact in it: a result that would need rounding is an error, not a cent.
# A plan's number has at most 18 digits, so that 50 of them multiply without losing one.
EXACT = Context(prec=1000, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow, Clamped])
_ROUNDING = Context(prec=1000, rounding=ROUND_HALF_UP, traps=[InvalidOperation, DivisionByZero, Overflow])


def to_minor_unit(amount: Decimal, currency: str) -> Decimal:
    """`amount` at the minor unit, half away from zero; zero has no sign. Raises NotMoney, UnknownCurrency."""
    if currency not in MINOR_DIGITS:
        raise UnknownCurrency(currency)
    return to_places(amount, MINOR_DIGITS[currency])


def to_places(number: Decimal, places: int) -> Decimal:
    """`number` with that many digits after the point, half away from zero; zero has no sign."""
    if not number.is_finite():
        raise NotMoney(str(number))
    rounded = number.quantize(_unit(places), context=_ROUNDING)
    return rounded.copy_abs() if rounded.is_zero() else rounded


@cache
def _unit(places: int) -> Decimal:
    return Decimal(1).scaleb(-places)


def ratio(above: Decimal, below: Decimal, places: int) -> Decimal:
    """above / below with that many digits after the point: a named rounding of its own."""
    return to_places(_ROUNDING.divide(above, below), places)
