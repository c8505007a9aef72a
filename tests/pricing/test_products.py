"""The menu: every configuration costs what rating it alone costs, and who may not have it is told why."""

from datetime import UTC, date, datetime

import pytest
from msgspec.structs import replace

from pricing.agreements import Asked, endorse
from pricing.close import close_period
from pricing.errors import BadPlan, NotEligible
from pricing.menu import price_menu
from pricing.plan import RatePlan, parse_plan
from pricing.policies import DEFAULT_PLAN, MENU_PLAN, add_policy, packaged_plan
from pricing.products import catalogue_of, check_choices, needed_sharing
from pricing.rating import Inputs, rate_period
from pricing.store import fetch_postings
from pricing.terms import AT_THE_HOST, SHARING
from storage.pool import Database
from tests.pricing.book import CLOSED_AT, add_with_device, document, put_trip
from tests.pricing.cases import inputs, trip

PLAN = packaged_plan(MENU_PLAN)
CATALOGUE = catalogue_of(PLAN)
assert CATALOGUE is not None


def customer(**declared: object) -> Inputs:
    driven = [trip(5, cells=[("residential", "night", 12_345), ("motorway", "day", 240_000)], gap_m=1500)]
    return inputs("autograph", driven, frequency="0.93", **declared)


def test_every_offer_costs_what_its_own_rating_costs_to_the_cent() -> None:
    given = customer(driver_age=38)
    menu = price_menu(CATALOGUE, PLAN, given)
    assert len({(offer.pay_plan, offer.covers) for offer in menu.offers}) == len(menu.offers)
    for offer in menu.offers:
        terms = replace(given.terms, pay_plan=offer.pay_plan, covers=offer.covers)
        assert rate_period(PLAN, replace(given, terms=terms)).amount == offer.amount, offer


def test_the_menu_holds_all_that_the_catalogue_crosses_but_what_a_rule_forbids() -> None:
    menu = price_menu(CATALOGUE, PLAN, customer(driver_age=38))
    # 4 pay plans x 2 limits x (collision: 4 ways x theft: 3 ways, less theft_200 without collision) x 2 x 2 x 2
    assert len(menu.offers) == 4 * 2 * (4 * 3 - 1) * 8
    assert [choice for choice, _ in menu.refused] == ["theft_200"]
    young = price_menu(CATALOGUE, PLAN, customer(driver_age=19))
    assert len(young.offers) == 4 * 2 * (3 * 3 - 1) * 8
    assert ("collision_200", "Under 21 the deductible of collision is 500 or more.") in young.refused
    far = price_menu(
        CATALOGUE, PLAN, replace(customer(driver_age=38), terms=replace(customer().terms, declared_km_per_year=40_000))
    )
    assert {offer.pay_plan for offer in far.offers} == {"per_km", "behaviour", "autograph"}


def test_a_pay_plan_needs_that_what_it_reads_is_shared() -> None:
    needed = {name: needed_sharing(pay_plan) for name, pay_plan in PLAN.pay_plans.items()}
    assert needed == {"flat": "odometer", "per_km": "odometer", "behaviour": "score", "autograph": "full"}
    terms = customer().terms
    for name, least in needed.items():
        for sharing in SHARING:
            chosen = replace(terms, pay_plan=name, covers=("liability",))
            if SHARING.index(sharing) >= SHARING.index(least):
                check_choices(PLAN, chosen, sharing)
            else:
                with pytest.raises(NotEligible, match=least):
                    check_choices(PLAN, chosen, sharing)


def test_the_catalogues_that_ship_fit_their_plans() -> None:
    for name in (DEFAULT_PLAN, MENU_PLAN):
        plan = packaged_plan(name)
        catalogue = catalogue_of(plan)
        assert catalogue is not None
        assert set(catalogue.covers) == set(plan.covers)


def with_menu(menu: str, name: str = "our-own") -> RatePlan:
    """The plan that ships under another name, with its menu."""
    return parse_plan(PLAN.content.replace(MENU_PLAN, name) + menu, "own.toml")


def test_a_plan_brings_its_own_menu() -> None:
    assert catalogue_of(with_menu("")) is None
    plan = with_menu(GOOD)
    catalogue = catalogue_of(plan)
    assert catalogue is not None
    assert plan.plan_hash != with_menu("").plan_hash, "what is offered is published with the prices"
    menu = price_menu(catalogue, plan, customer(driver_age=38))
    assert {offer.covers for offer in menu.offers} == {("liability",), ("liability_5m",)}
    assert len(menu.offers) == 2 * len(plan.pay_plans)
    young = customer(driver_age=19)
    assert "flat" not in {offer.pay_plan for offer in price_menu(catalogue, plan, young).offers}
    with pytest.raises(NotEligible, match=r"No\."):
        check_choices(plan, replace(young.terms, pay_plan="flat", covers=("liability",)), "full")


def test_another_version_of_a_plan_that_ships_has_its_menu_where_that_fits() -> None:
    again = parse_plan(PLAN.content.replace('version = "1"', 'version = "2"'), "again.toml")
    assert catalogue_of(again) is not None
    begin = PLAN.content.index("[covers.glass]")
    other = PLAN.content[:begin] + PLAN.content[begin:].replace("covers.glass", "covers.windows")
    assert catalogue_of(parse_plan(other, "other.toml")) is None


GOOD = """
[[menu.perils]]
name = "liability"
title = "Liability"
required = true
options = [{ cover = "liability", title = "Liability" }, { cover = "liability_5m", title = "More", limit = 5 }]
[[menu.rules]]
choice = "flat"
factor = "driver_age"
from = 0
to = 21
because = "No."
"""


