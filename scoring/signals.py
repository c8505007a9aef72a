"""What manoeuvres of a trip are read from, compiled: its accelerations by speed and heading, NaN where not known."""

from typing import NamedTuple

import numpy as np

from ingest.compiled import compiled
from ingest.readings import Float32s
from scoring.geodesy import NEAR_DEG, sine_near, wrapped_turn_deg
from scoring.series import Bools, Floats, local_slope
from scoring.settings import Thresholds

KNOWN_SHARE = 0.9  # of a trip's readings must report what a kind of event is read from


class Drive(NamedTuple):
    """One trip of n readings as kernels read it: step arrays of shape (n - 1,), others (n,), NaN not reported."""

    t_s: Floats
    speed_mps: Floats
    reported: Bools
    still: Bools
    step_s: Floats
    step_m: Floats
    in_gap: Bools
    latitude_deg: Floats
    longitude_deg: Floats
    heading_deg: Float32s
    forward_mps2: Float32s
    lateral_mps2: Float32s
    vertical_mps2: Float32s
    phone_in_use: Float32s
    belt_fastened: Float32s
    reported_limit_mps: Float32s
    limit_mps: Floats  # of the map, () where none was asked
    interval_s: float


@compiled
def known_share(said: Float32s) -> float:
    """The share of readings that report something."""
    known = 0
    for one in said:
        known += not np.isnan(one)
    return known / len(said)


@compiled
def dense_speed(drive: Drive, limits: Thresholds) -> bool:
    """Whether a manoeuvre can be seen in the reported speeds."""
    if drive.interval_s > limits.longest_interval_s:
        return False
    known = 0
    for one in drive.reported:
        known += one
    return known / len(drive.reported) >= KNOWN_SHARE


@compiled
def dense_heading(drive: Drive, limits: Thresholds) -> bool:
    """Whether a heading is reported on most readings of a moving car."""
    moving, known = 0, 0
    for i in range(len(drive.t_s)):
        if drive.speed_mps[i] >= limits.corner_least_speed_mps:
            moving += 1
            known += np.isfinite(drive.heading_deg[i])
    return moving > 0 and known / moving >= KNOWN_SHARE


@compiled
def forward_by_speed(drive: Drive, limits: Thresholds) -> Floats:
    """Forward acceleration of the reported speed in m/s2, shape (n,): line fitted over some 2 s, NaN over silences."""
    known_mps = np.empty(len(drive.t_s))
    for i in range(len(known_mps)):
        known_mps[i] = drive.speed_mps[i] if drive.reported[i] else np.nan
    return local_slope(drive.t_s, known_mps, limits.derivative_half_window_s)


@compiled
def lateral_by_heading(drive: Drive, limits: Thresholds) -> Floats:
    """Lateral acceleration speed x turn rate in m/s2, shape (n,), positive to the right; NaN where too slow for a
    heading, or where none is known.

    Headings are unwound first, so north is no jump: 359 to 1 is 2 degrees; nor does north turn near a pole.
    """
    n = len(drive.t_s)
    turn_deg = np.full(n, np.nan)
    near_deg, sine, cosine = np.inf, 0.0, 1.0
    before, unwound_deg = -1, 0.0
    for i in range(n):
        if not (drive.reported[i] and drive.speed_mps[i] >= limits.corner_least_speed_mps):
            continue
        if not np.isfinite(drive.heading_deg[i]):
            continue
        if before >= 0:
            middle_deg = (drive.latitude_deg[i] + drive.latitude_deg[before]) / 2
            if not abs(middle_deg - near_deg) < NEAR_DEG:
                near_deg = middle_deg
                sine, cosine = np.sin(np.radians(near_deg)), np.cos(np.radians(near_deg))
            east_deg = wrapped_turn_deg(drive.longitude_deg[i] - drive.longitude_deg[before])
            meridians_deg = east_deg * sine_near(sine, cosine, middle_deg - near_deg)
            seen_deg = np.float64(drive.heading_deg[i]) - np.float64(drive.heading_deg[before])
            unwound_deg += wrapped_turn_deg(seen_deg - meridians_deg)
        turn_deg[i], before = unwound_deg, i
    slope = local_slope(drive.t_s, turn_deg, limits.derivative_half_window_s)
    for i in range(n):
        slope[i] = np.radians(slope[i]) * drive.speed_mps[i] if not np.isnan(turn_deg[i]) else np.nan
    return slope


@compiled
def turned_deg(drive: Drive, first: int, after: int) -> float:
    """How far the reported headings turn from row `first` to the last before `after`; those not known are skipped."""
    before, unwound_deg = -1, 0.0
    for i in range(first, after):
        if not np.isfinite(drive.heading_deg[i]):
            continue
        if before >= 0:
            middle = np.radians((drive.latitude_deg[i] + drive.latitude_deg[before]) / 2)
            east_deg = wrapped_turn_deg(drive.longitude_deg[i] - drive.longitude_deg[before])
            seen_deg = np.float64(drive.heading_deg[i]) - np.float64(drive.heading_deg[before])
            unwound_deg += wrapped_turn_deg(seen_deg - east_deg * np.sin(middle))
        before = i
    return unwound_deg
