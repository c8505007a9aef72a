"""Effects by customer: found where they are, not made of chance, and kept with the experiment that measured them."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
from scipy.special import expit

from portfolio.board import plan_experiment, take_step
from portfolio.contacts import known_effects
from portfolio.experiment_store import insert_outcomes
from portfolio.experiments import Plan, is_treated
from portfolio.uplift import LEAST_CUSTOMERS, fit_uplift, uplift_of
from storage.pool import Database
from tests.portfolio.people import add_people, agree, key

type Floats = np.ndarray[tuple[int], np.dtype[np.float64]]

BUILT = datetime(2026, 3, 1, tzinfo=UTC)
WHO = uuid4()


def drawn(count: int, seed: int, differs: float) -> tuple[dict[str, Floats], np.ndarray, Floats, Floats]:
    """Traits, lot, who stayed, and the true effect of each: `differs` by claim and age on the logit of staying."""
    rng = np.random.default_rng(seed)
    traits = {
        "age": rng.standard_normal(count), "claim": (rng.random(count) < 0.2).astype(np.float64),
        "urban": (rng.random(count) < 0.5).astype(np.float64), "log_premium": np.full(count, np.nan),
    }  # fmt: skip
    lot = rng.random(count) < 0.5
    level = 1.7 + 0.5 * traits["age"]
    moved = 0.3 + differs * (1.2 * traits["claim"] - 0.3 * traits["age"])
    with_it, without = expit(level + moved), expit(level)
    stays = (rng.random(count) < np.where(lot, with_it, without)).astype(np.float64)
    return traits, lot, stays, with_it - without


def test_effects_that_differ_are_found_and_chance_is_not_believed() -> None:
    """Against the truth nearer than the mean by far where effects differ, and hardly worse where only chance does."""
    for differs, at_most in ((1.0, 0.6), (0.0, 1.2)):
        ours, by_mean = [], []
        for seed in range(4):
            traits, lot, stays, true = drawn(5000, seed, differs)
            found = fit_uplift(traits, lot, stays, 0.5)
            assert found is not None
            apart, error = uplift_of(found, traits)
            ours.append(np.mean((apart - (true - true.mean())) ** 2))
            by_mean.append(np.var(true))
            assert 0.0 <= found.believed <= 1.0
            assert (error >= 0.0).all()
        assert np.sqrt(np.mean(ours) / np.mean(by_mean)) < at_most


def test_too_few_say_nothing_but_the_mean() -> None:
    traits, lot, stays, _ = drawn(LEAST_CUSTOMERS, 1, 1.0)
    assert fit_uplift(traits, lot, stays, 0.5) is not None
    assert fit_uplift({name: one[:-1] for name, one in traits.items()}, lot[:-1], stays[:-1], 0.5) is None
    assert fit_uplift(traits, lot, np.ones(len(lot)), 0.5) is None  # nobody left


def test_an_assessed_experiment_keeps_how_its_effect_differs(database: Database) -> None:
    plan = Plan("calls", "Calls keep.", "stays", 0.5, 4000, 0.01, measured_by="stays", action="call")
    rng = np.random.default_rng(3)
    with database.role("policy") as conn:
        add_people(conn, 2400)
        agree(conn, range(2400), "research")
        conn.execute("update policy.policy set declared_km_per_year = 30000 where right(policy_id, 1) < '5'")
        plan_experiment(conn, plan, None, by=WHO, as_of=BUILT - timedelta(days=1))
        take_step(conn, "calls", "build", "Made.", by=WHO, as_of=BUILT)
        far = np.array([str(number)[-1] < "5" for number in range(2400)])
        treated = np.array([is_treated(plan, key(number)) for number in range(2400)])
        stays = (rng.random(2400) < 0.7 + 0.25 * (treated & far)).astype(np.float64)
        insert_outcomes(conn, "calls", [(key(n), one, None) for n, one in enumerate(stays.tolist())], BUILT)
        take_step(conn, "calls", "execute", "Done.", by=WHO, as_of=BUILT)
        take_step(conn, "calls", "assess", "Learned.", by=WHO, as_of=BUILT)
        effect = known_effects(conn)[0]
    assert effect.by_customer
    assert effect.uplift is not None
    told = {name: np.zeros(2) for name in effect.uplift.names}
    told["log_declared_km"] = np.log([9000.0, 30_000.0])
    near_by, far_off = uplift_of(effect.uplift, told)[0]
    assert far_off - near_by > 0.12  # of a true 0.25: shrunk
