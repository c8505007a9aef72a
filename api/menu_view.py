"""The menu of a policy as its page shows it: what each choice would cost beside the present one, and what it needs."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from api import wording
from api.errors import NotFound
from api.languages import current, say
from pricing.catalogue import Catalogue
from pricing.kept_driving import PricedMonth, inputs_of_month, month_of
from pricing.kept_driving_store import KeptMonth
from pricing.menu import Layout, Menu, Offer, price_menu
from pricing.plan import RatePlan
from pricing.products import SHARING_TITLES, catalogue_of, needed_sharing
from pricing.rating import Inputs
from pricing.store import Policy
from pricing.terms import SHARING
from storage.pool import Database

WITHOUT = "none"
NOT_OFFERED, HOW_YOU_PAY, WITHOUT_TITLE = "Not offered.", "How you pay", "Without"


@dataclass(frozen=True, slots=True)
class Choice:
    """One way for one thing, all else as chosen: `amount` None where it is not offered, `because` says why."""

    name: str
    title: str
    chosen: bool
    amount: Decimal | None
    difference: Decimal | None
    needs: str
    because: str


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing to choose."""

    name: str
    title: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class ConfiguredMenu:
    """A whole menu, and the configuration of it that is looked at."""

    catalogue: Catalogue
    plan: RatePlan
    menu: Menu
    chosen: Offer

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Each thing to choose, with what each way would cost beside the configuration that is looked at."""
        axes = []
        chosen = self.chosen
        for axis in ways_beside(self.catalogue, self.plan, self.menu.layout, chosen.pay_plan, chosen.covers):
            choices = []
            for way in axis.ways:
                amount = None if way.place is None else self.menu.amount(way.place)
                difference = None if amount is None else amount - chosen.amount
                choices.append(Choice(way.name, way.title, way.chosen, amount, difference, way.needs, way.because))
            axes.append(Axis(axis.name, axis.title, tuple(choices)))
        return tuple(axes)


@dataclass(frozen=True, slots=True)
class PolicyMenu(ConfiguredMenu):
    """The menu of a policy, priced on the driving of `period`."""

    period: str
    inputs: Inputs


def policy_menu(
    database: Database, policy: Policy, period: str, pay_plan: str | None = None, covers: Iterable[str] | None = None
) -> PolicyMenu:
    """The menu round a configuration (none: the policy's own). Raises NotFound where there is none such."""
    kept = month_of(database, policy.policy_id, period, None)
    if kept is None:
        raise NotFound("policy", policy.policy_id)
    return menu_of_month(kept, inputs_of_month(database, kept), pay_plan, covers)


def menu_of_month(
    kept: KeptMonth, priced: PricedMonth, pay_plan: str | None = None, covers: Iterable[str] | None = None
) -> PolicyMenu:
    """The same from the policy's month as it is kept, and what is priced of it."""
    policy, (plan, inputs, before) = kept.policy, priced
    catalogue = catalogue_of(plan)
    if catalogue is None:
        raise NotFound("menu", policy.policy_id)
    menu = price_menu(catalogue, plan, inputs, before)
    chosen = menu.find(pay_plan or policy.pay_plan, policy.covers if covers is None else covers)
    if chosen is None:
        raise NotFound("choice", f"{pay_plan or policy.pay_plan}: {', '.join(covers or policy.covers)}")
    return PolicyMenu(catalogue, plan, menu, chosen, kept.period, inputs)


@dataclass(frozen=True, slots=True)
class Way:
    """A choice without its amount, which stands at `place` of the menu; None: it is not offered."""

    name: str
    title: str
    chosen: bool
    place: int | None
    needs: str
    because: str


@dataclass(frozen=True, slots=True)
class Ways:
    """One thing to choose, without amounts."""

    name: str
    title: str
    ways: tuple[Way, ...]


def ways_beside(
    catalogue: Catalogue, plan: RatePlan, layout: Layout, pay_plan: str, covers: tuple[str, ...]
) -> tuple[Ways, ...]:
    """All axes beside a configuration: the same for everybody whose menu has this layout and who reads one language."""
    return _ways_beside(catalogue, plan, layout, pay_plan, covers, current().language)


@lru_cache(4096)
def _ways_beside(
    catalogue: Catalogue, plan: RatePlan, layout: Layout, pay_plan: str, covers: tuple[str, ...], _language: str
) -> tuple[Ways, ...]:
    beside = _Beside(layout, pay_plan, frozenset(covers))
    pay_plans = tuple(
        beside.way(one.name, one.title, one.name, beside.covers, needed_sharing(one)) for one in plan.pay_plans.values()
    )
    axes = [Ways("pay_plan", say(HOW_YOU_PAY), pay_plans)]
    needs = needed_sharing(plan.pay_plan(pay_plan))
    for peril in catalogue.perils:
        titles = {option.cover: option.title for option in peril.options}
        others = beside.covers - titles.keys()
        ways = tuple(
            beside.way(way or WITHOUT, titles[way] if way else WITHOUT_TITLE, pay_plan,
                       others | {way} if way else others, needs)
            for way in peril.ways
        )  # fmt: skip
        axes.append(Ways(peril.name, say(peril.title), ways))
    return tuple(axes)


class _Beside:
    """The ways of a menu beside the configuration that is looked at."""

    def __init__(self, layout: Layout, pay_plan: str, covers: frozenset[str]) -> None:
        self.layout, self.pay_plan, self.covers, self.refused = layout, pay_plan, covers, dict(layout.refused)

    def way(self, name: str, title: str, pay_plan: str, covers: frozenset[str], needs: str) -> Way:
        """One way, and why it is not offered where it is not."""
        found = self.layout.place_of(pay_plan, covers)
        is_here = (pay_plan, covers) == (self.pay_plan, self.covers)
        if found is None:
            because = self.refused.get(name) or next(
                (why for refused, why in self.refused.items() if refused in covers), NOT_OFFERED
            )
            return Way(name, say(title), is_here, None, needs, say(because))
        section, place = found
        return Way(name, say(title), is_here, section.first + place, section.needs, "")


def covers_chosen(picked: Iterable[str]) -> list[str]:
    """The covers of a form's answers, one for each peril; `none` is without."""
    return [cover for cover in picked if cover != WITHOUT]


def said_difference(choice: Choice, currency: str) -> str:
    """What a choice costs beside the one that is looked at."""
    if choice.difference is None:
        return choice.because
    if choice.chosen:
        return say("chosen")
    return wording.money(choice.difference, currency, signed=True) if choice.difference else say("the same")


def sharing_needed(held: str, needs: str) -> str:
    """What is shared after choosing something that needs more than is shared now: the least that is enough."""
    return max(held, needs, key=SHARING.index)


def shares(needs: str) -> str:
    """What leaves the device, in words."""
    return say(SHARING_TITLES[needs])
