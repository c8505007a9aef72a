"""Pieces of readings to trips, compiled: where they stand, from which row to which a trip goes, and how long it is."""

from typing import NamedTuple

import numpy as np

from ingest.compiled import compiled
from ingest.readings import Int64s
from scoring.motion import (
    DENSE_S,
    Columns,
    Motion,
    derive_speed,
    new_motion,
    place,
    reported_speed,
    settle,
    speeds_agree,
)
from scoring.series import Bools, Floats, median, run_edges, within_box
from scoring.settings import Cutting


class Steps(NamedTuple):
    """From each of n readings to the next one, shape (n,); what stands at the last reading of a trip means nothing."""

    step_s: Floats
    step_m: Floats  # measured way; 0 in a gap
    in_gap: Bools


class Found(NamedTuple):
    """Trips: the rows from `first` to the one before `after`, shape (t,), and what was found of each."""

    piece: Int64s
    first: Int64s
    after: Int64s
    interval_s: Floats
    gap_m: Floats  # of the silences within it
    agrees: Bools  # whether the reported speed and the positions tell of the same way; if not, positions win


def cut_pieces(columns: Columns, edges: Int64s, cutting: Cutting) -> tuple[Motion, Steps, Found]:
    """The trips of pieces of readings, of which none depends on another: piece k is rows edges[k] to edges[k + 1]."""
    count = len(columns.fix_time_us)
    motion = new_motion(count)
    way = Steps(np.empty(count), np.empty(count), np.empty(count, dtype=np.bool_))
    most = count // 2 + 1  # a trip has two readings and more
    rows, sizes = np.empty((3, most), dtype=np.int64), np.empty((2, most))
    found = Found._make([*rows, *sizes, np.empty(most, dtype=np.bool_)])
    trips = _cut_pieces(columns, edges, cutting, motion, way, found)
    return motion, way, Found._make(column[:trips] for column in found)


@compiled
def _cut_pieces(columns: Columns, edges: Int64s, cutting: Cutting, motion: Motion, way: Steps, found: Found) -> int:
    trips = 0
    for piece in range(len(edges) - 1):
        low, high = edges[piece], edges[piece + 1]
        own = Columns(
            columns.fix_time_us[low:high],
            columns.flags[low:high],
            columns.latitude_deg[low:high],
            columns.longitude_deg[low:high],
            columns.speed_mps[low:high],
            columns.ignition[low:high],
        )
        moved = Motion(
            motion.t_s[low:high],
            motion.x_m[low:high],
            motion.y_m[low:high],
            motion.smooth_x_m[low:high],
            motion.smooth_y_m[low:high],
            motion.way_m[low:high],
            motion.speed_mps[low:high],
            motion.reported[low:high],
            motion.still[low:high],
        )
        standing, agrees = _observe(own, cutting, moved)
        before = trips
        trips = _trip_rows(moved, standing, cutting, found, before)
        for trip in range(before, trips):
            first, after = found.first[trip], found.after[trip]
            found.piece[trip], found.agrees[trip] = piece, agrees
            found.interval_s[trip], found.gap_m[trip] = _measure(
                moved,
                first,
                after,
                cutting,
                way.step_s[low + first : low + after - 1],
                way.step_m[low + first : low + after - 1],
                way.in_gap[low + first : low + after - 1],
            )
            found.first[trip], found.after[trip] = low + first, low + after
    return trips


@compiled
def _observe(columns: Columns, cutting: Cutting, motion: Motion) -> tuple[Bools, bool]:
    """Fills `motion`; returns which readings stand, and whether the speeds agree."""
    interval_s = place(columns, cutting, motion)
    reported_mps = reported_speed(columns)
    derived_mps, still_derived = derive_speed(motion, interval_s, cutting)
    nowhere = np.zeros(len(reported_mps), dtype=np.bool_)
    agrees = speeds_agree(motion.t_s, reported_mps, derived_mps, nowhere, cutting)
    settle(motion, reported_mps, derived_mps, still_derived, agrees, cutting)
    standing = _standing(columns, motion, cutting)
    if standing.any():
        outside = speeds_agree(motion.t_s, reported_mps, derived_mps, standing, cutting)
        if outside != agrees:
            agrees = outside
            settle(motion, reported_mps, derived_mps, still_derived, agrees, cutting)
    return standing, agrees


@compiled
def _standing(columns: Columns, motion: Motion, cutting: Cutting) -> Bools:
    """Readings in a stop: within a small square for the stop limit, or still with the ignition off."""
    standing = within_box(motion.t_s, motion.smooth_x_m, motion.smooth_y_m, cutting.stop_box_m, cutting.stop_limit_s)
    for run in run_edges(standing):
        start, stop, moving = run[0], run[1], 0
        for i in range(start, stop):
            moving += columns.speed_mps[i] >= cutting.still_reported_mps
        # Round and round one block is driving, though it stays within the square. Only a reported speed can tell it
        # from a parked car's drift.
        if moving / (stop - start) > cutting.stop_most_moving:
            standing[start:stop] = False
    start, n = 0, len(standing)
    while start < n:
        stop, still = start, True
        while stop < n and columns.ignition[stop] == 0.0:
            still = still and motion.still[stop]
            stop += 1
        if stop > start and still and motion.t_s[stop - 1] - motion.t_s[start] >= cutting.ignition_off_s:
            standing[start:stop] = True
        start = stop + 1
    return standing


