"""Clean readings to segments and pieces: broken at long silences and at jumps that no car makes.

A segment depends on its own readings, and on the last place before it for the gap that leads to it.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from ingest.compiled import compiled
from ingest.readings import Int64s, Readings
from scoring.clean import CleanReadings, all_placed, placed
from scoring.geodesy import METRES_PER_DEGREE, great_circle_m, haversine_m
from scoring.motion import taken_rows
from scoring.series import Bools, Floats, Indices
from scoring.settings import Cutting


@dataclass(frozen=True, slots=True)
class Place:
    """The last reading before some readings: where and when the device was last seen."""

    fix_time_us: int
    latitude_deg: float
    longitude_deg: float


@dataclass(frozen=True, slots=True)
class Segments:
    """Segment k is rows edges[k] to edges[k + 1] of the readings, arrays of shape (s,).

    Each begins at a reading with a place of its own; later ones without stand where the last placed one did.
    """

    clean: CleanReadings
    edges: Int64s  # (s + 1,)
    gap_m: Floats  # great circle from the last place before it, never measured; 0 for drift and for a teleport
    teleport: Bools  # that place is further than any car drives in the time: no km


@dataclass(frozen=True, slots=True)
class Pieces:
    """Segments broken where they teleport: piece k is rows edges[k] to edges[k + 1]; short excursions are left out."""

    clean: CleanReadings
    edges: Int64s  # (p + 1,)
    segment: Int64s
    teleport: Bools  # it begins after a jump
    spikes_us: Int64s  # the fix times of what was left out


def segments_of(clean: CleanReadings, previous: Place | None, cutting: Cutting) -> Segments:
    """The runs of readings without a silence over `max_gap_s`, but those of which nobody knows where they were."""
    at = clean.readings
    edges = segment_edges(at.fix_time_us, cutting.max_gap_s)
    last = edges[1:] - 1
    if not all_placed(at.flags, at.latitude_deg, at.longitude_deg):
        clean, edges, last = _with_places(clean, edges)
        at = clean.readings
    before = previous or Place(0, np.nan, np.nan)
    gap_m, teleport = _lead_ins(
        at.fix_time_us,
        at.latitude_deg,
        at.longitude_deg,
        edges,
        last,
        (before.fix_time_us, before.latitude_deg, before.longitude_deg),
        cutting,
    )
    return Segments(clean, edges, gap_m, teleport)


@compiled
def segment_edges(fix_time_us: Int64s, max_gap_s: float) -> Int64s:
    """The first row of each run of readings whose inner silences are at most `max_gap_s`, and the row after all."""
    n = len(fix_time_us)
    edges = np.empty(n + 1, dtype=np.int64)
    count = 0
    for i in range(n):
        if i == 0 or fix_time_us[i] - fix_time_us[i - 1] > max_gap_s * 1e6:
            edges[count] = i
            count += 1
    edges[count] = n
    return edges[: count + 1].copy()


def _with_places(clean: CleanReadings, edges: Int64s) -> tuple[CleanReadings, Int64s, Int64s]:
    """Segments from their first place on, each reading at its last known one; also the last placed row of each."""
    known = placed(clean.readings)
    own = np.where(known, np.arange(len(known)), -1)
    rows: list[Indices] = []
    source: list[Indices] = []
    sizes: list[int] = []
    last: list[int] = []
    for start, stop in itertools.pairwise(edges.tolist()):
        of = own[start:stop]
        if of.max() < 0:
            continue  # speeds alone: nobody knows where
        begin = start + int(np.argmax(known[start:stop]))
        last.append(sum(sizes) + int(of.max()) - begin)
        rows.append(np.arange(begin, stop))
        source.append(np.maximum.accumulate(own[begin:stop]))
        sizes.append(stop - begin)
    if not rows:
        return clean.take(slice(0, 0)), np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64)
    kept, stand = clean.take(np.concatenate(rows)), np.concatenate(source)
    carried = kept.readings.replace(
        latitude_deg=clean.readings.latitude_deg[stand], longitude_deg=clean.readings.longitude_deg[stand]
    )
    return (
        CleanReadings(carried, kept.conflicts),
        np.concatenate(([0], np.cumsum(sizes))),
        np.array(last, dtype=np.int64),
    )


@compiled
def _lead_ins(
    fix_time_us: Int64s,
    latitude_deg: Floats,
    longitude_deg: Floats,
    edges: Int64s,
    last: Int64s,
    previous: tuple[int, float, float],
    cutting: Cutting,
) -> tuple[Floats, Bools]:
    """The gap before each segment in metres, and whether it is a teleport; NaN as previous place: there is none."""
    gap_m, teleport = np.zeros(len(last)), np.zeros(len(last), dtype=np.bool_)
    before_us, before_latitude_deg, before_longitude_deg = previous
    for k in range(len(last)):
        at = edges[k]
        way_m = great_circle_m(before_latitude_deg, before_longitude_deg, latitude_deg[at], longitude_deg[at])
        elapsed_s = (fix_time_us[at] - before_us) / 1e6
        teleport[k] = way_m > cutting.teleport_slack_m + cutting.teleport_mps * elapsed_s
        if way_m >= cutting.least_gap_m and not teleport[k]:
            gap_m[k] = way_m
        before_us, before_latitude_deg = fix_time_us[last[k]], latitude_deg[last[k]]
        before_longitude_deg = longitude_deg[last[k]]
    return gap_m, teleport


def pieces_of(segments: Segments, cutting: Cutting) -> Pieces:
    """The segments broken where they teleport. A short excursion that comes back is left out as a spike instead."""
    clean, edges = segments.clean, segments.edges
    at = clean.readings
    count = len(edges) - 1
    if _near_throughout(at.fix_time_us, at.latitude_deg, at.longitude_deg, edges, cutting):
        none = np.zeros(0, dtype=np.int64)
        return Pieces(clean, edges, np.arange(count), np.zeros(count, dtype=np.bool_), none)
    rows, segment, teleport, spikes = [], [], [], []
    for number, (start, stop) in enumerate(itertools.pairwise(edges.tolist())):
        for own, left_out, jumped in _broken(at.take(slice(start, stop)), cutting):
            rows.append(start + own)
            spikes += [start + row for row in left_out]
            segment.append(number)
            teleport.append(jumped)
    return Pieces(
        clean.take(np.concatenate(rows)),
        np.concatenate(([0], np.cumsum([len(own) for own in rows]))),
        np.array(segment, dtype=np.int64),
        np.array(teleport, dtype=np.bool_),
        at.fix_time_us[np.array(sorted(spikes), dtype=np.int64)],
    )


@compiled
def _near_throughout(
    fix_time_us: Int64s, latitude_deg: Floats, longitude_deg: Floats, edges: Int64s, cutting: Cutting
) -> bool:
    """Whether no step can be a teleport: even along a meridian and a parallel of the equator it would be too short."""
    for k in range(len(edges) - 1):
        for i in range(edges[k] + 1, edges[k + 1]):
            turned_deg = abs(latitude_deg[i] - latitude_deg[i - 1]) + abs(longitude_deg[i] - longitude_deg[i - 1])
            elapsed_s = (fix_time_us[i] - fix_time_us[i - 1]) / 1e6
            if turned_deg * METRES_PER_DEGREE * 1.001 > cutting.teleport_slack_m + cutting.teleport_mps * elapsed_s:
                return False
    return True


def _broken(readings: Readings, cutting: Cutting) -> list[tuple[Indices, list[int], bool]]:
    """The pieces of one segment: their rows, the rows left out within, and whether a jump goes before."""
    t_s = (readings.fix_time_us - readings.fix_time_us[0]) / 1e6
    own = np.arange(len(t_s))
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
    pieces: list[tuple[Indices, list[int], bool]] = []
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
        pieces.append((rows, spikes, teleport))
        rows, spikes, teleport = part, [], True
        index += 1
    return [*pieces, (rows, spikes, teleport)]
