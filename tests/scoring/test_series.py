"""Compiled steps beside the plain ones they stand for, to the last bit."""

import itertools

import numpy as np
import pytest

from scoring.series import exceedances, held_runs, local_slope, local_slopes, median, runs, steps


def times(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.cumsum(rng.choice([0.1, 1.0, 1.0, 1.0, 3.0, 40.0], count))


@pytest.mark.parametrize("count", [1, 2, 3, 10, 400])
def test_two_slopes_in_one_pass_are_those_of_each_series(count: int) -> None:
    rng = np.random.default_rng(count)
    t_s, x_m, y_m = times(rng, count), rng.normal(0, 50, count), rng.normal(0, 50, count)
    for half_window_s in (1.05, 3.05, 15.05):
        both = local_slopes(t_s, x_m, y_m, half_window_s)
        assert np.array_equal(both[0], local_slope(t_s, x_m, half_window_s), equal_nan=True)
        assert np.array_equal(both[1], local_slope(t_s, y_m, half_window_s), equal_nan=True)


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
    rows, peaks = exceedances(t_s, signal, np.zeros(8, dtype=np.bool_), 1.8, 3.0, 2.05)
    assert rows.tolist() == [[1, 8]]
    assert peaks.tolist() == [3.5]
    rows, peaks = exceedances(t_s, signal, np.zeros(8, dtype=np.bool_), 1.8, 3.0, 1.05)
    assert rows.tolist() == [[3, 5]]
