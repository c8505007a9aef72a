"""A book of policies: reproducible, whole, and answering to its own formula."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from cli.main import app
from pricing.balance import balanced
from pricing.book_rating import CompiledPlan, RatingBook, compile_plan
from pricing.plan import parse_plan
from pricing.plan_change import impact
from pricing.plan_text import toml_text
from pricing.policies import packaged_plan
from pricing.rating_book import rating_book_of, read_rating_book
from pricing.rating_errors import BadRatingBook
from pricing.score_model import content_of
from scoring.features import BY_NAME
from scoring.score import PRIOR_MODEL
from simulator.book.behaviour import FEATURES, read_behaviour
from simulator.book.formula import SHIPPED, Formula, read_formula
from simulator.book.terms import Scope, World
from simulator.book.world import simulate_book
from simulator.errors import BadFormula, EmptyBook

FIRST = np.datetime64("2023-01-01", "D")
POLICIES = 20_000
WRITE = """
import sys
from pathlib import Path
import numpy as np
from simulator.book.behaviour import read_behaviour
from simulator.book.files import write_book
from simulator.book.formula import read_formula
from simulator.book.terms import Scope, World
from simulator.book.world import simulate_book
scope = Scope(2_000, 3, np.datetime64("2023-01-01", "D"), 7)
write_book(Path(sys.argv[1]), simulate_book(World(scope, read_formula(), read_behaviour())))
"""


def make(policies: int, seed: int = 7, years: int = 3, formula: Formula | None = None) -> dict[str, pa.Table]:
    world = World(Scope(policies, years, FIRST, seed), formula or read_formula(), read_behaviour())
    blocks = list(simulate_book(world))
    return {name: pa.concat_tables([block[name] for block in blocks]) for name in blocks[0]}


@pytest.fixture(scope="module")
def book() -> dict[str, pa.Table]:
    return make(POLICIES)


def column(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table[name].to_numpy())


def test_same_seed_same_bytes_in_other_processes_and_time_zones(tmp_path: Path) -> None:
    digests = []
    for zone, hash_seed in (("Pacific/Auckland", "1"), ("America/Los_Angeles", "2")):
        folder = tmp_path / hash_seed
        environment = os.environ | {"TZ": zone, "PYTHONHASHSEED": hash_seed}
        subprocess.run([sys.executable, "-c", WRITE, str(folder)], check=True, env=environment, timeout=120)
        digests.append({f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.iterdir())})
    assert digests[0] == digests[1]
    assert len(digests[0]) == 13


def test_a_larger_book_keeps_the_policies_of_a_smaller_one(book: dict[str, pa.Table]) -> None:
    smaller = make(1_000)
    for name in ("policies", "exposure", "claims", "renewals", "truth_exposure"):
        same = book[name].filter(pc.less(book[name]["policy"], 1_000))
        assert same.equals(smaller[name]), name
    assert smaller["policies"].num_rows == 1_000


def test_every_row_belongs_to_a_policy_and_terms_follow_each_other(book: dict[str, pa.Table]) -> None:
    exposure = book["exposure"]
    policy, term = column(exposure, "policy"), column(exposure, "term")
    order = np.lexsort((term, policy))
    begins, ends = column(exposure, "starts_on")[order], column(exposure, "ends_on")[order]
    follows = policy[order][1:] == policy[order][:-1]
    assert set(policy) == set(range(POLICIES))
    assert np.all(begins < ends)
    assert np.all(begins[1:][follows] == ends[:-1][follows])
    assert np.all(column(exposure, "exposure_years") > 0)
    assert np.all(column(exposure, "exposure_years") <= 1)
    assert ends.max() == np.datetime64("2026-01-01")


def test_claims_of_the_exposure_are_the_claims_reported(book: dict[str, pa.Table]) -> None:
    for cover in ("liability", "collision"):
        of_cover = book["claims"].filter(pc.equal(book["claims"]["cover"].cast("string"), cover))
        counted = int(pc.sum(book["exposure"][f"{cover}_claims"]).as_py())
        assert counted == of_cover.num_rows > 1_000
    known, all_claims = book["claims"], book["truth_claims"]
    assert known.num_rows < all_claims.num_rows  # some are not reported yet
    assert 0.02 < known["amount_cents"].null_count / known.num_rows < 0.4  # some not settled
    assert np.all(column(known, "reported_on") < np.datetime64("2026-01-01"))
    assert np.all(column(all_claims, "occurred_on") <= column(all_claims, "reported_on"))


def test_claims_come_as_often_as_the_formula_says(book: dict[str, pa.Table]) -> None:
    for cover in ("liability", "collision"):
        expected = float(np.sum(column(book["truth_exposure"], f"{cover}_mean_of_driver")))
        found = pc.sum(pc.equal(book["truth_claims"]["cover"].cast("string"), cover)).as_py()
        assert abs(found - expected) < 4 * np.sqrt(expected)


def test_a_regression_on_what_was_driven_finds_the_formula(book: dict[str, pa.Table]) -> None:
    """Poisson, by Newton's steps: each true effect within 3.5 standard errors, 4 of 5 within 2."""
    formula = read_formula()
    exposure, truth = book["exposure"], book["truth_exposure"]
    years, territory = column(exposure, "exposure_years"), exposure["territory"].cast("string").to_pylist()
    columns = [np.ones(len(years)), np.log(column(exposure, "distance_km") / years / formula.km.reference)]
    true = [0.0, formula.km.exponent]
    for name in FEATURES:
        driven = column(truth, f"driven_{name}") - formula.behaviour[name].reference
        if np.std(driven) * np.sqrt(len(driven)) > 1.0:  # enough of it is driven for its effect to show
            columns.append(driven)
            true.append(formula.behaviour[name].effect)
    for place in ("urban", "rural"):
        columns.append(np.array([each == place for each in territory], dtype=float))
        true.append(float(np.log(formula.territory[place].relativity)))
    # the static factors that are not asked for enter as what they are
    age = np.array(formula.driver_age.relativity)[formula.driver_age.band(column(exposure, "driver_age"))]
    vehicle = np.array([formula.vehicle_class[v].relativity for v in exposure["vehicle_class"].to_pylist()])
    per_year = sum(cover.per_year for cover in formula.cover.values())
    offset = np.log(years * age * vehicle * per_year)
    row = {key: i for i, key in enumerate(zip(*(exposure[c].to_pylist() for c in ("policy", "term")), strict=True))}
    claims = np.zeros(len(years))
    for key in zip(*(book["truth_claims"][c].to_pylist() for c in ("policy", "term")), strict=True):
        claims[row[key]] += 1
    design, effect = np.stack(columns, axis=1), np.zeros(len(columns))
    for _ in range(30):
        mean = np.exp(design @ effect + offset)
        information = (design * mean[:, None]).T @ design
        effect = effect + np.linalg.solve(information, design.T @ (claims - mean))
    # The terms of one policy share what no column shows: errors are those of sums over policies (a sandwich).
    scores = np.zeros((int(column(exposure, "policy").max()) + 1, len(effect)))
    np.add.at(scores, column(exposure, "policy"), design * (claims - mean)[:, None])
    inverse = np.linalg.inv(information)
    errors = np.sqrt(np.diag(inverse @ (scores.T @ scores) @ inverse))
    apart = np.abs(effect - np.array(true)) / errors
    assert len(true) >= 7
    assert np.max(apart) < 3.5, apart
    assert np.mean(apart < 2) >= 0.8, apart


