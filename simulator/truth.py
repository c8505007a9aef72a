"""The key of a simulated world: what truly happened, kept beside what the devices report; as JSON lines."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from simulator.errors import BadKey

type Float64s = NDArray[np.float64]
type Int64s = NDArray[np.int64]
type Bools = NDArray[np.bool_]

HARD_BRAKE_MPS2 = 4.0
LEAVE_SHARE = 0.6  # one manoeuvre lasts until it falls under this share: two peaks of one brake are one event


@dataclass(frozen=True, slots=True)
class TrueMotion:
    """True motion at 1 Hz, each field of shape (n,). Heading is of the car, so known at standstill too."""

    time_us: Int64s
    latitude_deg: Float64s
    longitude_deg: Float64s
    speed_mps: Float64s
    heading_deg: Float64s
    acceleration_forward_mps2: Float64s
    acceleration_lateral_mps2: Float64s  # positive to the right
    limit_mps: Float64s  # of the map; NaN: not known
    phone_in_use: Bools


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """A hard brake: from `HARD_BRAKE_MPS2` on; the time and height of its peak."""

    time_us: int
    peak_mps2: float


@dataclass(frozen=True, slots=True)
class Truth:
    """What truly happened on one trip; its motion second by second stays in memory."""

    driver: int
    departure_us: int
    arrival_us: int
    distance_m: float
    standing_s: int  # between departure and arrival
    speeding_s: int  # over a known limit
    phone_s: int  # of phone use while moving
    hard_brakes: tuple[TrueEvent, ...]
    route_edges: tuple[int, ...]
    route_backward: tuple[bool, ...]


def hard_brakes(tick_us: Int64s, acceleration_mps2: Float64s) -> tuple[TrueEvent, ...]:
    """The hard brakes in a finely sampled forward acceleration, shapes (m,)."""
    braking = -acceleration_mps2
    within = np.concatenate(([False], braking >= LEAVE_SHARE * HARD_BRAKE_MPS2, [False]))
    changes = np.flatnonzero(within[1:] != within[:-1])
    events = []
    for first, end in zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True):
        peak = first + int(np.argmax(braking[first:end]))
        if braking[peak] >= HARD_BRAKE_MPS2:
            events.append(TrueEvent(int(tick_us[peak]), float(braking[peak])))
    return tuple(events)


def write_truth(path: Path, truths: Iterable[Truth]) -> None:
    """The key as JSON lines: one trip a line, in the order given."""
    with path.open("wb") as file:
        for truth in truths:
            file.write(msgspec.json.encode(truth) + b"\n")


def read_truth(path: Path) -> list[Truth]:
    """The truths of `write_truth`. Raises BadKey."""
    truths = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            truths.append(msgspec.json.decode(line, type=Truth))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadKey(path, number, str(error)) from error
    return truths
