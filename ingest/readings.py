"""`Readings`: a columnar batch, the value that every fleet path moves. One element of each array is one reading.

SI units and UTC; conversion ends in the decoder. "Not reported" is NaN here and NULL in SQL, never 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntFlag
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

type Int64s = NDArray[np.int64]
type Int32s = NDArray[np.int32]
type Float64s = NDArray[np.float64]
type Float32s = NDArray[np.float32]
type Bools = NDArray[np.bool_]


class Flag(IntFlag):
    """What decoding or validation noticed about a reading that was kept. Not part of its content hash."""

    NO_FIX = 1  # the position is null: the receiver had none
    UNSYNCED_CLOCK = 2  # the device's clock was not set; the time was re-anchored
    CLOCK_AHEAD = 4  # fix time up to 24 h after receipt: stored, unscored until review
    LOW_ACCURACY = 8  # accuracy 0, negative or over 100 m: weight 0
    TIME_UNIT_GUESSED = 16  # seconds or milliseconds decided by size
    IMPLAUSIBLE_PLACE = 32
    SPEED_MISMATCH = 64
    UNACKED_CHANNEL = 128  # arrived without a promise of delivery: never the only basis of a discount
    IMPUTED_RECEIVER_POSITION = 256  # the device repeated its last valid position
    VIN_MISMATCH = 512  # it came with the number of another vehicle, or with one that is none: its trip does not count
    UNSIGNED = 1024  # the credential that brought it does not sign: see TIER_FLAGS
    NO_TLS_TOKEN = 2048
    UNBOUND_NETWORK = 4096


# What the credential of each tier does not prove. Of several arrivals of a reading the best counts: a flag stays only
# if every one bears it.
TIER_FLAGS = {
    "signed": Flag(0),
    "tls": Flag.UNSIGNED,
    "bound_network": Flag.UNSIGNED | Flag.NO_TLS_TOKEN,
    "claim": Flag.UNSIGNED | Flag.NO_TLS_TOKEN | Flag.UNBOUND_NETWORK,
}


@dataclass(frozen=True, slots=True)
class Readings:
    """n readings of one or more devices, each field an array of shape (n,).

    `ignition`, `phone_in_use` and `belt_fastened` are 1.0, 0.0 or NaN. `reported_limit_mps` is a posted limit that
    came with the reading, kept beside the map's and never mixed with it.
    """

    device_key: Int64s
    fix_time_us: Int64s  # microseconds since 1970-01-01T00:00:00Z
    flags: Int32s
    latitude_deg: Float64s
    longitude_deg: Float64s
    odometer_m: Float64s
    altitude_m: Float32s
    speed_mps: Float32s
    heading_deg: Float32s
    hdop: Float32s
    accuracy_m: Float32s
    acceleration_forward_mps2: Float32s
    acceleration_lateral_mps2: Float32s
    acceleration_vertical_mps2: Float32s
    reported_limit_mps: Float32s
    satellites: Float32s
    ignition: Float32s
    phone_in_use: Float32s
    belt_fastened: Float32s

    def __len__(self) -> int:
        return len(self.fix_time_us)

    def take(self, rows: NDArray[np.intp] | Bools | slice) -> "Readings":
        """The readings at `rows` (indices, a mask of shape (n,), or a slice), in that order."""
        return Readings(*[column[rows] for column in _COLUMNS(self)])

    def replace(self, **columns: NDArray[np.generic]) -> "Readings":
        """The same readings with some columns exchanged; each is cast to the column's dtype."""
        return Readings(
            **{
                name: columns[name].astype(dtype, copy=False) if name in columns else getattr(self, name)
                for name, dtype in COLUMN_DTYPES.items()
            }
        )


_FLOAT64 = ("latitude_deg", "longitude_deg", "odometer_m")
_INTEGER: dict[str, np.dtype[Any]] = {
    "device_key": np.dtype(np.int64),
    "fix_time_us": np.dtype(np.int64),
    "flags": np.dtype(np.int32),
}
COLUMN_DTYPES: dict[str, np.dtype[Any]] = {
    field.name: _INTEGER.get(field.name, np.dtype(np.float64 if field.name in _FLOAT64 else np.float32))
    for field in fields(Readings)
}
_COLUMNS = attrgetter(*COLUMN_DTYPES)  # all of a batch's columns at once: a fleet's packets are cut and joined by it
# What a device said. The device and the time stand in the key beside the hash; flags are our own remarks.
CONTENT_COLUMNS = tuple(name for name in COLUMN_DTYPES if name not in _INTEGER)


def make_readings(count: int, **columns: object) -> Readings:
    """`count` readings from the columns given (arrays or scalars); others are not reported (NaN; 0 for flags)."""
    unknown = set(columns) - set(COLUMN_DTYPES)
    if unknown:
        raise TypeError(f"not columns of Readings: {', '.join(sorted(unknown))}")
    arrays = {}
    for name, dtype in COLUMN_DTYPES.items():
        default = 0 if name in _INTEGER else np.nan
        values = np.asarray(columns.get(name, default)).astype(dtype, copy=False)
        whole = values if values.shape == (count,) else np.full(count, values)
        # All of one layout: a kernel is compiled anew for an array that is read-only or strided.
        arrays[name] = np.require(whole, requirements=("C", "W"))
    return Readings(**arrays)


def concatenate(batches: Sequence[Readings]) -> Readings:
    """All readings of the batches, in order."""
    if not batches:
        return make_readings(0)
    return Readings(*map(np.concatenate, zip(*map(_COLUMNS, batches), strict=True)))


def content_hash(readings: Readings) -> Int64s:
    """A 64-bit hash of what each reading says, shape (n,): equal content, equal hash, whatever the batch or channel.

    Each content column's bits are folded in with the SplitMix64 finalizer (Steele, Lea & Flood 2014). All NaNs are one
    value, and -0.0 is 0.0. 64 bits separate the readings of one device at one instant, not of the whole fleet.
    """
    state = np.full(len(readings), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for name in CONTENT_COLUMNS:
        values = getattr(readings, name).astype(np.float64) + 0.0
        values[np.isnan(values)] = np.nan
        state = _splitmix64(state ^ values.view(np.uint64))
    return state.view(np.int64)


def _splitmix64(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = state + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
