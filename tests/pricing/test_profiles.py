"""Jurisdiction profiles, each both ways: a plan that keeps it loads, a plan that breaks it does not."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal as D  # noqa: N817
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from pricing.agreements import Asked, renew
from pricing.close import close_period
from pricing.errors import BadPlan
from pricing.plan import RatePlan, check_profile, parse_plan
from pricing.policies import add_policy, publish
from pricing.profile import breaches, is_characteristic, profile_named, profile_names
from pricing.store import fetch_statement_of_period
from storage.pool import Database
from tests.pricing.book import document
from tests.pricing.test_agreements import WHO

SHIPPED = Path("pricing/plans/wayrate-2026.toml").read_text()
DUTIES = {
    "colorado": {"model_inventory": "docs/risk.md", "data_inventory": "docs/ingest.md", "adverse_decision_notice": "a"},
    "maryland": {"increase_notice": "first-class mail, form 1"},
    "uk": {"renewal_price": "the chief actuary"},
    "eu-score-only": {"human_review": "reviews@insurer.example"},
}
SEX = '\n[factors.sex]\nlevels = { female = "0.95", male = "1.05" }\n'
TENURE = '\n[factors.years_with_us]\nbands = [{ from = 0, to = 100, relativity = "1.00" }]\n'


def text_for(profile: str, content: str = SHIPPED) -> str:
    """The shipped plan made to keep a profile."""
    if profile in ("california-miles-only", "eu-score-only"):
        before, rest = content.split("[pay_plans.autograph]")
        content = before + rest[rest.index("[covers.liability]") :]
    if profile == "discount-only":
        content = content.replace('highest = "1.30"', 'highest = "1"')
    duties = "".join(f'{name} = "{said}"\n' for name, said in DUTIES.get(profile, {}).items())
    return f'jurisdiction = "{profile}"\n{content}' + (f"\n[duties]\n{duties}" if duties else "")


def plan_for(profile: str) -> RatePlan:
    return parse_plan(text_for(profile), "kept.toml")


def refusal(content: str) -> BadPlan:
    with pytest.raises(BadPlan) as refused:
        parse_plan(content, "broken.toml")
    return refused.value


def test_every_profile_that_ships_is_tried_here() -> None:
    assert set(profile_names()) == {
        "california-miles-only", "colorado", "discount-only", "eu-score-only", "maryland", "uk",
    }  # fmt: skip


@pytest.mark.parametrize("profile", profile_names())
def test_a_plan_that_keeps_its_profile_loads(profile: str) -> None:
    plan = plan_for(profile)
    assert plan.jurisdiction == profile
    assert plan.plan_hash != parse_plan(SHIPPED, "a").plan_hash
    assert profile_named(profile).sources
    kept = profile_named(profile).identity
    assert (kept.years == 6) == (profile == "uk")
    assert len(kept.because) > 20


@pytest.mark.parametrize("profile", profile_names())
def test_the_plan_that_ships_breaks_every_profile_somewhere(profile: str) -> None:
    with pytest.raises(BadPlan, match=profile):
        check_profile(parse_plan(SHIPPED, "shipped"), profile, "shipped")
    assert refusal(f'jurisdiction = "{profile}"\n{SHIPPED}').source == "broken.toml"


@pytest.mark.parametrize("use", ["behaviour", '"road_class", "hour_band"'])
def test_california_reads_miles_and_nothing_else(use: str) -> None:
    words = use if use.startswith('"') else f'"{use}"'
    broken = text_for("california-miles-only").replace('uses = ["distance"]', f'uses = ["distance", {words}]')
    assert refusal(broken).place == "pay_plans.per_km.uses"


def test_scores_only_lets_behaviour_in_and_no_place_or_hour() -> None:
    kept = text_for("eu-score-only").replace('uses = ["distance"]', 'uses = ["distance", "behaviour"]')
    assert parse_plan(kept, "kept").pay_plans["per_km"].uses == {"distance", "behaviour"}
    broken = kept.replace('"distance", "behaviour"', '"distance", "road_class", "hour_band"')
    assert refusal(broken).place == "pay_plans.per_km.uses"


def test_discount_only_never_raises() -> None:
    broken = text_for("discount-only").replace('highest = "1"', 'highest = "1.01"')
    found = refusal(broken)
    assert (found.place, "1.01 is over 1" in found.problem) == ("behaviour.highest", True)


@pytest.mark.parametrize("profile", ["uk", "eu-score-only", "california-miles-only", "colorado"])
def test_sex_is_refused_as_a_factor_whatever_it_is_called(profile: str) -> None:
    for factor in (
        SEX,
        SEX.replace("[factors.sex]", "[factors.driver_gender]"),
        SEX.replace("[factors.sex]", "[factors.f1]"),
    ):
        assert refusal(text_for(profile) + factor).place.startswith("factors.")


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("geschlecht", "ab"),
        ("GeschlechtFahrer", "ab"),
        ("Sexe du conducteur", "ab"),
        ("civilité", "ab"),
        ("género", "ab"),
        ("sesso-assicurato", "ab"),
        ("kön", "ab"),
        ("køn", "ab"),
        ("płeć", "ab"),
        ("sukupuoli", "ab"),
        ("driverGender", "ab"),
        ("Fahrergeschlecht", "ab"),
        ("sex1", "ab"),
        ("weiblich", ("ja", "nein")),
        ("f1", ("Mand", "Kvinde")),
        ("f1", ("mænd", "kvinder")),
        ("f1", ("manlig", "kvinnlig", "okänd")),
        ("f1", ("Dhr.", "Mevr.")),
        ("f1", ("męski", "żeński")),
        ("f1", ("varones", "mujeres")),
        ("f1", ("Males", "Females")),
        ("f1", ("M.", "Mme")),
        ("f1", ("Sr.", "Sra.")),
        ("f1", ("k", "m", "nieznana")),
        ("f1", ("männlich", "weiblich")),
        ("f1", ("maennlich", "weiblich", "divers")),
        ("f1", ("Homme", "Femme")),
        ("f1", ("hombre", "mujer")),
        ("f1", ("uomo", "donna")),
        ("f1", ("Mężczyzna", "Kobieta")),
        ("f1", ("mies", "nainen")),
        ("f1", ("m", "f")),
        ("f1", ("M", "W", "D")),
        ("f1", ("F", "H", "unknown")),
        ("f1", ("M", "K")),
        ("f1", ("Herr", "Frau")),
    ],
)
def test_sex_is_recognised_in_the_languages_of_europe(name: str, levels: Sequence[str]) -> None:
    assert is_characteristic("sex", name, tuple(levels))
    factor = f"[factors.{json.dumps(name)}]\nlevels = {{ {', '.join(f'{json.dumps(one)} = 1' for one in levels)} }}\n"
    assert refusal(text_for("eu-score-only") + factor).problem == "eu-score-only does not let a plan rate by sex"


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("essex_district", ("north", "south")),
        ("genre_vehicule", ("VP", "CTTE")),
        ("size", ("s", "m", "l")),
        ("fuel", ("d", "e", "h")),
        ("vehicle_category", ("M", "N", "O")),
        ("engine", ("f1", "m1")),
        ("f1", ("pan", "bread")),
        ("risk", ("h", "l", "m")),
        ("garage", ("yes", "no")),
        ("bonus_malus", ("a", "b")),
        ("mode", ("m",)),
        ("brand", ("man", "daf")),
        ("region", ("mannheim", "frauenfeld")),
        ("unknown", ("x", "u")),
    ],
)
def test_what_is_no_sex_is_not_taken_for_it(name: str, levels: Sequence[str]) -> None:
    assert not is_characteristic("sex", name, levels)


@pytest.mark.parametrize(
    ("characteristic", "name", "levels"),
    [
        ("religion", "Konfession", "ab"),
        ("religion", "f1", ("katholisch", "evangelisch")),
        ("disability", "Behinderung", "ab"),
        ("ethnic_origin", "Staatsangehörigkeit", "ab"),
        ("ethnic_origin", "origine_ethnique", "ab"),
        ("tenure", "Kunde seit", "ab"),
        ("tenure", "f1", ("Neukunde", "Bestandskunde")),
        ("tenure", "ancienneté", "ab"),
        ("tenure", "f1", ("new", "renewal")),
        ("tenure", "anciennitet", "ab"),
    ],
)
def test_other_characteristics_are_recognised_too(characteristic: str, name: str, levels: Sequence[str]) -> None:
    assert is_characteristic(characteristic, name, levels)


def test_tenure_is_refused_in_the_united_kingdom_and_may_be_read_elsewhere() -> None:
    assert refusal(text_for("uk") + TENURE).place == "factors.years_with_us"
    assert "years_with_us" in parse_plan(text_for("maryland") + TENURE, "elsewhere").factors


@pytest.mark.parametrize(
    ("profile", "duty"), [(profile, duty) for profile, duties in DUTIES.items() for duty in duties]
)
def test_a_duty_that_is_not_stated_is_named(profile: str, duty: str) -> None:
    said = DUTIES[profile][duty]
    found = refusal(text_for(profile).replace(f'{duty} = "{said}"', f'{duty} = " "'))
    assert found.place == f"duties.{duty}"


def test_an_unknown_jurisdiction_names_the_known_ones() -> None:
    found = refusal(f'jurisdiction = "atlantis"\n{SHIPPED}')
    assert found.place == "jurisdiction"
    assert "uk" in found.problem


def test_every_breach_is_found_not_only_the_first() -> None:
    from pricing.profile import PlanReads  # noqa: PLC0415

    reads = PlanReads({"a": frozenset({"behaviour", "distance"})}, {"sex": ("m", "f")}, D(2), {})
    places = [place for place, _ in breaches(profile_named("california-miles-only"), reads)]
    assert places == ["pay_plans.a.uses", "factors.sex"]
    ages = reads.factors | {"age": ()}  # type: ignore[operator]
    for keys, side in ((("sex", "age"), "rows"), (("age", "sex"), "columns")):
        crossed = PlanReads(reads.uses, ages, D(1), {}, tables={"t": keys})
        for profile in ("uk", "eu-score-only"):
            found = [place for place, _ in breaches(profile_named(profile), crossed)]
            assert {"factors.sex", f"tables.t.{side}"} <= set(found)


def test_a_renewal_costs_what_new_business_costs(database: Database) -> None:
    """ICOBS 6B as a law: the same terms from the same day, one renewed for the second time and one new."""
    dearer = SHIPPED.replace('per_day = "0.42"', 'per_day = "0.30"').replace('version = "1"', 'version = "2"')
    dearer = dearer.replace("effective_from = 2019-01-01", "effective_from = 2027-01-01")
    add_policy(database, document(pay_plan="flat"), datetime(2026, 1, 1, tzinfo=UTC))
    with database.role("policy") as conn:
        publish(conn, parse_plan(dearer, "v2"), datetime(2026, 11, 1, tzinfo=UTC))
    at = datetime(2026, 12, 1, tzinfo=UTC)
    renew(database, "P-1", date(2027, 1, 1), date(2028, 1, 1), {}, Asked(WHO, "renew", at, may_backdate=True))
    fresh = {"policy": "P-2", "email": "two@example.com", "starts_on": date(2027, 1, 1), "ends_on": date(2028, 1, 1)}
    add_policy(database, document(pay_plan="flat", **fresh), at)
    close_period(database, "2027-01", datetime(2027, 2, 2, tzinfo=UTC))
    with database.role("policy") as conn:
        renewed, new = (fetch_statement_of_period(conn, policy, "2027-01") for policy in ("P-1", "P-2"))
    assert renewed is not None
    assert new is not None
    assert renewed.total == new.total > 0


def test_the_command_holds_a_plan_to_another_profile_and_shows_the_sources() -> None:
    run = CliRunner()
    assert run.invoke(app, ["plan", "check", "wayrate-2026"]).exit_code == 0
    refused = run.invoke(app, ["plan", "check", "wayrate-2026", "--profile", "uk"])
    assert "duties.renewal_price" in str(refused.exception)
    assert "there are" in str(run.invoke(app, ["plan", "check", "wayrate-2026", "--profile", "mars"]).exception)
    assert "27-614" in run.invoke(app, ["plan", "profiles", "maryland"]).stdout
    assert len(run.invoke(app, ["plan", "profiles"]).stdout.splitlines()) == 6
