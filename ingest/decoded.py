"""What every decoder and file reader returns: the readings of one frame, and what of it was refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ingest.readings import Bools, Int64s, Readings, make_readings
from ingest.rejection import Rejection


@dataclass(frozen=True, slots=True)
class Rejected:
    """One refused record, kept whole. `record_index` is its place in the frame or file; None: the whole frame."""

    record_index: int | None
    reason: Rejection
    detail: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Decoded:
    """The records of one frame: received = len(readings) + len(rejected), always.

    `record_index`, shape (n,), is each reading's place in the frame; `raw_of` gives the bytes of the record at a place.
    `vins` are the vehicle numbers that records came with, by their place.
    """

    readings: Readings
    received: int
    rejected: tuple[Rejected, ...]
    record_index: Int64s
    raw_of: Callable[[int], bytes]
    vins: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.received != len(self.readings) + len(self.rejected):
            raise ValueError(
                f"{self.received} records were received but {len(self.readings)} readings and "
                f"{len(self.rejected)} refusals account for them"
            )

    def take(self, rows: Bools | NDArray[np.intp] | slice) -> "Decoded":
        """The readings at `rows` alone, without any refusal."""
        readings = self.readings.take(rows)
        return Decoded(readings, len(readings), (), self.record_index[rows], self.raw_of)

    def refuse(self, refused: Bools, rejections: tuple[Rejected, ...], readings: Readings | None = None) -> "Decoded":
        """The same frame with the readings at the mask `refused`, shape (n,), moved to `rejections`."""
        kept = (readings or self.readings).take(~refused)
        return Decoded(kept, self.received, self.rejected + rejections, self.record_index[~refused], self.raw_of)


def refused_frame(raw: bytes, reason: Rejection, detail: str) -> Decoded:
    """A frame of which nothing can be read: it counts as one record."""
    rejected = Rejected(None, reason, detail, raw)
    return Decoded(make_readings(0), 1, (rejected,), np.zeros(0, dtype=np.int64), lambda _: raw)
