"""The local clock of the place where a reading was taken: night is what the driver calls night."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import tzfpy
from numpy.typing import NDArray

from ingest.readings import Int64s
from scoring.series import Floats

_BAND_OF_HOUR = np.array([0] * 5 + [1] * 4 + [2] * 7 + [3] * 6 + [0] * 2, dtype=np.intp)  # 22-05, 05-09, 09-16, 16-22
_QUARTER_US = 900_000_000  # no zone changes its offset inside a quarter of an hour


def zone_at(latitude_deg: float, longitude_deg: float) -> str:
    """The IANA time zone of a place; at sea or where this machine does not know the zone, the nautical one or UTC."""
    name = str(tzfpy.get_tz(longitude_deg, latitude_deg)) or "UTC"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return "UTC"
    return name


def local_month(fix_time_us: int, zone: str) -> str:
    """`YYYY-MM` of an instant by the clock of a zone."""
    return f"{datetime.fromtimestamp(fix_time_us / 1e6, UTC).astimezone(ZoneInfo(zone)):%Y-%m}"


def local_start(fix_time_us: int, zone: str) -> str:
    """`workday_07` or `weekend_23`: the kind of day (Saturday and Sunday apart) and the hour by the clock of a zone."""
    local = datetime.fromtimestamp(fix_time_us / 1e6, UTC).astimezone(ZoneInfo(zone))
    return f"{'weekend' if local.weekday() >= 5 else 'workday'}_{local.hour:02}"


def hour_bands(fix_time_us: Int64s, latitude_deg: Floats, longitude_deg: Floats) -> NDArray[np.intp]:
    """The index into HOUR_BANDS of each reading, in order of time, shape (n,), by the local hour of its place.

    The zone is looked up once a quarter of an hour: a car crosses a zone's border at most some minutes late.
    """
    quarter_of = fix_time_us // _QUARTER_US
    begins = np.ones(len(quarter_of), dtype=np.bool_)
    begins[1:] = quarter_of[1:] != quarter_of[:-1]
    first = np.flatnonzero(begins)
    quarters = quarter_of[first]
    hours = np.empty(len(quarters), dtype=np.intp)
    for index, (quarter, row) in enumerate(zip(quarters.tolist(), first.tolist(), strict=True)):
        zone = ZoneInfo(zone_at(float(latitude_deg[row]), float(longitude_deg[row])))
        hours[index] = datetime.fromtimestamp(quarter * _QUARTER_US / 1e6, UTC).astimezone(zone).hour
    return np.repeat(_BAND_OF_HOUR[hours], np.diff(first, append=len(quarter_of)))
