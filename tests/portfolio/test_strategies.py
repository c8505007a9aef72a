"""Strategies on a market: fair to each other, blind to what nobody may see, and added up rightly."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from typer.testing import CliRunner

from cli.main import app
from portfolio.comparison import TREATMENT_COSTS, Round, break_even, interval, play_round
from portfolio.contact import best_action, fit_leaving, kept_more
from portfolio.errors import TooFewRows
from portfolio.fitting import fit_logistic, fit_poisson
from portfolio.market import Market, Pilot
from portfolio.rates import SEGMENTS, individual_rates, segment_of, segment_rates
from portfolio.strategies import CONCENTRATED, MASS, ONE_TO_ONE, STRATEGIES, Costs, Strategy, fit, play
from simulator.book.behaviour import read_behaviour
from simulator.book.competition import make_round
from simulator.book.formula import read_formula

MEASURES = {"profit", "loss_ratio", "retention", "fairness", "customer_value"}


@pytest.fixture(scope="module")
def one_round() -> Round:
    return make_round(7, 4000, 4, read_formula(), read_behaviour())


def taken(pilot: Pilot, rows: int) -> Pilot:
    return replace(pilot, claims=pilot.claims[:rows])


def test_the_same_seed_makes_the_same_worlds_and_parts_share_nobody(one_round: Round) -> None:
    again = make_round(7, 4000, 4, read_formula(), read_behaviour())
    assert np.array_equal(one_round.market.loss, again.market.loss)
    assert np.array_equal(one_round.pilot.left, again.pilot.left)
    assert not np.intersect1d(one_round.market.sensitivity, one_round.rehearsal.sensitivity).size
    assert not np.intersect1d(one_round.market.sensitivity, one_round.pilot.market.sensitivity).size


@pytest.mark.parametrize("name", STRATEGIES)
def test_no_price_looks_at_what_nobody_may_see(one_round: Round, name: str) -> None:
    """Willingness to pay, own heterogeneity and temper change who buys and claims, never what anybody is charged."""
    from portfolio.strategies import _rates  # noqa: PLC0415  what the law is about

    market, fitted = one_round.market, fit(one_round.pilot)
    other = replace(
        market,
        sensitivity=market.sensitivity[::-1],
        loss=market.loss[:, ::-1],
        explained_loss=market.explained_loss[:, ::-1],
        moved=market.moved[::-1],
        luck=market.luck[:, :, ::-1],
    )
    with_us = np.full(len(market), 2.0)
    strategy = Strategy(name, 1.4)
    for year in range(market.years):
        first, second = (_rates(one, strategy, fitted)(year, with_us) for one in (market, other))
        assert np.array_equal(first, second)


def test_who_does_not_share_driving_is_rated_by_what_they_declare(one_round: Round) -> None:
    from portfolio.strategies import _rates  # noqa: PLC0415

    market, fitted = one_round.market, fit(one_round.pilot)
    rates = _rates(market, Strategy(ONE_TO_ONE, 1.4), fitted)
    stirred = replace(market, driven_km=market.driven_km * 3.0, behaviour=market.behaviour + 1.0)
    changed = _rates(stirred, Strategy(ONE_TO_ONE, 1.4), fitted)(2, np.ones(len(market)))
    same = rates(2, np.ones(len(market))) == changed
    assert same[~market.shares_driving].all()
    assert not same[market.shares_driving].any()


def test_a_year_by_hand(one_round: Round) -> None:
    """Mass in its only year: who asks and takes, their premium, losses, service and acquisition; nobody to renew."""
    market, fitted, costs = one_round.market, fit(one_round.pilot), Costs()
    short = Market(
        **{name: getattr(market, name) for name in ("tastes", "territory", "vehicle_class", "age_band", "declared_km",
           "shares_driving", "answered", "sensitivity", "moved", "action_cost", "service_cost")},
        **{name: getattr(market, name)[:1] for name in ("driven_km", "behaviour", "explained_loss", "loss", "offer")},
        luck=market.luck[:, :1],
    )  # fmt: skip
    price = 1.5 * fitted.one
    against = np.clip(np.log(price / short.offer[0]), -1.5, 1.5)
    chance = expit(short.tastes.take - short.tastes.take_price * short.sensitivity * against)
    ours = (short.luck[0, 0] < short.tastes.shops) & (short.luck[1, 0] < chance)
    expected = price * ours.sum() - (short.loss[0] + short.service_cost)[ours].sum() - costs.acquisition * ours.sum()
    expected -= costs.reach * len(short) + costs.segment
    found = play(short, Strategy(MASS, 1.5), fitted, costs)
    assert found.profit == pytest.approx(expected)
    assert found.loss_ratio == pytest.approx(short.loss[0, ours].sum() / (price * ours.sum()))
    assert np.isnan(found.retention)


def test_a_niche_reaches_its_own_and_spends_on_nobody_else(one_round: Round) -> None:
    market, fitted = one_round.market, fit(one_round.pilot)
    dear = Costs(reach=1000.0)
    one = play(market, Strategy(CONCENTRATED, 1.5, niche=3), fitted, dear).profit
    none = play(market, Strategy(CONCENTRATED, 1.5, niche=3), fitted, Costs(reach=0.0)).profit
    share = (segment_of(market) // 3 == 3).sum()
    assert none - one == pytest.approx(1000.0 * share * market.years)


def test_treatments_that_cost_more_never_earn_more_and_end_no_contact_that_pays_before(one_round: Round) -> None:
    fitted = fit(one_round.pilot)
    profits = [
        play(one_round.market, Strategy(ONE_TO_ONE, 1.45), fitted, Costs(individual_treatment=cost)).profit
        for cost in (0.0, 10.0, 40.0)
    ]
    assert profits[0] > profits[1] > profits[2]


def test_the_best_action_is_the_one_that_adds_more_than_it_costs() -> None:
    added = np.array([[0.0, 0.02, 0.10], [0.0, 0.02, 0.10], [0.0, -0.1, -0.2], [0.0, 0.02, 0.10]])
    action, gain = best_action(added, np.array([1000.0, 100.0, 1000.0, -50.0]), np.array([0.0, 5.0, 60.0]))
    assert action.tolist() == [2, 0, 0, 0]  # 100 - 60; 2 - 5 and 10 - 60; sleeping dogs; a customer who costs
    assert gain.tolist() == pytest.approx([40.0, 0.0, 0.0, 0.0])


def test_the_pilot_teaches_how_price_and_actions_move(one_round: Round) -> None:
    big = make_round(3, 60_000, 1, read_formula(), read_behaviour()).pilot
    model = fit_leaving(big)
    assert 2.0 < model.coefficients[1] < 6.0  # truth: 5.0 x a sensitivity of mean 1, flattened by its spread
    call = list(read_formula().actions).index("call")
    stay = kept_more(model, np.zeros(1), np.ones(1), np.zeros(1, dtype=np.int64))[0]
    true = expit(-2.35 - 0.28 * np.log(2) + np.array([-0.1, -1.1, 0.9]))
    base = expit(-2.35 - 0.28 * np.log(2))
    assert stay[0] == 0.0
    assert stay[call] == pytest.approx(base - true @ [0.65, 0.25, 0.1], abs=0.02)


def test_earlier_answers_teach_who_is_moved_by_what() -> None:
    """Of everybody who answered alike the estimated effect is near the true mean one, and answers tell them apart."""
    silent, told = (make_round(3, 60_000, 1, read_formula(), read_behaviour(), None, count) for count in (0, 4))
    assert np.array_equal(silent.market.moved, told.market.moved)  # the same people
    assert not silent.market.answered.any()
    call = list(read_formula().actions).index("call")
    pilot = told.pilot.market
    kinds, counts = np.unique(pilot.answered, return_counts=True)
    common = kinds[counts > 4000]
    assert len(common) > 3
    stay = kept_more(fit_leaving(told.pilot), np.zeros(len(common)), np.ones(len(common)), common)[:, call]
    base = -2.35 - 0.28 * np.log(2)
    moved = [pilot.moved[pilot.answered == one, call] for one in common]
    true = [float(np.mean(expit(base) - expit(base + one))) for one in moved]
    assert stay == pytest.approx(true, abs=0.04)
    assert max(true) - min(true) > 0.06
    assert stay[np.argmax(true)] - stay[np.argmin(true)] > 0.03


def test_segments_are_as_credible_as_their_policies(one_round: Round) -> None:
    rates, credibility = segment_rates(one_round.pilot)
    assert rates.shape == credibility.shape == (SEGMENTS,)
    assert ((credibility >= 0) & (credibility < 1)).all()
    counts = np.bincount(segment_of(one_round.pilot.market), minlength=SEGMENTS)
    assert (np.diff(credibility[np.argsort(counts)]) >= 0).all()
    with pytest.raises(TooFewRows, match="larger book"):
        segment_rates(taken(one_round.pilot, 900))
    with pytest.raises(TooFewRows):
        individual_rates(taken(one_round.pilot, 900))


def test_regressions_recover_what_drew_the_data() -> None:
    rng = np.random.default_rng(2)
    columns = np.stack([np.ones(80_000), rng.standard_normal(80_000), rng.integers(0, 2, 80_000)], axis=1)
    counts = rng.poisson(np.exp(columns @ [-2.0, 0.3, -0.5])).astype(np.float64)
    assert fit_poisson(columns, counts, 1.0) == pytest.approx([-2.0, 0.3, -0.5], abs=0.06)
    left = (rng.random(80_000) < expit(columns @ [-1.0, 0.8, 0.4])).astype(np.float64)
    assert fit_logistic(columns, left) == pytest.approx([-1.0, 0.8, 0.4], abs=0.06)


def test_break_even_and_intervals_by_hand() -> None:
    steps = len(TREATMENT_COSTS)
    assert break_even([-1.0] * steps) == 0.0
    assert break_even([5.0] * steps) == TREATMENT_COSTS[-1]
    assert break_even([30.0, 10.0, -10.0] + [-50.0] * (steps - 3)) == pytest.approx(3.75)
    # Mean 2, standard deviation 1, t of 2 degrees 4.303: 4.303 / sqrt(3).
    assert interval([1.0, 2.0, 3.0]) == pytest.approx({"mean": 2.0, "low": 2 - 2.4841, "high": 2 + 2.4841}, abs=1e-4)
    assert interval([4.0, float("nan")]) == {"mean": 4.0, "low": 4.0, "high": 4.0}


def test_a_round_is_the_same_again_and_is_played_on_what_was_not_seen(one_round: Round) -> None:
    first, second = (play_round(7, one_round, Costs()) for _ in range(2))
    assert first.chosen == second.chosen
    assert first.lead == pytest.approx(second.lead)  # sums over threads differ in the last digits
    assert set(first.outcomes) == set(STRATEGIES)
    assert len(first.lead) == len(TREATMENT_COSTS)
    assert list(first.lead) == sorted(first.lead, reverse=True) or first.lead[0] > first.lead[-1]


def test_the_command_prints_one_object_and_a_page(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    words = ["strategies", "--json", "--seeds", "2", "--customers", "4000", "--years", "3", "--out", str(page)]
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 0, answer.exception
    found = json.loads(answer.stdout)
    assert {"seeds", "strategies", "break_even"} <= set(found)
    assert set(found["strategies"]) == {"mass", "differentiated", "concentrated", "one_to_one"}
    for row in found["strategies"].values():
        assert set(row) == MEASURES
        for one in row.values():
            assert one["low"] <= one["mean"] <= one["high"]
    assert [one["cost"] for one in found["break_even"]["curve"]] == list(TREATMENT_COSTS)
    text = page.read_text()
    assert text.count("<svg") == len(MEASURES) + 1
    assert "http://" not in text.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
