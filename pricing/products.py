"""What a customer can configure: covers x pay plan x data sharing, with the rules of who may, and the price of it all.

The catalogue is data; prices stand in the rate plan alone. A cover's line depends on the pay plan and the driving, not
on the other covers, so the whole menu comes from one rating of all covers for each pay plan: a combination adds its
lines, and minimum, fee and tax come on top as in any statement.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from pricing.errors import BadCatalogue, NotEligible
from pricing.plan import PayPlan, RatePlan
from pricing.rating import Terms
from pricing.terms import SHARING

SHARING_TITLES = {
    "odometer": "Odometer only: your km, without trips",
    "score": "Scores only: km and a driving score of each trip; where and when stay in the device",
    "full": "Full: trips with roads and hours",
}


@dataclass(frozen=True, slots=True)
class Option:
    """One way to insure a peril: a cover of the plan."""

    cover: str
    title: str
    limit: int | None
    deductible: int | None


@dataclass(frozen=True, slots=True)
class Peril:
    """What can be insured in one of these ways, or not at all where it is not required."""

    name: str
    title: str
    required: bool
    options: tuple[Option, ...]

    @property
    def ways(self) -> tuple[str | None, ...]:
        """The covers to choose from; None: without."""
        covers = tuple(option.cover for option in self.options)
        return covers if self.required else (None, *covers)


@dataclass(frozen=True, slots=True)
class Rule:
    """A choice (cover or pay plan) that is not offered: for a factor's level or band, or without another peril."""

    choice: str
    factor: str | None
    levels: tuple[str, ...]
    lowest: int | None
    below: int | None
    without: str | None
    because: str

    def forbids(self, terms: Terms, perils: Iterable[str]) -> bool:
        """Whether these terms may not have the choice."""
        if self.choice not in terms.covers and self.choice != terms.pay_plan:
            return False
        return self.without not in perils if self.without is not None else self.holds_for(terms)

    def holds_for(self, terms: Terms) -> bool:
        """Of a rule about a factor, whether these terms have its level or lie in its band."""
        declared = terms.declared_km_per_year if self.factor == "declared_km" else terms.factors.get(str(self.factor))
        if self.levels:
            return declared in self.levels
        assert self.lowest is not None
        assert self.below is not None
        return isinstance(declared, int) and self.lowest <= declared < self.below


@dataclass(frozen=True, slots=True, eq=False)  # as itself, like a plan
class Catalogue:
    """The perils and rules of one plan's menu."""

    plan: str
    perils: tuple[Peril, ...]
    rules: tuple[Rule, ...]

    @property
    def covers(self) -> tuple[str, ...]:
        """Every cover of the menu, in its order."""
        return tuple(option.cover for peril in self.perils for option in peril.options)


def needed_sharing(pay_plan: PayPlan) -> str:
    """The least that must be shared for a pay plan: what it reads."""
    if {"road_class", "hour_band"} & pay_plan.uses:
        return "full"
    return "score" if "behaviour" in pay_plan.uses else "odometer"


def check_choices(plan: RatePlan, terms: Terms, sharing: str) -> None:
    """Raises NotEligible where the pay plan reads more than is shared, or a rule of the menu forbids a choice."""
    needed = needed_sharing(plan.pay_plan(terms.pay_plan))
    if SHARING.index(sharing) < SHARING.index(needed):
        raise NotEligible("sharing", f"pay plan {terms.pay_plan} needs {needed!r}, and {sharing!r} is shared")
    catalogue = packaged_catalogue(plan.name)
    if catalogue is not None and (broken := _broken(catalogue, terms)) is not None:
        raise NotEligible(*broken)


def _broken(catalogue: Catalogue, terms: Terms) -> tuple[str, str] | None:
    """The first choice that a rule forbids, and why."""
    chosen = {peril.name for peril in catalogue.perils if any(option.cover in terms.covers for option in peril.options)}
    for peril in catalogue.perils:
        held = [option.cover for option in peril.options if option.cover in terms.covers]
        if len(held) > 1:
            return held[1], f"{peril.title} is insured once."
        if peril.required and not held:
            return peril.name, f"{peril.title} is required."
    return next(((rule.choice, rule.because) for rule in catalogue.rules if rule.forbids(terms, chosen)), None)


