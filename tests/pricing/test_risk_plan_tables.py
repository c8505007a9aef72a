"""A fitted model becomes a rate plan that multiplies out to it, and its balance is taken out of the rates."""

import json
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import app
from pricing.errors import NoBalance
from pricing.plan import OWN_CLAIMS, RatePlan, parse_plan
from pricing.plan_text import toml_text
from pricing.policies import packaged_plan
from pricing.quote import Asked, Driving, quote_of
from pricing.risk import artefact, declared_tables, fitting, glm, joint, score_weights
from pricing.risk import tables as risk_tables
from pricing.risk.artefact import RiskModel
from pricing.risk.columns import Book
from pricing.risk.contract import Boosting, Contract, Factor, PolicyFile, Tables, read_contract
from pricing.risk.declared_tables import distil_declared
from pricing.risk.errors import NoTable
from pricing.risk.plan_tables import fitted_plan
from pricing.risk.score_weights import fitted_score_model
from pricing.risk.terms import Term
from scoring.features import sum_totals
from scoring.score import PRIOR_MODEL, ScoreModel, score_totals
from tests.pricing.rating_books import write_book
from tests.pricing.test_risk_joint import BRAKES, CONTRACT, driven_book

BANDS = (4000.0, 8000.0, 16_000.0)
TOWN, DECLARED = '{ land = "1.1", city = "1.0" }', "[factors.declared_km]"


def base_plan() -> RatePlan:
    """The plan that ships, with a factor `town` for `territory` and two bands of declared km."""
    content = packaged_plan().content
    head, rest = content.split("[factors.territory]")
    age = rest[rest.index("[factors.driver_age]") : rest.index(DECLARED)]
    km = 'bands = [{ from = 0, to = 9000, relativity = "0.9" }, { from = 9000, to = 900000, relativity = "1.2" }]\n'
    return parse_plan(f"{head}[factors.town]\nlevels = {TOWN}\n{age}{DECLARED}\n{km}", "base")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> RiskModel:
    path = tmp_path_factory.mktemp("plan") / "contract.toml"
    path.write_text(CONTRACT)
    contract = banded(read_contract(path))
    book = driven_book(4000)
    book = book.with_column("declared_km", np.exp(book.values["declared_km"]))
    return fitting.fit(contract, book, 1, frozenset({"glm"}), lambda _: None)


def banded(contract: Contract) -> Contract:
    """Declared km in bands: what a plan can hold."""
    factors = [Factor("declared_km", bands=BANDS) if one.name == "declared_km" else one for one in contract.factors]
    return msgspec.structs.replace(contract, factors=tuple(factors))


def test_the_plan_holds_what_the_joint_refit_says(model: RiskModel) -> None:
    found = fitted_plan(model, "ab" * 32, base_plan(), "2", None)
    assert found.fitted == ("town", "declared_km")
    assert found.kept == ("vehicle_class", "driver_age")
    assert model.joint is not None
    assert {term.name for term in model.joint.chosen.terms} == {"km_a_year", "hard_brakes_per_100km"}
    # driving says what town seemed to: the plan holds none of it, though the plan before charged it
    assert set(found.plan.factors["town"].levels.values()) == {Decimal(1)}
    km = found.plan.factors["declared_km"]
    assert [band.lowest for band in km.bands] == [0, 4000, 8000, 16_000]
    assert km.bands[-1].below == 900_000
    # where nothing is measured declared km still tell: they rise
    relativities = [band.relativity for band in km.bands]
    assert relativities == sorted(relativities)
    assert relativities[-1] > 2 * relativities[0]
    assert model.joint.unmeasured is not None
    told = {one.level: one.relativity for one in glm.relativities(model.joint.unmeasured, driven_book(2))}
    assert float(relativities[0]) == pytest.approx(told["below 4000"], abs=1e-4)
    for place in ("covers", "pay_plans", "rules", "behaviour", "fee", "minimum_premium"):
        assert getattr(found.plan, place) == getattr(base_plan(), place)
    assert "abababab" in found.plan.basis


