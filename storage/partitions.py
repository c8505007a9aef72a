"""Weekly partitions of `telemetry.reading`: from Monday 00:00 UTC, named `reading_YYYYMMDD`. Where the server has
TimescaleDB the table is a hypertable, and the engine makes its own, from Thursday 00:00 UTC.
"""

from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from storage.pool import Conn

WEEK_US = 7 * 86_400_000_000
_MONDAY_US = 4 * 86_400_000_000  # 1970-01-05, the first Monday of the epoch
_FIRST_MONDAY = date(1970, 1, 5)


def ensure_partitions(conn: Conn, from_time: datetime, to_time: datetime) -> int:
    """Partitions for every week that touches [from_time, to_time] (aware times); how many had to be made.

    Call it before the transaction's first insert: making one waits for other transactions that make one.
    """
    first, last = (_week_numbers(np.array([_microseconds(time)]))[0] for time in (from_time, to_time))
    return _ensure(conn, np.arange(first, last + 1))


def ensure_partitions_of(conn: Conn, fix_time_us: NDArray[np.int64]) -> int:
    """Partitions for the weeks that occur in `fix_time_us` (microseconds since 1970, UTC; shape (n,), any order).

    As `ensure_partitions`, but a file with one reading of 2016 and one of today makes two, not five hundred.
    """
    return _ensure(conn, np.unique(_week_numbers(fix_time_us)))


def reading_floor(conn: Conn) -> datetime | None:
    """The time before which readings have expired for good; None while none has.

    Until the transaction ends nothing later expires. Call it before the transaction touches readings.
    """
    row = conn.execute("select telemetry.reading_floor()").fetchone()
    return row[0] if row and isinstance(row[0], datetime) else None


def announce_expiry(conn: Conn, before: datetime, as_of: datetime) -> datetime:
    """Let no reading be stored from before the week of `before`; where it begins, or a later one announced already.

    To be committed before `expire_partitions`, which then holds up no upload while it counts.
    """
    row = conn.execute("select telemetry.announce_expiry(%(before)s, %(as_of)s)", {"before": before, "as_of": as_of})
    floor = row.fetchone()
    assert floor is not None
    assert isinstance(floor[0], datetime)
    return floor[0]


def expire_partitions(conn: Conn, before: datetime) -> list[str]:
    """Drop the weeks that end at or before `before`, counting on each upload what goes; the names of the weeks.

    The drawn paths of trips that began before it go too, and the bytes of quarantine received before it.
    """
    rows = conn.execute("select telemetry.expire_readings(%(before)s)", {"before": before}).fetchall()
    return [str(row[0]) for row in rows]


def _microseconds(time: datetime) -> int:
    return round(time.timestamp() * 1e6)


def _week_numbers(time_us: NDArray[np.int64]) -> NDArray[np.int64]:
    return (time_us - _MONDAY_US) // WEEK_US


def _ensure(conn: Conn, week_numbers: NDArray[np.int64]) -> int:
    weeks = [_FIRST_MONDAY + timedelta(weeks=number) for number in week_numbers.tolist()]
    if not weeks:
        return 0
    row = conn.execute("select telemetry.ensure_reading_partitions(%(weeks)s::date[])", {"weeks": weeks}).fetchone()
    return int(str(row[0])) if row else 0