def test_renewal_answers_to_price_and_to_the_action_by_lot(book: dict[str, pa.Table]) -> None:
    renewals = book["renewals"]
    lapsed = column(renewals, "lapsed").astype(float)
    dear = column(renewals, "offered_premium_cents") > column(renewals, "market_premium_cents")
    assert lapsed[dear].mean() > 1.5 * lapsed[~dear].mean()
    chances = book["truth_renewals"]
    temper = dict(zip(*(book["truth_policies"][c].to_pylist() for c in ("policy", "temper")), strict=True))
    of_row = np.array([temper[p] for p in chances["policy"].to_pylist()])
    gain = column(chances, "lapse_chance_nothing") - column(chances, "lapse_chance_call")
    assert gain[of_row == "persuadable"].mean() > 0.03
    assert gain[of_row == "sleeping"].mean() < -0.03  # a call wakes them


def test_quotes_are_taken_more_where_the_price_is_under_the_market(book: dict[str, pa.Table]) -> None:
    quotes = book["quotes"]
    cheap = column(quotes, "premium_cents") < column(quotes, "market_premium_cents")
    taken = column(quotes, "converted").astype(float)
    assert int(taken.sum()) == POLICIES
    assert taken[cheap].mean() > 1.5 * taken[~cheap].mean()
    assert quotes.num_rows == book["truth_quotes"].num_rows