def test_own_claims_are_a_table_of_their_credibility(model: RiskModel) -> None:
    plan = fitted_plan(model, "ab", base_plan(), "2", None, own_claims=True).plan
    assert model.joint is not None
    shape = model.joint.experience
    assert shape is not None
    for claims, expected in ((0, 0.0), (0, 0.4), (1, 0.4), (3, 0.5)):
        exact = float(shape.multiplier(np.array([claims]), np.array([expected]))[0])
        _, relativity = plan.factors[OWN_CLAIMS].step_of(int(100 * exact), "plan")
        assert float(relativity) == pytest.approx(exact, abs=0.051 if exact < 2 else 0.126)
    assert plan.factors[OWN_CLAIMS].step_of(100, "plan")[1] == 1
    assert plan.factors[OWN_CLAIMS].step_of(99_999, "plan")[1] == 3
    assert plan.own_claims is not None
    assert plan.own_claims.shape == pytest.approx(shape.shape, abs=1e-6)
    # what it expects with all relativities 1, times those of each row, is what came
    book = joint.believed(model.joint.signals, driven_book(4000))
    brakes = model.joint.signals["hard_brakes_per_100km"]
    names = [term.name for term in model.joint.chosen.terms]
    beta = model.joint.chosen.coefficients[names.index("hard_brakes_per_100km")]
    assert book.km is not None
    driven = np.exp(beta * (book.values["hard_brakes_per_100km"] - brakes.mean))
    expected = plan.own_claims.claims_per_100000_km * float(np.sum(book.km * driven)) / 100_000
    assert expected == pytest.approx(float(book.claims.sum()), rel=1e-4)


