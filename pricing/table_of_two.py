"""A table of two factors: what they say together, beyond what each says alone."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

from pricing.errors import UnknownLevel
from pricing.factor import Factor, check_bands
from pricing.plan_reader import Reader

MOST_CELLS = 10_000


@dataclass(frozen=True, slots=True)
class Axis:
    """A side of a table: the levels of its factor, or bands that reach from the factor's first whole number to `below`.

    Which of both follows the factor: a factor of knots has bands here.
    """

    factor: str
    levels: tuple[str, ...] = ()
    begins: tuple[int, ...] = ()
    below: int = 0
    places: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", {level: place for place, level in enumerate(self.levels)})

    @property
    def names(self) -> tuple[str, ...]:
        """The rows or columns as people read them."""
        ends = pairwise([*self.begins, self.below])
        return self.levels or tuple(f"{low} to under {below}" for low, below in ends)

    def place_of(self, levels: Mapping[str, object], plan: str) -> int:
        """Which row or column what is declared of the factor is in. Raises UnknownLevel."""
        declared = levels.get(self.factor)
        if type(declared) is str and (place := self.places.get(declared)) is not None:
            return place
        if type(declared) is int and self.begins and self.begins[0] <= declared < self.below:
            return bisect_right(self.begins, declared) - 1
        raise UnknownLevel(plan, self.factor, None if declared is None else str(declared), self.names)


@dataclass(frozen=True, slots=True)
class TableOfTwo:
    """A relativity where a row and a column cross; both are factors of the plan, multiplied by beside it."""

    name: str
    rows: Axis
    columns: Axis
    relativities: tuple[tuple[Decimal, ...], ...]
    steps: tuple[tuple[tuple[str, Decimal], ...], ...] = field(init=False)  # the words on the worksheet, the relativity

    def __post_init__(self) -> None:
        of = f"{self.rows.factor} x {self.columns.factor}".replace("_", " ")
        steps = tuple(
            tuple((f"{of}: {row}, {column}", cell) for column, cell in zip(self.columns.names, cells, strict=True))
            for row, cells in zip(self.rows.names, self.relativities, strict=True)
        )
        object.__setattr__(self, "steps", steps)

    @property
    def keys(self) -> tuple[str, str]:
        """The two factors."""
        return self.rows.factor, self.columns.factor

    @property
    def cells(self) -> tuple[tuple[str, Decimal], ...]:
        """Name and relativity of every cell, row after row: the order of a compiled plan's codes."""
        columns = self.columns.names
        return tuple(
            (f"{row}, {column}", cell)
            for row, cells in zip(self.rows.names, self.relativities, strict=True)
            for column, cell in zip(columns, cells, strict=True)
        )

    def step_of(self, levels: Mapping[str, object], plan: str) -> tuple[str, Decimal]:
        """The words and the relativity of what was declared of both factors. Raises UnknownLevel."""
        return self.steps[self.rows.place_of(levels, plan)][self.columns.place_of(levels, plan)]


def read_table(name: str, part: Reader, factors: Mapping[str, Factor]) -> TableOfTwo:
    """The table of two of these factors. Raises BadPlan."""
    part.refuse_others("rows", "columns", "relativities")
    if name in factors:
        raise part.refuse("rows", f"{name} is a factor of the plan: the table needs another name")
    rows, columns = (_axis(part.table(side), factors) for side in ("rows", "columns"))
    if rows.factor == columns.factor:
        raise part.table("columns").refuse("factor", f"{columns.factor} is that of the rows: a table is of two")
    if len(rows.names) * len(columns.names) > MOST_CELLS:
        raise part.refuse("relativities", f"has more than {MOST_CELLS:,} cells")
    return TableOfTwo(name, rows, columns, part.grid("relativities", len(rows.names), len(columns.names)))


def _axis(part: Reader, factors: Mapping[str, Factor]) -> Axis:
    """A side, which knows the very values that its factor knows: neither more nor fewer."""
    part.refuse_others("factor", "levels", "bands")
    name = part.text("factor")
    if name not in factors:
        raise part.refuse("factor", f"{name!r} is not a factor of the plan, which has {', '.join(factors)}")
    factor = factors[name]
    kind, other = ("levels", "bands") if factor.levels else ("bands", "levels")
    if other in part.values:
        raise part.refuse(other, f"{name} has {kind if factor.levels else 'whole numbers: bands'} in the plan")
    return Axis(name, levels=_levels(part, factor)) if factor.levels else _bands(part, factor)


def _levels(part: Reader, factor: Factor) -> tuple[str, ...]:
    found = part.get("levels")
    if not isinstance(found, list):
        raise part.refuse("levels", "must be a list of the factor's levels")
    for place, level in enumerate(found):
        if level not in factor.levels:
            raise part.refuse(f"levels[{place}]", f"{level!r} is no level of {factor.name}: {', '.join(factor.levels)}")
        if level in found[:place]:
            raise part.refuse(f"levels[{place}]", f"{level!r} is there before")
    if missing := [level for level in factor.levels if level not in found]:
        raise part.refuse("levels", f"lacks {missing[0]!r}, a level of {factor.name}")
    return tuple(found)


def _bands(part: Reader, factor: Factor) -> Axis:
    rows = part.rows("bands", "from, to")
    for row in rows:
        row.refuse_others("from", "to")
    ends = [(row.whole("from"), row.whole("to", 1)) for row in rows]
    check_bands(ends, rows)
    for row, key, found, wanted in (
        (rows[0], "from", ends[0][0], factor.begins[0]),
        (rows[-1], "to", ends[-1][1], factor.below),
    ):
        if found != wanted:
            raise row.refuse(
                key, f"{found} is not {wanted}, where {factor.name} {'begins' if key == 'from' else 'ends'}"
            )
    return Axis(factor.name, begins=tuple(low for low, _ in ends), below=factor.below)
