"""A premium is a worksheet: it multiplies and adds out to the cent, and each charged trip's part can be told."""

from decimal import Decimal as D  # noqa: N817
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pricing.errors import UnknownLevel
from pricing.money import to_minor_unit
from pricing.rating import DrivenTrip, Inputs, Premium, rate_period, recompute
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS
from tests.pricing.cases import PLAN, inputs, trip

CELLS = st.lists(
    st.tuples(st.sampled_from(EXPOSURE_CLASSES), st.sampled_from(HOUR_BANDS), st.integers(0, 400_000)), max_size=6
)
TRIPS = st.lists(
    st.tuples(CELLS, st.integers(0, 9_000), st.sampled_from([None, None, "uncertified", "outside_cover"])), max_size=5
).map(lambda rows: [trip(n, cells, gap_m=gap, not_charged=why) for n, (cells, gap, why) in enumerate(rows, start=1)])
INPUTS = st.builds(
    inputs,
    st.sampled_from(sorted(PLAN.pay_plans)),
    TRIPS,
    covers=st.sampled_from([("liability",), ("collision",), ("liability", "collision")]),
    frequency=st.one_of(st.none(), st.decimals("0.05", "9", places=4).map(str)),
    driver_age=st.integers(17, 119),
    territory=st.sampled_from(["urban", "suburban", "rural"]),
    vehicle_class=st.sampled_from(["small", "compact", "suv", "van"]),
)


def stored(premium: Premium) -> list[dict[str, str]]:
    return [step.as_json() for step in premium.worksheet]


@given(INPUTS)
def test_a_worksheet_comes_to_its_premium_by_its_own_steps(given_inputs: Inputs) -> None:
    premium = rate_period(PLAN, given_inputs)
    assert recompute(stored(premium), "EUR") == premium.amount
    assert premium.amount == sum(line.amount for line in premium.lines)
    assert all(line.amount == to_minor_unit(line.amount, "EUR") for line in premium.lines)


@given(INPUTS)
def test_trips_and_days_make_up_the_covers_exactly(given_inputs: Inputs) -> None:
    whole = rate_period(PLAN, given_inputs)
    parked = rate_period(PLAN, replace(given_inputs, trips=()))

    def unrounded(premium: Premium) -> D:
        steps = premium.worksheet
        return sum(
            (before.running for before, step in pairwise(steps)
             if step.kind == "round" and step.section in PLAN.covers),
            D(0),
        )  # fmt: skip

    assert unrounded(whole) == unrounded(parked) + sum(whole.trip_costs.values(), D(0))


@given(INPUTS, st.randoms())
def test_the_order_of_trips_changes_nothing(given_inputs: Inputs, random: object) -> None:
    shuffled = list(given_inputs.trips)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = replace(given_inputs, trips=tuple(shuffled))
    assert again.digest == given_inputs.digest
    assert rate_period(PLAN, again).worksheet == rate_period(PLAN, given_inputs).worksheet


@given(INPUTS, CELLS, st.integers(0, 10_000))
def test_an_uncertified_trip_never_raises_a_premium(
    given_inputs: Inputs, cells: list[tuple[str, str, int]], gap_m: int
) -> None:
    added: DrivenTrip = trip(30, cells, gap_m=gap_m, not_charged="uncertified")
    with_it = replace(given_inputs, trips=(*given_inputs.trips, added))
    assert rate_period(PLAN, with_it).amount == rate_period(PLAN, given_inputs).amount


def test_autograph_by_hand() -> None:
    """31 days x 0.42 + 10.5 km residential at night x 0.0350 + 2 km of gaps x 0.021, x 1.00 each, x 1.25 behaviour."""
    driven = trip(1, [("residential", "night", 10_500)], gap_m=2_000)
    premium = rate_period(PLAN, inputs("autograph", [driven], frequency="1.0"))
    # (13.02 + 0.3675 + 0.042) x 1.25 = 16.786875 -> 16.79; fee 1.50; tax 24 % of 18.29 = 4.3896 -> 4.39
    assert [(line.name, str(line.amount)) for line in premium.lines] == [
        ("liability", "16.79"),
        ("fee", "1.50"),
        ("insurance premium tax", "4.39"),
    ]
    assert premium.trip_costs == {"trip-1": D("0.511875")}


def test_per_km_by_hand() -> None:
    """(31 x 0.42 + 100 km x 0.021) x 1.12 suv x 1.40 age 22 = 15.12 x 1.568 = 23.70816; tax of 25.21 = 6.0504."""
    driven = trip(1, [("motorway", "day", 60_000), ("unmatched", "night", 40_000)])
    premium = rate_period(PLAN, inputs("per_km", [driven], frequency="9", vehicle_class="suv", driver_age=22))
    assert [str(line.amount) for line in premium.lines] == ["23.71", "1.50", "6.05"]


def test_flat_reads_no_driving() -> None:
    """31 x 0.42 x 2.1 = 27.342, declared 12,000 km x 1.00; tax of 28.84 = 6.9216. Driving changes nothing."""
    driven = trip(1, [("residential", "night", 500_000)], gap_m=9_000)
    premium = rate_period(PLAN, inputs("flat", [driven], frequency="9"))
    assert [str(line.amount) for line in premium.lines] == ["27.34", "1.50", "6.92"]
    assert premium.trip_costs == {}


def test_the_minimum_premium_is_a_line_of_its_own() -> None:
    few_days = replace(inputs("per_km"), days=2)
    premium = rate_period(PLAN, few_days)
    assert [(line.name, str(line.amount)) for line in premium.lines[:2]] == [
        ("liability", "0.84"),
        ("minimum premium", "2.16"),
    ]


@pytest.mark.parametrize(("frequency", "relativity"), [("0.1", "0.75"), ("0.8", "1"), ("0.7", "0.8750"), ("8", "1.30")])
def test_behaviour_stays_inside_its_bounds(frequency: str, relativity: str) -> None:
    premium = rate_period(PLAN, inputs("autograph", frequency=frequency))
    (step,) = [step for step in premium.worksheet if step.label.startswith("behaviour")]
    assert step.rate == D(relativity)


def test_an_unknown_level_is_named() -> None:
    with pytest.raises(UnknownLevel, match=r"vehicle_class.*hovercraft"):
        rate_period(PLAN, inputs("flat", vehicle_class="hovercraft"))
    with pytest.raises(UnknownLevel, match=r"pay_plan.*free"):
        rate_period(PLAN, inputs("free"))
    with pytest.raises(UnknownLevel, match=r"cover.*meteorites"):
        rate_period(PLAN, inputs("flat", covers=("meteorites",)))
