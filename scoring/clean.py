"""From all readings of one device to those that scoring reads: believed, one a fix time. Never by arrival."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled
from ingest.readings import Bools, Flag, Float64s, Int32s, Int64s, Readings, content_hash

UNSCORED = Flag.CLOCK_AHEAD  # stored until review, never scored before it
BAD_FIX = Flag.NO_FIX | Flag.LOW_ACCURACY  # weight 0: silence, not a stop, and its speed is worth no more
FINEST_US = 10_000
HELD = Flag.IMPUTED_RECEIVER_POSITION  # the place is the last fix's, but the speed is the vehicle's own

_NO_PLACE = int(UNSCORED | BAD_FIX | HELD)


@dataclass(frozen=True, slots=True)
class CleanReadings:
    """Readings of one device in strictly rising fix time; `conflicts`, shape (n,), counts what each stands for:
    how many other readings of the same fix time said something else.
    """

    readings: Readings
    conflicts: Int64s

    def take(self, rows: NDArray[np.intp] | Bools | slice) -> "CleanReadings":
        """The same at `rows`."""
        return CleanReadings(self.readings.take(rows), self.conflicts[rows])


@compiled
def all_placed(flags: Int32s, latitude_deg: Float64s, longitude_deg: Float64s) -> bool:
    """Whether all readings say where the device was."""
    for i in range(len(flags)):
        if flags[i] & _NO_PLACE or not (np.isfinite(latitude_deg[i]) and np.isfinite(longitude_deg[i])):
            return False
    return True


@compiled
def _one_a_tick(fix_time_us: Int64s) -> bool:
    """Whether times rise strictly from one hundredth of a second to another."""
    before = fix_time_us[0] // FINEST_US - 1 if len(fix_time_us) else 0
    for time_us in fix_time_us:
        tick = time_us // FINEST_US
        if tick <= before:
            return False
        before = tick
    return True


def placed(readings: Readings) -> Bools:
    """Which readings say where the device was, shape (n,). `scoring/window_store.py` says the same in SQL."""
    known = np.isfinite(readings.latitude_deg) & np.isfinite(readings.longitude_deg)
    result: Bools = known & ((readings.flags & _NO_PLACE) == 0)
    return result


def usable(readings: Readings) -> Bools:
    """Which readings may be scored, shape (n,): those with a place, and those that held it but report a speed."""
    with_place = placed(readings)
    if with_place.all():
        return with_place
    held = ((readings.flags & int(HELD)) != 0) & ((readings.flags & int(UNSCORED | BAD_FIX)) == 0)
    result: Bools = with_place | (held & np.isfinite(readings.speed_mps))
    return result


def clean_readings(readings: Readings) -> CleanReadings:
    """Usable readings by fix time; of several at one time that with a place, more satellites, the smaller content hash.

    A function of the set of readings: order and repetition in the input make no difference.
    """
    if all_placed(readings.flags, readings.latitude_deg, readings.longitude_deg) and _one_a_tick(readings.fix_time_us):
        return CleanReadings(readings, np.zeros(len(readings), dtype=np.int64))  # as nearly every upload comes
    good = usable(readings)
    kept = readings if good.all() else readings.take(good)
    if not (kept.fix_time_us[1:] > kept.fix_time_us[:-1]).all():
        kept = kept.take(np.argsort(kept.fix_time_us, kind="stable"))
    if (kept.fix_time_us[1:] > kept.fix_time_us[:-1]).all():  # one a fix time: nothing to choose by content
        return _thinned(CleanReadings(kept, np.zeros(len(kept), dtype=np.int64)))
    hashes = content_hash(kept)
    satellites = np.nan_to_num(kept.satellites.astype(np.float64), nan=-1.0)
    order = np.lexsort((hashes, -satellites, ~placed(kept), kept.fix_time_us))
    times, hashes = kept.fix_time_us[order], hashes[order]
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = times[1:] != times[:-1]
    distinct = first.copy()  # equal content at one time is one reading that came twice, no conflict
    distinct[1:] |= hashes[1:] != hashes[:-1]
    starts = np.flatnonzero(first)
    conflicts = np.add.reduceat(distinct.astype(np.int64), starts) - 1 if len(starts) else np.zeros(0, dtype=np.int64)
    return _thinned(CleanReadings(kept.take(order[first]), conflicts))


def _thinned(clean: CleanReadings) -> CleanReadings:
    """At most one reading in each hundredth of a second: no manoeuvre is shorter, and a burst at 10 kHz is no more."""
    ticks = clean.readings.fix_time_us // FINEST_US
    first = np.ones(len(ticks), dtype=np.bool_)
    first[1:] = ticks[1:] != ticks[:-1]
    return clean if first.all() else clean.take(first)
