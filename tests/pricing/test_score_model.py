"""A plan's score model: read whole or refused by place, priced by alone, and nothing of a plan without one changes."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from cli.main import app
from pricing.book_rating import compile_plan, rate_book, rate_row
from pricing.counted_twice import charged_by_rates, warnings_of
from pricing.errors import BadPlan
from pricing.filing import pack
from pricing.plan import RatePlan, parse_plan
from pricing.plan_change import impact
from pricing.plan_text import toml_text
from pricing.policies import packaged_plan
from pricing.quote import Asked, Driving, DrivingEvent, quote_of
from pricing.rating_book import rating_book_of
from pricing.rating_errors import BadQuote, BadRatingBook
from pricing.score_model import content_of
from scoring.score import PRIOR_MODEL, ScoreModel, score_totals

SHIPPED = packaged_plan()
# Brakes weigh three times as much as by the priors, and nothing else counts.
BRAKES = replace(PRIOR_MODEL.weights[5], beta=0.09, beta_interval=(0.05, 0.13), credibility_km=200.0, source="fitted")
MODEL = ScoreModel(0.5, 100.0, (BRAKES,))
TOTALS = {"distance_m": 3_000_000, "brake_measurable_m": 3_000_000, "hard_brake_events": 120, "night_m": 900_000}
FACTORS: dict[str, str | int] = {"vehicle_class": "compact", "territory": "suburban", "driver_age": 40}


def with_model(model: ScoreModel, version: str = "2") -> RatePlan:
    content = SHIPPED.content.replace('version = "1"', f'version = "{version}"')
    return parse_plan(content + toml_text({"score_model": content_of(model)}), "with a model")


def asked(plan: RatePlan, **driving: object) -> dict[str, object]:
    driven = {"distance_m": 3_000_000, "cells": (("primary", "day", 3_000_000),), "totals": TOTALS}
    document = Driving(**(driven | driving))  # type: ignore[arg-type]
    return quote_of(plan, Asked("P-1", 31, "autograph", ("liability",), FACTORS, 12_000, document))


def test_a_plan_without_a_model_means_these_priors_for_good() -> None:
    """Posted months are priced by them: a prior that changes is another model, for plans that name it."""
    assert SHIPPED.score_model == PRIOR_MODEL
    assert PRIOR_MODEL.version == "frequency-prior-6b62dadf2a48"
    assert SHIPPED.plan_hash == "b855714591bff2d697112876febe0d67463bc5c0bb2da8e535970337b6fc708b"


def test_a_model_is_read_as_it_is_written_in_any_order() -> None:
    written = with_model(PRIOR_MODEL)
    assert written.score_model == PRIOR_MODEL
    turned = content_of(PRIOR_MODEL)
    turned["weights"] = dict(reversed(turned["weights"].items()))
    other = parse_plan(written.content.split("[score_model]")[0] + toml_text({"score_model": turned}), "turned")
    assert (other.plan_hash, other.score_model) == (written.plan_hash, written.score_model)
    assert with_model(MODEL).score_model == MODEL


@pytest.mark.parametrize(
    ("was", "now", "place"),
    [
        ('beta = "0.09"', 'beta = "nan"', r"score_model\.weights\.hard_brakes_per_100km\.beta: 'nan' is not finite"),
        ('beta = "0.09"', 'beta = "-0.09"', r"hard_brakes_per_100km\.beta: -0.09 is negative"),
        ('beta = "0.09"', 'beta = "0.2"', r"beta_low: the interval from 0.05 to 0.13 does not hold beta, 0.2"),
        ("hard_brakes_per_100km =", "soft_brakes =", r"score_model\.weights\.soft_brakes: is no feature of scoring"),
        ("hard_brakes_per_100km =", "distance_km =", r"score_model\.weights\.distance_km: is no feature .* by km"),
        ('credibility_km = "200"', 'credibility_km = "-1"', r"credibility_km: -1 must be 0 or more"),
        ('cap = "15"', 'cap = "1"', r"cap: 1 is under the reference"),
        ('exposure = "brake_measurable_m"', 'exposure = "trips"', r"exposure: 'trips' is not one of"),
        (', source = "fitted"', "", r"source: is missing"),
        ('source = "fitted"', 'source = "fitted", prior = 1', r"prior: is not known here"),
        ('base_claims_per_100000_km = "0.5"', 'base_claims_per_100000_km = "0"', r"base_claims_per_100000_km: 0 must"),
        ('cap = "15"', 'cap = "999"', r"score_model\.weights: predict from .* claims per 100,000 km"),
        ("hard_brakes_per_100km =", "hard_brakes_per_100km = 1\nhard_brakes_per_100km =", r"file: .*line"),
    ],
)  # fmt: skip
def test_a_model_that_is_not_whole_is_refused_by_its_place(was: str, now: str, place: str) -> None:
    content = with_model(MODEL).content
    assert was in content
    with pytest.raises(BadPlan, match=place):
        parse_plan(content.replace(was, now), "broken")


def test_a_quote_predicts_by_the_plans_own_model() -> None:
    plan = with_model(MODEL)
    found, prior = asked(plan, events=(DrivingEvent("hard_brake"),)), asked(SHIPPED)
    claims = score_totals(TOTALS, MODEL).claims_per_100000_km
    assert found["model"] == MODEL.version != prior["model"] == PRIOR_MODEL.version
    assert f"behaviour: {claims} / 0.5 claims per 100,000 km" in str(found["worksheet"])
    assert "without this hard brake" in str(found["counterfactuals"])
    with pytest.raises(BadQuote, match=f"predicted it, and this plan's model is {MODEL.version}"):
        asked(plan, model=PRIOR_MODEL.version)


def test_a_book_with_totals_is_predicted_by_each_plan_and_one_without_is_not_compared() -> None:
    plans = [compile_plan(SHIPPED), compile_plan(with_model(MODEL))]
    columns: dict[str, object] = {
        "policy": ["P-1", "P-2"], "pay_plan": ["autograph"] * 2, "days": [31] * 2, "covers": [["liability"]] * 2,
        "declared_km_per_year": [12_000] * 2, "distance_m": [900_000] * 2,
        "m_primary_day": [900_000] * 2, **{name: [one] * 2 for name, one in FACTORS.items()},
    }  # fmt: skip
    totals = pa.array([list(TOTALS.items()), []], pa.map_(pa.string(), pa.int64()))
    books = [rating_book_of(pa.table(columns | {"totals": totals}), "book", plan) for plan in plans]
    for plan, book in zip(plans, books, strict=True):
        amounts = rate_book(plan, book).amount
        for row, driven in enumerate((TOTALS, {})):
            claims = score_totals(driven, plan.plan.score_model).claims_per_100000_km if driven else None
            assert book.frequency[row] == (None if claims is None else str(claims))
            assert int(rate_row(plan, book, row).amount * 100) == amounts[row]
    change = impact(plans[0], books[0], plans[1], books[1])
    assert (change["pay_less"], change["pay_the_same"]) == (1, 1)  # nothing driven is the class mean by either
    given = [rating_book_of(pa.table(columns | {"claims_per_100000_km": [0.9, 0.7]}), "book", plan) for plan in plans]
    with pytest.raises(BadRatingBook, match="give each policy's `totals`"):
        impact(plans[0], given[0], plans[1], given[1])
    bad = pa.array([[("distance_m", -1)], []], pa.map_(pa.string(), pa.int64()))
    with pytest.raises(BadRatingBook, match="row 1, policy 'P-1': totals: must be whole numbers"):
        rating_book_of(pa.table(columns | {"totals": bad}), "book", plans[0])


def test_what_the_rates_charge_already_is_said_and_the_plan_still_loads(tmp_path: Path) -> None:
    assert "night_km_share" in charged_by_rates(SHIPPED)
    (said,) = warnings_of(SHIPPED)
    assert said.startswith("night_km_share is charged by the rates a km and by the score model too")
    answer = CliRunner().invoke(app, ["plan", "check", "wayrate-2026"])
    assert (answer.exit_code, "night_km_share" in answer.stderr) == (0, True)
    assert warnings_of(with_model(MODEL)) == ()
    by_day = SHIPPED.content.replace('"behaviour"]', "]").replace("evening, ", "")
    assert charged_by_rates(parse_plan(by_day, "no behaviour")) == frozenset()


def test_diff_and_filing_show_the_model() -> None:
    plan = with_model(MODEL)
    shown = str(pack(plan))
    assert MODEL.version in shown
    assert "200 km of brake_measurable_m" in shown
    assert "these are the stated priors" in str(pack(SHIPPED))