def test_the_plan_prices_by_the_driving_weights_with_their_means_intervals_and_k(
    model: RiskModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = CliRunner()
    digest = artefact.save(model, tmp_path / "model")
    (tmp_path / "base.toml").write_text(base_plan().content)
    words = ["plan", "fitted", str(tmp_path / "model"), "--base", str(tmp_path / "base.toml"), "--version", "2"]
    out = tmp_path / "plan.toml"
    answer = run.invoke(app, [*words, "-o", str(out), "--score", "--effective-from", "2027-01-01"])
    assert answer.exit_code == 0, answer.exception
    assert run.invoke(app, ["plan", "check", str(out)]).stdout == answer.stdout
    plan = parse_plan(out.read_text(), "fitted")
    weights = plan.score_model
    (weight,) = weights.weights
    assert weight.beta_interval[0] < BRAKES < weight.beta_interval[1]
    assert digest[:16] in weight.source
    assert model.joint is not None
    assert weight.credibility_km == pytest.approx(model.joint.signals[weight.feature].k, abs=1e-9)

    def driven(km: int) -> float:
        counts = {"hard_brake_events": km * 12 // 100, "brake_measurable_m": km * 1000, "distance_m": km * 1000}
        return score_totals(sum_totals([counts]), weights).claims_per_100000_km / weights.base_claims_per_100000_km

    # the same hard driving: 200 km move the prediction little, 20,000 km nearly all the way
    whole = np.exp(weight.beta * (12 - weight.reference))
    assert 1 < driven(200) < 1 + 0.25 * (whole - 1)
    assert 1 + 0.8 * (whole - 1) < driven(20_000) < whole
    assert driven(0) == pytest.approx(1.0, abs=1e-3)
    counts = {"hard_brake_events": 2400, "brake_measurable_m": 20_000_000, "distance_m": 20_000_000}
    factors: dict[str, str | int] = {"vehicle_class": "compact", "town": "land", "driver_age": 40}
    asked = Asked("P-1", 31, "autograph", ("liability",), factors, 12_000, Driving(totals=counts))
    step = next(one for one in quote_of(plan, asked)["worksheet"] if one["label"].startswith("behaviour"))
    assert step["label"].endswith(f" / {plan.class_mean} claims per 100,000 km")
    assert float(step["rate"]) == pytest.approx(min(driven(20_000), 1.3), abs=1e-3)
    with pytest.raises(NoTable, match="no driving signal"):
        fitted_score_model(model, digest, {weight.feature})
    with monkeypatch.context() as patched:
        patched.setattr(score_weights, "PRIOR_MODEL", ScoreModel(weights=PRIOR_MODEL.weights[:5]))
        with pytest.raises(NoTable, match=r"hard_brakes_per_100km: .* its cap and the km"):
            fitted_score_model(model, digest)
    chosen = model.joint.chosen
    turned = msgspec.structs.replace(chosen, coefficients=tuple(-one for one in chosen.coefficients))
    with pytest.raises(NoTable, match=r"more of it would lower the price"):
        fitted_score_model(
            msgspec.structs.replace(model, joint=msgspec.structs.replace(model.joint, chosen=turned)), digest
        )
    assert "is not a time" in str(run.invoke(app, [*words, "-o", str(out), "--effective-from", "soon"]).exception)


def test_what_is_no_table_is_named(model: RiskModel) -> None:
    base = base_plan()
    other = parse_plan(base.content.replace(TOWN, '{ land = "1.1", sea = "1.0" }'), "a")
    with pytest.raises(NoTable, match=r"town: .*city, land, and the plan asks for 'sea'"):
        fitted_plan(model, "ab", other, "2", None)
    low = parse_plan(base.content.replace("from = 0, to = 9000", "from = 5000, to = 9000"), "a")
    with pytest.raises(NoTable, match=r"declared_km: .*whole numbers over 5000"):
        fitted_plan(model, "ab", low, "2", None)
    with pytest.raises(NoTable, match="own claims"):
        fitted_plan(msgspec.structs.replace(model, joint=None), "ab", base, "2", None, own_claims=True)
    strange = parse_plan(base.content.replace("factors.town", "factors.t"), "a")
    only_noise = msgspec.structs.replace(
        model, contract=msgspec.structs.replace(model.contract, factors=(Factor("x"),))
    )
    with pytest.raises(NoTable, match="no factor of the plan"):
        fitted_plan(only_noise, "ab", strange, "2", None)


def test_a_curve_is_read_at_the_plans_knots_and_severity_is_part_of_it(model: RiskModel) -> None:
    term = Term("age", "age", knots=(20.0, 80.0), centre=50.0)
    line = glm.Glm("poisson", (term,), -2.0, (-0.01,), ((0.0, 0.0), (0.0, 0.0)))
    severe = msgspec.structs.replace(line, family="gamma", coefficients=(0.002,))
    contract = msgspec.structs.replace(model.contract, factors=(Factor("age"),))
    plain = msgspec.structs.replace(model, contract=contract, joint=None, glm=line, severity=severe)
    knots = 'knots = [{ at = 20, relativity = "1" }, { at = 50, relativity = "1" }, { at = 80, relativity = "1" }]'
    base = base_plan().content.replace(f"[factors.town]\nlevels = {TOWN}", f"[factors.age]\n{knots}\ndecimals = 4")
    found = fitted_plan(plain, "ab", parse_plan(base, "a"), "2", None).plan.factors["age"]
    told = [float(knot.relativity) for knot in found.knots]
    assert told == pytest.approx(list(np.exp(-0.008 * (np.array([20, 50, 80]) - 50))), abs=1e-4)


def crossed_book(rows: int = 6000) -> Book:
    """The young in town claim more than youth and town say; the value's logarithm and its noise say nothing."""
    rng = np.random.default_rng(3)
    age, town, value = rng.integers(17, 90, rows), rng.integers(0, 2, rows), rng.integers(1, 60, rows)
    rate = 0.4 * np.where(age < 30, 1.5, 1.0) * np.where(town == 1, 1.3, 1.0) * np.where((age < 30) & (town == 1), 2, 1)
    columns = {"age": age.astype(np.float64), "town": town.astype(np.float64), "value": np.log(value)}
    ones = np.ones(rows)
    claims = rng.poisson(rate).astype(np.float64)
    return Book(np.arange(rows), ones, claims, None, columns, {"town": ("land", "city")}, None, "d")


CROSSED = Contract(
    "crossed",
    PolicyFile("", "", "", ""),
    (Factor("age", bands=(30.0, 60.0)), Factor("town", kind="categorical"), Factor("value", log=True, knots=1)),
    interactions=(("town", "age"),),
    boosting=Boosting(rounds=30, leaves=8, least_rows=100, folds=2, learning_rate=0.2),
    tables=Tables(bands=12, pair_bands=6, pairs=2, prior_claims=1.0),
)
AGES = 'knots = [{ at = 17, relativity = "1" }, { at = 40, relativity = "1" }, { at = 89, relativity = "1" }]'
VALUES = 'bands = [{ from = 1, to = 20, relativity = "1" }, { from = 20, to = 60, relativity = "1" }]'


@pytest.fixture(scope="module")
def crossed() -> RiskModel:
    return fitting.fit(CROSSED, crossed_book(), 1, frozenset({"glm", "boosted", "tables"}), lambda _: None)


def crossed_base() -> RatePlan:
    head, rest = base_plan().content.split(f"[factors.town]\nlevels = {TOWN}")
    factors = f"[factors.age]\n{AGES}\ndecimals = 4\n[factors.value]\n{VALUES}\n[factors.town]\nlevels = {TOWN}\n"
    return parse_plan(head + factors + rest[rest.index(DECLARED) :], "crossed")


def multiplied(plan: RatePlan, book: Book) -> np.ndarray:
    """What the plan's factors and tables of two make of each row."""
    found = []
    for age, town, value in zip(*(book.values[name] for name in ("age", "town", "value")), strict=True):
        declared = {"age": int(age), "town": ("land", "city")[int(town)], "value": round(float(np.exp(value)))}
        steps = [plan.factors[name].step_of(level, "p")[1] for name, level in declared.items()]
        steps += [one.step_of(declared, "p")[1] for one in plan.tables.values()]
        found.append(float(np.prod([float(step) for step in steps])))
    return np.array(found)


def test_an_interaction_of_the_glm_is_a_table_of_two(crossed: RiskModel) -> None:
    assert crossed.glm is not None
    assert {term.name for term in crossed.glm.terms} == {"age", "town", "town x age"}
    found = fitted_plan(crossed, "ab" * 32, crossed_base(), "2", None)
    assert found.fitted == ("age", "value", "town", "age_x_town")
    table = found.plan.tables["age_x_town"]
    assert table.rows.begins == (17, 30, 60)  # the model's bands, where the plan before had knots
    cells = {
        (age, town): float(table.step_of({"age": age, "town": town}, "p")[1])
        for age in (20, 70)
        for town in ("city", "land")
    }
    crossing = cells[20, "city"] / cells[20, "land"] / (cells[70, "city"] / cells[70, "land"])
    assert crossing == pytest.approx(2, abs=0.4)
    book = crossed_book(300)
    ratio = multiplied(found.plan, book) / glm.rate(crossed.glm, book)
    assert ratio == pytest.approx(np.full(300, ratio[0]), rel=2e-4)
    with pytest.raises(NoTable, match=r"town x age: .*the plan has no factor age, and what it says cannot be left out"):
        fitted_plan(crossed, "ab", parse_plan(base_plan().content, "a"), "2", None)


def test_the_tables_distilled_from_the_trees_are_a_plan_that_multiplies_out_to_them(
    crossed: RiskModel, tmp_path: Path
) -> None:
    assert crossed.tariff is not None
    artefact.save(crossed, tmp_path / "model")
    (tmp_path / "base.toml").write_text(crossed_base().content)
    words = ["plan", "fitted", str(tmp_path / "model"), "--base", str(tmp_path / "base.toml"), "--tables"]
    answer = CliRunner().invoke(app, [*words, "--version", "2", "-o", str(tmp_path / "plan.toml")])
    assert answer.exit_code == 0, answer.exception
    plan = parse_plan((tmp_path / "plan.toml").read_text(), "plan.toml")
    assert "age_x_town" in plan.tables
    assert len(plan.tables) == 2
    book = crossed_book(300)
    ratio = multiplied(plan, book) / risk_tables.rate(crossed.tariff, book)
    assert ratio == pytest.approx(np.full(300, ratio[0]), rel=5e-4)
    # fitted again from what was fitted: tables of the plan before are said anew, not twice
    again = fitted_plan(crossed, "cd", plan, "3", None, surrogate=True)
    assert (again.plan.factors, again.plan.tables, again.kept) == (
        plan.factors,
        plan.tables,
        ("vehicle_class", "declared_km"),
    )
    plain = fitted_plan(crossed, "cd", plan, "3", None)
    assert set(plain.plan.tables) == {"age_x_town"}
    with pytest.raises(NoTable, match="was fitted by --glm-only"):
        fitted_plan(msgspec.structs.replace(crossed, tariff=None), "ab", plan, "2", None, surrogate=True)
    with pytest.raises(NoTable, match="the plan has no factor age"):
        fitted_plan(crossed, "ab", base_plan(), "2", None, surrogate=True)
    age = msgspec.structs.replace(CROSSED.factors[0], driving=True)
    driving = msgspec.structs.replace(CROSSED, factors=(age, *CROSSED.factors[1:]))
    with pytest.raises(NoTable, match="age is a driving signal, which a plan reads through the score"):
        fitted_plan(msgspec.structs.replace(crossed, contract=driving), "ab", plan, "2", None, surrogate=True)


def test_the_surrogate_stands_beside_driving_and_says_nothing_of_it_again(model: RiskModel) -> None:
    assert model.joint is not None
    book = driven_book(4000)
    book = book.with_column("declared_km", np.exp(book.values["declared_km"]))
    quick = msgspec.structs.replace(model.contract, boosting=Boosting(rounds=40, leaves=4))
    found = distil_declared(quick, book, model.joint, 1)
    assert found is not None
    with pytest.raises(NoTable, match="no tables beside its driving signals: fit it again"):
        fitted_plan(msgspec.structs.replace(model, tariff=found), "ab", base_plan(), "2", None, surrogate=True)
    beside = msgspec.structs.replace(model.joint, tables=found)
    fitted = msgspec.structs.replace(model, tariff=found, joint=beside)
    plan = fitted_plan(fitted, "ab" * 32, base_plan(), "2", None, surrogate=True).plan
    assert list(plan.factors) == ["vehicle_class", "town", "driver_age", "declared_km"]
    assert not plan.tables
    # townspeople brake harder, which the score says: alone the trees would charge the town for it
    town = plan.factors["town"].levels
    assert float(town["city"] / town["land"]) == pytest.approx(1, abs=0.06)
    by_town = [book.only(book.values["town"] == code) for code in (0.0, 1.0)]
    alone = [float(one.claims.sum() / one.exposure_years.sum()) for one in by_town]
    assert alone[0] / alone[1] > 1.2
    # where nothing is measured declared km still tell: they rise
    km = [float(band.relativity) for band in plan.factors["declared_km"].bands]
    assert km[-1] > 2 * km[0]
    # and with what was driven the tables rank as the refit does, and bring in as many claims
    told = declared_tables.rate(quick, beside, book)
    assert float(np.sum(told * book.exposure_years)) == pytest.approx(float(book.claims.sum()), rel=1e-3)
    assert np.corrcoef(np.log(told), np.log(joint.rates(model.joint, book)["driven"]))[0, 1] > 0.97


@pytest.mark.parametrize("surrogate", [False, True])
def test_own_claims_expect_of_a_book_by_the_plans_own_relativities_what_came(
    model: RiskModel, *, surrogate: bool
) -> None:
    """Those of the tables where the plan holds them, and with severity, which is part of what a plan holds."""
    assert model.joint is not None
    book = driven_book(4000)
    book = book.with_column("declared_km", np.exp(book.values["declared_km"]))
    quick = msgspec.structs.replace(model.contract, boosting=Boosting(rounds=40, leaves=4))
    town = Term("town", "town", classes=("city", "land"), class_of=(0, 1))
    severe = glm.Glm("gamma", (town,), 6.0, (0.4,), ((0.0, 0.0), (0.0, 0.0)))
    tabled = msgspec.structs.replace(model.joint, tables=distil_declared(quick, book, model.joint, 1))
    refit = declared_tables.with_bases(quick, tabled, severe, book)
    fitted = msgspec.structs.replace(model, tariff=refit.tables, severity=severe, joint=refit)
    plan = fitted_plan(fitted, "ab", base_plan(), "2", None, own_claims=True, surrogate=surrogate).plan
    assert plan.own_claims is not None
    steps = plan.factors["town"].levels
    names = book.levels["town"]
    declared = np.array([float(steps[name]) for name in names])[book.values["town"].astype(int)]
    assert abs(np.log(float(steps[names[1]] / steps[names[0]]))) > 0.3
    seen, brakes = joint.believed(refit.signals, book), refit.signals["hard_brakes_per_100km"]
    where = glm.places(refit.chosen, book)["hard_brakes_per_100km"]
    (beta,) = refit.chosen.coefficients[where]
    driven = np.exp(beta * (seen.values["hard_brakes_per_100km"] - brakes.mean))
    assert book.km is not None
    expected = plan.own_claims.claims_per_100000_km * float(np.sum(book.km * driven * declared)) / 100_000
    assert expected == pytest.approx(float(book.claims.sum()), rel=5e-4)


def test_a_plan_is_written_as_it_was_read() -> None:
    import tomllib  # noqa: PLC0415

    for name in ("wayrate-2026", "wayrate-menu-2026"):
        content = tomllib.loads(packaged_plan(name).content, parse_float=Decimal)
        assert tomllib.loads(toml_text(content), parse_float=Decimal) == content
    odd = {"a": {'b "c" \\': {"d e": "f\n\tg", "h": [1, 2], "i": True}}}
    assert tomllib.loads(toml_text(odd)) == odd


def test_a_book_brings_in_what_it_did(tmp_path: Path) -> None:
    run = CliRunner()
    write_book(tmp_path / "book.parquet", packaged_plan(), 300, 8)
    dear = packaged_plan().content.replace('urban = "1.10"', 'urban = "1.90"').replace('version = "1"', 'version = "2"')
    (tmp_path / "dear.toml").write_text(dear)
    out, book = str(tmp_path / "out.toml"), str(tmp_path / "book.parquet")
    words = ["plan", "balance", str(tmp_path / "dear.toml"), "--old", "wayrate-2026", "--book", book, "-o", out]
    answer = run.invoke(app, [*words, "--version", "3"])
    assert answer.exit_code == 0, answer.exception
    change = json.loads(run.invoke(app, ["plan", "impact", "wayrate-2026", out, book, "--json"]).stdout)
    assert change["off_balance"] == pytest.approx(1.0, abs=5e-5)
    assert change["pay_more"]
    assert change["pay_less"]
    (tmp_path / "fee.toml").write_text(dear.replace('fee = "1.50"', 'fee = "900.00"'))
    words[2] = str(tmp_path / "fee.toml")
    assert isinstance(run.invoke(app, [*words, "--version", "3"]).exception, NoBalance)
