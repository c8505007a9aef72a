"""The menu of a policy as its page shows it: what each choice would cost beside the present one, and what it needs."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from api import wording
from api.errors import NotFound
from api.languages import say
from pricing.kept_driving import inputs_of_month, month_of
from pricing.kept_driving_store import KeptMonth
from pricing.menu import Menu, Offer, price_menu
from pricing.plan import RatePlan
from pricing.products import SHARING_TITLES, Catalogue, needed_sharing, packaged_catalogue
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
class PolicyMenu:
    """The whole menu of a policy, priced on the driving of `period`, and the configuration that is looked at."""

    period: str
    inputs: Inputs
    menu: Menu
    plan: RatePlan
    chosen: Offer
    axes: tuple[Axis, ...]


def policy_menu(
    database: Database, policy: Policy, period: str, pay_plan: str | None = None, covers: Iterable[str] | None = None
) -> PolicyMenu:
    """The menu round a configuration (none: the policy's own). Raises NotFound where there is none such."""
    kept = month_of(database, policy.policy_id, period, None)
    if kept is None:
        raise NotFound("policy", policy.policy_id)
    return menu_of_month(database, kept, pay_plan, covers)


def menu_of_month(
    database: Database, kept: KeptMonth, pay_plan: str | None = None, covers: Iterable[str] | None = None
) -> PolicyMenu:
    """The same from the policy's month as it is kept."""
    policy, period = kept.policy, kept.period
    plan, inputs, before = inputs_of_month(database, kept)
    catalogue = packaged_catalogue(plan.name)
    if catalogue is None:
        raise NotFound("menu", policy.policy_id)
    menu = price_menu(catalogue, plan, inputs, before)
    chosen = menu.find(pay_plan or policy.pay_plan, policy.covers if covers is None else covers)
    if chosen is None:
        raise NotFound("choice", f"{pay_plan or policy.pay_plan}: {', '.join(covers or policy.covers)}")
    return PolicyMenu(period, inputs, menu, plan, chosen, axes_of(catalogue, plan, menu, chosen))


def axes_of(catalogue: Catalogue, plan: RatePlan, menu: Menu, chosen: Offer) -> tuple[Axis, ...]:
    """Each thing to choose, with what each way would cost beside the configuration that is looked at."""
    beside = _Beside(menu, chosen)
    taken = frozenset(chosen.covers)
    pay_plans = tuple(
        beside.choice(one.name, one.title, one.name, taken, needed_sharing(one)) for one in plan.pay_plans.values()
    )
    axes = [Axis("pay_plan", say(HOW_YOU_PAY), pay_plans)]
    for peril in catalogue.perils:
        titles = {option.cover: option.title for option in peril.options}
        others = taken - titles.keys()
        choices = tuple(
            beside.choice(way or WITHOUT, titles[way] if way else WITHOUT_TITLE, chosen.pay_plan,
                          others | {way} if way else others, chosen.needs)
            for way in peril.ways
        )  # fmt: skip
        axes.append(Axis(peril.name, say(peril.title), choices))
    return tuple(axes)


class _Beside:
    """The choices of a menu beside the configuration that is looked at."""

    def __init__(self, menu: Menu, chosen: Offer) -> None:
        self.menu, self.chosen, self.refused = menu, chosen, dict(menu.refused)
        self.here = (chosen.pay_plan, frozenset(chosen.covers))

    def choice(self, name: str, title: str, pay_plan: str, covers: frozenset[str], needs: str) -> Choice:
        """One way, and why it is not offered where it is not."""
        found = self.menu.find(pay_plan, covers)
        is_here = (pay_plan, covers) == self.here
        if found is None:
            because = self.refused.get(name) or next(
                (why for refused, why in self.refused.items() if refused in covers), NOT_OFFERED
            )
            return Choice(name, say(title), is_here, None, None, needs, say(because))
        return Choice(name, say(title), is_here, found.amount, found.amount - self.chosen.amount, found.needs, "")


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
