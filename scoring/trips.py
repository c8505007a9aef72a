"""The trips of one device. Cutting is a function of one segment: re-cutting a window gives what cutting all would."""

from dataclasses import dataclass

import numpy as np

from ingest.readings import Int64s, Readings
from scoring.clean import CleanReadings
from scoring.cutting import Steps, cut_pieces
from scoring.motion import Columns, Motion, held_positions
from scoring.segments import Pieces, Segments, pieces_of
from scoring.series import Bools, Floats
from scoring.settings import Cutting


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
    lead_in_gap_m: float
    sampling_interval_s: float
    speed_agrees: bool
    spikes: int  # bad fixes left out
    teleport: bool  # it begins after a jump whose km do not count


@dataclass(frozen=True, slots=True)
class Trips:
    """t trips as columns: trip k is rows first[k] to after[k] of the n readings, without the last.

    `motion` and `way` stand beside the readings, all other arrays beside the trips.
    """

    clean: CleanReadings
    motion: Motion
    way: Steps
    first: Int64s
    after: Int64s
    segment: Int64s
    gap_m: Floats
    lead_in_gap_m: Floats
    sampling_interval_s: Floats
    speed_agrees: Bools
    spikes: Int64s
    teleport: Bools

    def __len__(self) -> int:
        return len(self.first)

    def trip(self, number: int, cutting: Cutting) -> Trip:
        """One of them by itself."""
        first, after = int(self.first[number]), int(self.after[number])
        rows, between = slice(first, after), slice(first, after - 1)
        motion, own = self.motion, self.clean.readings.take(rows)
        return Trip(
            readings=own,
            conflicts=self.clean.conflicts[rows],
            t_s=motion.t_s[rows] - motion.t_s[first],
            speed_mps=motion.speed_mps[rows],
            reported=motion.reported[rows],
            still=motion.still[rows],
            held=held_positions(own.latitude_deg, own.longitude_deg, own.speed_mps, cutting.still_reported_mps),
            step_s=self.way.step_s[between],
            step_m=self.way.step_m[between],
            in_gap=self.way.in_gap[between],
            gap_m=float(self.gap_m[number]),
            lead_in_gap_m=float(self.lead_in_gap_m[number]),
            sampling_interval_s=float(self.sampling_interval_s[number]),
            speed_agrees=bool(self.speed_agrees[number]),
            spikes=int(self.spikes[number]),
            teleport=bool(self.teleport[number]),
        )


def cut_trips(segments: Segments, cutting: Cutting) -> Trips:
    """The trips of all segments, in order; the first of a segment carries the gap before it. None where nothing moved.

    Each segment by itself: what else is cut at the same time makes no difference.
    """
    pieces = pieces_of(segments, cutting)
    at = pieces.clean.readings
    columns = Columns(at.fix_time_us, at.flags, at.latitude_deg, at.longitude_deg, at.speed_mps, at.ignition)
    motion, way, found = cut_pieces(columns, pieces.edges, cutting)
    segment = pieces.segment[found.piece]
    first_of_piece = np.diff(found.piece, prepend=-1) > 0
    first_of_segment = np.diff(segment, prepend=-1) > 0
    lead_in_gap_m = np.where(first_of_segment, segments.gap_m[segment], 0.0)
    return Trips(
        clean=pieces.clean,
        motion=motion,
        way=way,
        first=found.first,
        after=found.after,
        segment=segment,
        gap_m=found.gap_m + lead_in_gap_m,
        lead_in_gap_m=lead_in_gap_m,
        sampling_interval_s=found.interval_s,
        speed_agrees=found.agrees,
        spikes=_spikes_within(pieces, found.first, found.after),
        teleport=(pieces.teleport[found.piece] & first_of_piece) | (segments.teleport[segment] & first_of_segment),
    )


def _spikes_within(pieces: Pieces, first: Int64s, after: Int64s) -> Int64s:
    """How many readings were left out between the first and the last of each trip."""
    times_us = pieces.clean.readings.fix_time_us
    before, within = np.searchsorted(pieces.spikes_us, times_us[np.stack((first, after - 1))])
    counted: Int64s = within - before
    return counted
