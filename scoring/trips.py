"""Clean readings to trips. Cutting is a function of one segment: re-cutting a window gives what cutting all would."""

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

from ingest.readings import Int64s, Readings
from scoring.clean import CleanReadings
from scoring.geodesy import METRES_PER_DEGREE, haversine_m
from scoring.motion import DENSE_S, Motion, held_positions, observe, seconds, taken_rows
from scoring.series import Bools, Floats, Indices, median, runs, steps, within_box
from scoring.settings import Cutting


@dataclass(frozen=True, slots=True)
class Place:
    """The last reading before some readings: where and when the device was last seen."""

    fix_time_us: int
    latitude_deg: float
    longitude_deg: float


@dataclass(frozen=True, slots=True)
class LeadIn:
    """What lies between the reading before a segment and its first: never measured."""

    gap_m: float  # great circle; 0 for drift and for a teleport
    teleport: bool  # further than any car drives in that time: no km


@dataclass(frozen=True, slots=True)
class Trip:
    """n >= 2 readings from the start of motion to the stop; step arrays have shape (n - 1,), others (n,)."""

    readings: Readings
    conflicts: Int64s
    t_s: Floats
    speed_mps: Floats  # reported where it agrees with the positions, else derived from them
    reported: Bools
    still: Bools
    held: Bools
    step_s: Floats
    step_m: Floats  # measured way; 0 in a gap
    in_gap: Bools  # silences within the trip
    gap_m: float  # estimated way of those silences and of the lead-in
    sampling_interval_s: float
    speed_agrees: bool
    spikes: int  # bad fixes left out
    teleport: bool  # it begins after a jump whose km do not count


@dataclass(frozen=True, slots=True)
class _Piece:
    rows: Indices
    spikes: list[int]  # rows left out
    teleport: bool


def segment_rows(fix_time_us: Int64s, max_gap_s: float) -> list[tuple[int, int]]:
    """Half-open (start, stop) rows of the runs of readings whose inner silences are at most `max_gap_s`."""
    breaks = np.flatnonzero(steps(fix_time_us) > max_gap_s * 1e6) + 1
    edges = [0, *(int(row) for row in breaks), len(fix_time_us)]
    return [(start, stop) for start, stop in itertools.pairwise(edges) if stop > start]


def lead_in(previous: Place | None, first: Place, cutting: Cutting) -> LeadIn:
    """The way from the last place before a segment to its first place."""
    if previous is None:
        return LeadIn(0.0, False)
    way_m = float(haversine_m(previous.latitude_deg, previous.longitude_deg, first.latitude_deg, first.longitude_deg))
    elapsed_s = (first.fix_time_us - previous.fix_time_us) / 1e6
    if way_m > cutting.teleport_slack_m + cutting.teleport_mps * elapsed_s:
        return LeadIn(0.0, True)
    return LeadIn(way_m if way_m >= cutting.least_gap_m else 0.0, False)


def cut_segment(segment: CleanReadings, before: LeadIn, cutting: Cutting) -> list[Trip]:
    """The trips of one segment, in order; the first one carries the gap before the segment. [] when nothing moved."""
    trips: list[Trip] = []
    for piece in _pieces(segment.readings, cutting):
        readings, conflicts = segment.readings.take(piece.rows), segment.conflicts[piece.rows]
        motion = observe(readings, None, cutting)
        standing = _standing(readings, motion, cutting)
        if standing.any():
            motion = observe(readings, standing, cutting)
        for start, stop in _trip_rows(readings, motion, standing, cutting):
            first = not trips or (piece.teleport and trips[-1].readings.fix_time_us[-1] < readings.fix_time_us[0])
            trip = _trip(readings, conflicts, motion, slice(start, stop), cutting)
            first_row, last_row = piece.rows[start], piece.rows[stop - 1]
            spikes = sum(bool(first_row < row < last_row) for row in piece.spikes)
            trips.append(replace(trip, spikes=spikes, teleport=piece.teleport and first))
    if trips:
        trips[0] = replace(trips[0], gap_m=trips[0].gap_m + before.gap_m, teleport=trips[0].teleport or before.teleport)
    return trips


def _pieces(readings: Readings, cutting: Cutting) -> list[_Piece]:
    """The segment broken where it teleports. A short excursion that comes back is left out as a spike instead."""
    t_s = seconds(readings)
    own = np.arange(len(t_s))
    if _near_throughout(readings, t_s, cutting):
        return [_Piece(own, [], False)]
    # A held position was taken when it was first shown: the jump at its end had all that time.
    taken_s = t_s[taken_rows(readings, cutting.still_reported_mps)]

    def jumps(row: int | slice | Indices, after: int | slice | Indices) -> Bools:
        way_m = haversine_m(
            readings.latitude_deg[row],
            readings.longitude_deg[row],
            readings.latitude_deg[after],
            readings.longitude_deg[after],
        )
        limit_m = cutting.teleport_slack_m + cutting.teleport_mps * (t_s[after] - taken_s[row])
        return np.asarray(way_m > limit_m)

    starts = np.concatenate(([0], np.flatnonzero(jumps(slice(0, -1), slice(1, None))) + 1, [len(t_s)]))
    parts = [own[start:stop] for start, stop in itertools.pairwise(starts)]
    pieces: list[_Piece] = []
    rows, spikes, teleport = parts[0], list[int](), False
    index = 1
    while index < len(parts):
        part = parts[index]
        short = t_s[part[-1]] - t_s[part[0]] <= cutting.spike_limit_s
        if short and index + 1 < len(parts) and not jumps(int(rows[-1]), int(parts[index + 1][0])):
            rows = np.concatenate((rows, parts[index + 1]))
            spikes += part.tolist()
            index += 2
            continue
        pieces.append(_Piece(rows, spikes, teleport))
        rows, spikes, teleport = part, [], True
        index += 1
    return [*pieces, _Piece(rows, spikes, teleport)]


