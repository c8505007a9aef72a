"""Monitoring: what stays as it was is left alone, and claims, calibration and factors that move are named."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from msgspec import to_builtins
from typer.testing import CliRunner

from cli.main import app
from pricing.risk import fitting, judging
from pricing.risk.artefact import RiskModel, save
from pricing.risk.book import read_book
from pricing.risk.columns import Book
from pricing.risk.contract import read_contract
from pricing.risk.errors import NothingToFit
from pricing.risk.monitoring import Monitored, monitor
from tests.browser.browsing import CHROMIUM, PHONE, chromium
from tests.pricing.risk_books import CITY, CONTRACT, KM_EXPONENT

YEARS, DAY = 3, np.timedelta64(1, "D")


def write_years(
    folder: Path, *, seed: int, more_claims: float = 1.0, exponent: float = KM_EXPONENT, city: float = 0.5
) -> None:
    """Three years of new policies that begin on any day of theirs; the last year is another in what is named."""
    rng = np.random.default_rng(seed)
    rows = 6000
    year = np.arange(rows) % YEARS
    last = year == YEARS - 1
    starts = np.datetime64("2022-01-01") + (365 * year + rng.integers(0, 365, rows)) * DAY
    km = rng.lognormal(np.log(10_000), 0.6, rows)
    in_city = rng.random(rows) < np.where(last, city, 0.5)
    rate = 0.2 * (km / 10_000) ** np.where(last, exponent, KM_EXPONENT) * np.where(in_city, CITY, 1.0)
    claims = rng.poisson(rate * np.where(last, more_claims, 1.0))
    of = np.repeat(np.arange(rows), claims)
    policies = {
        "policy": np.arange(rows), "years": np.ones(rows), "claims": claims.astype(np.float64), "starts_on": starts,
        "ends_on": starts + 365 * DAY, "km": km, "town": np.where(in_city, "city", "land"),
        "noise": rng.standard_normal(rows),
    }  # fmt: skip
    amounts = {
        "policy": of, "amount": rng.gamma(2.0, 1000.0, len(of)),
        "occurred_on": starts[of] + rng.integers(0, 365, len(of)) * DAY,
    }  # fmt: skip
    for name, columns in (("policies", policies), ("claims", amounts)):
        pq.write_table(pa.table({key: pa.array(values) for key, values in columns.items()}), folder / f"{name}.parquet")
    (folder / "contract.toml").write_text(CONTRACT)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[RiskModel, Path]:
    folder = tmp_path_factory.mktemp("learned")
    write_years(folder, seed=1)
    contract = read_contract(folder / "contract.toml")
    model = fitting.fit(contract, read_book(folder, contract), 1, frozenset({"glm"}), lambda _: None)
    save(model, folder / "model")
    return model, folder


def followed(model: RiskModel, folder: Path, **changes: float) -> tuple[Monitored, Book]:
    write_years(folder, seed=2, **changes)  # type: ignore[arg-type]
    book = read_book(folder, model.contract, model.levels)
    rate = next(iter(judging.frequency_rates(model, book).values()))
    return monitor(model, "ab", book, rate, "year"), book


def test_where_nothing_moves_nothing_is_named(learned: tuple[RiskModel, Path], tmp_path: Path) -> None:
    found, book = followed(learned[0], tmp_path)
    assert [period.name for period in found.periods] == ["2022", "2023", "2024"] + ["2025"] * (len(found.periods) == 4)
    assert found.moved == ()
    assert found.over_time.differ > 0.001
    assert found.over_time.low < 1 < found.over_time.high
    # exposure and claims are shared out, none lost and none twice
    assert sum(period.whole.exposure_years for period in found.periods) == pytest.approx(book.exposure_years.sum())
    assert sum(period.whole.actual for period in found.periods) == book.claims.sum()
    for period in found.periods[:3]:
        assert period.slope is not None
        assert period.slope[1] < 1 < period.slope[2]


def test_more_claims_show_in_their_period_and_over_time(learned: tuple[RiskModel, Path], tmp_path: Path) -> None:
    found, _ = followed(learned[0], tmp_path, more_claims=1.5)
    first, last = found.periods[0], found.periods[-1]
    assert last.whole.low > 1
    assert last.whole.ratio == pytest.approx(1.5, rel=0.15)
    assert first.whole.ratio < 1.2
    assert found.over_time.differ < 1e-4
    assert found.over_time.low > 1
    assert found.moved == ()


def test_rates_that_are_too_close_show_in_the_slope(learned: tuple[RiskModel, Path], tmp_path: Path) -> None:
    found, _ = followed(learned[0], tmp_path, exponent=1.5)
    last = found.periods[-1]
    assert last.slope is not None
    assert last.slope[1] > 1


def test_one_rate_for_all_has_no_slope(learned: tuple[RiskModel, Path], tmp_path: Path) -> None:
    _, book = followed(learned[0], tmp_path)
    found = monitor(learned[0], "ab", book, np.full(len(book), 0.2), "year")
    assert found.periods[0].whole.actual > 100
    assert [period.slope for period in found.periods] == [None] * len(found.periods)
    json.dumps(to_builtins(found), allow_nan=False)  # a database keeps no NaN


def test_a_factor_that_moves_is_named_with_its_period(learned: tuple[RiskModel, Path], tmp_path: Path) -> None:
    found, _ = followed(learned[0], tmp_path, city=0.9)
    moved = {(row["period"], row["name"]) for row in found.moved}
    assert (found.periods[-1].name, "town") in moved
    assert (found.periods[0].name, "town") not in moved
    assert not {name for _, name in moved} & {"km", "noise"}


def test_a_book_without_periods_has_no_time_to_follow(learned: tuple[RiskModel, Path]) -> None:
    model, folder = learned
    book = read_book(folder, model.contract, model.levels)
    timeless = replace(book, starts_on=None, ends_on=None)
    with pytest.raises(NothingToFit, match="no time to follow"):
        monitor(model, "ab", timeless, np.ones(len(book)), "year")


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")
def test_the_command_prints_the_series_and_draws_them(learned: tuple[RiskModel, Path], tmp_path: Path) -> None:
    model, folder = learned
    run = CliRunner()
    page = tmp_path / "page.html"
    words = ["monitor", str(folder / "model"), str(folder), "--by", "quarter"]
    answer = run.invoke(app, [*words, "--report", str(page)])
    assert answer.exit_code == 0, answer.exception
    found = json.loads(answer.stdout)
    assert found["periods"][0]["name"] == "2022 Q1"
    whole = read_book(folder, model.contract, model.levels)
    held = whole.only(fitting.is_test(model.contract, whole))  # the book it learned from: only what it has not seen
    assert found["over_time"]["whole"]["exposure_years"] == pytest.approx(held.exposure_years.sum())
    assert page.read_text().count("<svg") == 3
    other = tmp_path / "other.toml"
    other.write_text(CONTRACT.replace('name = "km"', 'name = "km"\ncolumn = "km"'))
    same = run.invoke(app, [*words, "--contract", str(other)])
    assert json.loads(same.stdout)["over_time"] == found["over_time"]
    other.write_text(CONTRACT.replace("log = true", "log = false"))
    assert "factor km: the model was fitted with another one" in str(
        run.invoke(app, [*words, "--contract", str(other)]).exception
    )
    assert "there are month" in str(run.invoke(app, [*words[:-1], "decade"]).exception)
    with chromium() as browser:
        tab = browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
        tab.goto(f"file://{page}")
        assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
