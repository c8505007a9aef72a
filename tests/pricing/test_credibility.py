"""Credibility in a price: a few km move it little, many km much, and nobody known yet costs what the class costs."""

from decimal import Decimal as D  # noqa: N817

import pytest

from pricing.quote import Asked, Driving, quote_of
from scoring.score import PRIOR_MODEL, score_totals
from tests.pricing.cases import FACTORS, PLAN

MEAN = D(str(PRIOR_MODEL.base_claims_per_100000_km))


def habits(km: int, *, bad: bool) -> dict[str, int]:
    """The same driving over so many km: at night, over the limit and with brakes, or with none of it."""
    metres = km * 1000
    measured = {"distance_m": metres, "limit_known_m": metres, "brake_measurable_m": metres}
    if not bad:
        return measured
    return measured | {"night_m": metres // 4, "over_10_20_m": metres // 10, "hard_brake_events": km // 20}


def relativity(totals: dict[str, int]) -> D:
    """Of the behaviour, as it stands on the worksheet of a month of 1,000 km."""
    driving = Driving(1_000_000, cells=(("primary", "day", 1_000_000),), totals=totals)
    found = quote_of(PLAN, Asked("P-1", 31, "autograph", ("liability",), FACTORS, 12_000, driving))
    return D(next(step["rate"] for step in found["worksheet"] if step["label"].startswith("behaviour")))


@pytest.mark.parametrize("bad", [True, False])
def test_200_km_move_a_premium_little_and_20000_km_much(*, bad: bool) -> None:
    few, some, many = (abs(relativity(habits(km, bad=bad)) - 1) for km in (200, 2_000, 20_000))
    assert few < some < many
    assert few < D("0.10")
    assert many > 2 * few
    assert many > D("0.15")


def test_nobody_known_yet_costs_what_the_class_costs() -> None:
    assert D(str(score_totals({}, PRIOR_MODEL).claims_per_100000_km)) == MEAN
    assert relativity({"distance_m": 0}) == 1
    known = Asked("P-1", 31, "autograph", ("liability",), FACTORS, 12_000, Driving(totals={"distance_m": 0}))
    unknown = Asked("P-1", 31, "autograph", ("liability",), FACTORS, 12_000)
    assert quote_of(PLAN, known)["amount"] == quote_of(PLAN, unknown)["amount"]


def test_the_interval_of_a_price_narrows_with_the_km_of_the_same_driving() -> None:
    def width(km: int) -> D:
        driving = Driving(1_000_000, cells=(("primary", "day", 1_000_000),), totals=habits(km, bad=False))
        found = quote_of(PLAN, Asked("P-1", 31, "autograph", ("liability",), FACTORS, 12_000, driving))
        low, high = map(D, found["interval"])
        return high - low

    assert width(200) >= width(2_000) >= width(20_000) > 0