@compiled
def _trip_rows(motion: Motion, standing: Bools, cutting: Cutting, found: Found, count: int) -> int:
    """Appends the rows of each trip of a piece to `found`: from the departure of one stop to the arrival of the next.

    The square of a stop also holds the last metres of driving, so a trip reaches into it up to the first still reading
    near the stop's middle. Without a stop at its end, a trip begins and ends with one reading of standing.
    """
    n, at = len(standing), 0
    left, left_x_m, left_y_m = -1, 0.0, 0.0  # the stop before: where it was left, and its middle
    while at < n:
        start = at
        while at < n and not standing[at]:
            at += 1
        stop = at
        while at < n and standing[at]:
            at += 1
        arrived, leaves, x_m, y_m = _parked(motion, stop, at, cutting) if at > stop else (n - 1, -1, 0.0, 0.0)
        if stop > start:
            first = left if left >= 0 else start
            first, final = _moving(motion, first, arrived)
            least_m = cutting.least_extent_m
            if final > first and left >= 0 and at > stop and np.mean(motion.reported[first : final + 1]) < 0.5:
                returned = np.hypot(left_x_m - x_m, left_y_m - y_m) < cutting.stop_box_m
                least_m = cutting.least_round_trip_m if returned else least_m
            if final > first and _extent_m(motion, first, final + 1) >= least_m:
                found.first[count], found.after[count] = first, final + 1
                count += 1
        left, left_x_m, left_y_m = leaves, x_m, y_m
    return count


@compiled
def _parked(motion: Motion, start: int, stop: int, cutting: Cutting) -> tuple[int, int, float, float]:
    """The first and the last still reading near the middle of a stop (else its ends), and that middle."""
    x_m, y_m = median(motion.x_m[start:stop]), median(motion.y_m[start:stop])
    first, last = -1, -1
    for i in range(start, stop):
        if motion.still[i] and np.hypot(motion.x_m[i] - x_m, motion.y_m[i] - y_m) <= cutting.stop_near_m:
            first, last = (i if first < 0 else first), i
    return (first, last, x_m, y_m) if first >= 0 else (start, stop - 1, x_m, y_m)


@compiled
def _moving(motion: Motion, first: int, final: int) -> tuple[int, int]:
    """From one reading before the first that moves to one after the last; an empty range where none does."""
    low, high = first, final
    while low <= final and motion.still[low]:
        low += 1
    while high > low and motion.still[high]:
        high -= 1
    return (max(first, low - 1), min(final, high + 1)) if low <= final else (final, final)


@compiled
def _extent_m(motion: Motion, first: int, after: int) -> float:
    """The longer side of the square that holds a stretch."""
    x_m, y_m = motion.smooth_x_m[first:after], motion.smooth_y_m[first:after]
    return max(x_m.max() - x_m.min(), y_m.max() - y_m.min())


@compiled
def _measure(
    motion: Motion, first: int, after: int, cutting: Cutting, step_s: Floats, step_m: Floats, in_gap: Bools
) -> tuple[float, float]:
    """Fills the steps of a trip, shape (n - 1,); returns its sampling interval in s and the way of its silences in m.

    Dense reported speeds are integrated, else the way goes by the positions; standing has none.
    """
    t_s, speed_mps = motion.t_s, motion.speed_mps
    for k in range(len(step_s)):
        step_s[k] = t_s[first + k + 1] - t_s[first + k]
    interval_s = median(step_s)
    gap_s = max(cutting.gap_floor_s, cutting.gap_factor * interval_s)
    gap_m = 0.0
    for k in range(len(step_s)):
        i = first + k
        in_gap[k] = step_s[k] > gap_s
        if step_s[k] <= DENSE_S and motion.reported[i] and motion.reported[i + 1]:
            step_m[k] = (speed_mps[i + 1] + speed_mps[i]) / 2 * step_s[k]
            continue
        line_m = np.hypot(motion.x_m[i + 1] - motion.x_m[i], motion.y_m[i + 1] - motion.y_m[i])
        # Between two readings of standing far apart a car in a jam may have crept on.
        near_m = cutting.stop_near_m if step_s[k] <= DENSE_S else cutting.creep_m
        standing = motion.still[i] and motion.still[i + 1] and line_m < near_m
        step_m[k] = 0.0 if in_gap[k] or standing else motion.way_m[i]
        gap_m += line_m if in_gap[k] and not standing else 0.0
    return interval_s, gap_m
