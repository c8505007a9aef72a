"""From all readings of one device to those that scoring reads: placed, believed, one a fix time. Never by arrival."""

from dataclasses import dataclass

import numpy as np

from ingest.readings import Bools, Flag, Int64s, Readings, content_hash

UNSCORED = Flag.CLOCK_AHEAD  # stored until review, never scored before it
UNPLACED = Flag.NO_FIX | Flag.LOW_ACCURACY | Flag.IMPUTED_RECEIVER_POSITION  # weight 0: silence, not a stop


@dataclass(frozen=True, slots=True)
class CleanReadings:
    """Readings of one device in strictly rising fix time, all with a place; `conflicts` counts what each stands for.

    `conflicts` has shape (n,): how many other readings of the same fix time said something else.
    """

    readings: Readings
    conflicts: Int64s


def usable(readings: Readings) -> Bools:
    """Which readings may be scored, shape (n,). `scoring/store.py` says the same in SQL; a test compares the two."""
    placed = np.isfinite(readings.latitude_deg) & np.isfinite(readings.longitude_deg)
    believed = (readings.flags & int(UNSCORED | UNPLACED)) == 0
    result: Bools = placed & believed
    return result


def clean_readings(readings: Readings) -> CleanReadings:
    """Usable readings by fix time; of several at one time that with most satellites, then the smallest content hash.

    A function of the set of readings: order and repetition in the input make no difference.
    """
    kept = readings.take(usable(readings))
    hashes = content_hash(kept)
    satellites = np.nan_to_num(kept.satellites.astype(np.float64), nan=-1.0)
    order = np.lexsort((hashes, -satellites, kept.fix_time_us))
    times, hashes = kept.fix_time_us[order], hashes[order]
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = times[1:] != times[:-1]
    distinct = first.copy()  # equal content at one time is one reading that came twice, no conflict
    distinct[1:] |= hashes[1:] != hashes[:-1]
    starts = np.flatnonzero(first)
    conflicts = np.add.reduceat(distinct.astype(np.int64), starts) - 1 if len(starts) else np.zeros(0, dtype=np.int64)
    return CleanReadings(kept.take(order[first]), conflicts)
