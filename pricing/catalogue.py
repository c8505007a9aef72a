"""The menu of a plan as data: perils, each insured in one of several ways (limit, deductible) or not at all, and rules
of who may not have what. Prices stand in the plan's covers alone.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import prod

from pricing.factor import Factor
from pricing.plan_reader import Reader

MOST_CONFIGURATIONS = 20_000  # each is priced whenever the menu is asked for


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

    def forbids(self, choices: Collection[str], levels: Mapping[str, object], perils: Iterable[str]) -> bool:
        """Whether who has these levels of the factors and chooses these covers and pay plan may not have the choice."""
        if self.choice not in choices:
            return False
        return self.without not in perils if self.without is not None else self.holds_for(levels)

    def holds_for(self, levels: Mapping[str, object]) -> bool:
        """Of a rule about a factor, whether these have its level or lie in its band."""
        declared = levels.get(str(self.factor))
        if self.levels:
            return declared in self.levels
        assert self.lowest is not None
        assert self.below is not None
        return isinstance(declared, int) and self.lowest <= declared < self.below


@dataclass(frozen=True, slots=True, eq=False)  # as itself, like a plan
class Catalogue:
    """The perils and rules of one plan's menu."""

    perils: tuple[Peril, ...]
    rules: tuple[Rule, ...]

    @property
    def covers(self) -> tuple[str, ...]:
        """Every cover of the menu, in its order."""
        return tuple(option.cover for peril in self.perils for option in peril.options)


def read_catalogue(
    part: Reader, covers: Collection[str], pay_plans: Collection[str], factors: Mapping[str, Factor]
) -> Catalogue:
    """The menu in a table, of a plan that has these covers, pay plans and factors. Raises BadPlan."""
    part.refuse_others("perils", "rules")
    parts = part.rows("perils", "name, title, required, options")
    perils = tuple(_peril(row, covers) for row in parts)
    names: set[str] = set()
    for row, peril in zip(parts, perils, strict=True):
        if peril.name in names:
            raise row.refuse("name", f"{peril.name!r} is there before")
        names.add(peril.name)
    rows = part.rows("rules", "choice, because, factor or without") if "rules" in part.values else []
    catalogue = Catalogue(perils, tuple(_rule(row, factors) for row in rows))
    if len(set(catalogue.covers)) < len(catalogue.covers):
        raise part.refuse("perils", f"offer a cover twice: {', '.join(catalogue.covers)}")
    for row, rule in zip(rows, catalogue.rules, strict=True):
        if rule.choice not in {*catalogue.covers, *pay_plans}:
            raise row.refuse("choice", f"{rule.choice!r} is no cover of the menu and no pay plan")
        if rule.without is not None and rule.without not in names:
            raise row.refuse("without", f"{rule.without!r} is not a peril: {', '.join(names)}")
    if (count := len(pay_plans) * prod(len(peril.ways) for peril in perils)) > MOST_CONFIGURATIONS:
        raise part.refuse("perils", f"make {count:,} configurations, more than {MOST_CONFIGURATIONS:,}")
    return catalogue


def _peril(part: Reader, covers: Collection[str]) -> Peril:
    part.refuse_others("name", "title", "required", "options")
    required = part.get("required")
    if not isinstance(required, bool):
        raise part.refuse("required", "must be true or false")
    options = tuple(_option(row, covers) for row in part.rows("options", "cover, title, limit, deductible"))
    return Peril(part.text("name"), part.text("title"), required, options)


def _option(part: Reader, covers: Collection[str]) -> Option:
    part.refuse_others("cover", "title", "limit", "deductible")
    cover = part.text("cover")
    if cover not in covers:
        raise part.refuse("cover", f"{cover!r} is not a cover of the plan: {', '.join(covers)}")
    limit, deductible = (part.whole(key) if key in part.values else None for key in ("limit", "deductible"))
    return Option(cover, part.text("title"), limit, deductible)


def _rule(part: Reader, factors: Mapping[str, Factor]) -> Rule:
    part.refuse_others("choice", "because", "factor", "levels", "from", "to", "without")
    name = part.text("factor") if "factor" in part.values else None
    without = part.text("without") if "without" in part.values else None
    by_level, by_band = "levels" in part.values, "from" in part.values or "to" in part.values
    if (
        (name is None) == (without is None)
        or (name is None and (by_level or by_band))
        or (name and by_level == by_band)
    ):
        raise part.refuse("factor", "a rule has either a factor, with levels or with from and to, or without")
    levels: tuple[str, ...] = ()
    lowest = below = None
    if name is not None:
        if name not in factors:
            raise part.refuse("factor", f"{name!r} is not a factor of the plan: {', '.join(factors)}")
        if by_level:
            levels = _levels(part, factors[name])
        elif factors[name].levels:
            raise part.refuse("from", f"{name} has levels: {', '.join(factors[name].levels)}")
        else:
            lowest, below = part.whole("from"), part.whole("to", 1)
            if below <= lowest:
                raise part.refuse("to", f"{below} is not over {lowest}")
    return Rule(part.text("choice"), name, levels, lowest, below, without, part.text("because"))


def _levels(part: Reader, factor: Factor) -> tuple[str, ...]:
    found = part.get("levels")
    if not isinstance(found, list) or not found:
        raise part.refuse("levels", "must be a list of levels of the factor")
    for place, level in enumerate(found):
        if level not in factor.levels:
            raise part.refuse(f"levels[{place}]", f"{level!r} is no level of {factor.name}: {', '.join(factor.known)}")
    return tuple(found)
