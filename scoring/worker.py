"""The worker: cuts the trips of dirty windows again and replaces what changed. Any order of uploads ends at equal rows.

A window's region is every segment that it touches, and the next one, whose lead-in gap is measured from our last
reading. Cutting is a function of a segment and the place before it, so a re-cut region equals cutting everything.
"""

import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ingest.moments import from_microseconds, microseconds
from ingest.readings import Int64s
from ingest.store import fetch_readings
from scoring import metrics, replay_store, store, window_store
from scoring.layers import NO_LAYERS, Layers
from scoring.match import Matcher
from scoring.path import ScoredTrip, score_readings
from scoring.roads import RoadMap
from scoring.seals import Seal, Span, place_before, seals_near, segment_end, within, without
from scoring.segments import segment_edges
from scoring.settings import DEFAULT_SETTINGS, THRESHOLDS, Settings, settings_for
from storage.pool import Conn, Database

_LOG = logging.getLogger(__name__)

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
    spans: list[Span] = [(window.from_us, window.to_us) for window in windows]
    window_store.hold_readings(conn, device_key)
    gone = window_store.gone_spans(conn, device_key)
    found = regions(conn, device_key, spans, gap_us)
    seals = seals_near(conn, device_key, merge_spans([*spans, *found]), gone, gap_us)
    _keep_refused(conn, device_key, spans, seals, as_of)
    for region in _cuttable(found, seals):
        for span in _batches(window_store.usable_times(conn, device_key, *region), own.cutting.max_gap_s):
            readings = fetch_readings(conn, device_key, *span)
            previous = place_before(conn, device_key, span[0], gone)
            trips = score_readings(readings, matcher, roads, own, device=device_key, previous=previous, layers=layers)
            changes |= replace_trips(conn, device_key, span, trips)
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


def _keep_refused(conn: Conn, device_key: int, windows: list[Span], seals: list[Seal], as_of: datetime) -> None:
    """Keep in `telemetry.refused_window` what of the windows is sealed, but for erased times themselves."""
    left = merge_spans(windows)
    for seal in seals:
        if seal.gone.reason == "erased":
            left = without(left, seal.gone.span)
        for from_us, to_us in within(left, seal.span):
            metrics.REFUSED.labels(seal.gone.reason).inc()
            window_store.refuse_window(conn, device_key, from_us, to_us, seal.gone.reason, as_of)
            _LOG.warning("device %d: a window beside %s time is not cut again", device_key, seal.gone.reason)
        left = without(left, seal.span)


def _cuttable(found: list[Span], seals: list[Seal]) -> list[Span]:
    for seal in seals:
        found = without(found, seal.span)
    return found


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
        start = segment_end(conn, device_key, int(times[0]), gap_us, -1)
        end = known_to = segment_end(conn, device_key, int(times[-1]), gap_us, 1)
        after = window_store.placed_time_after(conn, device_key, end)
        found.append((start, end if after is None else segment_end(conn, device_key, after, gap_us, 1)))
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


def replace_trips(conn: Conn, device_key: int, span: Span, trips: list[ScoredTrip]) -> Changes:
    """Make the stored trips that started in the span these; what of them really changed."""
    held = {trip.started_us: trip for trip in store.held_trips(conn, device_key, *span)}
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