@cache
def packaged_catalogue(plan: str) -> Catalogue | None:
    """The menu that ships for a plan; None: it has none."""
    if not plan.replace("-", "").isalnum():
        return None
    resource = files("pricing") / "catalogues" / f"{plan}.toml"
    return parse_catalogue(resource.read_text("utf-8"), plan) if resource.is_file() else None


def parse_catalogue(content: str, plan: str) -> Catalogue:
    """The catalogue in a TOML text. Raises BadCatalogue with the place."""
    try:
        table = tomllib.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadCatalogue(plan, "file", str(error)) from None
    _only(plan, "file", table, {"perils"}, {"rules"})
    perils = tuple(_peril(plan, f"perils[{n}]", part) for n, part in enumerate(table["perils"]))
    rules = tuple(_rule(plan, f"rules[{n}]", part) for n, part in enumerate(table.get("rules", [])))
    catalogue = Catalogue(plan, perils, rules)
    for names in ([peril.name for peril in perils], list(catalogue.covers)):
        if len(set(names)) < len(names):
            raise BadCatalogue(plan, "perils", f"names one twice: {', '.join(names)}")
    for n, rule in enumerate(rules):
        if rule.without is not None and rule.without not in {peril.name for peril in perils}:
            raise BadCatalogue(plan, f"rules[{n}].without", f"{rule.without!r} is not a peril")
    return catalogue


def check_catalogue(catalogue: Catalogue, plan: RatePlan) -> None:
    """Raises BadCatalogue for an option or a rule's choice that the plan does not know."""
    for cover in catalogue.covers:
        if cover not in plan.covers:
            raise BadCatalogue(catalogue.plan, "perils", f"{cover!r} is not a cover of {plan.name}")
    for n, rule in enumerate(catalogue.rules):
        if rule.choice not in {*catalogue.covers, *plan.pay_plans}:
            raise BadCatalogue(catalogue.plan, f"rules[{n}].choice", f"{rule.choice!r} cannot be chosen")
        if rule.factor is not None and rule.factor not in plan.factors:
            raise BadCatalogue(catalogue.plan, f"rules[{n}].factor", f"{rule.factor!r} is not a factor of {plan.name}")


def _peril(plan: str, place: str, part: Mapping[str, Any]) -> Peril:
    _only(plan, place, part, {"name", "title", "required", "options"})
    for option in part["options"]:
        _only(plan, f"{place}.options", option, {"cover", "title"}, {"limit", "deductible"})
    options = tuple(
        Option(option["cover"], option["title"], option.get("limit"), option.get("deductible"))
        for option in part["options"]
    )
    if not options:
        raise BadCatalogue(plan, f"{place}.options", "must have an option")
    return Peril(part["name"], part["title"], part["required"], options)


def _rule(plan: str, place: str, part: Mapping[str, Any]) -> Rule:
    _only(plan, place, part, {"choice", "because"}, {"factor", "levels", "from", "to", "without"})
    by_band, by_level = "from" in part and "to" in part, "levels" in part
    if ("factor" in part) == ("without" in part) or ("factor" in part and by_band == by_level):
        raise BadCatalogue(plan, place, "needs a factor with levels or from and to, or without")
    return Rule(
        part["choice"], part.get("factor"), tuple(part.get("levels", ())), part.get("from"), part.get("to"),
        part.get("without"), part["because"],
    )  # fmt: skip


def _only(plan: str, place: str, part: Mapping[str, Any], needed: set[str], allowed: Iterable[str] = ()) -> None:
    if missing := needed - set(part):
        raise BadCatalogue(plan, place, f"lacks {', '.join(sorted(missing))}")
    if unknown := set(part) - needed - set(allowed):
        raise BadCatalogue(plan, place, f"does not know {', '.join(sorted(unknown))}")