@pytest.mark.parametrize(
    ("found", "instead", "place"),
    [
        ("required = true\n", "", "menu.perils[0].required"),
        ("required = true\n", 'required = "yes"\n', "menu.perils[0].required"),
        ('title = "Liability" }', 'title = "Liability", price = 3 }', "menu.perils[0].options[0].price"),
        ("limit = 5 }", "limit = -5 }", "menu.perils[0].options[1].limit"),
        ("to = 21\n", "", "menu.rules[0].to"),
        ("to = 21\n", "to = 0\n", "menu.rules[0].to"),
        ("from = 0\nto = 21\n", "", "menu.rules[0].factor"),
        ("from = 0\nto = 21\n", 'levels = ["young"]\n', "menu.rules[0].levels[0]"),
        ('factor = "driver_age"', 'factor = "territory"', "menu.rules[0].from"),
        ('factor = "driver_age"\nfrom = 0\nto = 21', 'without = "theft"', "menu.rules[0].without"),
        ('factor = "driver_age"', 'factor = "shoe_size"', "menu.rules[0].factor"),
        ('choice = "flat"', 'choice = "free"', "menu.rules[0].choice"),
        ('cover = "liability",', 'cover = "meteorites",', "menu.perils[0].options[0].cover"),
        ('cover = "liability",', 'cover = "liability_5m",', "menu.perils"),
        ("[[menu.rules]]", "[[menu.ruls]]", "menu.ruls"),
        ("[[menu.rules]]", "[[menu.rules", "file"),
    ],
)
def test_a_menu_that_does_not_hold_together_names_its_place(found: str, instead: str, place: str) -> None:
    assert GOOD.count(found) == 1
    with pytest.raises(BadPlan) as refused:
        with_menu(GOOD.replace(found, instead))
    assert refused.value.place == place


def test_a_menu_of_too_many_configurations_is_refused() -> None:
    content = PLAN.content
    begin, end = content.index("[covers.glass]"), content.index("[covers.roadside]")
    glass = content[begin:end]
    menu = ""
    for number in range(14):
        content += "\n" + glass.replace("covers.glass", f"covers.glass_{number}")
        menu += f'[[menu.perils]]\nname = "p{number}"\ntitle = "P"\nrequired = false\n'
        menu += f'options = [{{ cover = "glass_{number}", title = "G" }}]\n'
    with pytest.raises(BadPlan, match="65,536 configurations, more than 20,000"):
        parse_plan(content.replace(MENU_PLAN, "our-own") + "\n" + menu, "wide.toml")


@pytest.mark.parametrize(
    ("pay_plan", "sharing", "reads"),
    [
        ("flat", "odometer", "declared_km"),
        ("per_km", "odometer", "measured km"),
        ("behaviour", "score", "behaviour"),
        ("autograph", "full", "km on residential roads"),
    ],
)
def test_each_pay_plan_is_bound_endorsed_and_posted_with_the_least_that_it_needs(
    database: Database, pay_plan: str, sharing: str, reads: str
) -> None:
    choice = {"plan": MENU_PLAN, "pay_plan": pay_plan, "sharing": sharing}
    policy = add_with_device(database, **choice, covers=["liability_5m", "collision_500", "roadside"])
    put_trip(database, datetime(2026, 10, 5, 9, tzinfo=UTC), metres=250_000, hard_brakes=9)
    asked = Asked(AT_THE_HOST, "k", datetime(2026, 10, 1, tzinfo=UTC), may_backdate=False)
    endorse(database, "P-1", date(2026, 10, 16), {"covers": ["liability", "collision_1000", "glass"]}, asked)
    close_period(database, "2026-10", CLOSED_AT)
    with database.role("policy") as conn:
        (posting,) = fetch_postings(conn, policy.policy_key)
    assert [line["name"] for line in posting.lines][:6] == [
        "liability_5m", "collision_500", "roadside", "liability", "collision_1000", "glass",
    ]  # fmt: skip
    labels = " ".join(step["label"].replace(" ", "_" if reads == "declared_km" else " ") for step in posting.worksheet)
    assert reads in labels
    (driven,) = posting.inputs["trips"]  # type: ignore[misc]
    assert bool(driven["cells"]) is (sharing == "full")
    assert (posting.inputs["behaviour"] is not None) is (pay_plan in ("behaviour", "autograph"))


def test_a_policy_takes_only_what_is_offered_and_pricing_keeps_only_what_is_shared(database: Database) -> None:
    menu = {"plan": MENU_PLAN, "covers": ["liability_5m", "collision_200", "glass"]}
    with pytest.raises(NotEligible, match="Under 21"):
        add_policy(
            database,
            document(**menu, factors={"vehicle_class": "suv", "territory": "rural", "driver_age": 19}),
            CLOSED_AT,
        )
    with pytest.raises(NotEligible, match="insured once"):
        add_policy(database, document(**menu | {"covers": ["liability", "liability_5m"]}), CLOSED_AT)
    policy = add_with_device(database, **menu, pay_plan="behaviour", sharing="score")
    asked = Asked(AT_THE_HOST, "k", datetime(2026, 10, 1, tzinfo=UTC), may_backdate=False)
    with pytest.raises(NotEligible, match="needs 'full'"):
        endorse(database, "P-1", date(2026, 11, 1), {"pay_plan": "autograph"}, asked)
    put_trip(database, datetime(2026, 10, 5, 9, tzinfo=UTC))
    close_period(database, "2026-10", CLOSED_AT)
    with database.role("policy") as conn:
        (posting,) = fetch_postings(conn, policy.policy_key)
    (driven,) = posting.inputs["trips"]  # type: ignore[misc]
    assert (driven["distance_m"], driven["cells"]) == (10_000, [])
    assert [line["name"] for line in posting.lines][:3] == ["liability_5m", "collision_200", "glass"]
