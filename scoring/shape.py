"""What makes a way recognisable: a trip that is sent again at another time says the same places in the same order.

No receiver measures the same noise twice: sixteen places in a row that agree to a decimetre are a copy.
"""

import numpy as np

from ingest.compiled import compiled
from ingest.readings import Float64s, Int64s, Readings

PLACES = 16  # in a row
KEPT = 8  # the smallest hashes of all such rows: two trips with a shared part share some of them (Broder 1997)
_DECIMETRES = 1e6  # a degree in steps of some 0.1 m
_FACTOR = np.uint64(0x9E3779B97F4A7C15)

_SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31)
_MIXERS = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def shape_of(readings: Readings) -> tuple[int, ...]:
    """The sketch of a way: up to 8 hashes of 16 places in a row, rising; () of a way too short to be told from others.

    Times take no part. A place that is said again while it does not change counts once.
    """
    return tuple(_sketch(readings.latitude_deg, readings.longitude_deg).tolist())


@compiled
def _sketch(latitude_deg: Float64s, longitude_deg: Float64s) -> Int64s:
    places, count = np.empty(len(latitude_deg), dtype=np.uint64), 0
    north, east = np.int64(0), np.int64(0)
    for i in range(len(latitude_deg)):
        if not (np.isfinite(latitude_deg[i]) and np.isfinite(longitude_deg[i])):
            continue
        at_north = np.int64(np.rint(latitude_deg[i] * _DECIMETRES))
        at_east = np.int64(np.rint(longitude_deg[i] * _DECIMETRES))
        if count == 0 or at_north != north or at_east != east:
            places[count] = _mixed(_mixed(np.uint64(at_north)) ^ np.uint64(at_east))
            north, east = at_north, at_east
            count += 1
    smallest, kept = np.empty(KEPT, dtype=np.int64), 0
    for first in range(count - PLACES + 1):
        row = np.uint64(0)
        for place in range(first, first + PLACES):
            row = row * _FACTOR + places[place]
        kept = _keep_smallest(np.int64(_mixed(row)), smallest, kept)
    return smallest[:kept]


@compiled
def _keep_smallest(value: np.int64, smallest: Int64s, kept: int) -> int:
    """Puts a value among the smallest ones, rising, of which there are `kept`; how many there are then."""
    place = kept
    while place > 0 and smallest[place - 1] > value:
        place -= 1
    if place == KEPT or (place > 0 and smallest[place - 1] == value):
        return kept
    for k in range(min(kept, KEPT - 1), place, -1):
        smallest[k] = smallest[k - 1]
    smallest[place] = value
    return min(kept + 1, KEPT)


@compiled
def _mixed(state: np.uint64) -> np.uint64:
    """The finalizer of SplitMix64 (Steele, Lea & Flood 2014)."""
    state = (state ^ (state >> _SHIFTS[0])) * _MIXERS[0]
    state = (state ^ (state >> _SHIFTS[1])) * _MIXERS[1]
    return state ^ (state >> _SHIFTS[2])