def test_behaviour_is_null_where_nobody_shares_it(book: dict[str, pa.Table]) -> None:
    exposure = book["exposure"]
    shares = np.array([plan == "autograph" for plan in exposure["pay_plan"].to_pylist()])
    assert np.array_equal(exposure["night_km_share"].is_valid().to_numpy(), shares)
    assert 0 < exposure["phone_time_share"].null_count < exposure.num_rows


def test_what_is_in_force_is_compared_by_two_score_models(book: dict[str, pa.Table], tmp_path: Path) -> None:
    path, in_force = tmp_path / "in_force.parquet", book["in_force"].slice(0, 2_000)
    pyarrow.parquet.write_table(in_force, path)
    shipped = packaged_plan()
    model = replace(PRIOR_MODEL, base_claims_per_100000_km=0.5, weights=PRIOR_MODEL.weights[5:])
    other = parse_plan(shipped.content + "\n" + toml_text({"score_model": content_of(model)}), "another score model")

    def read(plan: CompiledPlan) -> RatingBook:
        return read_rating_book(path, plan)

    plans = [compile_plan(one) for one in (shipped, other)]
    books = [read(one) for one in plans]
    found = impact(plans[0], books[0], plans[1], books[1])
    assert found["policies"] == len(in_force)
    assert found["new_amount"] != found["old_amount"]
    assert balanced(shipped, other, read, "2").off_balance == pytest.approx(1, abs=5e-5)
    # the counters give again what the exposure table says of the same terms
    terms = book["exposure"].filter(pc.is_in(book["exposure"]["policy"], in_force["policy"].slice(0, 200))).to_pylist()
    last = {row["policy"]: row for row in sorted(terms, key=lambda row: row["term"])}
    for row, frequency in zip(in_force.slice(0, 200).to_pylist(), books[1].frequency[:200], strict=True):
        said = last[row["policy"]]
        assert (row["days"], row["distance_m"]) == ((said["ends_on"] - said["starts_on"]).days,
                                                    1000 * said["distance_km"])  # fmt: skip
        assert (frequency is not None) == (row["pay_plan"] == "autograph")
        for name in FEATURES:
            value = BY_NAME[name].of(row["totals"])
            assert value == (None if said[name] is None else pytest.approx(said[name], abs=0.01 / said["distance_km"]))
    lacking = pa.array([{"distance_m": 1}] * len(in_force))
    without = in_force.set_column(in_force.column_names.index("totals"), "totals", lacking)
    with pytest.raises(
        BadRatingBook, match="has no acceleration_measurable_m, and the plan's score model predicts from it"
    ):
        rating_book_of(without, "book", plans[1])


def changed(tmp_path: Path, before: str, after: str) -> Path:
    text = SHIPPED.read_text()
    assert before in text
    path = tmp_path / "formula.toml"
    path.write_text(text.replace(before, after))
    return path


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("exponent = 0.7", 'exponent = "much"', "exponent"),
        ("exponent = 0.7", "exponent = 0.7\nsurprise = 1", "surprise"),
        ("share = 0.45", "share = 0.95", "add up to 1"),
        ("[18, 21, 25, 35, 65, 75]", "[18, 25, 21, 35, 65, 75]", "bands must rise"),
        ("[km]", "[km", "formula.toml"),
    ],
)
def test_a_formula_that_is_none_is_refused_by_place(tmp_path: Path, before: str, after: str, named: str) -> None:
    with pytest.raises(BadFormula, match=named.replace("[", r"\[")):
        read_formula(changed(tmp_path, before, after))


def test_a_formula_that_sells_nothing_is_refused(tmp_path: Path) -> None:
    formula = read_formula(changed(tmp_path, "intercept = -1.15", "intercept = -20.0"))
    with pytest.raises(EmptyBook, match="quotes 0 were taken"):
        make(10, formula=formula)


def test_bad_arguments_are_answered(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["simulate", "book", "--policies", "0", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "--policies" in result.output
