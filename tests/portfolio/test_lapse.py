"""The lapse model: what is true is found, out of time too; worth is what can be counted by hand; nothing is made up."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from portfolio.errors import BadBook, TooFewRows
from portfolio.lapse import LapseModel, Renewals, Worth, fit_lapse, worth_of
from portfolio.lapse_check import check_out_of_time
from portfolio.planning import plan_leaving
from portfolio.planning_store import fetch_result
from portfolio.renewals_file import other_ends, read_renewals, true_chances
from portfolio.worth import ACTION_COST, Effect, litmus_of
from simulator.book.behaviour import read_behaviour
from simulator.book.files import write_book
from simulator.book.formula import read_formula
from simulator.book.terms import Scope, World
from simulator.book.world import simulate_book
from storage.pool import Database
from tests.portfolio.book_in_database import put_book, simulated

TRUE = {"price_against_market": 4.0, "bad_service": 0.9, "score_gain": -0.03, "log_years": -0.3}


def made(count: int, seed: int) -> Renewals:
    rng = np.random.default_rng(seed)
    ratio, bad, gain = 0.2 * rng.standard_normal(count), rng.random(count) < 0.1, 10 * rng.standard_normal(count)
    years = rng.integers(1, 6, count).astype(np.float64)
    logit = -2.0 + 4.0 * ratio + 0.9 * bad - 0.03 * gain - 0.3 * np.log1p(years)
    return Renewals(
        ratio, np.zeros(count), bad.astype(np.float64), np.zeros(count), gain, years, np.zeros(count, dtype=np.int64),
        (rng.random(count) < expit(logit)).astype(np.float64), np.full(count, np.datetime64("2026-01-01", "D")),
    )  # fmt: skip


def test_service_and_score_are_found_with_intervals_that_hold_the_truth() -> None:
    covered = dict.fromkeys(TRUE, 0)
    for seed in range(8):
        found = fit_lapse(made(6000, seed), 0.04).intervals()
        assert "claim" not in found  # nobody had one: nothing can be learned
        for name, true in TRUE.items():
            covered[name] += found[name][1] <= true <= found[name][2]
    assert min(covered.values()) >= 6  # of 8, in 19 of 20 trials each
    assert fit_lapse(made(30_000, 1), 0.04).intervals()["score_gain"][2] < 0.0
    with pytest.raises(TooFewRows, match="400 are needed"):
        fit_lapse(made(300, 1), 0.04)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    scope = Scope(9000, 4, np.datetime64("2023-01-01", "D"), 7)
    write_book(folder, simulate_book(World(scope, read_formula(), read_behaviour())))
    return folder


def test_out_of_time_the_predicted_chances_are_the_true_ones(book: Path) -> None:
    read = read_renewals(book)
    found = check_out_of_time(read, true_chances(book, read), np.datetime64("2025-07-01", "D"), other_ends(book))
    for tenth in found.tenths:
        assert tenth.predicted == pytest.approx(tenth.true, rel=0.2, abs=0.006)
    assert found.correlation > 0.85
    gained = (found.deviance_of_mean - found.deviance) / (found.deviance_of_mean - found.deviance_of_truth)
    assert gained > 0.8  # of what the truth would gain
    intervals, truth = found.model.intervals(), read_formula().lapse
    low, high = intervals["bad_service"][1:]
    assert 0.0 < low < truth.bad_service < high
    low, high = intervals["score_gain"][1:]
    assert low < truth.score_gain < high
    assert other_ends(book) == pytest.approx(truth.other_reason, rel=0.15)


def test_what_is_no_book_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadBook, match=r"renewals\.parquet is not there"):
        read_renewals(tmp_path)


def test_worth_is_margin_times_the_chance_of_being_here() -> None:
    model = LapseModel(("intercept",), np.array([0.0]), np.array([[1e-12]]), 1000, 0.1)
    one = made(1, 1)
    found = worth_of(model, one, 500.0, (0.6, 0.6, 0.6), 20.0, 3)
    here = 0.9 * 0.5  # neither another end nor leaving
    assert found.mean == pytest.approx(180 * (1 + here / 1.05 + here**2 / 1.05**2))
    assert found.low == pytest.approx(found.high)
    unsure = worth_of(replace(model, covariance=np.array([[0.04]])), one, 500.0, (0.6, 0.5, 0.7), 20.0, 3)
    assert unsure.low < found.mean < unsure.high
    assert worth_of(model, one, 500.0, (1.1, 1.1, 1.1), 20.0, 3).mean < 0  # who costs more than they bring


def test_the_litmus_takes_what_adds_most_over_its_cost_and_guesses_nothing() -> None:
    worth = Worth(600.0, 400.0, 800.0)
    call = Effect("call", "calls", 0.04, 0.02, 0.06, "better")
    letter = Effect("letter", "letters", 0.001, -0.001, 0.003, "no difference that matters")
    found = litmus_of([call, letter], worth)
    assert found is not None
    assert found.action == "call"
    assert found.gain == pytest.approx(0.04 * 600 - ACTION_COST["call"])
    assert found.low == pytest.approx(0.02 * 400 - ACTION_COST["call"])
    assert "experiment calls" in found.why
    small = litmus_of([call, letter], Worth(50.0, 40.0, 60.0))
    assert small is not None
    assert small.action is None
    assert small.why.startswith("No contact pays: letter")
    assert litmus_of([], worth) is None
    assert litmus_of([replace(call, verdict="undecided")], worth) is None
    harmful = litmus_of([replace(call, effect=-0.04, low=-0.06, high=-0.02, verdict="harmful")], worth)
    assert harmful is not None
    assert harmful.action is None


def test_the_database_says_what_bad_service_does(database: Database) -> None:
    put_book(database, simulated(2500, 2, 2))
    version, model = plan_leaving(database, datetime(2026, 1, 1, tzinfo=UTC))
    assert version == 1
    assert model.renewals > 1500
    low, high = model.intervals()["bad_service"][1:]
    assert 0.0 < low < 0.9 < high
    assert model.other_reason == pytest.approx(0.045, rel=0.3)
    with database.role("policy") as conn:
        kept = fetch_result(conn, "leaving")
    assert kept is not None
    again = LapseModel.from_json(kept.found)
    assert again.names == model.names
    assert (again.coefficients == model.coefficients).all()
