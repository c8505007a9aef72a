"""Risk models on a book whose formula is known: they find it, and find nothing where nothing is."""

import json
import re
from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import app
from pricing.risk import boosting, glm, tables
from pricing.risk.book import read_book
from pricing.risk.columns import Book
from pricing.risk.contract import read_contract
from pricing.risk.credibility import BuhlmannStraub, GammaPoisson, Memory, fit_buhlmann_straub, fit_gamma_poisson
from pricing.risk.errors import BadContract
from pricing.risk.fitting import amounts, fit, is_test
from pricing.risk.judging import by_likeness, frequency_rates, severity
from pricing.risk.metrics import actual_over_expected, calibration, deciles, gini, poisson_deviance
from pricing.risk.recalibration import fit_curve, justified_curve
from pricing.risk.terms import terms_of
from tests.pricing.risk_books import CITY, CONTRACT, KM_EXPONENT, book, claims_of, columns, write


def test_the_glm_finds_what_is_there_and_drops_what_is_not(tmp_path: Path) -> None:
    whole, contract = book(tmp_path)
    model = fit(contract, whole, 1, frozenset({"glm"}), lambda _: None)
    assert model.glm is not None
    assert model.glm.dropped == ("noise",)
    found = {(one.factor, one.level): one for one in glm.relativities(model.glm, whole.take(np.zeros(1, np.intp)))}
    km, land = (
        found["km", "per unit"],
        next(one for key, one in found.items() if key[0] == "town" and one.low < one.high),
    )
    truth = CITY if land.level == "city" else 1 / CITY
    assert km.low < np.exp(KM_EXPONENT) < km.high
    assert land.low < truth < land.high


def test_where_nothing_is_no_factor_appears(tmp_path: Path) -> None:
    whole, contract = book(tmp_path, signal=False, seed=5)
    model = fit(contract, whole, 1, frozenset({"glm"}), lambda _: None)
    assert model.glm is not None
    assert model.glm.terms == ()
    assert np.ptp(glm.rate(model.glm, whole)) == 0.0
    assert float(glm.rate(model.glm, whole).sum()) == pytest.approx(whole.claims.sum())


def test_the_tables_say_what_the_trees_say_and_multiply_out(tmp_path: Path) -> None:
    whole, contract = book(tmp_path)
    unseen = is_test(contract, whole)
    learn, test = whole.only(~unseen), whole.only(unseen)
    model = fit(contract, learn, 1, frozenset({"glm", "boosted", "tables"}), lambda _: None)
    rates = frequency_rates(model, test)
    assert list(rates) == ["boosted", "tables", "glm"]
    mean = np.full(len(test), learn.claims.sum() / learn.exposure_years.sum())
    null = poisson_deviance(test.claims, mean, test.exposure_years)
    assert all(poisson_deviance(test.claims, rate, test.exposure_years) < null for rate in rates.values())
    assert model.tariff is not None
    cells = {(name, one, two): cell for name, one, two, cell in tables.as_rows(model.tariff)}
    row = test.take(np.array([7], dtype=np.intp))
    by_hand = model.tariff.base
    for table in model.tariff.tables:
        levels = [axis.names[int(axis.cells(row)[0])] for axis in table.axes]
        by_hand *= cells[table.name, levels[0], levels[1] if len(levels) > 1 else ""]
    assert by_hand == pytest.approx(float(rates["tables"][7]))
    assert model.boosted is not None
    assert boosting.shap(model.boosted, row).shape == (1, 4)


def test_the_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    whole, contract = book(tmp_path, rows=2000)
    wanted = frozenset({"glm", "boosted", "tables"})
    assert fit(contract, whole, 3, wanted, lambda _: None) == fit(contract, whole, 3, wanted, lambda _: None)


def test_large_claims_go_to_a_loading_and_claims_without_amount_are_counted(tmp_path: Path) -> None:
    whole, contract = book(tmp_path)
    assert whole.amounts is not None
    whole.amounts.amount[:2] = (90_000.0, np.nan)
    found = amounts(contract, whole)
    assert found is not None
    assert (found.large, found.without_amount) == (1, 1)
    assert found.amount.max() == 50_000.0
    paid = whole.amounts.amount[~np.isnan(whole.amounts.amount)]
    assert found.large_loading * found.amount.sum() == pytest.approx(paid.sum())


