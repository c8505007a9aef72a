"""What the certificate and the exclusions read of a trip, compiled: sums, speed, contact and odometer."""

from typing import NamedTuple

import numpy as np

from ingest.compiled import compiled
from ingest.readings import Flag, Float32s, Int32s, Int64s
from scoring.driven import Driven
from scoring.series import Bools, Floats
from scoring.settings import Travel
from scoring.trips import Trip

_UNACKED = int(Flag.UNACKED_CHANNEL)
_FAST_SHARE = 0.95


class Survey(NamedTuple):
    """One trip; NaN where it is not known."""

    way_m: float
    matched_m: float
    off_m: float  # inside the map and on none of its roads
    silent_s: float
    gaps: int
    conflicts: int
    said: int  # all flags of its readings
    unacked_only: bool
    fast_mps: float  # the speed that a twentieth of the moving readings reach; 0 where none moves
    moving: int
    contact: float  # share of the moving readings with the contact on, where half of them report it
    counted_m: float  # by the odometer, from the first to the last reading, where it is known there and never fell
    odometer_falls: bool
    toggles: int  # changes of the contact that follow soon on another
    longest_stop_s: float  # standing still, between two times of moving


def survey(trip: Trip, driven: Driven, travel: Travel) -> Survey:
    """The survey of one trip on the roads."""
    at = trip.readings
    sums = _sums(trip.step_s, trip.step_m, trip.in_gap, driven.matched, driven.inside, trip.conflicts, at.flags)
    contact = _contact(trip.still, at.ignition)
    fast_mps, moving = _fast(trip.speed_mps, trip.still)
    counted_m, falls = _odometer(at.odometer_m)
    toggles = _toggles(trip.t_s, at.ignition, travel.toggle_s)
    longest_stop_s = _longest_stop_s(trip.t_s, trip.still)
    return Survey(*sums, fast_mps, moving, contact, counted_m, falls, toggles, longest_stop_s)


@compiled
def _sums(
    step_s: Floats, step_m: Floats, in_gap: Bools, matched: Bools, inside: Bools, conflicts: Int64s, flags: Int32s
) -> tuple[float, float, float, float, int, int, int, bool]:
    way_m, matched_m, off_m, silent_s = 0.0, 0.0, 0.0, 0.0
    gaps, clashes, said, common = 0, 0, 0, -1
    for i in range(len(step_s)):
        way_m += step_m[i]
        matched_m += step_m[i] if matched[i] else 0.0
        off_m += step_m[i] if inside[i] and not matched[i] else 0.0
        silent_s += step_s[i] if in_gap[i] else 0.0
        gaps += in_gap[i]
    for i in range(len(flags)):
        clashes += conflicts[i]
        said |= flags[i]
        common &= flags[i]
    return way_m, matched_m, off_m, silent_s, gaps, clashes, said, common & _UNACKED != 0


@compiled
def _fast(speed_mps: Floats, still: Bools) -> tuple[float, int]:
    """The quantile of the moving speeds, between two of them in proportion, and how many move."""
    moving = speed_mps[~still]
    if not len(moving):
        return 0.0, 0
    place = _FAST_SHARE * (len(moving) - 1)
    low = int(place)
    ordered = np.partition(moving, low)
    beyond = ordered[low + 1 :].min() if low + 1 < len(ordered) else ordered[low]
    return ordered[low] + (beyond - ordered[low]) * (place - low), len(moving)


@compiled
def _contact(still: Bools, ignition: Float32s) -> float:
    moving, known, on = 0, 0, 0.0
    for i in range(len(still)):
        if not still[i]:
            moving += 1
            if np.isfinite(ignition[i]):
                known += 1
                on += ignition[i]
    return on / known if known and known >= moving / 2 else np.nan


@compiled
def _odometer(odometer_m: Floats) -> tuple[float, bool]:
    """What it counted, and whether it falls anywhere."""
    known, before, falls = 0, np.nan, False
    for one in odometer_m:
        if np.isfinite(one):
            falls = falls or one < before
            before = one
            known += 1
    whole = known >= 2 and np.isfinite(odometer_m[0]) and np.isfinite(odometer_m[-1]) and not falls
    return odometer_m[-1] - odometer_m[0] if whole else np.nan, falls


@compiled
def _toggles(t_s: Floats, ignition: Float32s, toggle_s: float) -> int:
    before, changed_s, found = np.float32(np.nan), np.nan, 0
    for i in range(len(t_s)):
        if np.isfinite(ignition[i]):
            if ignition[i] != before and np.isfinite(before):
                found += t_s[i] - changed_s < toggle_s
                changed_s = t_s[i]
            before = ignition[i]
    return found


@compiled
def _longest_stop_s(t_s: Floats, still: Bools) -> float:
    """Longest time from a first still reading, after some movement, to the next moving one; 0 where there is none."""
    moved, since_s, longest_s = False, np.nan, 0.0
    for i in range(len(still)):
        if still[i]:
            since_s = t_s[i] if moved and np.isnan(since_s) else since_s
        else:
            if not np.isnan(since_s):
                longest_s = max(longest_s, t_s[i] - since_s)
            moved, since_s = True, np.nan
    return longest_s
