"""How numbers, money, distances, times and codes read on a page, in the reader's language; JSON keeps exact values."""

from calendar import monthrange
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time
from babel.numbers import format_currency, get_decimal_symbol, get_group_symbol

from api.languages import current, say

MINUS = "−"
METRES_PER_MILE = 1609.344
METRES = {"km": 1000.0, "mi": METRES_PER_MILE}
SPEED_UNITS = {"km": "km/h", "mi": "mph"}

EVENT_NAMES = {
    "hard_brake": "Hard brake",
    "hard_acceleration": "Hard acceleration",
    "hard_corner": "Hard corner",
    "speeding": "Speeding",
    "phone_use": "Phone use",
    "seat_belt_off": "Seat belt off",
    "suspected_crash": "Suspected crash",
}
SOURCE_NAMES = {
    "gps_speed": "GPS speed",
    "gps_heading": "GPS heading",
    "accelerometer": "accelerometer",
    "device": "the device",
    "map_limit": "the map's limit",
    "reported_limit": "the limit the device reported",
}


def number(value: float | Decimal, decimals: int = 0) -> str:
    """`1,234.5`, by the locale's separators; a true minus."""
    return separated(f"{value:,.{decimals}f}").replace("-", MINUS)


def exact(written: str) -> str:
    """A decimal as it was written, with the locale's decimal sign."""
    return written.replace(".", _separators(current().locale)[1])


def inside(text: str) -> str:
    """A name inside a sentence: English ones lose their capital, German nouns keep it."""
    return text[:1].lower() + text[1:] if current().language == "en" else text


def at_start(text: str) -> str:
    """A name at the start of a line: its first letter large, the others as they are, for German nouns stay large."""
    return text[:1].upper() + text[1:]


def percent(share: float | Decimal, decimals: int = 0) -> str:
    """A share (0 to 1) as `12 %`, on one line."""
    return f"{number(100 * share, decimals)}\xa0%"


def estimate(value: float, low: float, high: float, decimals: int = 0) -> str:
    """A value with its interval, `1.12 (0.80–1.53)`; where an end is below zero `0.2 (−0.1 … 0.5)`."""
    said, least, most = (number(one, decimals) for one in (value, low, high))
    return f"{said} ({least}–{most})" if low >= 0 else f"{said} ({least} … {most})"


def symbol(currency: str) -> str:
    """The currency's sign as the locale writes it."""
    before, after = _around(currency, current().locale)
    return (before or after).strip()


def money(amount: Decimal, currency: str, *, signed: bool = False, decimals: int = 2) -> str:
    """`€1,234.50` or `1.234,50 €`, with a true minus; `signed` puts + before what is added."""
    locale = current().locale
    sign = MINUS if amount < 0 else "+" if signed and amount > 0 else ""
    before, after = _around(currency, locale)
    return f"{sign}{before}{separated(f'{abs(amount):,.{decimals}f}')}{after}"


@lru_cache(maxsize=256)
def _around(currency: str, locale: Locale) -> tuple[str, str]:
    """What stands before and after an amount; where a code does, a space between."""
    before, _, after = format_currency(
        0, currency, locale=locale, decimal_quantization=True, currency_digits=False, format=_whole(locale)
    ).partition("0")
    return (before + "\xa0" if before[-1:].isalpha() else before), after


@lru_cache(maxsize=32)
def _whole(locale: Locale) -> str:
    """The locale's currency pattern without decimals and negative form."""
    return str(locale.currency_formats["standard"].pattern).split(";")[0].replace(".00", "")


def separated(english: str) -> str:
    """A number as Python writes it (1,234.5) with the locale's separators: exact, and quick."""
    group, point = _separators(current().locale)
    if (group, point) == (",", "."):
        return english
    return english.translate({ord(","): group, ord("."): point})


@lru_cache(maxsize=32)
def _separators(locale: Locale) -> tuple[str, str]:
    return get_group_symbol(locale), get_decimal_symbol(locale)


def km(metres: float, decimals: int | None = None) -> str:
    """`12.3 km` on one line, unless told otherwise with a decimal below 100 km; miles for who reads miles."""
    units = current().units
    distance = metres / METRES[units]
    usual = 0 if distance >= 100 else 1
    return f"{number(distance, usual if decimals is None else decimals)}\xa0{units}"


def unit() -> str:
    """The unit of distances: `km` or `mi`."""
    return current().units


