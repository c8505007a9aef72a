"""docs/pricing.md has the numbers of the plan that ships."""

from pathlib import Path

from pricing.plan import RULES
from pricing.rating import TRIPS_NOT_CHARGED
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS
from tests.pricing.cases import PLAN

PAGE = (Path(__file__).parents[2] / "docs" / "pricing.md").read_text(encoding="utf-8")


def test_every_rate_stands_there() -> None:
    for cover in PLAN.covers.values():
        assert f"(`{cover.name}`): {cover.per_day} a day, standard rate {cover.standard_per_km} a km" in PAGE
        for road_class in EXPOSURE_CLASSES:
            assert f"| {' | '.join([road_class, *(str(cover.per_km[road_class, b]) for b in HOUR_BANDS)])} |" in PAGE


def test_every_relativity_stands_there() -> None:
    for factor in PLAN.factors.values():
        levels = [f"{level} {relativity}" for level, relativity in factor.levels.items()]
        bands = [f"{band.lowest} to under {band.below}: {band.relativity}" for band in factor.bands]
        assert f"| `{factor.name}` | {', '.join(levels or bands)} |" in PAGE


def test_every_pay_plan_rule_and_charge_stands_there() -> None:
    for pay_plan in PLAN.pay_plans.values():
        assert f"| `{pay_plan.name}` | {pay_plan.title} | {pay_plan.daily_multiple} |" in PAGE
    assert set(PLAN.rules) == set(RULES)
    for rule, value in PLAN.rules.items():
        assert f"| `{rule}` | `{value}` |" in PAGE
    assert [reason for reason in TRIPS_NOT_CHARGED if f"`{reason}`" not in PAGE] == []
    bounds = PLAN.behaviour
    assert f"{bounds.lowest} and at most {bounds.highest}" in PAGE
    assert f"to {bounds.decimals} decimals" in PAGE
    assert f"({PLAN.minimum_premium} a statement)" in PAGE
    assert f"({PLAN.fee})" in PAGE
    assert f"**{PLAN.tax_name}** ({PLAN.tax_rate} of" in PAGE
