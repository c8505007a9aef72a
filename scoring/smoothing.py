"""A path and its speed from positions alone: a smoother that finds out by itself how noisy the positions are.

Each axis moves at a velocity that wanders (a constant-velocity model with white acceleration, Bar-Shalom 2001, section
6.2), seen with white noise. What is known of both is only their ratio, and that is the one of `RATIOS` under which the
positions are most likely; so a clean trace is followed into its bends and a noisy one is not, at any sampling rate.
"""

from typing import NamedTuple

import numpy as np

from ingest.compiled import compiled
from scoring.series import Floats, median

# Wander of the velocity (m2/s3) over variance of a position (m2): from a bad receiver on a straight road to a good one
# among bends.
RATIOS = 4.0 ** np.arange(-4.0, 7.0)
FIRST_VELOCITY_VARIANCE = 1e6  # in variances of a position, a second squared: nothing is known before the first fix
FEW = 8  # spreads multiplied before their logarithm is taken: each is under 1e13 over a gap of five minutes
# The variance of a smoothed velocity in the steady state is 1 / sqrt(8) x variance x ratio^3/4 x interval^1/4 (a
# Butterworth filter of order 2); a quarter of it comes from the noise, the rest from what was smoothed away.
NOISE_LEFT = 0.25 / np.sqrt(8.0)
# Abscissae and weights of Gauss and Legendre for four points on [0, 1]: an arc's length to some 1e-4.
_AT = (0.06943184420297371, 0.33000947820757187, 0.6699905217924281, 0.9305681557970262)
_WEIGHT = (0.17392742256872692, 0.32607257743127307, 0.32607257743127307, 0.17392742256872692)


class Smoothed(NamedTuple):
    """Positions and velocities at n readings, shape (n,), and the length of the curve through them, shape (n - 1,)."""

    x_m: Floats
    y_m: Floats
    speed_mps: Floats
    way_m: Floats


@compiled
def smoothed_path(t_s: Floats, x_m: Floats, y_m: Floats) -> Smoothed:
    """The likeliest path through noisy positions at strictly rising times, all of shape (n,), n >= 2."""
    n = len(t_s)
    ratio, variance_m2 = likeliest(t_s, x_m, y_m)
    place_m, velocity_mps = smoothed(t_s, np.column_stack((x_m, y_m)), ratio)
    way_m = arc_lengths(t_s, place_m, velocity_mps)
    # What is left of the noise lengthens a way: across it by its variance over twice the speed.
    left = NOISE_LEFT * variance_m2 * ratio**0.75 * median(t_s[1:] - t_s[:-1]) ** 0.25
    speed_mps, share = np.empty(n), np.ones(n)
    for i in range(n):
        seen_mps = np.hypot(velocity_mps[i, 0], velocity_mps[i, 1])
        speed_mps[i] = np.sqrt(max(seen_mps**2 - left, 0.0))
        if seen_mps > 0.0:
            share[i] = speed_mps[i] / seen_mps
    return Smoothed(place_m[:, 0].copy(), place_m[:, 1].copy(), speed_mps, way_m * (share[1:] + share[:-1]) / 2)


@compiled
def likeliest(t_s: Floats, x_m: Floats, y_m: Floats) -> tuple[float, float]:
    """The ratio of `RATIOS` under which both axes together are most likely, and the variance of their noise then.

    One pass of the filter with all ratios side by side. They share no number, and the axes share their covariance.
    """
    n, ratios = len(t_s), len(RATIOS)
    if n < 3:
        return RATIOS[0], 0.0
    state = np.zeros((4, ratios))  # place and velocity east, then north
    state[0], state[2] = x_m[0], y_m[0]
    p00, p01, p11 = np.ones(ratios), np.zeros(ratios), np.full(ratios, FIRST_VELOCITY_VARIANCE)
    squares = np.zeros((2, ratios))
    spreads, logs = np.ones(ratios), np.zeros(ratios)  # the logarithm of a product of a few is that of each, summed
    for i in range(1, n):
        dt = t_s[i] - t_s[i - 1]
        counts = 1.0 if i > 1 else 0.0  # the second fix only says where the first velocity was
        for k in range(ratios):
            p00[k] += dt * (2.0 * p01[k] + dt * p11[k]) + RATIOS[k] * dt * dt * dt / 3.0
            p01[k] += dt * p11[k] + RATIOS[k] * dt * dt / 2.0
            p11[k] += RATIOS[k] * dt
            spread = p00[k] + 1.0
            part = 1.0 / spread
            gain0, gain1 = p00[k] * part, p01[k] * part
            east_m, north_m = state[0, k] + dt * state[1, k], state[2, k] + dt * state[3, k]
            missed_x_m, missed_y_m = x_m[i] - east_m, y_m[i] - north_m
            squares[0, k] += counts * missed_x_m * missed_x_m * part
            squares[1, k] += counts * missed_y_m * missed_y_m * part
            spreads[k] *= spread * counts + (1.0 - counts)
            state[0, k], state[1, k] = east_m + gain0 * missed_x_m, state[1, k] + gain1 * missed_x_m
            state[2, k], state[3, k] = north_m + gain0 * missed_y_m, state[3, k] + gain1 * missed_y_m
            p11[k] -= gain1 * p01[k]
            p01[k] -= gain0 * p01[k]
            p00[k] -= gain0 * p00[k]
        if i % FEW == 0 or i == n - 1:
            for k in range(ratios):
                logs[k] += np.log(spreads[k])
                spreads[k] = 1.0
    variance = squares / (n - 2)
    # A receiver rounds to centimetres: below, two likelihoods differ by nothing that is meant.
    unlikelihood = logs + 0.5 * (n - 2) * (np.log(variance[0] + 1e-4) + np.log(variance[1] + 1e-4))
    best = int(np.argmin(unlikelihood))
    return RATIOS[best], (variance[0, best] + variance[1, best]) / 2