def speed(kmh: float) -> str:
    """`50 km/h` or `31 mph`, whole."""
    units = current().units
    return f"{number(kmh * 1000 / METRES[units])}\xa0{SPEED_UNITS[units]}"


def speed_unit() -> str:
    """The unit of speeds."""
    return SPEED_UNITS[current().units]


def in_speed_unit(kmh: float) -> str:
    """A speed as a whole number without its unit."""
    return number(kmh * 1000 / METRES[current().units])


def per_distance(rate_per_km: Decimal, currency: str, decimals: int = 4) -> str:
    """A rate a km, or what it is a mile."""
    factor = Decimal(str(METRES[current().units])) / 1000
    return money(rate_per_km * factor, currency, decimals=decimals)


def band_name(band: str) -> str:
    """How far over the limit, in words."""
    low, high, unit_name = in_speed_unit(10), in_speed_unit(20), speed_unit()
    return {
        "within": say("within the limit"),
        "over_0_10": say("up to {speed} {unit} over", speed=low, unit=unit_name),
        "over_10_20": say("{low}–{high} {unit} over", low=low, high=high, unit=unit_name),
        "over_20": say("more than {speed} {unit} over", speed=high, unit=unit_name),
        "unknown": say("limit not known"),
    }[band]


def duration(seconds: float) -> str:
    """`48 s`, `12 min`, `1 h 05 min`."""
    if seconds < 60:
        return f"{number(seconds)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def local(time: datetime, time_zone: str) -> datetime:
    """The time of the place; UTC where the zone is not known to this machine."""
    try:
        return time.astimezone(ZoneInfo(time_zone))
    except (ZoneInfoNotFoundError, ValueError):
        return time.astimezone(ZoneInfo("UTC"))


def days_of(period: str) -> int:
    """The number of days of a month (`2026-10`)."""
    first = date.fromisoformat(period + "-01")
    return monthrange(first.year, first.month)[1]


def day(time: date) -> str:
    """`Thu 3 Oct`."""
    return _dated(_date(time), "MMMEd", current().locale)


def long_day(time: date) -> str:
    """`3 October 2026`."""
    return _dated(_date(time), "long", current().locale)


def moment(time: datetime, *, seconds: bool = False) -> str:
    """`3 Oct 2026, 07:45`, in the clock of the time itself."""
    return f"{_dated(_date(time), 'yMMMd', current().locale)}, {clock(time, seconds=seconds)}"


def month(period: str) -> str:
    """`2026-10` as `October 2026`."""
    return _dated(date.fromisoformat(period + "-01"), "yMMMM", current().locale)


def short_month(period: str) -> str:
    """`2026-10` as `Oct`."""
    return _dated(date.fromisoformat(period + "-01"), "MMM", current().locale).rstrip(".")


@lru_cache(maxsize=4096)
def _dated(day: date, form: str, locale: Locale) -> str:
    if form == "long":
        return format_date(day, form, locale=locale)
    return format_skeleton(form, day, locale=locale)


def _date(time: date) -> date:
    return time.date() if isinstance(time, datetime) else time


def clock(time: datetime, *, seconds: bool = False) -> str:
    """`07:45`, with `seconds` `07:45:10`."""
    return _clock(time.time().replace(microsecond=0, tzinfo=None), "medium" if seconds else "short", current().locale)


@lru_cache(maxsize=4096)
def _clock(time: time, form: str, locale: Locale) -> str:
    return format_time(time, form, locale=locale).replace("\u202f", "\xa0")


def words(code: str) -> str:
    """A code (`night_km_share`) as words, for what has no name of its own."""
    text = code.replace("_", " ").strip()
    return say(text if text.startswith("km ") else text[:1].upper() + text[1:])


def event_name(kind: str) -> str:
    """The name of an event kind."""
    return say(EVENT_NAMES[kind]) if kind in EVENT_NAMES else words(kind)


def source_name(source: str) -> str:
    """What an event was seen by."""
    return say(SOURCE_NAMES[source]) if source in SOURCE_NAMES else words(source).lower()


def peak(value: float, unit: str) -> str:
    """An event's peak with its unit."""
    if unit == "mps2":
        return f"{number(abs(value), 1)} m/s²"
    if unit == "kmh_over":
        return say("{speed} over", speed=speed(value))
    return f"{number(value)} {unit}"
