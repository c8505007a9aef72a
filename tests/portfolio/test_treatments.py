"""Who is treated: the litmus test within a budget, the smallest segment against brute force, price against loyalty."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import app
from portfolio.elasticity import corrected_slope, raw_slope
from portfolio.litmus import BEYOND_BUDGET, DOES_NOT_PAY, PAYS, SUPPRESSED, frequency_capped, next_steps
from portfolio.litmus_check import qini
from portfolio.smallest_segment import Demand, Segment, chance_of_paying, merged, paying_segments, smallest_size
from simulator.book.loyalty import draw_renewals

SEGMENT = Segment(("young rural",), 500, 600.0, 0.68, 1900.0, 0.03, 60.0)
DEMAND = Demand(fixed=5000.0, margin=0.02, chance=0.9)
COST = np.array([0.0, 5.0, 20.0])


def test_next_steps_by_hand() -> None:
    added = np.array([[0.0, 0.02, 0.05], [0.0, 0.001, 0.01], [0.0, 0.05, 0.2], [0.0, 0.05, 0.2]])
    value = np.array([1000.0, 1000.0, 400.0, 400.0])
    alone = np.array([False, False, False, True])
    free = next_steps(added, value, COST, np.array([0.0, 1.0, 10.0]), 1000.0, alone)
    assert free.action.tolist() == [2, 0, 2, 0]
    assert free.gain.tolist() == pytest.approx([30.0, 0.0, 60.0, 0.0])
    assert free.reason.tolist() == [PAYS, DOES_NOT_PAY, PAYS, SUPPRESSED]
    assert (free.price, free.used) == (0.0, 20.0)
    # Eleven units: the third customer's call, and the first's letter instead of their call.
    tight = next_steps(added, value, COST, np.array([0.0, 1.0, 10.0]), 11.0, alone)
    assert tight.action.tolist() == [1, 0, 2, 0]
    assert tight.used == 11.0
    none = next_steps(added, value, COST, np.array([0.0, 1.0, 10.0]), 0.0, alone)
    assert none.reason.tolist() == [BEYOND_BUDGET, DOES_NOT_PAY, BEYOND_BUDGET, SUPPRESSED]


def test_a_budget_is_kept_and_nearly_as_good_as_trying_everything() -> None:
    rng = np.random.default_rng(1)
    added = np.column_stack([np.zeros(300), rng.normal(0.02, 0.03, (300, 2))])
    value, use = rng.gamma(2, 200, 300), np.array([0.0, 1.0, 3.0])
    for budget in (0.0, 1.0, 40.0, 150.0, 1e9):
        found = next_steps(added, value, COST, use, budget, np.zeros(300, dtype=bool))
        assert found.used <= budget
        assert found.gain.sum() >= 0.98 * _most(added * value[:, None] - COST, use, budget)


def _most(gains: np.ndarray, use: np.ndarray, budget: float) -> float:
    """By dynamic programming over whole units: the brute force."""
    units = int(min(budget, use.max() * len(gains)))
    best = np.zeros(units + 1)
    for row in gains:
        held = best.copy()
        for action in range(1, len(use)):
            step = int(use[action])
            if step <= units:
                held[step:] = np.maximum(held[step:], best[: units + 1 - step] + row[action])
        best = held
    return float(best[units])


def test_whoever_was_contacted_often_is_left_alone() -> None:
    assert frequency_capped(np.array([0, 2, 3]), 3).tolist() == [False, False, True]


def test_qini_is_0_for_lots_and_most_for_the_truth() -> None:
    uplift = np.random.default_rng(2).normal(0.02, 0.05, 20_000)
    best = qini(uplift, uplift)
    assert best > 0.01
    assert abs(qini(np.random.default_rng(3).random(20_000), uplift)) < 0.05 * best
    assert qini(-uplift, uplift) < 0


@pytest.mark.parametrize(
    "segment", [SEGMENT, replace(SEGMENT, loss_ratio=0.5, level_sd=0.0), replace(SEGMENT, cost=5.0)]
)
def test_the_smallest_segment_against_brute_force(segment: Segment) -> None:
    """Years of so many policies drawn one by one: losses gamma, the level uncertain. Nine in ten pay at that size."""
    size = smallest_size(segment, DEMAND)
    assert size is not None
    assert chance_of_paying(replace(segment, policies=size), DEMAND) >= DEMAND.chance
    assert size == 1 or chance_of_paying(replace(segment, policies=size - 1), DEMAND) < DEMAND.chance
    rng = np.random.default_rng(4)
    for policies, pays in ((size, True), (round(size * 0.6), False)):
        level = rng.normal(segment.loss_ratio, segment.level_sd, 20_000) if segment.level_sd else segment.loss_ratio
        mean = segment.premium * np.broadcast_to(level, 20_000)
        shape = policies * (segment.premium * segment.loss_ratio / segment.loss_sd) ** 2  # a sum of gamma variables
        losses = rng.gamma(shape, policies * mean / shape)
        profit = policies * (segment.premium * (1 - DEMAND.margin) - segment.cost) - losses - DEMAND.fixed
        assert ((profit >= 0).mean() >= DEMAND.chance - 0.02) == pays


def test_a_segment_of_one_is_refused_by_the_same_arithmetic_unless_it_pays() -> None:
    assert smallest_size(replace(SEGMENT, level_sd=0.3), DEMAND) is None
    rich = Segment(("one",), 1, 50_000.0, 0.2, 4000.0, 0.0, 100.0)
    assert smallest_size(rich, DEMAND) == 1
    assert smallest_size(replace(rich, premium=600.0), DEMAND) != 1


def test_segments_are_merged_until_each_pays_and_nothing_is_lost() -> None:
    big = replace(SEGMENT, names=("big",), policies=4000, loss_ratio=0.6)
    small = [replace(SEGMENT, names=(f"s{n}",), policies=120, loss_ratio=0.55 + 0.03 * n) for n in range(5)]
    found = paying_segments([big, *small], DEMAND)
    assert sum(one.policies for one in found) == 4600
    assert sorted(name for one in found for name in one.names) == ["big", "s0", "s1", "s2", "s3", "s4"]
    assert all(chance_of_paying(one, DEMAND) >= 0.9 for one in found)
    assert paying_segments([big], DEMAND) == (big,)
    both = merged(big, small[0])
    money = big.policies * big.premium * big.loss_ratio + 120 * 600.0 * 0.55
    assert both.policies * both.premium * both.loss_ratio == pytest.approx(money)


def test_price_at_face_value_has_the_wrong_sign_and_the_corrected_one_holds_the_truth() -> None:
    held = 0
    for seed in range(12):
        drawn = draw_renewals(40_000, seed)
        raw, corrected = (
            raw_slope(drawn.log_change, drawn.left),
            corrected_slope(drawn.log_change, drawn.left, drawn.known, seed),
        )
        assert raw.high < 0 < drawn.truth
        held += corrected.low <= drawn.truth <= corrected.high
    assert held >= 9


def test_what_stands_in_no_data_stays_in_the_corrected_one() -> None:
    drawn = draw_renewals(40_000, 1, hidden_share=0.5)
    assert corrected_slope(drawn.log_change, drawn.left, drawn.known, 1).high < drawn.truth


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (
            ["litmus", "--seeds", "1", "--customers", "4000", "--pilot", "20000"],
            {"litmus", "treat_all", "foreseeing", "knowing_offers", "knowing_tempers", "knowing_all", "qini"},
        ),
        (["elasticity", "--renewals", "5000"], {"at_face_value", "corrected", "truth", "caveat"}),
        (
            ["smallest", "--premium", "600", "--loss-ratio", "0.68", "--loss-sd", "1900", "--fixed", "5000"],
            {"policies"},
        ),
        (["aa", "--runs", "10", "--customers", "1000"], {"rejected", "rejected_by_single_look"}),
    ],
)
def test_the_commands(words: list[str], names: set[str]) -> None:
    answer = CliRunner().invoke(app, ["portfolio", *words, "--json"])
    assert answer.exit_code == 0, answer.exception
    assert names <= set(json.loads(answer.stdout))
    assert CliRunner().invoke(app, ["portfolio", *words]).exit_code == 0
