"""A rating factor of a plan: named levels, bands of a whole number, or knots with straight lines between them."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise

from pricing.errors import UnknownLevel
from pricing.money import EXACT, ratio
from pricing.plan_reader import DIGITS, Reader


@dataclass(frozen=True, slots=True)
class Band:
    """[lowest, below) -> relativity."""

    lowest: int
    below: int
    relativity: Decimal


@dataclass(frozen=True, slots=True)
class Knot:
    """The relativity at one whole number; between two knots it follows the straight line."""

    at: int
    relativity: Decimal


@dataclass(frozen=True, slots=True)
class Factor:
    """A rating factor: one of levels, bands and knots holds, the others are empty.

    `decimals` is the named rounding of what lies between two knots: half away from zero, so every relativity is exact.
    `note` stands on the worksheet behind the level.
    """

    name: str
    levels: Mapping[str, Decimal] = field(default_factory=dict)
    bands: tuple[Band, ...] = ()
    knots: tuple[Knot, ...] = ()
    decimals: int = 0
    note: str = ""
    steps: Mapping[str, tuple[str, Decimal]] = field(init=False)  # a level's words on the worksheet, its relativity
    begins: tuple[int, ...] = field(init=False)  # of the bands or knots

    def __post_init__(self) -> None:
        steps = {level: (self._label(level), relativity) for level, relativity in self.levels.items()}
        object.__setattr__(self, "steps", steps)
        begins = tuple(band.lowest for band in self.bands) or tuple(knot.at for knot in self.knots)
        object.__setattr__(self, "begins", begins)

    def step_of(self, declared: object, plan: str) -> tuple[str, Decimal]:
        """The words and the relativity of what was declared. Raises UnknownLevel."""
        if type(declared) is str and (found := self.steps.get(declared)):
            return found
        if type(declared) is int and self.begins:
            place = bisect_right(self.begins, declared) - 1
            if place >= 0 and self.bands and declared < self.bands[-1].below:
                band = self.bands[place]
                return _band_label(self.name, band.lowest, band.below, self.note), band.relativity
            if place >= 0 and self.knots and declared <= self.knots[-1].at:
                return self._between(declared, place)
        raise UnknownLevel(plan, self.name, None if declared is None else str(declared), self.known)

    @property
    def below(self) -> int:
        """The first whole number after those that the bands or knots reach; 0: levels have none."""
        return self.bands[-1].below if self.bands else self.knots[-1].at + 1 if self.knots else 0

    @property
    def known(self) -> tuple[str, ...]:
        """The levels there are, for messages."""
        if self.levels:
            return tuple(self.levels)
        last = f"under {self.below}" if self.bands else str(self.knots[-1].at)
        return (f"{self.begins[0]} to {last}",)

    @property
    def rows(self) -> tuple[tuple[str, Decimal, str | int], ...]:
        """The table as people read it: a name, a relativity, and a declared value that has it."""
        if self.levels:
            return tuple((level, relativity, level) for level, relativity in self.levels.items())
        if self.bands:
            return tuple((f"{band.lowest} to under {band.below}", band.relativity, band.lowest) for band in self.bands)
        return tuple((f"from {knot.at}", knot.relativity, knot.at) for knot in self.knots)

    @property
    def cells(self) -> tuple[tuple[str, Decimal], ...]:
        """Name and relativity of each row: the order of a compiled plan's codes."""
        return tuple((name, relativity) for name, relativity, _ in self.rows)

    def _between(self, declared: int, place: int) -> tuple[str, Decimal]:
        left = self.knots[place]
        if declared == left.at:
            return self._label(str(declared)), left.relativity
        right = self.knots[place + 1]
        label = f"{declared}, between {left.relativity} at {left.at} and {right.relativity} at {right.at}"
        weighed = EXACT.fma(left.relativity, right.at - declared, EXACT.multiply(right.relativity, declared - left.at))
        return self._label(label), ratio(weighed, Decimal(right.at - left.at), self.decimals)

    def _label(self, level: str) -> str:
        return f"{self.name.replace('_', ' ')}: {level}{self.note}"


@lru_cache(4096)
def _band_label(name: str, lowest: int, below: int, note: str) -> str:
    return f"{name.replace('_', ' ')}: {lowest} to under {below}{note}"


def read_factor(name: str, part: Reader) -> Factor:
    """The factor of a table. Raises BadPlan."""
    part.refuse_others("levels", "bands", "knots", "decimals")
    if sum(kind in part.values for kind in ("levels", "bands", "knots")) != 1:
        raise part.refuse("levels", "a factor has one of levels, bands and knots")
    if "decimals" in part.values and "knots" not in part.values:
        raise part.refuse("decimals", "rounds what lies between knots, and there are none")
    if "levels" in part.values:
        levels = part.table("levels")
        return Factor(name, levels={level: levels.number(level, positive=True) for level in levels.values})
    if "bands" in part.values:
        return Factor(name, bands=_bands(part))
    decimals = part.whole("decimals", 1, DIGITS)
    return Factor(name, knots=_knots(part, decimals), decimals=decimals)


def _bands(part: Reader) -> tuple[Band, ...]:
    rows = part.rows("bands", "from, to, relativity")
    for row in rows:
        row.refuse_others("from", "to", "relativity")
    bands = tuple(Band(row.whole("from"), row.whole("to", 1), row.number("relativity", positive=True)) for row in rows)
    check_bands([(band.lowest, band.below) for band in bands], rows)
    return bands


def check_bands(ends: list[tuple[int, int]], rows: list[Reader]) -> None:
    """Raises BadPlan where bands (lowest, below), each read from a row, do not go on from one to the next."""
    for (lowest, below), row in zip(ends, rows, strict=True):
        if below <= lowest:
            raise row.refuse("to", f"{below} is not over {lowest}")
    for ((_, ended), (begins, _)), row in zip(pairwise(ends), rows[1:], strict=True):
        if begins != ended:
            kind = "overlap" if begins < ended else "gap"
            raise row.refuse("from", f"{kind}: the band before ends at {ended}, this one begins at {begins}")


def _knots(part: Reader, decimals: int) -> tuple[Knot, ...]:
    rows = part.rows("knots", "at, relativity")
    for row in rows:
        row.refuse_others("at", "relativity")
    knots = tuple(Knot(row.whole("at"), row.number("relativity", positive=True)) for row in rows)
    if len(knots) < 2:
        raise part.refuse("knots", "must be two or more: a line goes from one to the next")
    for knot, row in zip(knots, rows, strict=True):
        if int(knot.relativity.normalize().as_tuple().exponent) < -decimals:
            raise row.refuse("relativity", f"{knot.relativity} has more decimals than the factor rounds to, {decimals}")
    for (before, after), row in zip(pairwise(knots), rows[1:], strict=True):
        if after.at <= before.at:
            raise row.refuse("at", f"overlap: {after.at} does not come after {before.at}")
    return knots
