"""Compiled steps beside the plain ones they stand for."""

import itertools

import numpy as np
import pytest

from scoring.series import (
    exceedances,
    held_runs,
    local_mean,
    local_means,
    local_slope,
    local_speeds,
    median,
    runs,
    steps,
    within_box,
)


def times(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.cumsum(rng.choice([0.1, 1.0, 1.0, 1.0, 3.0, 40.0], count))


@pytest.mark.parametrize("count", [1, 2, 3, 10, 400])
def test_sums_that_go_along_with_a_window_give_what_each_window_gives(count: int) -> None:
    rng = np.random.default_rng(count)
    t_s, x_m, y_m = times(rng, count), rng.normal(0, 50, count), rng.normal(0, 50, count)
    for half_window_s in (1.05, 3.05, 15.05):
        slopes = [local_slope(t_s, axis_m, half_window_s) for axis_m in (x_m, y_m)]
        assert local_speeds(t_s, x_m, y_m, half_window_s) == pytest.approx(np.hypot(*slopes), rel=1e-9, nan_ok=True)
        means = np.empty((2, count))
        local_means(t_s, x_m, y_m, half_window_s, *means)
        assert np.array_equal(means, [local_mean(t_s, axis_m, half_window_s) for axis_m in (x_m, y_m)])


def test_a_speed_far_from_the_start_is_as_exact_as_near_it() -> None:
    t_s = np.arange(0.0, 900_000.0, 10.0)
    speed_mps = local_speeds(t_s, 7.0 * t_s, 24.0 * t_s, 15.05)
    assert np.abs(speed_mps[1:-1] - 25.0).max() < 1e-6


def test_a_stay_is_found_wherever_it_is_and_no_other() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        t_s = np.cumsum(rng.choice([1.0, 5.0, 30.0, 200.0], 40))
        x_m, y_m = np.cumsum(rng.normal(0, 60, (2, 40)), axis=1)
        wanted = np.zeros(40, dtype=np.bool_)
        for first, last in itertools.combinations(range(40), 2):
            rows = slice(first, last + 1)
            if t_s[last] - t_s[first] >= 300.0 and max(np.ptp(x_m[rows]), np.ptp(y_m[rows])) <= 120.0:
                wanted[rows] = True
        assert np.array_equal(within_box(t_s, x_m, y_m, 120.0, 300.0), wanted)


@pytest.mark.parametrize("count", [1, 2, 7, 8, 1001])
def test_the_median_and_the_steps_are_numpys(count: int) -> None:
    value = np.random.default_rng(count).normal(0, 1, count)
    assert median(value) == float(np.median(value))
    assert np.array_equal(steps(value), np.diff(value))


def test_runs_are_the_maximal_stretches() -> None:
    for mask in itertools.product((False, True), repeat=8):
        found = runs(np.array(mask))
        rows = [row for start, stop in found for row in range(start, stop)]
        assert rows == [row for row, inside in enumerate(mask) if inside]
        assert all(before[1] < after[0] for before, after in itertools.pairwise(found))


def test_runs_are_joined_over_a_moment_and_cut_at_a_silence() -> None:
    t_s = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 60.0, 61.0, 62.0])
    in_gap = np.diff(t_s) > 20.0
    mask = np.array([True, False, True, False, True, True, False, False])
    assert held_runs(t_s, mask, in_gap, 1.05).tolist() == [[0, 1], [2, 3], [4, 5], [5, 6]]
    assert held_runs(t_s, mask, in_gap, 2.05).tolist() == [[0, 5], [5, 6]]


def test_an_exceedance_lasts_to_its_leaving_level_and_knows_its_peak() -> None:
    t_s = np.arange(9.0)
    signal = np.array([0.0, 2.0, np.nan, 3.5, 2.0, 0.0, 2.5, 2.0, 0.0])
    rows, peaks = exceedances(t_s, signal, 1.0, np.zeros(8, dtype=np.bool_), 1.8, 3.0, 2.05)
    assert rows.tolist() == [[1, 8]]
    assert peaks.tolist() == [3.5]
    rows, peaks = exceedances(t_s, -signal, -1.0, np.zeros(8, dtype=np.bool_), 1.8, 3.0, 1.05)
    assert rows.tolist() == [[3, 5]]
