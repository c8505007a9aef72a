"""Faults, a layer of its own: the truth stays, only what is sent, when, how often and in what order changes.

Pure functions of lists of what is sent, or of one device's columns; chance comes from a generator that is passed in.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

type Bools = NDArray[np.bool_]
type Columns = dict[str, NDArray[Any]]


class Departing(Protocol):
    """A trip, as far as these functions look at one."""

    @property
    def departure(self) -> datetime:
        """When it moves off, aware."""
        ...


def hold_back[Sent](items: Sequence[Sent], is_late: Callable[[Sent], bool]) -> tuple[list[Sent], list[Sent]]:
    """What is sent now and what comes late, each in the order given."""
    now = [item for item in items if not is_late(item)]
    late = [item for item in items if is_late(item)]
    return now, late


def double[Sent](items: Sequence[Sent]) -> list[Sent]:
    """Everything twice, as a device does that missed the first receipt: each item follows itself."""
    return [item for item in items for _ in range(2)]


def reverse[Sent](items: Sequence[Sent]) -> list[Sent]:
    """The last first, as a device does that empties its memory from the newest end."""
    return list(items[::-1])


# Of batches, as they go over the air.


def lose[Sent](items: Sequence[Sent], share: float, rng: np.random.Generator) -> tuple[list[Sent], list[Sent]]:
    """What arrives and what is lost for ever, each in the order given."""
    lost = rng.random(len(items)) < share
    return hold_back_at(items, lost)


def hold_back_at[Sent](items: Sequence[Sent], late: Bools) -> tuple[list[Sent], list[Sent]]:
    """What is sent now and what is not, by a mask of shape (n,)."""
    now = [item for item, is_late in zip(items, late.tolist(), strict=True) if not is_late]
    return now, [item for item, is_late in zip(items, late.tolist(), strict=True) if is_late]


def shuffle[Sent](items: Sequence[Sent], rng: np.random.Generator) -> list[Sent]:
    """Any order."""
    return [items[place] for place in rng.permutation(len(items)).tolist()]


def recut(columns: Columns, rng: np.random.Generator, most: int = 400) -> list[Columns]:
    """The readings of one device in other batches than before, of 1 to `most`, some of them overlapping."""
    count = len(columns["fix_time_us"])
    found, first = [], 0
    while first < count:
        end = first + int(rng.integers(1, most + 1))
        found.append(_at(columns, np.arange(max(first - int(rng.integers(0, 20)), 0), min(end, count))))
        first = end
    return found


# Of clocks.


def skew_clock(columns: Columns, ahead_s: float, drift_ppm: float = 0.0) -> Columns:
    """A clock that is wrong by so much from the start, and by so much more with time."""
    times_us = columns["fix_time_us"]
    wrong_us = ahead_s * 1e6 + (times_us - times_us[0]) * (drift_ppm / 1e6)
    return columns | {"fix_time_us": times_us + np.round(wrong_us).astype(np.int64)}


def jump_clock(columns: Columns, row: int, jump_s: float) -> Columns:
    """A clock that is set while driving: from `row` on all times are later (or earlier) by so much."""
    times_us = columns["fix_time_us"].copy()
    times_us[row:] += round(jump_s * 1e6)
    return columns | {"fix_time_us": times_us}


def unsynchronise(columns: Columns, rows: int) -> Columns:
    """A clock that begins in 1970 at each boot and is not set before the first so many readings are made."""
    times_us = columns["fix_time_us"].copy()
    times_us[:rows] -= times_us[0]
    return columns | {"fix_time_us": times_us}


# Of positions.


def zero_positions(columns: Columns, rows: slice) -> Columns:
    """0, 0 with no satellites, as trackers say after a reboot."""
    zeroed = {name: columns[name].copy() for name in ("latitude_deg", "longitude_deg", "satellites")}
    for values in zeroed.values():
        values[rows] = 0.0
    return columns | zeroed


def freeze_positions(columns: Columns, rows: slice) -> Columns:
    """A receiver that repeats one position and goes on counting time and speed."""
    frozen = {name: columns[name].copy() for name in ("latitude_deg", "longitude_deg")}
    for values in frozen.values():
        values[rows] = values[rows.start]
    return columns | frozen


# Of people.


def unplug[Drive: Departing](trips: Sequence[Drive], first: datetime, last: datetime) -> list[Drive]:
    """Without the trips that began while the device was not plugged in."""
    return [trip for trip in trips if not first <= trip.departure < last]


def move_device[Drive: Departing](own: Sequence[Drive], others: Sequence[Drive], at: datetime) -> list[Drive]:
    """What a device saw that was carried to another car: its own trips before, the other's from then on."""
    return [trip for trip in own if trip.departure < at] + [trip for trip in others if trip.departure >= at]


def replay(columns: Columns, later_s: float) -> Columns:
    """The same trip sent again as if it was driven later: a fraud, not a repetition."""
    return columns | {"fix_time_us": columns["fix_time_us"] + round(later_s * 1e6)}


def as_passenger(columns: Columns, in_use: Bools) -> Columns:
    """What a passenger's phone says of the same drive: all but the use of the screen, shape (n,), which is his own."""
    return columns | {"phone_in_use": in_use.astype(np.float64)}


def _at(columns: Columns, rows: NDArray[np.intp]) -> Columns:
    return {name: values[rows] for name, values in columns.items()}
