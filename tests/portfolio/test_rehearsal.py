"""A rehearsed experiment says what the truth is, or that it cannot tell; nothing is called where nothing differs."""

from dataclasses import replace

import numpy as np
import pytest

from portfolio.experiments import Plan
from portfolio.market import Market
from portfolio.rehearsal import rehearse
from simulator.book.behaviour import read_behaviour
from simulator.book.competition import make_round
from simulator.book.formula import read_formula

PLAN = Plan("rehearsal", "it keeps", "stays", 0.5, 20_000, 0.01)


@pytest.fixture(scope="module")
def market() -> Market:
    return make_round(3, 20_000, 2, read_formula(), read_behaviour(), 4000).market


def test_a_strong_action_is_found_early_and_its_interval_holds_the_truth(market: Market) -> None:
    moved = market.moved.copy()
    moved[:, 1] = -1.5
    found = rehearse(replace(market, moved=moved), 1, PLAN, 500, 1)
    assert found.verdict == "better"
    assert found.stopped_at is not None
    assert found.stopped_at < 20_000
    assert found.looks[-1].low < found.true_effect < found.looks[-1].high
    assert found.cost == pytest.approx(found.looks[-1].treated * market.action_cost[1])


def test_nothing_is_called_where_nothing_differs(market: Market) -> None:
    nothing = replace(market, moved=np.zeros_like(market.moved))
    verdicts = [rehearse(nothing, 1, PLAN, 500, seed).verdict for seed in range(20)]
    assert sum(verdict in ("better", "worse") for verdict in verdicts) <= 1


def test_an_action_that_angers_is_called_worse(market: Market) -> None:
    moved = market.moved.copy()
    moved[:, 1] = 1.0
    assert rehearse(replace(market, moved=moved), 1, PLAN, 500, 1).verdict == "worse"
