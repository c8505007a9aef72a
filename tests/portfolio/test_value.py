"""Lifetime value: by hand, and by tenths against the truth of a simulated market."""

import json

import numpy as np
import pytest
from scipy.special import expit
from typer.testing import CliRunner

from cli.main import app
from portfolio.contact import LeaveModel
from portfolio.strategies import DISCOUNT, fit
from portfolio.value import expected_value, value_of
from portfolio.value_check import by_decile, check, true_value
from simulator.book.behaviour import read_behaviour
from simulator.book.competition import make_round
from simulator.book.formula import read_formula


def test_two_years_by_hand() -> None:
    # Leaving: expit(-1 + 2 x 0.1 + 3 x 0.01 - 0.5 x log 2); two actions that are not taken.
    model = LeaveModel(np.array([-1.0, 2.0, 3.0, -0.5, 9.0, 9.0]), 3, 1, 0.9)
    found = expected_value(model, np.array([0.1]), np.ones(1), np.array([100.0]), 0.05, 2)
    leaves = expit(-1.0 + 0.2 + 0.03 - 0.5 * np.log(2.0))
    assert found == pytest.approx([100.0 + 100.0 * 0.95 * (1.0 - leaves) / (1.0 + DISCOUNT)])
    assert expected_value(model, np.array([0.1]), np.ones(1), np.array([100.0]), 0.05, 1) == pytest.approx([100.0])


def test_tenths_lie_where_the_truth_does() -> None:
    made = make_round(4, 20_000, 6, read_formula(), read_behaviour(), 50_000)
    found = check(made.market, made.pilot, fit(made.pilot), 6, 1)
    assert found.predicted == pytest.approx(found.true, rel=0.10)
    for one in found.deciles:
        # A tenth's own luck is some 25 euro (2,000 customers of unseen heterogeneity); the highest tenth is also
        # predicted too high, for its losses are rated some 5 % too low.
        assert one.predicted == pytest.approx(one.true, rel=0.20, abs=50.0)
    true = [one.true for one in found.deciles]
    assert np.corrcoef(range(10), true)[0, 1] > 0.95


def test_the_interval_narrows_with_what_was_learned_from() -> None:
    widths = []
    for size in (4000, 64_000):
        pilot = make_round(5, 4000, 3, read_formula(), read_behaviour(), size).pilot
        few = np.zeros(50), np.ones(50), np.full(50, 150.0)
        found = value_of(pilot, *few, 0.045, 5, 1)
        assert (found.low <= found.mean).all()
        assert (found.mean <= found.high).all()
        widths.append(float((found.high - found.low).mean()))
    assert widths[0] > 2.0 * widths[1]


def test_nobody_leaves_a_market_where_nobody_can_and_the_truth_is_the_margin() -> None:
    market = make_round(6, 4000, 2, read_formula(), read_behaviour()).market
    price = market.loss[0] + market.service_cost + 10.0
    assert true_value(market, price, 1) == pytest.approx(np.full(4000, 10.0))


def test_tenths_are_by_the_predicted_value() -> None:
    found = by_decile(np.arange(100.0), np.arange(100.0)[::-1])
    assert [one.predicted for one in found] == [4.5 + 10 * place for place in range(10)]
    assert [one.true for one in found] == [94.5 - 10 * place for place in range(10)]


def test_the_command() -> None:
    words = ["portfolio", "value", "--customers", "4000", "--pilot", "8000", "--years", "3"]
    answer = CliRunner().invoke(app, [*words, "--json"])
    assert answer.exit_code == 0, answer.exception
    assert len(json.loads(answer.stdout)["deciles"]) == 10
    assert CliRunner().invoke(app, words).stdout.count("tenth") == 10
