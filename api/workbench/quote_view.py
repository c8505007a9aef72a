"""A quote for an entered risk: the whole menu priced for a month of the kilometres that it declares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

from api import wording
from api.errors import NotFound
from api.languages import say
from api.menu_view import ConfiguredMenu
from api.receipt import Receipt, changes_of, receipt
from pricing.errors import UnknownLevel
from pricing.menu import Menu, Offer, price_menu
from pricing.plan import OWN_CLAIMS, RatePlan
from pricing.products import catalogue_of
from pricing.rating import DrivenTrip, Inputs, Terms, rate_period
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS

DAYS, DAYS_A_YEAR = 30, 365
FIRST_CHOICE = {"driver_age": 40, "declared_km": 10_000}
CELLS = tuple(product(EXPOSURE_CLASSES, HOUR_BANDS))


@dataclass(frozen=True, slots=True)
class Field:
    """A rating factor to enter: by level, or a whole number where there are none."""

    name: str
    title: str
    levels: Mapping[str, str]
    value: str
    known: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Risk:
    """What is insured, as entered: whole numbers where the plan has bands."""

    factors: Mapping[str, str | int]
    declared_km_per_year: int


@dataclass(frozen=True, slots=True)
class Quote(ConfiguredMenu):
    """The menu of a risk, the configuration that is looked at, and its explanation."""

    receipt: Receipt
    worksheet: list[dict[str, str]]


def quotable(plans: Sequence[RatePlan]) -> list[RatePlan]:
    """Those that have a menu, one of each name: the one in effect first. `plans`: the latest in effect first."""
    found: dict[str, RatePlan] = {}
    for plan in plans:
        if catalogue_of(plan) is not None:
            found.setdefault(plan.name, plan)
    return list(found.values())


def fields_of(plan: RatePlan, entered: Mapping[str, str]) -> list[Field]:
    """The form's fields with what was entered, or a first choice; what does not fit says so."""
    fields = []
    for factor in (one for one in plan.factors.values() if one.name != OWN_CLAIMS):  # nobody declares those
        levels = {level: wording.words(level) for level in factor.levels}
        first = next(iter(levels)) if levels else str(FIRST_CHOICE.get(factor.name, factor.begins[0]))
        value = entered.get(factor.name, first)
        title = say("Kilometres a year") if factor.name == "declared_km" else wording.words(factor.name)
        fields.append(
            Field(factor.name, title, levels, value, ", ".join(factor.known), _problem(plan, factor.name, value))
        )
    if "declared_km" not in plan.factors:
        value = entered.get("declared_km", str(FIRST_CHOICE["declared_km"]))
        problem = "" if _whole(value) is not None else say("is no whole number")
        fields.append(Field("declared_km", say("Kilometres a year"), {}, value, "0 to 999,999", problem))
    return fields


def risk_of(plan: RatePlan, fields: Sequence[Field]) -> Risk | None:
    """The risk; None while a field does not fit."""
    if any(field.problem for field in fields):
        return None
    factors = {one.name: one.value if one.levels else int(one.value) for one in fields if one.name != "declared_km"}
    km = next(int(one.value) for one in fields if one.name == "declared_km")
    return Risk(factors, km)


def quote_of(
    plan: RatePlan, risk: Risk, driven_m: Sequence[int], pay_plan: str | None, covers: Sequence[str] | None
) -> Quote:
    """The whole menu of a month of 30 days. `driven_m` of the book by road and hour shares the kilometres out.

    Raises NotFound where the plan has no menu, or the configuration is not offered.
    """
    catalogue = catalogue_of(plan)
    if catalogue is None:
        raise NotFound("menu", plan.name)
    inputs = _inputs(plan, risk, driven_m)
    menu = price_menu(catalogue, plan, inputs)
    chosen = _chosen(menu, plan, pay_plan, covers)
    terms = Terms(chosen.pay_plan, chosen.covers, risk.factors, risk.declared_km_per_year)
    premium = rate_period(plan, _with(inputs, terms))
    worksheet = [step.as_json() for step in premium.worksheet]
    receipted = receipt(changes_of(worksheet), "2026-01", plan.currency)
    return Quote(catalogue, plan, menu, chosen, receipted, worksheet)


def _chosen(menu: Menu, plan: RatePlan, pay_plan: str | None, covers: Sequence[str] | None) -> Offer:
    """What was asked for, or the first that is offered."""
    if pay_plan is None:
        if not menu.offers:
            raise NotFound("offer", plan.name)
        return menu.offers[0]
    found = menu.find(pay_plan, covers or ())
    if found is None:
        raise NotFound("choice", f"{pay_plan}: {', '.join(covers or ())}")
    return found


def _inputs(plan: RatePlan, risk: Risk, driven_m: Sequence[int]) -> Inputs:
    """A month of the declared kilometres, driven where and when the book drives; behaviour as the class's mean.

    Without a driven book every kilometre is charged at the standard rate.
    """
    metres = risk.declared_km_per_year * 1000 * DAYS // DAYS_A_YEAR
    whole = sum(driven_m)
    shares = [metres * one // whole for one in driven_m] if whole else []
    cells = tuple((*cell, share) for cell, share in zip(CELLS, shares, strict=False) if share)
    driven = sum(share for *_, share in cells)
    trips = (DrivenTrip("all", driven, metres - driven, None, cells),)
    terms = Terms(next(iter(plan.pay_plans)), (), risk.factors, risk.declared_km_per_year)
    return Inputs("quote", "", DAYS, terms, trips, None)


def _with(inputs: Inputs, terms: Terms) -> Inputs:
    return Inputs(inputs.policy, inputs.period, inputs.days, terms, inputs.trips, inputs.behaviour)


def _problem(plan: RatePlan, name: str, value: str) -> str:
    factor = plan.factors[name]
    declared = value if factor.levels else _whole(value)
    if declared is None:
        return say("is no whole number")
    try:
        factor.step_of(declared, plan.name)
    except UnknownLevel:
        return say("is none of {levels}", levels=", ".join(factor.known))
    return ""


def _whole(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 6 else None


def total(quote: Quote, currency: str) -> str:
    """What the month costs."""
    return wording.money(Decimal(quote.chosen.amount), currency)
