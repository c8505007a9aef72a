"""The worker: cuts the trips of dirty windows again and replaces what changed. Any order of uploads ends at equal rows.

A window's region is every segment that it touches, and the next one, whose lead-in gap is measured from our last
reading. Cutting is a function of a segment and the place before it, so a re-cut region equals cutting everything.
"""

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from ingest.moments import from_microseconds, microseconds
from ingest.readings import Int64s
from ingest.store import fetch_readings
from scoring import metrics, replay_store, store, window_store
from scoring.layers import NO_LAYERS, Layers
from scoring.match import Matcher
from scoring.path import ScoredTrip, score_readings
from scoring.roads import RoadMap
from scoring.segments import segment_edges
from scoring.settings import DEFAULT_SETTINGS, THRESHOLDS, Settings, settings_for
from storage.pool import Conn, Database

_LOG = logging.getLogger(__name__)

type Span = tuple[int, int]  # first and last fix time in microseconds, both included

STEP_US = 6 * 3600 * 1_000_000  # how far a walk to a segment's end looks at once
MOST_READINGS = 200_000  # scored at once: some 50 MB


@dataclass(frozen=True, slots=True)
class Changes:
    """What replacing changed: local months of trips that came or went, and the hashes of their shapes."""

    months: set[str]
    shapes: set[int]

    def __or__(self, other: "Changes") -> "Changes":
        return Changes(self.months | other.months, self.shapes | other.shapes)


