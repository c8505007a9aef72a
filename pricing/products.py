"""What a customer can configure: covers x pay plan x data sharing, with the rules of who may, and the price of it all.

The catalogue is data; prices stand in the rate plan alone. A cover's line depends on the pay plan and the driving, not
on the other covers, so the whole menu comes from one rating of all covers for each pay plan: a combination adds its
lines, and minimum, fee and tax come on top as in any statement.
"""

import tomllib
from functools import lru_cache
from importlib.resources import files

from pricing.catalogue import Catalogue, read_catalogue
from pricing.errors import BadPlan, NotEligible
from pricing.plan import PayPlan, RatePlan
from pricing.plan_reader import Reader
from pricing.rating import Terms
from pricing.terms import SHARING

SHARING_TITLES = {
    "odometer": "Odometer only: your km, without trips",
    "score": "Scores only: km and a driving score of each trip; where and when stay in the device",
    "full": "Full: trips with roads and hours",
}


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
    catalogue = catalogue_of(plan)
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
    choices, levels = (*terms.covers, terms.pay_plan), terms.levels
    broken = (rule for rule in catalogue.rules if rule.forbids(choices, levels, chosen))
    return next(((rule.choice, rule.because) for rule in broken), None)


@lru_cache(64)
def catalogue_of(plan: RatePlan) -> Catalogue | None:
    """The menu that a plan brings, or that ships for the plan of its name where that fits; None: it has none."""
    if plan.menu is not None or not plan.name.replace("-", "").isalnum():
        return plan.menu
    resource = files("pricing") / "catalogues" / f"{plan.name}.toml"
    if not resource.is_file():
        return None
    reader = Reader(f"the menu of {plan.name}", tomllib.loads(resource.read_text("utf-8")))
    try:
        return read_catalogue(reader, plan.covers, plan.pay_plans, plan.factors)
    except BadPlan:  # another version, which has other covers, pay plans or factors, brings its own menu
        return None