def test_the_measures_on_cases_by_hand() -> None:
    ones = np.ones(4)
    actual = np.array([0.0, 0.0, 1.0, 1.0])
    assert gini(np.array([1.0, 2.0, 3.0, 4.0]), actual, ones) == pytest.approx(0.5)
    assert gini(ones, actual, ones) == pytest.approx(0.0)
    assert poisson_deviance(np.array([2.0]), np.array([1.0]), np.array([1.0])) == pytest.approx(2 * (2 * np.log(2) - 1))
    group = actual_over_expected("x", 10.0, 20.0, 1.0)
    assert (group.ratio, round(group.low * 20, 3), round(group.high * 20, 3)) == (0.5, 4.795, 18.39)  # Garwood 1936
    assert not group.holds


def test_calibration_sees_rates_that_are_too_spread() -> None:
    rng = np.random.default_rng(4)
    rate = rng.lognormal(-1.5, 0.5, 40_000)
    actual = rng.poisson(rate).astype(np.float64)
    good, spread = (calibration(actual, one, np.ones(len(rate))) for one in (rate, rate**2 / np.exp(-1.5)))
    assert good.slope == pytest.approx(1.0, abs=0.06)
    assert spread.slope == pytest.approx(0.5, abs=0.05)
    assert spread.miscalibration > good.miscalibration
    assert sum(group.holds for group in deciles(actual, rate, np.ones(len(rate)))) >= 8


def test_the_shape_of_the_heterogeneity_is_found_with_its_interval() -> None:
    rng = np.random.default_rng(8)
    policy = np.repeat(np.arange(20_000), 3)
    theta = rng.gamma(2.5, 1 / 2.5, 20_000)[policy]
    expected = np.full(len(policy), 0.2)
    found = fit_gamma_poisson(policy, rng.poisson(0.2 * theta).astype(np.float64), expected)
    assert found.low < 2.5 < found.high
    assert found.shows_heterogeneity
    none = fit_gamma_poisson(policy, rng.poisson(expected).astype(np.float64), expected)
    assert none.high > 100
    assert GammaPoisson(2.5, 2.0, 3.0).multiplier(np.array([0.0]), np.array([0.0]))[0] == 1.0


def test_200_km_move_little_and_20000_km_much() -> None:
    rng = np.random.default_rng(7)
    policy = np.repeat(np.arange(3000), 4)
    own = rng.normal(5.0, 2.0, 3000)[policy]
    km = rng.uniform(500, 4000, len(policy))
    value = rng.normal(own, np.sqrt(9000.0 / km))
    found = fit_buhlmann_straub(policy, value, km)
    assert found.mean == pytest.approx(5.0, abs=0.15)
    assert found.between == pytest.approx(4.0, rel=0.15)
    assert found.within == pytest.approx(9000.0, rel=0.1)
    little, much = found.credibility(np.array([200.0, 20_000.0]))
    assert little < 0.12
    assert much > 0.85
    assert found.estimate(np.array([np.nan]), np.array([0.0]))[0] == found.mean
    assert BuhlmannStraub(5.0, 1.0, 0.0).credibility(np.array([1e9]))[0] == 0.0


def test_memory_is_two_numbers_that_fade() -> None:
    kept = Memory().after(1.0, 4.0, 2.0, half_life_years=2.0).after(2.0, 0.0, 1.0, half_life_years=2.0)
    assert kept == Memory(2.0, 2.0)


def test_the_commands_fit_and_judge_and_draw(tmp_path: Path) -> None:
    book(tmp_path, rows=3000)
    model, page = tmp_path / "model", tmp_path / "report.html"
    fitted = CliRunner().invoke(
        app, ["fit", str(tmp_path), "--contract", str(tmp_path / "contract.toml"), "--out", str(model)]
    )
    assert fitted.exit_code == 0, fitted.output
    said = json.loads(fitted.stdout)
    judged = CliRunner().invoke(app, ["evaluate", str(model), str(tmp_path), "--folds", "--report", str(page)])
    assert judged.exit_code == 0, judged.output
    found = json.loads(judged.stdout)
    assert found["sha256"] == said["sha256"]
    assert set(found["models"]) == {"boosted", "tables", "glm"}
    assert found["rows"] == 600
    assert (found["by_likeness"]["share_alike"], found["by_likeness"]["alike"]) == (0, None)
    assert found["by_likeness"]["others"]["models"]["glm"] == {
        name: found["models"]["glm"][name] for name in ("deviance", "gini", "actual_over_expected", "deciles_that_hold")
    }
    assert set(found["out_of_fold"]) == {"boosted", "tables", "glm"}
    text = page.read_text()
    assert text.count("<svg") == 8  # Lorenz, lift, two double lifts, SHAP, three curves
    assert re.findall(r'(?:src|href)="(?!#)', text) == []


