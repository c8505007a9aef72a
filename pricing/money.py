"""Exact money: decimals, rounded half away from zero to the currency's minor unit and at named steps only."""

import re
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Clamped, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from functools import cache, reduce

from pricing.errors import NotMoney, UnknownCurrency

# Digits after the point by currency: ISO 4217, list one, without metals, funds and test codes, which nobody pays in.
_CURRENCIES = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    2: """AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC
        CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD
        KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO
        NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL
        THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG""",
    3: "BHD IQD JOD KWD LYD OMR TND",
}
MINOR_DIGITS = {code: digits for digits, codes in _CURRENCIES.items() for code in codes.split()}

_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")  # no signs, blanks or digits of other scripts, which Decimal reads

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


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    return reduce(EXACT.add, amounts, Decimal(0))


def read_amount(written: object) -> Decimal | None:
    """What a person wrote as an amount of 0 or more, in plain digits; None: it is none, or beyond reason."""
    if isinstance(written, bool) or not isinstance(written, str | int | float | Decimal):
        return None
    text = str(written)
    return Decimal(text) if _AMOUNT.fullmatch(text) else None


def minor_units(amounts: Iterable[Decimal], currency: str) -> list[int]:
    """Amounts as whole minor units, rounded as `to_minor_unit` does. Raises UnknownCurrency."""
    if currency not in MINOR_DIGITS:
        raise UnknownCurrency(currency)
    one, times, scale = Decimal(1), _ROUNDING.scaleb, Decimal(MINOR_DIGITS[currency])
    return [int(times(amount, scale).quantize(one, context=_ROUNDING)) for amount in amounts]


@cache
def _unit(places: int) -> Decimal:
    return Decimal(1).scaleb(-places)


def ratio(above: Decimal, below: Decimal, places: int) -> Decimal:
    """above / below with that many digits after the point: a named rounding of its own."""
    return to_places(_ROUNDING.divide(above, below), places)
