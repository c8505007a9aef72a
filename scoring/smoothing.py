"""A path and its speed from positions alone: a smoother that finds out by itself how noisy the positions are.

Each axis moves at a velocity that wanders (a constant-velocity model with white acceleration, Bar-Shalom 2001, section
6.2), seen with white noise. What is known of both is only their ratio, and that is the one of `RATIOS` under which the
positions are most likely; so a clean trace is followed into its bends and a noisy one is not, at any sampling rate.
"""

from typing import NamedTuple

import numpy as np

from ingest.compiled import compiled
from scoring.series import Floats

# Wander of the velocity (m2/s3) over variance of a position (m2): from a bad receiver on a straight road to a good one
# among bends.
RATIOS = 4.0 ** np.arange(-4.0, 7.0)
FIRST_VELOCITY_VARIANCE = 1e6  # in variances of a position, a second squared: nothing is known before the first fix
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


def smoothed_path(t_s: Floats, x_m: Floats, y_m: Floats) -> Smoothed:
    """The likeliest path through noisy positions at strictly rising times, all of shape (n,), n >= 2."""
    fits = [(unlikelihood(t_s, x_m, ratio), unlikelihood(t_s, y_m, ratio)) for ratio in RATIOS]
    best = int(np.argmin([east[0] + north[0] for east, north in fits]))
    ratio, variance_m2 = float(RATIOS[best]), (fits[best][0][1] + fits[best][1][1]) / 2
    smooth_x_m, east_mps = smoothed(t_s, x_m, ratio)
    smooth_y_m, north_mps = smoothed(t_s, y_m, ratio)
    way_m = arc_lengths(t_s, smooth_x_m, smooth_y_m, east_mps, north_mps)
    speed_mps = np.hypot(east_mps, north_mps)
    # What is left of the noise lengthens a way: across it by its variance over twice the speed.
    left = NOISE_LEFT * variance_m2 * ratio**0.75 * float(np.median(np.diff(t_s))) ** 0.25
    true_mps = np.sqrt(np.maximum(speed_mps**2 - left, 0.0))
    share = np.divide(true_mps, speed_mps, out=np.ones(len(speed_mps)), where=speed_mps > 0.0)
    return Smoothed(smooth_x_m, smooth_y_m, true_mps, way_m * (share[1:] + share[:-1]) / 2)


@compiled
def unlikelihood(t_s: Floats, value: Floats, ratio: float) -> tuple[float, float]:
    """Minus the log likelihood of one axis, up to a constant, and the variance of its noise that makes it least."""
    n = len(t_s)
    place, velocity = value[0], 0.0
    p00, p01, p11 = 1.0, 0.0, FIRST_VELOCITY_VARIANCE
    squares, logs = 0.0, 0.0
    for i in range(1, n):
        dt = t_s[i] - t_s[i - 1]
        place += dt * velocity
        p00 += dt * (2.0 * p01 + dt * p11) + ratio * dt * dt * dt / 3.0
        p01 += dt * p11 + ratio * dt * dt / 2.0
        p11 += ratio * dt
        spread = p00 + 1.0
        missed = value[i] - place
        if i > 1:  # the second fix only says where the first velocity was
            squares += missed * missed / spread
            logs += np.log(spread)
        gain0, gain1 = p00 / spread, p01 / spread
        place += gain0 * missed
        velocity += gain1 * missed
        p11 -= gain1 * p01
        p01 -= gain0 * p01
        p00 -= gain0 * p00
    if n < 3:
        return 0.0, 0.0
    variance = squares / (n - 2)
    # A receiver rounds to centimetres: below, two likelihoods differ by nothing that is meant.
    return 0.5 * (logs + (n - 2) * np.log(variance + 1e-4)), variance


@compiled
def smoothed(t_s: Floats, value: Floats, ratio: float) -> tuple[Floats, Floats]:
    """One axis and its velocity by the filter forward and the smoother of Rauch, Tung and Striebel (1965) back."""
    n = len(t_s)
    state = np.empty((n, 2))
    cover = np.empty((n, 3))
    state[0, 0], state[0, 1] = value[0], 0.0
    cover[0, 0], cover[0, 1], cover[0, 2] = 1.0, 0.0, FIRST_VELOCITY_VARIANCE
    for i in range(1, n):
        dt = t_s[i] - t_s[i - 1]
        p00 = cover[i - 1, 0] + dt * (2.0 * cover[i - 1, 1] + dt * cover[i - 1, 2]) + ratio * dt * dt * dt / 3.0
        p01 = cover[i - 1, 1] + dt * cover[i - 1, 2] + ratio * dt * dt / 2.0
        p11 = cover[i - 1, 2] + ratio * dt
        gain0, gain1 = p00 / (p00 + 1.0), p01 / (p00 + 1.0)
        missed = value[i] - state[i - 1, 0] - dt * state[i - 1, 1]
        state[i, 0] = state[i - 1, 0] + dt * state[i - 1, 1] + gain0 * missed
        state[i, 1] = state[i - 1, 1] + gain1 * missed
        cover[i, 0], cover[i, 1], cover[i, 2] = p00 - gain0 * p00, p01 - gain0 * p01, p11 - gain1 * p01
    for i in range(n - 2, -1, -1):
        dt = t_s[i + 1] - t_s[i]
        c00, c01, c11 = cover[i, 0], cover[i, 1], cover[i, 2]
        p00 = c00 + dt * (2.0 * c01 + dt * c11) + ratio * dt * dt * dt / 3.0
        p01 = c01 + dt * c11 + ratio * dt * dt / 2.0
        p11 = c11 + ratio * dt
        det = p00 * p11 - p01 * p01
        a0, a1 = c00 + dt * c01, c01 + dt * c11  # covariance now x transition, transposed
        miss0 = state[i + 1, 0] - state[i, 0] - dt * state[i, 1]
        miss1 = state[i + 1, 1] - state[i, 1]
        weight0, weight1 = (p11 * miss0 - p01 * miss1) / det, (p00 * miss1 - p01 * miss0) / det
        state[i, 0] += a0 * weight0 + c01 * weight1
        state[i, 1] += a1 * weight0 + c11 * weight1
    return state[:, 0].copy(), state[:, 1].copy()


@compiled
def arc_lengths(t_s: Floats, x_m: Floats, y_m: Floats, east_mps: Floats, north_mps: Floats) -> Floats:
    """The lengths of the cubic curves (Hermite) that join the places at their velocities, shape (n - 1,)."""
    n = len(t_s)
    length = np.empty(n - 1)
    for i in range(n - 1):
        dt = t_s[i + 1] - t_s[i]
        dx, dy = x_m[i + 1] - x_m[i], y_m[i + 1] - y_m[i]
        total = 0.0
        for k in range(4):
            u = _AT[k]
            chord = 6.0 * u * (1.0 - u)
            first, last = (1.0 - u) * (1.0 - 3.0 * u), u * (3.0 * u - 2.0)
            along = chord * dx + dt * (first * east_mps[i] + last * east_mps[i + 1])
            across = chord * dy + dt * (first * north_mps[i] + last * north_mps[i + 1])
            total += _WEIGHT[k] * np.sqrt(along * along + across * across)
        length[i] = total
    return length
