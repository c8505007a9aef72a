"""The price of everything that a customer can configure, in one go: fast, and to the cent what each rating alone gives.

A cover's line depends on the pay plan and the driving, not on the other covers: ten lines a pay plan make every
combination. Which combinations there are depends on the catalogue and on which of its rules hold for the customer:
that is worked out once a process. For a customer there remain sums of whole cents, and minimum, fee and tax of each.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from pricing.catalogue import Catalogue, Rule
from pricing.menu_lines import CoverRates, cover_amounts, cover_rates
from pricing.money import MINOR_DIGITS
from pricing.plan import RatePlan
from pricing.products import needed_sharing
from pricing.rating import Inputs, Line, Step, charges

type Counts = NDArray[np.int64]

_UNITS = {currency: Decimal(1).scaleb(-digits) for currency, digits in MINOR_DIGITS.items()}


@dataclass(frozen=True, slots=True)
class Offer:
    """One configuration and what the month costs with it; `needs`: the least that must be shared for it."""

    pay_plan: str
    covers: tuple[str, ...]
    needs: str
    amount: Decimal


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What there is to choose with one pay plan: n combinations of covers, and what is refused and why, each once.

    `takes`: n x covers of the catalogue, 1 where it has the cover. `by_covers`: where a combination stands.
    """

    covers: tuple[tuple[str, ...], ...]
    takes: Counts
    by_covers: Mapping[frozenset[str], int]
    refused: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """The combinations of one pay plan; the first one's place among all of the menu is `first`."""

    pay_plan: str
    needs: str
    shape: Shape
    first: int


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """What a plan's menu holds for whoever the same rules hold for; `refused`: what not and why, each once."""

    rates: CoverRates
    sections: tuple[Section, ...]
    refused: tuple[tuple[str, str], ...]
    count: int

    def place_of(self, pay_plan: str, covers: Iterable[str]) -> tuple[Section, int] | None:
        """Where a configuration stands: its section, and its place in it."""
        wanted = frozenset(covers)
        for section in self.sections:
            if section.pay_plan == pay_plan and (place := section.shape.by_covers.get(wanted)) is not None:
                return section, place
        return None


@dataclass(frozen=True, slots=True, eq=False)
class Menu:
    """Every configuration that this customer may have and what each costs, in minor units.

    `lines`: of each cover under each pay plan, shape (pay plans, covers): what all of it follows from.
    """

    currency: str
    layout: Layout
    minor_units: Counts
    lines: Counts

    @property
    def refused(self) -> tuple[tuple[str, str], ...]:
        """What this customer may not have, and why, each once."""
        return self.layout.refused

    @property
    def offers(self) -> tuple[Offer, ...]:
        """All of them, by pay plan."""
        sections = self.layout.sections
        return tuple(self.offer(section, place) for section in sections for place in range(len(section.shape.covers)))

    def find(self, pay_plan: str, covers: Iterable[str]) -> Offer | None:
        """The offer of that configuration."""
        found = self.layout.place_of(pay_plan, covers)
        return None if found is None else self.offer(*found)

    def offer(self, section: Section, place: int) -> Offer:
        """The offer at a place of a section."""
        amount = self.amount(section.first + place)
        return Offer(section.pay_plan, section.shape.covers[place], section.needs, amount)

    def amount(self, place: int) -> Decimal:
        """What the configuration at a place among all costs."""
        return int(self.minor_units[place]) * _UNITS[self.currency]


def price_menu(catalogue: Catalogue, plan: RatePlan, inputs: Inputs, before: Sequence[RatePlan] = ()) -> Menu:
    """Everything this customer may configure, priced on these inputs, each as `rate_period` prices it, to the cent.

    `before`: the plans of the terms before a renewal. Raises UnknownLevel.
    """
    levels = inputs.terms.levels
    holding = frozenset(
        number for number, rule in enumerate(catalogue.rules) if rule.without is None and rule.holds_for(levels)
    )
    layout = layout_of(catalogue, plan, holding)
    amounts = cover_amounts(layout.rates, inputs, before)
    premiums = np.empty(layout.count, dtype=np.int64)
    for row, section in enumerate(layout.sections):
        takes = section.shape.takes
        np.dot(takes, amounts[row], out=premiums[section.first : section.first + len(takes)])
    return Menu(plan.currency, layout, _total_of(plan).of(premiums), amounts)


