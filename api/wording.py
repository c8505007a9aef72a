"""How numbers, money, times and codes read on a page. The pages are English; values keep their exact form in JSON."""

from calendar import monthrange
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "BRL": "R$", "MAD": "MAD "}
MINUS = "−"

EVENT_NAMES = {
    "hard_brake": "Hard brake",
    "hard_acceleration": "Hard acceleration",
    "hard_corner": "Hard corner",
    "speeding": "Speeding",
    "phone_use": "Phone use",
    "seat_belt_off": "Seat belt off",
    "suspected_crash": "Suspected crash",
}
BAND_NAMES = {
    "within": "within the limit",
    "over_0_10": "up to 10 km/h over",
    "over_10_20": "10–20 km/h over",
    "over_20": "more than 20 km/h over",
    "unknown": "limit not known",
}
SOURCE_NAMES = {
    "gps_speed": "GPS speed",
    "gps_heading": "GPS heading",
    "accelerometer": "accelerometer",
    "device": "the device",
    "map_limit": "the map's limit",
    "reported_limit": "the limit the device reported",
}


def symbol(currency: str) -> str:
    """The currency's sign, or its code and a space."""
    return SYMBOLS.get(currency, currency + " ")


def money(amount: Decimal, currency: str, *, signed: bool = False, decimals: int = 2) -> str:
    """`€1,234.50`, with a true minus; `signed` puts + before what is added."""
    sign = MINUS if amount < 0 else "+" if signed and amount > 0 else ""
    return f"{sign}{symbol(currency)}{abs(amount):,.{decimals}f}"


def km(metres: float) -> str:
    """`12.3 km` below 100 km, whole kilometres above."""
    kilometres = metres / 1000
    return f"{kilometres:,.0f} km" if kilometres >= 100 else f"{kilometres:.1f} km"


def duration(seconds: float) -> str:
    """`48 s`, `12 min`, `1 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
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
    return f"{time:%a} {time.day} {time:%b}"


def long_day(time: date) -> str:
    """`3 October 2026`."""
    return f"{time.day} {time:%B %Y}"


def clock(time: datetime) -> str:
    """`07:45`."""
    return f"{time:%H:%M}"


def month(period: str) -> str:
    """`2026-10` as `October 2026`."""
    return f"{date.fromisoformat(period + '-01'):%B %Y}"


def words(code: str) -> str:
    """A code (`night_km_share`) as words, for what has no name of its own."""
    text = code.replace("_", " ").strip()
    return text if text.startswith("km ") else text[:1].upper() + text[1:]


def event_name(kind: str) -> str:
    """The name of an event kind."""
    return EVENT_NAMES.get(kind, words(kind))


def peak(value: float, unit: str) -> str:
    """An event's peak with its unit."""
    if unit == "mps2":
        return f"{abs(value):.1f} m/s²"
    if unit == "kmh_over":
        return f"{value:.0f} km/h over"
    return f"{value:.0f} {unit}"
