"""Risk models on real French claims and on simulated books whose truth is known. Long: minutes on two cores."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from pricing.risk import fitting, glm, joint, judging
from pricing.risk.book import read_book
from pricing.risk.columns import Book
from pricing.risk.contract import Contract, Split, read_contract
from pricing.risk.metrics import gini, poisson_deviance
from pricing.risk.terms import terms_of
from simulator.book.behaviour import read_behaviour
from simulator.book.files import write_book
from simulator.book.formula import SHIPPED, read_formula
from simulator.book.terms import Scope, World
from simulator.book.world import simulate_book

ROOT = Path(__file__).parents[2]
CLAIMS = ROOT.parent / "shared" / "data" / "claims"
EXAMPLES = ROOT / "docs" / "examples"
pytestmark = pytest.mark.long
BEHAVIOUR = {  # the true formula's effects
    "night_km_share": 1.1, "over_0_10_km_share": 0.2, "over_10_20_km_share": 1.4, "over_20_km_share": 2.6,
    "phone_time_share": 1.6, "hard_brakes_per_100km": 0.035, "hard_accelerations_per_100km": 0.0,
    "hard_corners_per_100km": 0.015,
}  # fmt: skip
TERRITORY = {"urban": 1.18, "suburban": 1.0, "rural": 0.86}
VEHICLE = {"small": 0.95, "compact": 1.0, "suv": 1.08, "van": 1.15}
AGES = {
    "below 21": 1.7, "21 to 25": 1.35, "25 to 35": 1.08, "35 to 65": 1.0, "65 to 75": 1.05, "from 75": 1.3,
}  # fmt: skip


@pytest.mark.skipif(not CLAIMS.exists(), reason="needs ../shared/data beside the project")
@pytest.mark.parametrize("split", [Split(5, 0), Split(10, 0, seed=20261124)], ids=["mod 5", "90/10"])
def test_french_claims(split: Split) -> None:
    contract = msgspec.structs.replace(read_contract(EXAMPLES / "freMTPL2.toml"), test=split)
    whole = read_book(CLAIMS / "freMTPL2freq.parquet", contract)
    unseen = fitting.is_test(contract, whole)
    learn, test = whole.only(~unseen), whole.only(unseen)
    model = fitting.fit(contract, learn, 1, frozenset({"glm", "boosted", "tables"}), lambda _: None)
    found = {name: judging.summary(test, rate) for name, rate in judging.frequency_rates(model, test).items()}
    assert model.boosted is not None
    print(split, len(learn), len(test), found, model.card.metrics, model.boosted.rounds, model.boosted.curve)
    metrics = model.card.metrics
    assert metrics["boosted_out_of_fold_deciles_that_hold"] >= 9
    assert abs(metrics["boosted_out_of_fold_actual_over_expected"] - 1) < 0.01
    # What the plain peers reach on these rows is beaten; the targets stand in docs/risk.md beside what was measured.
    # Both as shares of the deviance of one mean rate, for the rows of another split have another one.
    mean = learn.claims.sum() / learn.exposure_years.sum()
    null = poisson_deviance(test.claims, mean * test.exposure_years, test.exposure_years)
    assert found["glm"]["deviance"] / null < 0.5898 / 0.6218
    assert found["boosted"]["deviance"] / null < 0.5697 / 0.6218
    assert found["boosted"]["deviance"] < found["tables"]["deviance"] < found["glm"]["deviance"]
    assert all(abs(one["actual_over_expected"] - 1) < 0.02 for one in found.values())
    assert all(one["deciles_that_hold"] >= 8 for one in found.values())


def simulated(folder: Path, seed: int, policies: int) -> tuple[Book, Contract]:
    world = World(Scope(policies, 3, np.datetime64("2023-01-01"), seed), read_formula(SHIPPED), read_behaviour())
    write_book(folder, simulate_book(world, lambda _done, _total: None), SHIPPED)
    contract = read_contract(EXAMPLES / "simulated-book.toml")
    return read_book(folder, contract), contract


def truths(model: glm.Glm, book: Book) -> list[tuple[str, str, float, glm.Relativity]]:
    """(factor, level, true relativity, ours) of every class and line of a fitted model."""
    tables = {"territory": TERRITORY, "vehicle_class": VEHICLE, "driver_age": AGES}
    base: dict[str, str] = {}
    found = []
    for one in glm.relativities(model, book.take(np.zeros(1, dtype=np.intp))):
        if one.factor in tables:
            if one.factor not in base:
                base[one.factor] = one.level
                continue
            true = tables[one.factor][one.level] / tables[one.factor][base[one.factor]]
        elif one.factor == "declared_km":
            true = 1.0  # measured km say all that declared ones do
        else:
            true = float(np.exp(0.7 if one.factor == "km_a_year" else BEHAVIOUR[one.factor]))
        found.append((one.factor, one.level, true, one))
    return found


def test_true_relativities_lie_in_their_intervals_and_the_ranking_is_the_truths(tmp_path: Path) -> None:
    inside = total = 0
    for seed in range(1, 7):
        book, contract = simulated(tmp_path / str(seed), seed, 60_000)
        rate = book.claims / book.exposure_years
        model = glm.fit_glm("poisson", terms_of(contract, book), book, rate, book.exposure_years)
        said = truths(model, book)
        outside = [(factor, level) for factor, level, true, one in said if not one.low <= true <= one.high]
        inside += len(said) - len(outside)
        total += len(said)
        print(seed, f"{len(book):,} rows, {book.claims.sum():,.0f} claims", "outside:", outside)
    print(f"{inside} of {total} true relativities inside their 95 % intervals")
    assert inside / total >= 0.9


def test_a_factor_without_effect_stays_out_and_the_ranking_is_near_the_truths(tmp_path: Path) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415

    book, contract = simulated(tmp_path, 11, 100_000)
    rate = book.claims / book.exposure_years
    model = glm.select("poisson", terms_of(contract, book), book, rate, book.exposure_years)
    assert "hard_accelerations_per_100km" in model.dropped
    assert "km_a_year" not in model.dropped
    exposure = pq.read_table(tmp_path / "exposure.parquet")
    truth = pq.read_table(tmp_path / "truth_exposure.parquet")
    shared = np.ones(len(exposure), dtype=bool)
    for name in BEHAVIOUR:
        shared &= np.asarray(exposure.column(name).is_valid())
    mean = np.asarray(truth.column("liability_mean"))[shared]
    ours = glm.rate(model, book) * book.exposure_years
    ranks = [gini(one / book.exposure_years, mean, book.exposure_years) for one in (mean, ours)]
    print(f"Gini of the true mean by itself {ranks[0]:.4f}, ranked by ours {ranks[1]:.4f}")
    assert ranks[1] > 0.9 * ranks[0]
    refit = joint.fit_joint(contract, book)
    for one in joint.moved(refit, book.take(np.zeros(1, dtype=np.intp))):
        if one.factor == "declared_km" and one.by_driving != 1.0:
            assert one.declared is not None
            assert one.driven is not None
            print(one.level, one.declared, one.driven)
            assert not one.declared.low <= 1 <= one.declared.high
            assert one.driven.low <= 1 <= one.driven.high
    assert refit.experience is not None
    print(refit.experience)
    assert refit.experience.low < 2.5 < refit.experience.high  # the formula's
    shuffled = np.random.default_rng(5).permutation(len(book))
    nothing = glm.select("poisson", terms_of(contract, book), book, rate[shuffled], np.ones(len(book)))
    assert nothing.terms == ()