@lru_cache(512)
def layout_of(catalogue: Catalogue, plan: RatePlan, holding: frozenset[int]) -> Layout:
    """The menu's layout for whoever these rules about factors hold for. Raises UnknownLevel."""
    sections: list[Section] = []
    refused: dict[tuple[str, str], None] = {}
    first = 0
    for pay_plan in plan.pay_plans.values():
        shape = _shape(catalogue, pay_plan.name, holding)
        refused |= dict.fromkeys(shape.refused)
        sections.append(Section(pay_plan.name, needed_sharing(pay_plan), shape, first))
        first += len(shape.covers)
    return Layout(cover_rates(plan, catalogue.covers), tuple(sections), tuple(refused), first)


def _shape(catalogue: Catalogue, pay_plan: str, holding: frozenset[int]) -> Shape:
    """What there is to choose with a pay plan for somebody for whom these rules about factors hold."""
    offered: list[tuple[str, ...]] = []
    refused: dict[tuple[str, str], None] = {}
    for ways in product(*(peril.ways for peril in catalogue.perils)):
        covers = tuple(way for way in ways if way is not None)
        insured = {peril.name for peril, way in zip(catalogue.perils, ways, strict=True) if way is not None}
        broken = next(_broken(catalogue.rules, {*covers, pay_plan}, insured, holding), None)
        if broken is not None:
            refused[broken.choice, broken.because] = None
        elif covers:
            offered.append(covers)
    return Shape(
        covers=tuple(offered),
        takes=np.array([[cover in covers for cover in catalogue.covers] for covers in offered], dtype=np.int64).reshape(
            len(offered), len(catalogue.covers)
        ),
        by_covers={frozenset(covers): place for place, covers in enumerate(offered)},
        refused=tuple(refused),
    )


def _broken(rules: Iterable[Rule], choices: set[str], insured: set[str], holding: frozenset[int]) -> Iterator[Rule]:
    for number, rule in enumerate(rules):
        if rule.choice in choices and (number in holding if rule.without is None else rule.without not in insured):
            yield rule


@lru_cache(64)
def _total_of(plan: RatePlan) -> "_Total":
    return _Total(plan)


class _Total:
    """From covers to covers with minimum, fee and tax, in minor units, each rounded as the rating does."""

    def __init__(self, plan: RatePlan) -> None:
        self.plan, self.digits = plan, MINOR_DIGITS[plan.currency]
        self.fee, self.minimum = self.units_of(plan.fee), self.units_of(plan.minimum_premium)
        self.tax, self.tax_of = plan.tax_rate.as_integer_ratio()
        self.whole = plan.fee == self._money(self.fee) and plan.minimum_premium == self._money(self.minimum)

    def units_of(self, amount: Decimal) -> int:
        """An amount of money in minor units; what is below them is cut off."""
        return int(amount.scaleb(self.digits))

    def of(self, premiums: Counts) -> Counts:
        """Of each sum of covers: all at once where whole minor units and 63 bits hold them, else one by one."""
        if not premiums.size:
            return premiums
        most = (int(premiums.max()) + self.minimum + self.fee) * 2 * self.tax + self.tax_of
        if not self.whole or premiums.min() < 0 or most >= 2**63:
            return np.array([self._one(premium) for premium in premiums.tolist()], dtype=np.int64)
        taxed = np.maximum(premiums, self.minimum) + self.fee
        return np.asarray(taxed + (2 * taxed * self.tax + self.tax_of) // (2 * self.tax_of), dtype=np.int64)

    def _one(self, premium: int) -> int:
        steps: list[Step] = []
        lines = charges(self.plan, [Line("covers", self._money(premium))], steps)
        return premium + sum(self.units_of(line.amount) for line in lines)

    def _money(self, units: int) -> Decimal:
        return Decimal(units).scaleb(-self.digits)
