"""Whole-array and compiled steps on time series. Times rise strictly; NaN is not reported."""

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled

_REBASED = 64  # rows

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
    t_s: Floats, signal: Floats, sign: float, in_gap: Bools, leave: float, reach: float, merge_s: float
) -> tuple[Int64s, Floats]:
    """The `held_runs` of sign x signal > `leave` in which it somewhere reaches `reach`, and the peak of each."""
    n = len(signal)
    rows, peaks = np.empty((n, 2), dtype=np.int64), np.empty(n)
    count, i = 0, 0
    while i < n:
        if not sign * signal[i] > leave:
            i += 1
            continue
        start, peak = i, sign * signal[i]
        i += 1
        while i < n and sign * signal[i] > leave and not in_gap[i - 1]:
            peak = max(peak, sign * signal[i])
            i += 1
        begins = start == 0 or not sign * signal[start - 1] > leave
        if count and begins and t_s[start] - t_s[rows[count - 1, 1] - 1] <= merge_s:
            peak = max(peak, peaks[count - 1])
            start = rows[count - 1, 0]
            count -= 1
        elif count and peaks[count - 1] < reach:
            count -= 1  # nothing will be joined to it any more
        rows[count, 0], rows[count, 1], peaks[count] = start, i, peak
        count += 1
    if count and peaks[count - 1] < reach:
        count -= 1
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
def local_speeds(t_s: Floats, x: Floats, y: Floats, half_window_s: float) -> Floats:
    """The length of the `local_slope` of two series without NaN, shape (n,): how fast a place moves.

    The sums of the fit go along with the window; they count from a row nearby, which is changed every so often, so that
    rounding does not add up over a long series.
    """
    n = len(t_s)
    speed = np.full(n, np.nan)
    first, after, base = 0, 0, 0
    sum_t, sum_tt, sum_x, sum_tx, sum_y, sum_ty = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(n):
        if i % _REBASED == 0:
            after, base = first, first
            sum_t, sum_tt, sum_x, sum_tx, sum_y, sum_ty = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        while after < n and t_s[after] <= t_s[i] + half_window_s:
            at, right, up = t_s[after] - t_s[base], x[after] - x[base], y[after] - y[base]
            sum_t, sum_tt = sum_t + at, sum_tt + at * at
            sum_x, sum_tx, sum_y, sum_ty = sum_x + right, sum_tx + at * right, sum_y + up, sum_ty + at * up
            after += 1
        while t_s[first] < t_s[i] - half_window_s:
            at, right, up = t_s[first] - t_s[base], x[first] - x[base], y[first] - y[base]
            sum_t, sum_tt = sum_t - at, sum_tt - at * at
            sum_x, sum_tx, sum_y, sum_ty = sum_x - right, sum_tx - at * right, sum_y - up, sum_ty - at * up
            first += 1
        count = after - first
        spread = count * sum_tt - sum_t * sum_t
        if count >= 3 and (t_s[after - 1] - t_s[i]) - (t_s[first] - t_s[i]) >= half_window_s and spread > 0.0:
            right, up = count * sum_tx - sum_t * sum_x, count * sum_ty - sum_t * sum_y
            speed[i] = np.sqrt(right * right + up * up) / spread
    return speed


@compiled
def local_slope(t_s: Floats, value: Floats, half_window_s: float) -> Floats:
    """The slope of a straight line fitted around each sample, per second, shape (n,).

    Least squares over the samples within `half_window_s`; NaN where fewer than 3 are known or they span less than one
    half window. Robust where a raw difference is not: one bad sample is averaged, a silence gives no answer.
    """
    n = len(t_s)
    slope = np.full(n, np.nan)
    first, after = 0, 0
    for i in range(n):
        while t_s[first] < t_s[i] - half_window_s:
            first += 1
        while after < n and t_s[after] <= t_s[i] + half_window_s:
            after += 1
        count, sum_t, sum_v, sum_tt, sum_tv = 0, 0.0, 0.0, 0.0, 0.0
        low, high = 0.0, 0.0
        base = 0.0 if np.isnan(value[first]) else value[first]
        for j in range(first, after):
            rise = value[j] - base
            if np.isnan(rise):
                continue
            at = t_s[j] - t_s[i]
            low, high = (at if count == 0 else low), at
            count += 1
            sum_t += at
            sum_v += rise
            sum_tt += at * at
            sum_tv += at * rise
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
def local_means(t_s: Floats, x: Floats, y: Floats, half_window_s: float, mean_x: Floats, mean_y: Floats) -> None:
    """`local_mean` of two series into two arrays."""
    n, first, after = len(t_s), 0, 0
    total_x, total_y = 0.0, 0.0
    for i in range(n):
        while after < n and t_s[after] <= t_s[i] + half_window_s:
            total_x, total_y = total_x + (x[after] - x[0]), total_y + (y[after] - y[0])
            after += 1
        while t_s[first] < t_s[i] - half_window_s:
            total_x, total_y = total_x - (x[first] - x[0]), total_y - (y[first] - y[0])
            first += 1
        mean_x[i], mean_y[i] = x[0] + total_x / (after - first), y[0] + total_y / (after - first)


@compiled
def _may_stay(t_s: Floats, x_m: Floats, y_m: Floats, box_m: float, least_s: float) -> bool:
    """False where no stretch of `least_s` can stay in a square of side `box_m`.

    Of samples half as long apart (or next to each other, over a silence) such a stretch would hold two.
    """
    at, n = 0, len(t_s)
    while at < n - 1:
        after = max(at + 1, np.searchsorted(t_s, t_s[at] + least_s / 2, side="right") - 1)
        if abs(x_m[after] - x_m[at]) <= box_m and abs(y_m[after] - y_m[at]) <= box_m:
            return True
        at = after
    return n == 1


@compiled
def within_box(t_s: Floats, x_m: Floats, y_m: Floats, box_m: float, least_s: float) -> Bools:
    """True for samples in some stretch of at least `least_s` that stays in a square of side `box_m`, shape (n,).

    The furthest end of such a stretch never moves back as its start moves on, so two monotone queues an axis hold its
    extremes and the whole takes O(n). Reading the series backwards gives the same answer.
    """
    n = len(t_s)
    inside = np.zeros(n, dtype=np.bool_)
    if not _may_stay(t_s, x_m, y_m, box_m, least_s):
        return inside
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


@compiled
def largest_remainder(shares: Floats, total: int) -> NDArray[np.int64]:
    """Non-negative `shares` as integers that sum exactly to `total`, each within 1 of its share (Hamilton's method).

    `shares` must sum to within 1 of `total`; ties go to the earlier cell, so the answer does not depend on chance.
    """
    whole = np.floor(shares).astype(np.int64)
    missing = int(total - whole.sum())
    order = np.argsort(whole - shares, kind="mergesort")  # which is stable
    for place in range(missing):
        whole[order[place % len(order)]] += 1
    for cell in order[::-1]:
        if missing < 0 and whole[cell] > 0:
            whole[cell] -= 1
            missing += 1
    return whole
