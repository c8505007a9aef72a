"""The lapse model: what is true is found, out of time too; worth is what can be counted by hand; nothing is made up."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from portfolio.errors import BadBook, TooFewRows
from portfolio.lapse import LapseModel, Renewals, fit_lapse, worths_of
from portfolio.lapse_check import check_out_of_time
from portfolio.planning import plan_leaving
from portfolio.planning_store import fetch_result
from portfolio.renewals_file import other_ends, read_renewals, true_chances
from portfolio.standings import Standings
from portfolio.uplift import Uplift
from portfolio.value_out_of_time import check_value
from portfolio.worth import ACTION_COST, Effect, judge
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


def test_value_out_of_time_is_near_what_came_and_knows_service_and_score(book: Path) -> None:
    found = check_value(book, 0.4)
    assert found.asked_about > 3000
    assert found.predicted == pytest.approx(found.true, abs=100.0)  # of a premium of some 600: little was learned from
    lower, upper = (np.mean([one.true for one in part]) for part in (found.tenths[:5], found.tenths[5:]))
    assert upper > lower
    assert found.tenths != found.without_service_and_score


@pytest.mark.long
def test_value_over_three_years_out_of_time(tmp_path: Path) -> None:
    scope = Scope(20_000, 8, np.datetime64("2023-01-01", "D"), 1)
    write_book(tmp_path, simulate_book(World(scope, read_formula(), read_behaviour())))
    found = check_value(tmp_path, 0.4)
    assert found.years == 3
    assert found.predicted == pytest.approx(found.true, rel=0.15)
    predicted, true = (np.array([getattr(one, name) for one in found.tenths]) for name in ("predicted", "true"))
    assert np.corrcoef(predicted, true)[0, 1] > 0.9


def worth_of(model: LapseModel, premium: float, loss_ratio: tuple[float, float, float]) -> tuple[float, float, float]:
    """Of the first of two customers who are alike."""
    ratios = [np.full(2, one) for one in loss_ratio]
    found = worths_of(model, made(2, 1), np.full(2, premium), (ratios[0], ratios[1], ratios[2]), np.full(2, 20.0), 3)
    assert found.mean[0] == found.mean[1]
    return float(found.mean[0]), float(found.low[0]), float(found.high[0])


def test_worth_is_margin_times_the_chance_of_being_here() -> None:
    model = LapseModel(("intercept",), np.array([0.0]), np.array([[1e-12]]), 1000, 0.1)
    mean, low, high = worth_of(model, 500.0, (0.6, 0.6, 0.6))
    here = 0.9 * 0.5  # neither another end nor leaving
    assert mean == pytest.approx(180 * (1 + here / 1.05 + here**2 / 1.05**2))
    assert low == pytest.approx(high)
    mean, low, high = worth_of(replace(model, covariance=np.array([[0.04]])), 500.0, (0.6, 0.5, 0.7))
    assert low < mean < high
    assert worth_of(model, 500.0, (1.1, 1.1, 1.1))[0] < 0  # who costs more than they bring


SEGMENTS = [
    {"bounds": {"declared_km_per_year": [None, 20_000.0]}, "credible_loss_ratio": 0.6, "credibility": 0.5,
     "loss_ratio": {"value": 0.6, "low": 0.5, "high": 0.7}},
]  # fmt: skip
LEAVES = LapseModel(("intercept",), np.array([-2.0]), np.array([[1e-4]]), 1000, 0.05)
CALL = Effect("call", "calls", 0.04, 0.02, 0.06, "better")
LETTER = Effect("letter", "letters", 0.001, -0.001, 0.003, "no difference that matters")


def standing(premium: list[float], km: float = 9000.0) -> Standings:
    nothing = np.zeros(len(premium))
    return Standings(
        np.array(premium), nothing, nothing + km, nothing + 40.0, *(nothing for _ in range(5)), nothing + np.nan,
        *(nothing for _ in range(3)),
    )  # fmt: skip


def test_the_litmus_takes_what_adds_most_over_its_cost_and_guesses_nothing() -> None:
    judged = judge([CALL, LETTER], SEGMENTS, LEAVES, standing([500.0, 30.0, np.nan]))
    worth, found = judged.worth_at(0), judged.answer(0)
    assert worth is not None
    assert found is not None
    assert found.action == "call"
    assert found.gain == pytest.approx(0.04 * worth.mean - ACTION_COST["call"])
    assert found.low == pytest.approx(0.02 * worth.low - ACTION_COST["call"])
    assert "experiment calls" in found.why
    assert "on average" in found.why
    small = judged.answer(1)
    assert small is not None
    assert small.action is None
    assert small.why.startswith("No contact pays: letter")
    assert judged.answer(2) is None  # nothing is posted to go by
    barred = judged.without(np.array([[False, True, False]] * 3)).answer(0)
    assert barred is not None
    assert barred.action is None
    everybody = judged.without(np.array([[False, True, True]] * 3)).answer(0)
    assert everybody is not None
    assert everybody.why.startswith("No contact is left")

    def answer(*effects: Effect, km: float = 9000.0, model: LapseModel | None = LEAVES) -> object:
        return judge(effects, SEGMENTS, model, standing([500.0], km)).answer(0)

    assert answer() is None
    assert answer(replace(CALL, verdict="undecided")) is None
    assert answer(CALL, km=30_000.0) is None  # no segment is theirs
    assert answer(CALL, model=None) is None
    harmful = judge([replace(CALL, effect=-0.04, low=-0.06, high=-0.02, verdict="harmful")], SEGMENTS, LEAVES,
                    standing([500.0])).answer(0)  # fmt: skip
    assert harmful is not None
    assert harmful.action is None


def test_an_effect_by_customer_goes_as_far_as_it_is_believed() -> None:
    """The one who pays more is moved more: believed by half, half of that counts, and the interval is wider for it."""
    slope = Uplift(("log_premium",), np.array([6.0]), np.array([1.0]), np.array([1.0, 0.0, 0.2, 0.3]), 0.03, 0.5, 0.2,
                   5000)  # fmt: skip
    known = standing([500.0, 2000.0])
    judged = judge([replace(CALL, uplift=slope)], SEGMENTS, LEAVES, known)
    standard = np.log(known.premium) - 6.0
    said = expit(1.0 + 0.2 + 0.3 * standard) - expit(1.0)
    assert judged.added[:, 1] == pytest.approx(0.04 + 0.5 * (said - 0.03))
    plain = judge([replace(CALL, uplift=replace(slope, believed=0.0, error=0.0))], SEGMENTS, LEAVES, known)
    assert plain.added[:, 1] == pytest.approx([0.04, 0.04])
    assert (judged.high - judged.low > 0.9 * (plain.high - plain.low))[:, 1].all()
    by_customer, on_average = judged.answer(1), plain.answer(1)
    assert by_customer is not None
    assert "for customers like them" in by_customer.why
    assert on_average is not None
    assert "on average" in on_average.why
    assert Uplift.from_json(slope.as_json()).as_json() == slope.as_json()


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
