"""The local clock of the place where a reading was taken: night is what the driver calls night."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import tzfpy
from numpy.typing import NDArray

from ingest.compiled import compiled
from ingest.readings import Int64s
from scoring.series import Floats

_BAND_OF_HOUR = (0,) * 5 + (1,) * 4 + (2,) * 7 + (3,) * 6 + (0,) * 2  # 22-05, 05-09, 09-16, 16-22
_QUARTER_US = 900_000_000  # no zone changes its offset inside a quarter of an hour


class LocalQuarter(NamedTuple):
    """What the clock of a zone says in a quarter of an hour."""

    band: int  # index into HOUR_BANDS
    start: str  # `workday_07` or `weekend_23`: the kind of day (Saturday and Sunday apart) and the hour
    month: str  # `YYYY-MM`


def zone_at(latitude_deg: float, longitude_deg: float) -> str:
    """The IANA time zone of a place; at sea or where this machine does not know the zone, the nautical one or UTC."""
    return _known_zone(str(tzfpy.get_tz(longitude_deg, latitude_deg)) or "UTC")


@lru_cache(maxsize=1024)
def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return "UTC"
    return name


@lru_cache(maxsize=65_536)
def _local_quarter(quarter: int, zone: str) -> LocalQuarter:
    local = datetime.fromtimestamp(quarter * _QUARTER_US / 1e6, UTC).astimezone(ZoneInfo(zone))
    day = "weekend" if local.weekday() >= 5 else "workday"
    return LocalQuarter(_BAND_OF_HOUR[local.hour], f"{day}_{local.hour:02}", f"{local:%Y-%m}")


def local_quarter(fix_time_us: int, zone: str) -> LocalQuarter:
    """The clock of a zone at an instant."""
    return _local_quarter(fix_time_us // _QUARTER_US, zone)


class LocalTimes(NamedTuple):
    """The clock of t trips, where each of them is: from its reading row[k] on the hour is of band[k].

    The k of trip t are first[t] to first[t + 1]; `zones` are those of the first place of each.
    """

    row: Int64s
    band: Int64s
    first: Int64s
    zones: list[str]


def local_times(
    fix_time_us: Int64s, latitude_deg: Floats, longitude_deg: Floats, first: Int64s, after: Int64s
) -> LocalTimes:
    """The local hours of trips, of which trip k is the readings first[k] to after[k] without the last.

    The zone is looked up once a quarter of an hour: a car crosses a zone's border at most some minutes late.
    """
    row, begin = _quarter_rows(fix_time_us, first, after)
    zones = list(map(zone_at, latitude_deg[row].tolist(), longitude_deg[row].tolist()))
    quarters = (fix_time_us[row] // _QUARTER_US).tolist()
    band = [_local_quarter(quarter, zone).band for quarter, zone in zip(quarters, zones, strict=True)]
    own = row - np.repeat(first, np.diff(begin))
    return LocalTimes(own, np.array(band, dtype=np.int64), begin, [zones[one] for one in begin[:-1].tolist()])


@compiled
def _quarter_rows(fix_time_us: Int64s, first: Int64s, after: Int64s) -> tuple[Int64s, Int64s]:
    """The rows at which trips begin and come into another quarter of an hour; and where those of each trip begin."""
    begin = np.zeros(len(first) + 1, dtype=np.int64)
    rows = np.empty(np.sum(after - first), dtype=np.int64)
    count = 0
    for trip in range(len(first)):
        for row in range(first[trip], after[trip]):
            if row == first[trip] or fix_time_us[row] // _QUARTER_US != fix_time_us[row - 1] // _QUARTER_US:
                rows[count] = row
                count += 1
        begin[trip + 1] = count
    return rows[:count].copy(), begin


def hour_bands(fix_time_us: Int64s, latitude_deg: Floats, longitude_deg: Floats) -> NDArray[np.intp]:
    """The index into HOUR_BANDS of each reading of one trip, in order of time, shape (n,), by its local hour."""
    ends = np.array([0]), np.array([len(fix_time_us)])
    times = local_times(fix_time_us, latitude_deg, longitude_deg, *ends)
    return np.repeat(times.band, np.diff(times.row, append=len(fix_time_us)))
