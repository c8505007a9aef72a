"""Which of a second-by-second measurement a device records: phones and boxes each second, trackers on change."""

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled

type Float64s = NDArray[np.float64]
type Indices = NDArray[np.intp]

# A tracker's usual settings while the contact is on: after so long, or on so much of a change; at most one a second.
TRACKER_EVERY_S, TRACKER_TURN_DEG, TRACKER_SPEED_MPS, TRACKER_WAY_M = 10, 12.0, 2.8, 120.0
PARKED_EVERY_S = 300


def recorded(columns: dict[str, Float64s], device_kind: str) -> Indices:
    """The seconds, of n, that become readings.

    A phone or a box says nothing while it has no fix. A tracker records `TRACKER_EVERY_S` apart and on each change of
    course, of speed, of contact, and after some way; without a fix it repeats its last position, with no satellites.
    """
    if device_kind != "tracker":
        return np.flatnonzero(np.isfinite(columns["latitude_deg"]))
    return np.flatnonzero(_on_change(columns["speed_mps"], columns["heading_deg"], columns["ignition"]))


def held(columns: dict[str, Float64s], rows: Indices) -> dict[str, Float64s]:
    """A tracker's records: without a fix the last place with speed 0 and no satellites, as makers say."""
    known = np.isfinite(columns["latitude_deg"])
    last = np.maximum.accumulate(np.where(known, np.arange(len(known)), -1))
    first = int(np.argmax(known))
    source = np.where(last >= 0, last, first)[rows]
    is_held = ~known[rows]
    taken = {name: values[rows] for name, values in columns.items()}
    for name in ("latitude_deg", "longitude_deg"):
        taken[name] = np.where(is_held, columns[name][source], taken[name])
    for name in ("speed_mps", "heading_deg"):
        taken[name] = np.where(is_held | np.isnan(taken[name]), 0.0, taken[name])
    taken.pop("accuracy_m", None)
    return taken


@compiled
def _on_change(speed_mps: Float64s, heading_deg: Float64s, ignition: Float64s) -> NDArray[np.bool_]:
    """Which seconds a tracker records, shape (n,)."""
    taken = np.zeros(len(speed_mps), dtype=np.bool_)
    since, way, speed, heading, contact = 1_000_000, 0.0, 0.0, np.nan, -1.0
    for i in range(len(speed_mps)):
        since += 1
        now = speed_mps[i] if np.isfinite(speed_mps[i]) else speed
        way += now
        turn = abs((heading_deg[i] - heading + 180.0) % 360.0 - 180.0)
        changed = abs(now - speed) >= TRACKER_SPEED_MPS or turn >= TRACKER_TURN_DEG or way >= TRACKER_WAY_M
        every = TRACKER_EVERY_S if ignition[i] > 0.0 else PARKED_EVERY_S
        if ignition[i] != contact or since >= every or (ignition[i] > 0.0 and changed):
            taken[i] = True
            since, way, speed, contact = 0, 0.0, now, ignition[i]
            if np.isfinite(heading_deg[i]):
                heading = heading_deg[i]
    return taken
