"""A month driven otherwise: the plan's own rating of inputs changed in one thing, and nothing else changed with it."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import pricing
from pricing.plan import parse_plan
from pricing.rating import BehaviourInput, DrivenTrip, Inputs, Terms, rate_period
from pricing.what_if import NIGHT, Driving, Wish, amount_at, outcome
from scoring.score import PRIOR_MODEL, score_totals

PLAN_FILE = Path(pricing.__file__).parent / "plans" / "wayrate-2026.toml"
PLAN = parse_plan(PLAN_FILE.read_text(), PLAN_FILE.name)
TOTALS = {
    "trips": 4, "distance_m": 600_000, "limit_known_m": 500_000, "over_0_10_m": 60_000, "over_10_20_m": 30_000,
    "over_20_m": 10_000, "night_m": 60_000, "brake_measurable_m": 600_000, "hard_brake_events": 9,
}  # fmt: skip
TRIPS = (
    DrivenTrip("a", 30_000, 500, None, (("motorway", "day", 20_000), ("primary", "evening", 10_000))),
    DrivenTrip("b", 10_000, 0, None, (("primary", NIGHT, 4_000), ("residential", "day", 6_000))),
    DrivenTrip("c", 9_000, 0, "excluded: too_short", (("primary", "day", 9_000),)),
)
FACTORS: dict[str, object] = {"vehicle_class": "suv", "territory": "urban", "driver_age": 30}
DRIVING = Driving(
    Inputs(
        "P-1", "2026-10", 31,
        Terms("autograph", ("liability", "collision"), FACTORS, 9000),
        TRIPS,
        BehaviourInput(
            Decimal(str(score_totals(TOTALS, PRIOR_MODEL).claims_per_100000_km)),
            Decimal(str(PRIOR_MODEL.base_claims_per_100000_km)), PRIOR_MODEL.version, "2026-08", "2026-10",
            Decimal(600),
        ),
    ),
    TOTALS,
)  # fmt: skip


def kilometres(wish: Wish) -> dict[tuple[str, str], Decimal]:
    """Of the first cover's steps, by label."""
    steps = outcome(PLAN, DRIVING, wish).premium.worksheet
    return {
        (step.section, step.label): step.quantity
        for step in steps
        if step.section == "liability" and step.kind == "add" and "km" in step.label.split()
    }


def test_wishing_nothing_is_the_premium_itself() -> None:
    assert outcome(PLAN, DRIVING).premium == rate_period(PLAN, DRIVING.inputs)
    score = outcome(PLAN, DRIVING).score
    assert score is not None
    assert amount_at(PLAN, DRIVING, score.claims_per_100000_km) == rate_period(PLAN, DRIVING.inputs).amount


def test_as_it_is_counts_what_is_charged() -> None:
    assert DRIVING.distance_m == 40_500
    assert (DRIVING.night_share, DRIVING.over_share) == (0.1, 0.2)


def test_twice_as_far_is_twice_the_kilometres_and_the_same_days() -> None:
    assert kilometres(Wish(distance_m=81_000)) == {key: 2 * km for key, km in kilometres(Wish()).items()}


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_night_moves_metres_and_makes_none(share: float) -> None:
    found = kilometres(Wish(night_share=share))
    driven = {key: km for key, km in found.items() if "estimated" not in key[1]}
    assert sum(driven.values()) == pytest.approx(Decimal(40), abs=Decimal("0.003"))
    at_night = sum((km for (_, label), km in driven.items() if label.endswith(NIGHT)), Decimal(0))
    assert float(at_night) == pytest.approx(40 * share, abs=0.003)
    score = outcome(PLAN, DRIVING, Wish(night_share=share)).score
    assert score == score_totals(TOTALS | {"night_m": round(600_000 * share)}, PRIOR_MODEL)


def test_over_the_limit_changes_the_score_in_proportion_and_no_kilometre() -> None:
    half = outcome(PLAN, DRIVING, Wish(over_share=0.1))
    assert half.score == score_totals(
        TOTALS | {"over_0_10_m": 30_000, "over_10_20_m": 15_000, "over_20_m": 5_000}, PRIOR_MODEL
    )
    assert half.premium.amount < outcome(PLAN, DRIVING).premium.amount
    assert kilometres(Wish(over_share=0.1)) == kilometres(Wish())


def test_a_month_without_driving_can_still_be_asked() -> None:
    still = Driving(replace(DRIVING.inputs, trips=(), behaviour=None), {})
    assert outcome(PLAN, still).score is None
    asked = outcome(PLAN, still, Wish(distance_m=100_000, night_share=0.5, over_share=0.5))
    # 31 days and 100 km at the standard rates, times the factors of car and driver, to the cent, with fee and tax.
    factors = Decimal("1.12") * Decimal("1.10") * Decimal("1.08")
    covers = [(31 * Decimal(day) + 100 * Decimal(km)) * factors for day, km in (("0.42", "0.021"), ("0.31", "0.014"))]
    cents = [cover.quantize(Decimal("0.01")) for cover in covers]
    fee = sum(cents, Decimal(0)) + Decimal("1.50")
    assert asked.premium.amount == fee + (fee * Decimal("0.24")).quantize(Decimal("0.01"))


@given(st.integers(0, 5_000_000), st.floats(0, 1), st.floats(0, 1))
def test_every_wish_has_an_answer_that_adds_up(distance_m: int, night: float, over: float) -> None:
    found = outcome(PLAN, DRIVING, Wish(distance_m, night, over))
    assert found.premium.amount == sum(line.amount for line in found.premium.lines)
    assert found.premium.amount >= PLAN.minimum_premium
