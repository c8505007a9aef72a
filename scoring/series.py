"""Whole-array and compiled steps on time series. Times rise strictly; NaN is not reported."""

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled

type Floats = NDArray[np.float64]
type Bools = NDArray[np.bool_]
type Indices = NDArray[np.intp]
type Int64s = NDArray[np.int64]


def runs(mask: Bools) -> list[tuple[int, int]]:
    """The maximal runs of True as half-open (start, stop) pairs, in order."""
    return [(start, stop) for start, stop in run_edges(mask).tolist()]


@compiled
def run_edges(mask: Bools) -> Int64s:
    """The maximal runs of True as half-open rows, shape (k, 2), in order."""
    n = len(mask)
    edges = np.empty((n // 2 + 1, 2), dtype=np.int64)
    count, i = 0, 0
    while i < n:
        if not mask[i]:
            i += 1
            continue
        edges[count, 0] = i
        while i < n and mask[i]:
            i += 1
        edges[count, 1] = i
        count += 1
    return edges[:count].copy()


@compiled
def held_runs(t_s: Floats, mask: Bools, in_gap: Bools, merge_s: float) -> Int64s:
    """Runs of `mask` as half-open rows, shape (k, 2), cut at gaps, joined where at most `merge_s` lies between two.

    `in_gap`, shape (n - 1,), says of the step to each next sample that nobody knows what was within.
    """
    n = len(mask)
    found = np.empty((n, 2), dtype=np.int64)
    count, i = 0, 0
    while i < n:
        if not mask[i]:
            i += 1
            continue
        start = i
        i += 1
        while i < n and mask[i] and not in_gap[i - 1]:
            i += 1
        begins = start == 0 or not mask[start - 1]
        if count and begins and t_s[start] - t_s[found[count - 1, 1] - 1] <= merge_s:
            found[count - 1, 1] = i
        else:
            found[count, 0], found[count, 1] = start, i
            count += 1
    return found[:count].copy()


@compiled
def exceedances(
    t_s: Floats, signal: Floats, in_gap: Bools, leave: float, reach: float, merge_s: float
) -> tuple[Int64s, Floats]:
    """The `held_runs` of signal > `leave` in which it somewhere reaches `reach`, and the peak of each."""
    rows = held_runs(t_s, signal > leave, in_gap, merge_s)
    peaks = np.empty(len(rows))
    count = 0
    for k in range(len(rows)):
        peak = -np.inf
        for i in range(rows[k, 0], rows[k, 1]):
            if signal[i] > peak:  # noqa: PLR1730  NaN is no peak
                peak = signal[i]
        if peak >= reach:
            rows[count], peaks[count] = rows[k], peak
            count += 1
    return rows[:count], peaks[:count]


def steps[Kind: (np.float64, np.float32, np.int64)](value: NDArray[Kind]) -> NDArray[Kind]:
    """Each value less the one before it, shape (n - 1,): `np.diff` in a third of its time."""
    return value[1:] - value[:-1]


@compiled
def median(value: Floats) -> float:
    """The median of at least one number, none of them NaN; at once where most are one value, as intervals are."""
    middle, guess, below, equal = len(value) // 2, value[len(value) // 2], 0, 0
    for one in value:
        below += one < guess
        equal += one == guess
    if below <= middle - (len(value) % 2 == 0) and middle < below + equal:
        return float(guess)
    return float(np.median(value))


@compiled
def local_slopes(t_s: Floats, first_value: Floats, second_value: Floats, half_window_s: float) -> tuple[Floats, Floats]:
    """`local_slope` of two series without NaN, to the last bit, in one pass."""
    n = len(t_s)
    first_slope, second_slope = np.full(n, np.nan), np.full(n, np.nan)
    first, after = 0, 0
    for i in range(n):
        while t_s[first] < t_s[i] - half_window_s:
            first += 1
        while after < n and t_s[after] <= t_s[i] + half_window_s:
            after += 1
        count = after - first
        if count < 3 or (t_s[after - 1] - t_s[i]) - (t_s[first] - t_s[i]) < half_window_s:
            continue
        sum_t, sum_tt, sum_v, sum_tv, sum_w, sum_tw = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for j in range(first, after):
            at = t_s[j] - t_s[i]
            rise, other = first_value[j] - first_value[first], second_value[j] - second_value[first]
            sum_t += at
            sum_tt += at * at
            sum_v += rise
            sum_tv += at * rise
            sum_w += other
            sum_tw += at * other
        spread = count * sum_tt - sum_t * sum_t
        if spread > 0.0:
            first_slope[i] = (count * sum_tv - sum_t * sum_v) / spread
            second_slope[i] = (count * sum_tw - sum_t * sum_w) / spread
    return first_slope, second_slope


@compiled
def local_slope(t_s: Floats, value: Floats, half_window_s: float) -> Floats:
    """The slope of a straight line fitted around each sample, per second, shape (n,).

    Least squares over the samples within `half_window_s`; NaN where fewer than 3 are known or they span less than one
    half window. Robust where a raw difference is not: one bad sample is averaged, a silence gives no answer.
    """
    n = len(t_s)
    slope = np.full(n, np.nan)
    first = 0
    for i in range(n):
        while t_s[first] < t_s[i] - half_window_s:
            first += 1
        count, sum_t, sum_v, sum_tt, sum_tv = 0, 0.0, 0.0, 0.0, 0.0
        low, high = np.inf, -np.inf
        j = first
        while j < n and t_s[j] <= t_s[i] + half_window_s:
            if not np.isnan(value[j]):
                at = t_s[j] - t_s[i]
                rise = value[j] - value[first] if not np.isnan(value[first]) else value[j]
                count += 1
                sum_t += at
                sum_v += rise
                sum_tt += at * at
                sum_tv += at * rise
                low = min(low, at)
                high = max(high, at)
            j += 1
        if count >= 3 and high - low >= half_window_s:
            spread = count * sum_tt - sum_t * sum_t
            if spread > 0.0:
                slope[i] = (count * sum_tv - sum_t * sum_v) / spread
    return slope


@compiled
def local_mean(t_s: Floats, value: Floats, half_window_s: float) -> Floats:
    """The mean of the samples within `half_window_s` of each sample, shape (n,). No NaN may be in `value`."""
    n = len(t_s)
    mean = np.empty(n)
    first, after = 0, 0
    total = 0.0
    base = value[0] if n else 0.0
    for i in range(n):
        while after < n and t_s[after] <= t_s[i] + half_window_s:
            total += value[after] - base
            after += 1
        while t_s[first] < t_s[i] - half_window_s:
            total -= value[first] - base
            first += 1
        mean[i] = base + total / (after - first)
    return mean


@compiled
def within_box(t_s: Floats, x_m: Floats, y_m: Floats, box_m: float, least_s: float) -> Bools:
    """True for samples in some stretch of at least `least_s` that stays in a square of side `box_m`, shape (n,).

    The furthest end of such a stretch never moves back as its start moves on, so two monotone queues an axis hold its
    extremes and the whole takes O(n). Reading the series backwards gives the same answer.
    """
    n = len(t_s)
    inside = np.zeros(n, dtype=np.bool_)
    queues = np.empty((4, n), dtype=np.int64)
    head = np.zeros(4, dtype=np.int64)
    tail = np.zeros(4, dtype=np.int64)
    start, covered = 0, 0
    for end in range(n):
        for k in range(4):
            value = x_m if k < 2 else y_m
            sign = 1.0 if k % 2 == 0 else -1.0
            while tail[k] > head[k] and sign * value[queues[k, tail[k] - 1]] <= sign * value[end]:
                tail[k] -= 1
            queues[k, tail[k]] = end
            tail[k] += 1
        while (
            x_m[queues[0, head[0]]] - x_m[queues[1, head[1]]] > box_m
            or y_m[queues[2, head[2]]] - y_m[queues[3, head[3]]] > box_m
        ):
            start += 1
            for k in range(4):
                while queues[k, head[k]] < start:
                    head[k] += 1
        if t_s[end] - t_s[start] >= least_s:
            for i in range(max(start, covered), end + 1):
                inside[i] = True
            covered = end + 1
    return inside


def largest_remainder(shares: Floats, total: int) -> NDArray[np.int64]:
    """Non-negative `shares` as integers that sum exactly to `total`, each within 1 of its share (Hamilton's method).

    `shares` must sum to within 1 of `total`; ties go to the earlier cell, so the answer does not depend on chance.
    """
    whole = np.floor(shares).astype(np.int64)
    missing = int(total - whole.sum())
    order = np.argsort(-(shares - whole), kind="stable")
    if missing > 0:
        whole[order[np.arange(missing) % len(order)]] += 1
    elif missing < 0:
        positive = [cell for cell in order[::-1] if whole[cell] > 0]
        whole[positive[:-missing]] -= 1
    return whole