def _near_throughout(readings: Readings, t_s: Floats, cutting: Cutting) -> bool:
    """Whether no step can be a teleport: even along a meridian and a parallel of the equator it would be too short."""
    north_deg, east_deg = np.abs(steps(readings.latitude_deg)), np.abs(steps(readings.longitude_deg))
    most_m = (north_deg + east_deg) * (METRES_PER_DEGREE * 1.001)
    return bool((most_m <= cutting.teleport_slack_m + cutting.teleport_mps * steps(t_s)).all())


def _standing(readings: Readings, motion: Motion, cutting: Cutting) -> Bools:
    """Readings in a stop: within a small square for the stop limit, or still with the ignition off."""
    standing = within_box(motion.t_s, motion.smooth_x_m, motion.smooth_y_m, cutting.stop_box_m, cutting.stop_limit_s)
    for start, stop in runs(standing):
        # Round and round one block is driving, though it stays within the square. Only a reported speed can tell it
        # from a parked car's drift.
        if (readings.speed_mps[start:stop] >= cutting.still_reported_mps).mean() > cutting.stop_most_moving:
            standing[start:stop] = False
    for start, stop in runs(readings.ignition == 0.0):
        if motion.t_s[stop - 1] - motion.t_s[start] >= cutting.ignition_off_s and motion.still[start:stop].all():
            standing[start:stop] = True
    return standing


def _trip_rows(readings: Readings, motion: Motion, standing: Bools, cutting: Cutting) -> list[tuple[int, int]]:
    """Half-open rows of each trip of a piece: from the departure of one stop to the arrival of the next.

    The square of a stop also holds the last metres of driving, so a trip reaches into it up to the first still reading
    near the stop's middle. Without a stop at its end, a trip begins and ends with one reading of standing.
    """
    last = len(standing) - 1
    arrivals, departures, middles = {}, {}, dict[int, tuple[float, float]]()
    for start, stop in runs(standing):
        rows = np.arange(start, stop)
        middle_x, middle_y = np.median(motion.x_m[rows]), np.median(motion.y_m[rows])
        near = np.hypot(motion.x_m[rows] - middle_x, motion.y_m[rows] - middle_y) <= cutting.stop_near_m
        parked = rows[near & motion.still[rows]]
        middles[start] = middles[stop] = (float(middle_x), float(middle_y))
        arrivals[start] = int(parked[0]) if len(parked) else start
        departures[stop] = int(parked[-1]) if len(parked) else stop - 1
    found = []
    for start, stop in runs(~standing):
        first = departures.get(start, start)
        final = arrivals.get(stop, min(stop, last))
        moving = first + np.flatnonzero(~motion.still[first : final + 1])
        if not len(moving):
            continue
        first, final = max(first, int(moving[0]) - 1), min(final, int(moving[-1]) + 1)
        extent_m = max(np.ptp(motion.smooth_x_m[first : final + 1]), np.ptp(motion.smooth_y_m[first : final + 1]))
        least_m = cutting.least_extent_m
        if start in middles and stop in middles and motion.reported[first : final + 1].mean() < 0.5:
            returned = math.dist(middles[start], middles[stop]) < cutting.stop_box_m
            least_m = cutting.least_round_trip_m if returned else least_m
        if final > first and extent_m >= least_m:
            found.append((first, final + 1))
    return found


def _trip(readings: Readings, conflicts: Int64s, motion: Motion, rows: slice, cutting: Cutting) -> Trip:
    """Steps, silences and distance of the readings at `rows`."""
    own, t_s, speed_mps, still = readings.take(rows), motion.t_s[rows], motion.speed_mps[rows], motion.still[rows]
    reported = motion.reported[rows]
    step_s = steps(t_s)
    interval_s = median(step_s)
    in_gap = step_s > max(cutting.gap_floor_s, cutting.gap_factor * interval_s)
    line_m = np.hypot(steps(motion.x_m[rows]), steps(motion.y_m[rows]))
    # Between two readings of standing far apart a car in a jam may have crept on.
    near_m = np.where(step_s <= DENSE_S, cutting.stop_near_m, cutting.creep_m)
    standing = still[1:] & still[:-1] & (line_m < near_m)
    by_speed_m = (speed_mps[1:] + speed_mps[:-1]) / 2 * step_s
    dense = (step_s <= DENSE_S) & reported[1:] & reported[:-1]
    way_m = motion.way_m[rows.start : rows.stop - 1]
    step_m = np.where(dense, by_speed_m, np.where(standing, 0.0, way_m))
    return Trip(
        readings=own,
        conflicts=conflicts[rows],
        t_s=t_s - t_s[0],
        speed_mps=speed_mps,
        reported=reported,
        still=still,
        held=held_positions(own, cutting.still_reported_mps),
        step_s=step_s,
        step_m=np.where(in_gap, 0.0, step_m),
        in_gap=in_gap,
        gap_m=float(line_m[in_gap & ~standing].sum()),
        sampling_interval_s=interval_s,
        speed_agrees=motion.speed_agrees,
        spikes=0,
        teleport=False,
    )
