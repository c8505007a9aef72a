"""Rules that every reading must pass, whatever the channel: whole-array masks, each with its reason or its flag."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from ingest.decoded import Decoded, Rejected
from ingest.moments import microseconds
from ingest.readings import COLUMN_DTYPES, Bools, Flag, Int64s, Readings
from ingest.rejection import Rejection

RETENTION = timedelta(days=90)
CLOCK_SKEW = timedelta(minutes=5)
MAX_AHEAD = timedelta(hours=24)
MAX_SPEED_MPS = 150.0
MAX_ACCURACY_M = 100.0
NULL_ISLAND_DEG = 0.001
_UNKNOWN_SPEED_MPS = -1.0  # what phones say for "not known"

# A receiver whose clock was never set: the epochs of Unix and GPS (and all before), and the millennium's first day.
_GPS_EPOCH_END_US = microseconds(datetime(1980, 1, 13, tzinfo=UTC))
_MILLENNIUM_US = microseconds(datetime(2000, 1, 1, tzinfo=UTC))
_DAY_US = 86_400_000_000
_MICROSECOND = timedelta(microseconds=1)

type _Received = int | Int64s | None  # microseconds since 1970
type _Rule = tuple[Rejection, Bools, str]


def validate(
    decoded: Decoded, received_at: datetime | Int64s | None, *, retention: timedelta | None = RETENTION
) -> Decoded:
    """The readings that may be stored, with what is unsaid or no fix in them nulled and flagged; the others refused.

    `received_at` is one time for all, or of each reading in microseconds since 1970, shape (n,). Without it the rules
    about its distance to the fix time are left out; without `retention` (a file that is only looked at) nothing is too
    old.
    """
    received_us = microseconds(received_at) if isinstance(received_at, datetime) else received_at
    readings = _without_unknowns(decoded.readings)
    reasons = np.full(len(readings), -1, dtype=np.int64)
    rules = list(_refusals(readings, received_us, retention))
    for number, (_, broken, _) in enumerate(rules):
        reasons[(reasons < 0) & broken] = number
    refused = reasons >= 0
    rejected = tuple(
        Rejected(index, rules[number][0], rules[number][2], decoded.raw_of(index))
        for index, number in zip(decoded.record_index[refused].tolist(), reasons[refused].tolist(), strict=True)
    )
    return decoded.refuse(refused, rejected, _flagged(readings, received_us))


def refuse_expired(checked: Decoded, floor: datetime) -> Decoded:
    """The same frame without the readings before `floor`, a time up to which readings have been deleted for good."""
    expired = checked.readings.fix_time_us < microseconds(floor)
    detail = f"readings before {floor:%Y-%m-%d} have expired"
    rejected = tuple(
        Rejected(index, Rejection.TOO_LATE, detail, checked.raw_of(index))
        for index in checked.record_index[expired].tolist()
    )
    return checked.refuse(expired, rejected)


def _without_unknowns(readings: Readings) -> Readings:
    """Values that mean "not known" as not reported, and a full turn as no turn."""
    speed = readings.speed_mps
    heading = readings.heading_deg
    return readings.replace(
        speed_mps=np.where(speed == _UNKNOWN_SPEED_MPS, np.nan, speed),
        heading_deg=np.where(heading == 360.0, 0.0, heading),
    )


def _refusals(readings: Readings, received_us: _Received, retention: timedelta | None) -> Iterator[_Rule]:
    """Each reason with the mask, shape (n,), of the readings it refuses; the first that holds is the record's."""
    infinite = np.zeros(len(readings), dtype=bool)
    for name in COLUMN_DTYPES:
        infinite |= np.isinf(getattr(readings, name))
    yield Rejection.NOT_FINITE, infinite, "a value is infinite"

    latitude, longitude = readings.latitude_deg, readings.longitude_deg
    outside = (np.abs(latitude) > 90) | (np.abs(longitude) > 180)
    yield Rejection.RANGE, outside, "latitude is over 90 or longitude over 180 degrees"
    half = np.isnan(latitude) != np.isnan(longitude)
    yield Rejection.MISSING_FIELD, half, "a position needs latitude and longitude"
    yield Rejection.RANGE, _outside(readings.heading_deg, 0, 360), "heading is not within 0 to 360 degrees"
    yield (
        Rejection.RANGE,
        _outside(readings.speed_mps, 0, MAX_SPEED_MPS),
        f"speed is not within 0 to {MAX_SPEED_MPS} m/s",
    )
    yield Rejection.RANGE, readings.hdop < 0, "hdop is negative"
    yield Rejection.RANGE, readings.odometer_m < 0, "odometer is negative"
    yield Rejection.RANGE, _outside(readings.reported_limit_mps, 0, MAX_SPEED_MPS), "the posted limit is no speed"
    satellites = readings.satellites
    uncountable = _outside(satellites, 0, 255) | (~np.isnan(satellites) & (satellites != np.rint(satellites)))
    yield Rejection.RANGE, uncountable, "satellites is not a count"
    for name in ("ignition", "phone_in_use", "belt_fastened"):
        values = getattr(readings, name)
        yield Rejection.RANGE, ~np.isnan(values) & (values != 0) & (values != 1), f"{name} is neither 0 nor 1"
    yield from _time_refusals(readings, received_us, retention)


def _time_refusals(readings: Readings, received_us: _Received, retention: timedelta | None) -> Iterator[_Rule]:
    time_us = readings.fix_time_us
    never_set = (time_us < _GPS_EPOCH_END_US) | ((time_us >= _MILLENNIUM_US) & (time_us < _MILLENNIUM_US + _DAY_US))
    yield Rejection.UNSYNCED_CLOCK, never_set, "the device's clock was not set"
    if received_us is not None:
        future = time_us > received_us + MAX_AHEAD // _MICROSECOND
        yield Rejection.FUTURE, future, "fix time is over 24 h after receipt"
        if retention is not None:
            late = time_us < received_us - retention // _MICROSECOND
            yield Rejection.TOO_LATE, late, f"fix time is over {retention.days} days before receipt"


def _outside(values: np.ndarray[tuple[int], np.dtype[np.float32]], low: float, high: float) -> Bools:
    return (values < low) | (values > high)  # false for NaN: not reported is in range


def _flagged(readings: Readings, received_us: _Received) -> Readings:
    """Positions that are none nulled, and the flags that validation knows set."""
    latitude, longitude = readings.latitude_deg, readings.longitude_deg
    null_island = (np.abs(latitude) < NULL_ISLAND_DEG) & (np.abs(longitude) < NULL_ISLAND_DEG)
    held = (readings.flags & Flag.IMPUTED_RECEIVER_POSITION) != 0
    no_fix = null_island | (readings.satellites == 0) | ((readings.flags & Flag.NO_FIX) != 0)
    flags = readings.flags.copy()
    flags[no_fix | (np.isnan(latitude) & ~held)] |= Flag.NO_FIX
    flags[(readings.accuracy_m <= 0) | (readings.accuracy_m > MAX_ACCURACY_M)] |= Flag.LOW_ACCURACY
    if received_us is not None:
        flags[readings.fix_time_us > received_us + CLOCK_SKEW // _MICROSECOND] |= Flag.CLOCK_AHEAD
    return readings.replace(
        flags=flags,
        latitude_deg=np.where(no_fix, np.nan, latitude),
        longitude_deg=np.where(no_fix, np.nan, longitude),
    )
