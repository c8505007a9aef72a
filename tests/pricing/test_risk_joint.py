"""The joint refit on a book whose formula is known: nothing is counted twice, and own driving is believed by its km."""

import numpy as np
import pytest

from pricing.risk import fitting, joint, judging
from pricing.risk.columns import Book
from pricing.risk.contract import Contract, read_contract
from pricing.risk.errors import NothingToFit

KM_EXPONENT, BRAKES, TERMS, SHAPE = 0.7, 0.12, 3, 2.0
CONTRACT = """
name = "joint"
[policies]
file = "policies.parquet"
policy = "policy"
exposure_years = "years"
claims = "claims"
starts_on = "starts_on"
ends_on = "ends_on"
distance_km = "km"
[test]
modulus = 5
remainder = 0
[[factor]]
name = "declared_km"
log = true
[[factor]]
name = "km_a_year"
column = "km"
per_year = true
log = true
driving = true
[[factor]]
name = "town"
kind = "categorical"
levels = ["city", "land"]
[[factor]]
name = "hard_brakes_per_100km"
driving = true
"""


def driven_book(policies: int = 6000, seed: int = 3) -> Book:
    """Claims follow measured km ^ 0.7 and the driver's long-run hard brakes, of which few km tell little.

    Town does nothing, but townspeople brake harder; declared km do nothing, but they are near the measured ones.
    """
    rng = np.random.default_rng(seed)
    policy = np.repeat(np.arange(policies), TERMS)
    habit = rng.lognormal(np.log(7_000), 0.6, policies)
    km = habit[policy] * rng.lognormal(0, 0.1, len(policy))
    city = rng.random(policies) < 0.5
    own = rng.gamma(4.0, np.where(city, 1.3, 0.7))
    brakes = 100 * rng.poisson(own[policy] * km / 100 / 20) * 20 / km  # in twenties: few km tell little
    theta = rng.gamma(SHAPE, 1 / SHAPE, policies)
    mean = 0.15 * (km / 7_000) ** KM_EXPONENT * np.exp(BRAKES * (own[policy] - 4)) * theta[policy]
    starts = np.datetime64("2023-01-01") + np.timedelta64(365, "D") * np.tile(np.arange(TERMS), policies)
    values = {
        "declared_km": np.log(habit * rng.lognormal(0, 0.2, policies))[policy],
        "km_a_year": np.log(km),
        "town": np.where(city, 0.0, 1.0)[policy],
        "hard_brakes_per_100km": brakes,
    }
    return Book(
        policy, np.ones(len(policy)), rng.poisson(mean).astype(np.float64), starts, values,
        {"town": ("city", "land")}, None, "", starts + np.timedelta64(365, "D"), km,
    )  # fmt: skip


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    path = tmp_path_factory.mktemp("joint") / "contract.toml"
    path.write_text(CONTRACT)
    return read_contract(path)


@pytest.fixture(scope="module")
def book() -> Book:
    return driven_book()


@pytest.fixture(scope="module")
def fitted(contract: Contract, book: Book) -> joint.Joint:
    return joint.fit_joint(contract, book)


def test_what_driving_says_is_not_counted_a_second_time(fitted: joint.Joint, book: Book) -> None:
    moved = {(row.factor, row.level): row for row in joint.moved(fitted, book.take(np.zeros(1, np.intp)))}
    km, town = (
        moved["declared_km", "per unit"],
        next(row for key, row in moved.items() if key[0] == "town" and row.driven and row.driven.low < row.driven.high),
    )
    for row in (km, town):
        assert row.declared is not None
        assert row.driven is not None
        assert row.experienced is not None
        assert not row.declared.low <= 1 <= row.declared.high
        assert row.driven.low <= 1 <= row.driven.high
        assert row.by_driving == pytest.approx(row.driven.relativity / row.declared.relativity)
    measured = moved["km_a_year", "per unit"]
    assert measured.declared is None
    assert measured.driven is not None
    assert measured.driven.low < np.exp(KM_EXPONENT) < measured.driven.high


def test_a_signal_is_read_as_far_as_its_km_carry_it(fitted: joint.Joint, contract: Contract, book: Book) -> None:
    found = fitted.signals["hard_brakes_per_100km"]
    little, much = found.credibility(np.array([200.0, 20_000.0]))
    assert little < 0.2
    assert much > 0.8
    step = float(np.sqrt(found.between))
    row = next(row for row in joint.moved(fitted, book.take(np.zeros(1, np.intp))) if row.factor in fitted.signals)
    assert row.driven is not None
    assert row.driven.low < np.exp(BRAKES * step) < row.driven.high
    assert row.level == joint.PER_DEVIATION
    nobody = joint.believed(fitted.signals, book.with_value("hard_brakes_per_100km", np.nan))
    assert set(nobody.values["hard_brakes_per_100km"]) == {found.mean}


def test_own_claims_are_those_of_earlier_terms(fitted: joint.Joint, book: Book) -> None:
    assert fitted.experience is not None
    assert fitted.experience.low < SHAPE < fitted.experience.high
    claims, expected = joint.history(book, np.full(len(book), 0.25))
    first = book.starts_on == np.datetime64("2023-01-01")
    assert not claims[first].any()
    assert not expected[first].any()
    rows = np.flatnonzero(book.policy == 17)
    assert list(expected[rows]) == pytest.approx([0.0, 0.25, 0.5])
    assert list(claims[rows]) == [0.0, book.claims[rows[0]], book.claims[rows[:2]].sum()]


def test_each_step_tells_more_on_policies_that_it_has_not_seen(contract: Contract, book: Book) -> None:
    unseen = fitting.is_test(contract, book)
    model = fitting.fit(contract, book.only(~unseen), 1, frozenset({"glm"}), lambda _: None)
    assert model.joint is not None
    test = book.only(unseen)
    found = judging.evaluation(model, "", test, judging.frequency_rates(model, test))["joint"]
    assert isinstance(found, dict)
    assert list(found) == ["declared", "driven", "experienced"]
    assert found["declared"]["deviance"] > found["driven"]["deviance"] > found["experienced"]["deviance"]
    said = judging.described(model, "")["joint"]
    assert isinstance(said, dict)
    assert (
        said["signals"]["hard_brakes_per_100km"]["z_at_200_km"]
        < said["signals"]["hard_brakes_per_100km"]["z_at_20000_km"]
    )


def test_one_term_a_policy_teaches_no_credibility_of_driving(contract: Contract, book: Book) -> None:
    once = book.only(book.starts_on == np.datetime64("2023-01-01"))
    with pytest.raises(NothingToFit, match="no policy has two terms of hard_brakes_per_100km"):
        joint.fit_joint(contract, once)
    said: list[str] = []
    assert fitting.fit(contract, once, 1, frozenset({"glm"}), said.append).joint is None
    assert any("no policy has two terms" in line for line in said)