def test_a_report_says_what_it_cannot_judge_and_the_figures_are_printed_in_any_case(tmp_path: Path) -> None:
    few = columns(3000)
    rows = claims_of(few)
    for number, (known, said) in enumerate(
        ((20, "No model of what a claim costs was fitted"), (0, "None of these rows has a claim with an amount"))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        of_test = np.flatnonzero(rows["policy"] % 5 == 0)[:known]
        amount = np.full(len(rows["amount"]), np.nan)
        amount[of_test] = rows["amount"][of_test]
        write(folder, few, rows | {"amount": amount})
        model, page = folder / "model", folder / "report.html"
        words = ["--contract", str(folder / "contract.toml"), "--out", str(model), "--glm-only"]
        assert CliRunner().invoke(app, ["fit", str(folder), *words]).exit_code == 0
        judged = CliRunner().invoke(app, ["evaluate", str(model), str(folder), "--report", str(page)])
        assert judged.exit_code == 0, judged.exception
        assert json.loads(judged.stdout)["rows"] == 600
        assert said in page.read_text()
    lost = CliRunner().invoke(app, ["evaluate", str(model), str(folder), "--report", str(folder / "no" / "where.html")])
    assert lost.exit_code != 0
    assert json.loads(lost.stdout)["rows"] == 600


def test_rows_alike_a_row_that_was_learned_from_are_judged_apart() -> None:
    def rows(town: list[float], age: list[float], claims: list[float]) -> Book:
        columns = {"town": np.array(town), "age": np.array(age)}
        ones = np.ones(len(town))
        return Book(np.arange(len(town)), ones, np.array(claims), None, columns, {}, None, "")

    learn = rows([0, 1, np.nan], [30, 40, 50], [0, 1, 0])
    unseen = rows([1, 0, np.nan, 1, 1], [40, 40, 50, 41, 40], [2, 0, 0, 1, 1])
    found = by_likeness(learn, unseen, {"glm": np.array([1.0, 0.5, 0.5, 0.5, 2.5])})
    assert found["share_alike"] == 0.6
    alike, others = found["alike"], found["others"]
    assert (alike["rows"], alike["claims"], others["rows"], others["claims"]) == (3, 3, 2, 1)  # type: ignore[index]
    assert alike["models"]["glm"]["actual_over_expected"] == pytest.approx(3 / 4)  # type: ignore[index]
    assert others["models"]["glm"]["actual_over_expected"] == 1  # type: ignore[index]
    none = by_likeness(learn, unseen.only(np.array([False, True, False, True, False])), {"glm": np.ones(2)})
    assert none["alike"] is None


def test_the_curve_takes_what_is_drawn_to_the_mean_back_and_keeps_the_order() -> None:
    rng = np.random.default_rng(9)
    true = rng.lognormal(-1.5, 0.6, 60_000)
    drawn_in = np.exp(-1.5) * (true / np.exp(-1.5)) ** 0.7 * 1.1
    actual, ones = rng.poisson(true).astype(np.float64), np.ones(len(true))
    half = np.arange(len(true)) % 2 == 0
    curve = fit_curve(drawn_in[half], actual[half], ones[half])
    told = curve.of(drawn_in[~half])
    before, after = (calibration(actual[~half], rate, ones[~half]) for rate in (drawn_in[~half], told))
    assert before.slope > 1.3
    assert after.slope == pytest.approx(1.0, abs=0.06)
    assert after.balance.ratio == pytest.approx(1.0, abs=0.04)  # the chance of both halves
    assert after.miscalibration < before.miscalibration / 2  # the rest is what pooling wins by chance
    assert (np.diff(curve.of(np.sort(drawn_in))) >= 0).all()
    assert actual[half].sum() == pytest.approx(float(curve.of(drawn_in[half]).sum()))
    assert justified_curve(drawn_in, actual, ones) is not None
    assert justified_curve(true, actual, ones) is None
    few = fit_curve(drawn_in[:200], actual[:200], ones[:200])
    assert len(few.log_rate) <= 1 + actual[:200].sum() // 50


def test_a_test_part_by_time_is_what_begins_later(tmp_path: Path) -> None:
    policies = columns(rows=400)
    later = np.arange(400) >= 300
    for name in ("starts_on", "ends_on"):
        policies[name] = policies[name] + np.where(later, 365, 0) * np.timedelta64(1, "D")
    write(tmp_path, policies, {name: column[:0] for name, column in claims_of(policies).items()})
    by_time = CONTRACT.replace("modulus = 5\nremainder = 0", "from_day = 2026-01-01")
    (tmp_path / "contract.toml").write_text(by_time)
    contract = read_contract(tmp_path / "contract.toml")
    assert list(is_test(contract, read_book(tmp_path, contract))) == list(later)
    for wrong, problem in (
        (by_time.replace("from_day", "modulus = 5\nfrom_day"), "either by policy"),
        (by_time.replace("from_day = 2026-01-01", ""), "either by policy"),
        (by_time.replace('starts_on = "starts_on"\nends_on = "ends_on"\n', ""), "from_day needs starts_on"),
    ):
        (tmp_path / "contract.toml").write_text(wrong)
        with pytest.raises(BadContract, match=problem):
            read_contract(tmp_path / "contract.toml")


@pytest.mark.parametrize("objective", ["poisson", "gamma", "tweedie"])
def test_trees_of_each_kind_keep_an_offset_a_weight_and_a_direction(
    tmp_path: Path, objective: boosting.Objective
) -> None:
    """Means are 2 x the offset's x (km / 10,000) ^ 0.7: with half of the offset known, the trees find the rest."""
    whole, contract = book(tmp_path, rows=4000)
    km = contract.factor("km")
    rising = msgspec.structs.replace(km, monotone="rising")
    contract = msgspec.structs.replace(
        contract, factors=tuple(rising if one.name == "km" else one for one in contract.factors)
    )
    rng = np.random.default_rng(3)
    offset = rng.normal(0, 0.8, len(whole))
    mean = 2 * np.exp(offset + KM_EXPONENT * (whole.values["km"] - np.log(10_000)))
    drawn = {
        "poisson": lambda: rng.poisson(mean).astype(np.float64),
        "gamma": lambda: rng.gamma(2.0, mean / 2),
        "tweedie": lambda: np.array([rng.gamma(2.0, 0.5, n).sum() for n in rng.poisson(mean)]),
    }[objective]()
    found = boosting.fit_boosted(objective, contract, whole, drawn, np.ones(len(whole)), 1, offset)
    rate = boosting.rate(found, whole)
    assert np.corrcoef(np.log(rate), whole.values["km"])[0, 1] > 0.9
    assert abs(np.corrcoef(np.log(rate), offset)[0, 1]) < 0.1
    assert float((rate * np.exp(offset)).sum()) == pytest.approx(drawn.sum())
    rates = [boosting.rate(found, whole.take(np.array([5])).with_value("km", x))[0] for x in np.linspace(7, 11, 30)]
    assert (np.diff(rates) >= 0).all()


@pytest.mark.parametrize("family", ["poisson", "gamma", "tweedie"])
def test_counts_with_an_offset_and_rates_with_a_weight_are_one_model(tmp_path: Path, family: glm.Family) -> None:
    """y ~ exposure x rate by an offset is y / exposure with weight exposure ^ (2 - p) (Ohlsson and Johansson 2010)."""
    whole, contract = book(tmp_path, rows=3000)
    rng = np.random.default_rng(6)
    exposure = rng.uniform(0.2, 2.0, len(whole))
    mean = exposure * np.exp(KM_EXPONENT * (whole.values["km"] - np.log(10_000)))
    y = rng.gamma(2.0, mean / 2) if family == "gamma" else rng.poisson(mean).astype(np.float64)
    power = {"poisson": 1.0, "gamma": 2.0, "tweedie": glm.TWEEDIE_POWER}[family]
    terms = terms_of(contract, whole)
    by_offset = glm.fit_glm(family, terms, whole, y, np.ones(len(whole)), np.log(exposure))
    by_weight = glm.fit_glm(family, terms, whole, y / exposure, exposure ** (2 - power))
    assert by_offset.coefficients == pytest.approx(by_weight.coefficients, abs=1e-4)
    assert by_offset.intercept == pytest.approx(by_weight.intercept, abs=1e-4)


def test_severity_is_judged_on_amounts_that_it_has_not_seen(tmp_path: Path) -> None:
    whole, contract = book(tmp_path)
    unseen = is_test(contract, whole)
    model = fit(contract, whole.only(~unseen), 1, frozenset({"glm", "boosted"}), lambda _: None)
    found = severity(model, whole.only(unseen))
    assert found is not None
    assert set(found["models"]) == {"glm", "boosted"}
    for one in found["models"].values():
        assert one["low"] < 1 < one["high"]
        assert one["deviance"] == pytest.approx(found["null_deviance"], rel=0.05)  # nothing moves these amounts
