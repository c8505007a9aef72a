"""The price of everything that a customer can configure, in one go: fast, and to the cent what each rating alone gives.

A cover's line depends on the pay plan and the driving, not on the other covers: ten lines a pay plan make every
combination. Which combinations there are depends on the catalogue and on which of its rules hold for the customer:
that is worked out once a process. For a customer there remain sums of whole cents, and minimum, fee and tax of each.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from itertools import product

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from pricing.money import MINOR_DIGITS
from pricing.month import expiring_of
from pricing.plan import RatePlan
from pricing.products import Catalogue, Rule, needed_sharing
from pricing.rating import Inputs, Line, Step, charges, cover_minor_units

type Counts = NDArray[np.int64]


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
    """The combinations of one pay plan and what each costs, in minor units."""

    pay_plan: str
    needs: str
    shape: Shape
    minor_units: list[int]


@dataclass(frozen=True, slots=True)
class Menu:
    """Every configuration that this customer may have; `refused`: what not and why, each once."""

    currency: str
    sections: tuple[Section, ...]
    refused: tuple[tuple[str, str], ...]
    _unit: Decimal = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_unit", Decimal(1).scaleb(-MINOR_DIGITS[self.currency]))

    @property
    def offers(self) -> tuple[Offer, ...]:
        """All of them, by pay plan."""
        return tuple(offer for section in self.sections for offer in self.offers_of(section))

    def offers_of(self, section: Section) -> list[Offer]:
        """Those of one pay plan."""
        return [self._offer(section, place) for place in range(len(section.minor_units))]

    def find(self, pay_plan: str, covers: Iterable[str]) -> Offer | None:
        """The offer of that configuration."""
        wanted = frozenset(covers)
        for section in self.sections:
            if section.pay_plan == pay_plan and (place := section.shape.by_covers.get(wanted)) is not None:
                return self._offer(section, place)
        return None

    def _offer(self, section: Section, place: int) -> Offer:
        amount = section.minor_units[place] * self._unit
        return Offer(section.pay_plan, section.shape.covers[place], section.needs, amount)


def price_menu(catalogue: Catalogue, plan: RatePlan, inputs: Inputs, before: Sequence[RatePlan] = ()) -> Menu:
    """Everything this customer may configure, priced on these inputs, each as `rate_period` prices it, to the cent.

    `before`: the plans of the terms before a renewal. Raises UnknownLevel.
    """
    holding = frozenset(
        number for number, rule in enumerate(catalogue.rules) if rule.without is None and rule.holds_for(inputs.terms)
    )
    total = _Total(plan)
    sections: list[Section] = []
    refused: dict[tuple[str, str], None] = {}
    shapes, every = shapes_of(catalogue, holding), catalogue.covers
    for pay_plan in plan.pay_plans.values():
        shape = shapes[pay_plan.name]
        refused |= dict.fromkeys(shape.refused)
        terms = replace(inputs.terms, pay_plan=pay_plan.name, covers=every)
        asked = replace(inputs, terms=terms)
        asked = replace(asked, expiring=expiring_of(before, asked)) if before else asked
        lines = cover_minor_units(plan, asked)
        amounts = total.of(shape.takes @ np.array(lines, dtype=np.int64))
        sections.append(Section(pay_plan.name, needed_sharing(pay_plan), shape, amounts))
    return Menu(plan.currency, tuple(sections), tuple(refused))


@lru_cache(512)
def shapes_of(catalogue: Catalogue, holding: frozenset[int]) -> Mapping[str, Shape]:
    """The shape by pay plan, each made when it is first asked for."""
    return _Shapes(catalogue, holding)


class _Shapes(dict[str, Shape]):
    def __init__(self, catalogue: Catalogue, holding: frozenset[int]) -> None:
        self.catalogue, self.holding = catalogue, holding

    def __missing__(self, pay_plan: str) -> Shape:
        self[pay_plan] = _shape(self.catalogue, pay_plan, self.holding)
        return self[pay_plan]


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

    def of(self, premiums: Counts) -> list[int]:
        """Of each sum of covers: all at once where whole minor units and 63 bits hold them, else one by one."""
        if not premiums.size:
            return []
        most = (int(premiums.max()) + self.minimum + self.fee) * 2 * self.tax + self.tax_of
        if not self.whole or premiums.min() < 0 or most >= 2**63:
            return [self._one(premium) for premium in premiums.tolist()]
        taxed = np.maximum(premiums, self.minimum) + self.fee
        totals: list[int] = (taxed + (2 * taxed * self.tax + self.tax_of) // (2 * self.tax_of)).tolist()
        return totals

    def _one(self, premium: int) -> int:
        steps: list[Step] = []
        lines = charges(self.plan, [Line("covers", self._money(premium))], steps)
        return premium + sum(self.units_of(line.amount) for line in lines)

    def _money(self, units: int) -> Decimal:
        return Decimal(units).scaleb(-self.digits)
