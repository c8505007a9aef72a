"""Times as devices write them -> microseconds since 1970, UTC. A local time without its offset is not a time."""

import re
from datetime import UTC, datetime, timedelta

from ingest.rejection import Rejection

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LEAP_SECOND = re.compile(r"([T ]\d\d:?\d\d:?)60")
MAX_EPOCH_S = 9e12  # the largest second whose microseconds fit 64 bits, rounded down


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware time, exact."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(time_us: int) -> datetime:
    """The aware UTC time of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=time_us)


def parse_iso(text: str) -> int | Rejection:
    """Microseconds since 1970 of an ISO 8601 time with its offset.

    A leap second (23:59:60) is the following second. NAIVE_TIME without an offset, MALFORMED or NUL for no time.
    """
    leap_us = 0
    if "60" in text:
        text, leaps = _LEAP_SECOND.subn(r"\g<1>59", text)
        leap_us = 1_000_000 * leaps
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return Rejection.NAIVE_TIME
        return (moment - _EPOCH) // _MICROSECOND + leap_us
    except (ValueError, OverflowError):
        return Rejection.NUL if "\0" in text else Rejection.MALFORMED
