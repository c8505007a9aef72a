"""What makes a way recognisable: a trip that is sent again at another time says the same places in the same order.

No receiver measures the same noise twice: sixteen places in a row that agree to a decimetre are a copy.
"""

import numpy as np
from numpy.typing import NDArray

from ingest.readings import Readings

PLACES = 16  # in a row
KEPT = 8  # the smallest hashes of all such rows: two trips with a shared part share some of them (Broder 1997)
_DECIMETRES = 1e6  # a degree in steps of some 0.1 m
_FACTOR = np.uint64(0x9E3779B97F4A7C15)

type _Hashes = NDArray[np.uint64]


def shape_of(readings: Readings) -> tuple[int, ...]:
    """The sketch of a way: up to 8 hashes of 16 places in a row, rising; () of a way too short to be told from others.

    Times take no part. A place that is said again while it does not change counts once.
    """
    placed = np.isfinite(readings.latitude_deg) & np.isfinite(readings.longitude_deg)
    north = np.rint(readings.latitude_deg[placed] * _DECIMETRES).astype(np.int64)
    east = np.rint(readings.longitude_deg[placed] * _DECIMETRES).astype(np.int64)
    moved = np.ones(len(north), dtype=bool)
    moved[1:] = (np.diff(north) != 0) | (np.diff(east) != 0)
    if np.count_nonzero(moved) < PLACES:
        return ()
    places = _mixed(_mixed(north[moved].view(np.uint64)) ^ east[moved].view(np.uint64))
    count = len(places) - PLACES + 1
    rows = np.zeros(count, dtype=np.uint64)
    for place in range(PLACES):
        rows = rows * _FACTOR + places[place : place + count]
    smallest = np.unique(_mixed(rows).view(np.int64))[:KEPT]
    return tuple(smallest.tolist())


def _mixed(state: _Hashes) -> _Hashes:
    """The finalizer of SplitMix64 (Steele, Lea & Flood 2014)."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
