"""Months: the periods that statements are made for."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pricing.errors import BadPeriod

MONTH_PATTERN = "^[12][0-9]{3}-(0[1-9]|1[0-2])$"  # with months before it and after it that are dates, too


def month_bounds(period: str) -> tuple[date, date]:
    """The first day of the month and of the next one. Raises BadPeriod."""
    if not re.fullmatch(MONTH_PATTERN, period):
        raise BadPeriod(period)
    first = date(int(period[:4]), int(period[5:]), 1)
    return first, (first + timedelta(days=31)).replace(day=1)


def months_before(period: str, count: int) -> str:
    """The month `count` months before."""
    number = int(period[:4]) * 12 + int(period[5:]) - 1 - count
    return f"{number // 12:04}-{number % 12 + 1:02}"


def ended_at(period: str, time_zone: str) -> datetime:
    """The instant at which the month is over in a time zone, UTC."""
    _, after = month_bounds(period)
    return datetime.combine(after, time(), ZoneInfo(time_zone)).astimezone(UTC)


def days_in_force(period: str, starts_on: date, ends_on: date) -> int:
    """Days of the month on which a policy with cover in [starts_on, ends_on) is in force."""
    first, after = month_bounds(period)
    return max(0, (min(after, ends_on) - max(first, starts_on)).days)
