"""Experiments under peeking: the stated rate of false alarms, real differences found, lots that are lots."""

from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest

from portfolio.experiments import LEAST_ROWS, Plan, assess, false_alarms, half_width, is_treated

PLAN = Plan("coaching", "coaching keeps customers", "stays", 0.5, 4000, 0.01)


def drawn(n: int, effect: float, seed: int, share: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    treated = rng.random(n) < share
    return treated, (rng.random(n) < 0.8 + effect * treated).astype(np.float64)


def test_a_thousand_experiments_without_a_difference_looked_at_all_the_time() -> None:
    found = false_alarms(replace(PLAN, horizon=3000), 1000, 50, 0.8, 5)
    assert found["rejected"] <= 0.05
    assert found["rejected_by_single_look"] > 0.15  # the control: what peeking does to an interval for one look


def test_a_difference_is_found_and_its_interval_holds_it() -> None:
    covered = 0
    for seed in range(40):
        found = assess(PLAN, *drawn(20_000, 0.05, seed))
        assert found.verdict == "better"
        covered += found.low <= 0.05 <= found.high
    assert covered >= 38
    assert assess(PLAN, *drawn(20_000, -0.05, 1)).verdict == "worse"


def test_no_difference_that_matters_is_a_finding_too_and_little_data_is_none() -> None:
    assert assess(replace(PLAN, least_effect=0.03), *drawn(60_000, 0.0, 2)).verdict == "no difference that matters"
    few = assess(PLAN, *drawn(LEAST_ROWS - 1, 0.0, 3))
    assert (few.verdict, few.high) == ("undecided", float("inf"))


def test_a_guard_rail_ends_what_harms_whatever_else_it_does() -> None:
    guarded = replace(PLAN, guard_below=0.02)
    treated, outcome = drawn(20_000, 0.05, 4)
    rng = np.random.default_rng(4)
    safe = (rng.random(20_000) < 0.9).astype(np.float64)
    hurt = (rng.random(20_000) < 0.9 - 0.1 * treated).astype(np.float64)
    assert assess(guarded, treated, outcome, safe).verdict == "better"
    assert assess(guarded, treated, outcome, hurt).verdict == "harmful"


def test_uneven_lots_are_weighed() -> None:
    plan = replace(PLAN, treated_share=0.1)
    effects = [assess(plan, *drawn(20_000, 0.05, seed, 0.1)).effect for seed in range(30)]
    assert np.mean(effects) == pytest.approx(0.05, abs=0.006)


def test_lots_are_kept_and_are_independent_between_experiments() -> None:
    people = [UUID(int=number * 7919) for number in range(4000)]
    first = np.array([is_treated(PLAN, one) for one in people])
    again = np.array([is_treated(PLAN, one) for one in people])
    other = np.array([is_treated(replace(PLAN, name="letters"), one) for one in people])
    assert (first == again).all()
    assert first.mean() == pytest.approx(0.5, abs=0.03)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.05


def test_the_interval_by_hand_and_narrowest_about_its_horizon() -> None:
    # rho2 = (5.9915 + ln 6.9915) / 1000 = 0.0079362; at n = 1000: sqrt(2 x 8.9362 / 7936.2 x ln(sqrt(8.9362) / 0.05)).
    assert half_width(1000, 1000, 0.05) == pytest.approx(0.09597, abs=1e-4)
    relative = {horizon: half_width(1000, horizon, 0.05) for horizon in (100, 1000, 10_000)}
    assert min(relative, key=lambda one: relative[one]) == 1000