def work_once(
    database: Database,
    matcher: Matcher | None,
    roads: RoadMap | None,
    settings: Settings = DEFAULT_SETTINGS,
    *,
    as_of: datetime,
    layers: Layers = NO_LAYERS,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Score every dirty window there is, one transaction a device; the number of windows done.

    A device that another worker has is left to it. `progress` is told (windows done, windows in all).
    """
    with database.role("telemetry") as conn:
        devices, total = window_store.dirty_devices(conn), window_store.count_dirty(conn)
    metrics.WAITING.set(total)
    done = 0
    for device_key in devices:
        with database.role("telemetry") as conn:
            done += work_device(conn, device_key, matcher, roads, settings, as_of=as_of, layers=layers)
        metrics.WAITING.set(max(0, total - done))
        if progress:
            progress(done, max(total, done))
    return done


def mark_matched_elsewhere(database: Database, map_version: str | None, as_of: datetime) -> int:
    """Let the trips that were matched on another map than this, or on none, be scored again; how many devices."""
    with database.role("telemetry") as conn:
        return window_store.mark_matched_elsewhere(conn, map_version, as_of)


def count_unmatched(database: Database, map_version: str) -> int:
    """Trips scored with this map that lie where it has no roads."""
    with database.role("telemetry") as conn:
        return window_store.count_unmatched(conn, map_version)


def work_device(
    conn: Conn,
    device_key: int,
    matcher: Matcher | None,
    roads: RoadMap | None,
    settings: Settings,
    *,
    as_of: datetime,
    layers: Layers = NO_LAYERS,
) -> int:
    """Score the dirty windows of one device within the caller's transaction; how many there were."""
    windows = window_store.take_windows(conn, device_key)
    if not windows:
        return 0
    vehicle_class = window_store.vehicle_class(conn, device_key)
    own = settings_for(vehicle_class, settings) if vehicle_class in THRESHOLDS else settings
    gap_us = round(own.cutting.max_gap_s * 1e6)
    changes = Changes(set(), set())
    staying = window_store.staying_spans(conn, device_key)
    spans = _whole_spans(conn, device_key, [(window.from_us, window.to_us) for window in windows], gap_us, as_of)
    for region in regions(conn, device_key, spans, gap_us):
        for span in _batches(window_store.usable_times(conn, device_key, *region), own.cutting.max_gap_s):
            readings = fetch_readings(conn, device_key, *span)
            previous = window_store.last_place(conn, device_key, span[0])
            trips = score_readings(readings, matcher, roads, own, device=device_key, previous=previous, layers=layers)
            changes |= replace_trips(conn, device_key, span, trips, staying)
    if changed_from := min(changes.months, default=None) or _late_month(windows, as_of):
        store.insert_change(conn, device_key, changed_from, as_of)
    replay_store.tell_replays(conn, changes.shapes, as_of)
    window_store.drop_windows(conn, windows)
    metrics.SCORED.inc(len(windows))
    for window in windows:
        metrics.FIX_TO_SCORE.observe(max(0.0, (microseconds(as_of) - window.to_us) / 1e6))
    return len(windows)


def _late_month(windows: list[window_store.Window], as_of: datetime) -> str | None:
    """The month before this one, or earlier, of late readings that changed no trip: they may measure a day of it.

    By the clock of some place it is still the month before; None: they are all of this month.
    """
    first = from_microseconds(min(window.from_us for window in windows)) - timedelta(days=1)
    month = f"{first:%Y-%m}"
    return month if month < f"{as_of:%Y-%m}" else None


def _whole_spans(conn: Conn, device_key: int, windows: list[Span], gap_us: int, as_of: datetime) -> list[Span]:
    """The windows without what cannot be cut again: a device's first segment after readings of it have expired.

    It may have begun among them, and the place that its lead-in gap is measured from is gone. Such a part of a window
    is kept in `telemetry.refused_window`; the trips that it would touch stand.
    """
    first = window_store.placed_time_after(conn, device_key, 0)
    if not window_store.has_expired(conn, device_key):
        return windows
    edge = max(to_us for _, to_us in windows) if first is None else _segment_end(conn, device_key, first, gap_us, 1)
    for from_us, to_us in merge_spans([(from_us, min(to_us, edge)) for from_us, to_us in windows if from_us <= edge]):
        metrics.REFUSED.labels("expired").inc()
        window_store.refuse_window(conn, device_key, from_us, to_us, as_of)
        _LOG.warning("device %d: a window that reaches into expired time is not cut again", device_key)
    return [(max(from_us, edge + 1), to_us) for from_us, to_us in windows if to_us > edge]


def regions(conn: Conn, device_key: int, windows: list[Span], gap_us: int) -> list[Span]:
    """What must be cut again for these windows: disjoint spans of whole segments, rising."""
    found: list[Span] = []
    known_to = -1  # the end of the last window's own segments: a window that ends before it adds nothing
    for from_us, to_us in merge_spans(windows):
        if to_us <= known_to:
            continue
        times = window_store.usable_times(conn, device_key, from_us, to_us)
        if not len(times):
            continue  # readings without a place change no trip
        start = _segment_end(conn, device_key, int(times[0]), gap_us, -1)
        end = known_to = _segment_end(conn, device_key, int(times[-1]), gap_us, 1)
        after = window_store.placed_time_after(conn, device_key, end)
        found.append((start, end if after is None else _segment_end(conn, device_key, after, gap_us, 1)))
    return merge_spans(found)


def merge_spans(spans: list[Span]) -> list[Span]:
    """The union of closed spans as disjoint spans, rising."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def replace_trips(
    conn: Conn, device_key: int, span: Span, trips: list[ScoredTrip], staying: Sequence[Span] = ()
) -> Changes:
    """Make the stored trips that started in the span these; what of them really changed.

    Trips that began in `staying`, [from, to), stay as they are: their readings were erased with whoever drove.
    """
    if staying:
        trips = [trip for trip in trips if not _began_in(trip.started_us, staying)]
    held_in_span = store.held_trips(conn, device_key, *span)
    held = {trip.started_us: trip for trip in held_in_span if not _began_in(trip.started_us, staying)}
    wanted = {trip.started_us: trip.content_digest for trip in trips}
    gone = [trip for trip in held.values() if wanted.get(trip.started_us) != trip.content_digest]
    kept = held.keys() - {trip.started_us for trip in gone}
    added = [trip for trip in trips if trip.started_us not in kept]
    if gone:
        store.delete_trips(conn, [trip.trip_id for trip in gone])
    if added:
        store.insert_trips(conn, device_key, added)
    return Changes(
        {trip.local_month for trip in gone} | {trip.local_month for trip in added},
        {one for trip in gone for one in trip.shape} | {one for trip in added for one in trip.shape},
    )


def _began_in(started_us: int, spans: Sequence[Span]) -> bool:
    return any(from_us <= started_us < to_us for from_us, to_us in spans)


def _segment_end(conn: Conn, device_key: int, time_us: int, gap_us: int, direction: int) -> int:
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


def _batches(times: Int64s, max_gap_s: float) -> Iterator[Span]:
    """Whole segments in spans of at most MOST_READINGS readings (a longer segment stands alone)."""
    starts = segment_edges(times, max_gap_s)[:-1].tolist()
    first = 0
    for start, stop in itertools.pairwise([*starts, len(times)]):
        if stop - first > MOST_READINGS and start > first:
            yield int(times[first]), int(times[start - 1])
            first = start
    if len(times):
        yield int(times[first]), int(times[-1])
