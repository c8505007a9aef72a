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

# The key keeps every manoeuvre from so little on, under any threshold in use: whoever reads it chooses.
KEPT_FROM_MPS2 = {"hard_brake": 2.5, "hard_acceleration": 2.2, "hard_corner": 3.0}
HARD_BRAKE_MPS2 = 4.0
LEAVE_SHARE = 0.6  # one manoeuvre lasts until it falls under this share: two peaks of one brake are one event
SPEEDING_OVER_MPS, SPEEDING_LEAST_S = 5.0 / 3.6, 5.0
PHONE_LEAST_MPS, PHONE_LEAST_S = 3.0, 3.0


@dataclass(frozen=True, slots=True)
class TrueMotion:
    """True motion at 1 Hz, each field of shape (n,). Heading is of the car, so known at standstill too."""

    time_us: Int64s
    latitude_deg: Float64s
    longitude_deg: Float64s
    speed_mps: Float64s
    heading_deg: Float64s
    acceleration_forward_mps2: Float64s  # mean over the second about it, as a sensor gives it
    acceleration_lateral_mps2: Float64s  # positive to the right
    limit_mps: Float64s  # of the map; NaN: not known
    phone_in_use: Bools


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """One event that truly was, with its span and the time and height of its peak.

    `kind` is a name that scoring uses too; the peak is in m/s2, in m/s over the limit, or in seconds of phone use.
    `from_mps` is the highest speed in the three seconds before the peak.
    """

    kind: str
    started_us: int
    ended_us: int
    time_us: int
    peak: float
    from_mps: float


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
    events: tuple[TrueEvent, ...]
    route_edges: tuple[int, ...]
    route_backward: tuple[bool, ...]

    @property
    def hard_brakes(self) -> tuple[TrueEvent, ...]:
        """The brakes of `HARD_BRAKE_MPS2` and more among the events."""
        return tuple(one for one in self.events if one.kind == "hard_brake" and one.peak >= HARD_BRAKE_MPS2)


def manoeuvres(
    kind: str, tick_us: Int64s, strength_mps2: Float64s, speed_mps: Float64s, least_mps2: float
) -> tuple[TrueEvent, ...]:
    """The stretches of a finely sampled force that reach `least_mps2`, shapes (m,); each ends under `LEAVE_SHARE`."""
    events = []
    for first, end in _runs(strength_mps2 >= LEAVE_SHARE * least_mps2):
        peak = first + int(np.argmax(strength_mps2[first:end]))
        if strength_mps2[peak] >= least_mps2:
            before = max(0, int(np.searchsorted(tick_us, tick_us[peak] - 3_000_000)))
            faster = float(speed_mps[before : peak + 1].max())
            span = (int(tick_us[first]), int(tick_us[end - 1]))
            events.append(TrueEvent(kind, *span, int(tick_us[peak]), float(strength_mps2[peak]), faster))
    return tuple(events)


def states(motion: TrueMotion) -> tuple[TrueEvent, ...]:
    """Speeding (by `SPEEDING_OVER_MPS` for `SPEEDING_LEAST_S`) and phone use of a true motion at 1 Hz."""
    over = np.nan_to_num(motion.speed_mps - motion.limit_mps, nan=-1.0)
    events = [
        _speeding(motion, over, first, end)
        for first, end in _runs(over > SPEEDING_OVER_MPS)
        if end - first >= SPEEDING_LEAST_S
    ]
    for first, end in _runs(motion.phone_in_use & (motion.speed_mps >= PHONE_LEAST_MPS)):
        if end - first >= PHONE_LEAST_S:
            began_us, ended_us = _span(motion, first, end)
            fastest = float(motion.speed_mps[first:end].max())
            events.append(TrueEvent("phone_use", began_us, ended_us, began_us, float(end - first), fastest))
    return tuple(events)


def _span(motion: TrueMotion, first: int, end: int) -> tuple[int, int]:
    return int(motion.time_us[first]), int(motion.time_us[end - 1])


def _speeding(motion: TrueMotion, over_mps: Float64s, first: int, end: int) -> TrueEvent:
    peak = first + int(np.argmax(over_mps[first:end]))
    time_us, fastest = int(motion.time_us[peak]), float(motion.speed_mps[peak])
    return TrueEvent("speeding", *_span(motion, first, end), time_us, float(over_mps[peak]), fastest)


def _runs(mask: Bools) -> list[tuple[int, int]]:
    within = np.concatenate(([False], mask, [False]))
    changes = np.flatnonzero(within[1:] != within[:-1])
    return list(zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True))


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
