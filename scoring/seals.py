"""What may not be cut again: segments beside a time whose readings were deleted, for they expired or with a person.

Such a segment may have reached into that time, and the place that its lead-in gap is measured from is gone. What of it
had been received when the readings went was cut while they were there, and stands; what is received later is cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scoring import window_store
from scoring.segments import Place
from scoring.window_store import Gone
from storage.pool import Conn

type Span = tuple[int, int]  # first and last fix time in microseconds, both included

STEP_US = 6 * 3600 * 1_000_000  # how far a walk to a segment's end looks at once


@dataclass(frozen=True, slots=True)
class Seal:
    """A time that is not cut again: the one whose readings are gone, and what stands beside it."""

    gone: Gone
    span: Span


def seals_near(conn: Conn, device_key: int, spans: Sequence[Span], gone: Sequence[Gone], gap_us: int) -> list[Seal]:
    """The seals of which a part may lie in these spans, rising."""
    if not gone:
        return []
    near: set[Gone] = set()
    for from_us, to_us in spans:
        before_us = window_store.placed_time_before(conn, device_key, from_us) or 0
        near |= {one for one in gone if one.from_us <= to_us + gap_us and one.to_us > before_us}
    return [Seal(one, _sealed(conn, device_key, one, gap_us)) for one in sorted(near, key=lambda one: one.from_us)]


def place_before(conn: Conn, device_key: int, time_us: int, gone: Sequence[Gone]) -> Place | None:
    """Where the device was last seen before a time; None where readings between are gone: no gap leads over them."""
    place = window_store.last_place(conn, device_key, time_us)
    if place and any(place.fix_time_us < one.to_us and one.from_us < time_us for one in gone):
        return None
    return place


def segment_end(conn: Conn, device_key: int, time_us: int, gap_us: int, direction: int) -> int:
    """The last fix time (direction 1; -1: the first) of the segment that holds the usable reading at `time_us`."""
    edge = time_us
    while True:
        span = (edge + 1, edge + STEP_US) if direction > 0 else (edge - STEP_US, edge - 1)
        times = window_store.usable_times(conn, device_key, *span)[::direction]
        silences = np.flatnonzero(np.abs(np.diff(times, prepend=edge)) > gap_us)
        if len(silences):
            return int(times[silences[0] - 1]) if silences[0] else edge
        if not len(times):
            return edge
        edge = int(times[-1])


def without(spans: Sequence[Span], cut: Span) -> list[Span]:
    """What of the spans is not in `cut`."""
    parts = [part for start, end in spans for part in ((start, min(end, cut[0] - 1)), (max(start, cut[1] + 1), end))]
    return [(start, end) for start, end in parts if start <= end]


def within(spans: Sequence[Span], cut: Span) -> list[Span]:
    """What of the spans is in `cut`."""
    parts = [(max(start, cut[0]), min(end, cut[1])) for start, end in spans]
    return [(start, end) for start, end in parts if start <= end]


def _sealed(conn: Conn, device_key: int, gone: Gone, gap_us: int) -> Span:
    start, end = gone.span
    before = window_store.usable_times(conn, device_key, start - gap_us, start - 1)
    if len(before):
        last = int(before[-1])
        first = segment_end(conn, device_key, last, gap_us, -1)
        start = min((start, *window_store.received_times(conn, device_key, first, last, gone.by)))
    after = window_store.placed_time_after(conn, device_key, end)
    if after is not None:
        last = segment_end(conn, device_key, after, gap_us, 1)
        end = max((end, *window_store.received_times(conn, device_key, after, last, gone.by)))
    return start, end