@compiled
def smoothed(t_s: Floats, value: Floats, ratio: float) -> tuple[Floats, Floats]:
    """Both axes, shape (n, 2), and their velocities by the filter forward and the smoother of Rauch, Tung and Striebel
    (1965) back. The axes share their covariance.
    """
    n = len(t_s)
    place, velocity = np.empty((n, 2)), np.empty((n, 2))
    cover = np.empty((n, 3))
    place[0], velocity[0] = value[0], 0.0
    cover[0, 0], cover[0, 1], cover[0, 2] = 1.0, 0.0, FIRST_VELOCITY_VARIANCE
    for i in range(1, n):
        dt = t_s[i] - t_s[i - 1]
        p00 = cover[i - 1, 0] + dt * (2.0 * cover[i - 1, 1] + dt * cover[i - 1, 2]) + ratio * dt * dt * dt / 3.0
        p01 = cover[i - 1, 1] + dt * cover[i - 1, 2] + ratio * dt * dt / 2.0
        p11 = cover[i - 1, 2] + ratio * dt
        gain0, gain1 = p00 / (p00 + 1.0), p01 / (p00 + 1.0)
        for axis in range(2):
            missed = value[i, axis] - place[i - 1, axis] - dt * velocity[i - 1, axis]
            place[i, axis] = place[i - 1, axis] + dt * velocity[i - 1, axis] + gain0 * missed
            velocity[i, axis] = velocity[i - 1, axis] + gain1 * missed
        cover[i, 0], cover[i, 1], cover[i, 2] = p00 - gain0 * p00, p01 - gain0 * p01, p11 - gain1 * p01
    for i in range(n - 2, -1, -1):
        dt = t_s[i + 1] - t_s[i]
        c00, c01, c11 = cover[i, 0], cover[i, 1], cover[i, 2]
        p00 = c00 + dt * (2.0 * c01 + dt * c11) + ratio * dt * dt * dt / 3.0
        p01 = c01 + dt * c11 + ratio * dt * dt / 2.0
        p11 = c11 + ratio * dt
        det = p00 * p11 - p01 * p01
        a0, a1 = c00 + dt * c01, c01 + dt * c11  # covariance now x transition, transposed
        for axis in range(2):
            miss0 = place[i + 1, axis] - place[i, axis] - dt * velocity[i, axis]
            miss1 = velocity[i + 1, axis] - velocity[i, axis]
            weight0, weight1 = (p11 * miss0 - p01 * miss1) / det, (p00 * miss1 - p01 * miss0) / det
            place[i, axis] += a0 * weight0 + c01 * weight1
            velocity[i, axis] += a1 * weight0 + c11 * weight1
    return place, velocity


@compiled
def arc_lengths(t_s: Floats, place_m: Floats, velocity_mps: Floats) -> Floats:
    """The lengths of the cubic curves (Hermite) that join the places at their velocities, shape (n - 1,)."""
    n = len(t_s)
    length = np.empty(n - 1)
    for i in range(n - 1):
        dt = t_s[i + 1] - t_s[i]
        dx, dy = place_m[i + 1, 0] - place_m[i, 0], place_m[i + 1, 1] - place_m[i, 1]
        total = 0.0
        for k in range(4):
            u = _AT[k]
            chord = 6.0 * u * (1.0 - u)
            first, last = (1.0 - u) * (1.0 - 3.0 * u), u * (3.0 * u - 2.0)
            along = chord * dx + dt * (first * velocity_mps[i, 0] + last * velocity_mps[i + 1, 0])
            across = chord * dy + dt * (first * velocity_mps[i, 1] + last * velocity_mps[i + 1, 1])
            total += _WEIGHT[k] * np.sqrt(along * along + across * across)
        length[i] = total
    return length
