"""A trip's path for drawing, and its packed form: plain little-endian columns, so the same path is the same bytes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.driven import Driven
from scoring.errors import ScoringError
from scoring.series import Bools, Floats
from scoring.trips import Trip

_MAGIC = b"WTK1"
_ROW = np.dtype(
    [
        ("t_s", "<f4"),
        ("latitude_deg", "<f8"),
        ("longitude_deg", "<f8"),
        ("speed_mps", "<f4"),
        ("limit_mps", "<f4"),
        ("matched", "u1"),
    ]
)


@dataclass(eq=False)
class BadTrack(ScoringError):
    """Bytes that are no packed track of this version."""

    size: int

    def __str__(self) -> str:
        return f"{self.size} bytes are not a packed track: re-score the trip"


@dataclass(frozen=True, slots=True)
class Track:
    """n fixes of a trip, arrays of shape (n,): original positions, seconds since the start, NaN where not known.

    A place that a reader is not shown is infinite; what is stored holds none.
    """

    t_s: Floats
    latitude_deg: Floats
    longitude_deg: Floats
    speed_mps: Floats
    limit_mps: Floats
    matched: Bools


def track_of(trip: Trip, driven: Driven) -> Track:
    """What of a trip can be drawn."""
    readings = trip.readings
    return Track(
        trip.t_s, readings.latitude_deg, readings.longitude_deg, trip.speed_mps, driven.limit_mps, driven.matched
    )


def pack(track: Track) -> bytes:
    """The track's columns one after another behind a 4-byte mark."""
    columns = [getattr(track, name).astype(_ROW[name]).tobytes() for name in _ROW.names or ()]
    return _MAGIC + b"".join(columns)


def unpack(packed: bytes) -> Track:
    """The inverse of `pack`, to float32 for times and speeds. Raises `BadTrack`."""
    count, rest = divmod(len(packed) - len(_MAGIC), _ROW.itemsize)
    if packed[: len(_MAGIC)] != _MAGIC or rest:
        raise BadTrack(len(packed))
    columns: dict[str, NDArray[np.float64]] = {}
    offset = len(_MAGIC)
    for name in _ROW.names or ():
        columns[name] = np.frombuffer(packed, _ROW[name], count, offset).astype(np.float64)
        offset += count * _ROW[name].itemsize
    matched = columns.pop("matched").astype(np.bool_)
    return Track(matched=matched, **columns)
