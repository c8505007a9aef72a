"""The surrogate tariff: a challenger distilled into multiplicative tables of one and of two factors.

Cells are fitted by minimum bias (Bailey and Simon 1960), which is the Poisson likelihood of the challenger's expected
claims: each cell's factor is actual over expected of the challenger's claims, cell after cell, until nothing moves. A
cell of few claims is drawn to 1 (`prior_claims`). Which factors deserve a table together is what the challenger says
beyond the tables of one: no claim of the book is looked at twice.
"""

from itertools import combinations, pairwise

import msgspec
import numpy as np

from pricing.risk.columns import Book, Floats, Ints
from pricing.risk.contract import Contract, Tables
from pricing.risk.metrics import poisson_deviance

SWEEPS = 60
STILL = 1e-6
MISSING = "missing"


class Axis(msgspec.Struct, frozen=True):
    """How a factor's values become cells: a place a level, or bands by their lower ends; the last cell is `missing`."""

    factor: str
    levels: tuple[str, ...] = ()
    bands: tuple[float, ...] = ()

    @property
    def names(self) -> list[str]:
        """The cells' names."""
        if self.levels:
            return [*self.levels, MISSING]
        ends = [f"{end:g}" for end in self.bands]
        inner = [f"{low} to {high}" for low, high in pairwise(ends)]
        return [f"below {ends[0]}", *inner, f"from {ends[-1]}", MISSING] if ends else ["all", MISSING]

    def cells(self, book: Book) -> Ints:
        """The cell of each row of a book."""
        value = book.values[self.factor]
        place = np.nan_to_num(value) if self.levels else np.searchsorted(np.array(self.bands), value, side="right")
        return np.where(np.isnan(value), len(self.names) - 1, place).astype(np.int64)


class Table(msgspec.Struct, frozen=True):
    """One table: its axes (one or two) and the relativity of each cell, rows first."""

    axes: tuple[Axis, ...]
    relativities: tuple[float, ...]

    @property
    def name(self) -> str:
        """The factors, joined."""
        return " x ".join(axis.factor for axis in self.axes)


class Tariff(msgspec.Struct, frozen=True):
    """A base rate a year and the tables to multiply it by."""

    base: float
    tables: tuple[Table, ...]


def distil(contract: Contract, book: Book, challenger: Floats, actual: Floats) -> Tariff:
    """Tables that say what the challenger's rates say (n,), balanced to the claims of the same rows."""
    settings, weight = contract.tables, book.exposure_years
    wanted = challenger * weight
    singles = [_axis(factor.name, book, settings.bands) for factor in contract.factors]
    alone = fit_tables([(axis,) for axis in singles], book, wanted, settings.prior_claims)
    coarse = [_axis(factor.name, book, settings.pair_bands) for factor in contract.factors]
    pairs = _best_pairs(coarse, book, wanted, rate(alone, book) * weight, settings)
    whole = fit_tables([*((axis,) for axis in singles), *pairs], book, wanted, settings.prior_claims)
    return msgspec.structs.replace(whole, base=whole.base * float(actual.sum() / (rate(whole, book) * weight).sum()))


def fit_tables(axes: list[tuple[Axis, ...]], book: Book, wanted: Floats, prior: float) -> Tariff:
    """Minimum bias of expected claims `wanted` (n,) on tables over `axes`."""
    cells = [_cells(table, book) for table in axes]
    sizes = [int(np.prod([len(axis.names) for axis in table])) for table in axes]
    base = float(wanted.sum() / book.exposure_years.sum())
    factors = [np.ones(size) for size in sizes]
    targets = [np.bincount(cell, weights=wanted, minlength=size) for cell, size in zip(cells, sizes, strict=True)]
    mean = base * book.exposure_years
    for _ in range(SWEEPS):
        moved = 0.0
        for place, (cell, size) in enumerate(zip(cells, sizes, strict=True)):
            expected = np.bincount(cell, weights=mean, minlength=size)
            # the prior is `prior` claims as expected without this table
            fitted = (targets[place] + prior) / (expected / factors[place] + prior)
            step = fitted / factors[place]
            factors[place] = fitted
            mean = mean * step[cell]
            moved = max(moved, float(np.max(np.abs(np.log(step[targets[place] > 0])), initial=0.0)))
        if moved < STILL:
            break
    tables = tuple(Table(table, tuple(map(float, factor))) for table, factor in zip(axes, factors, strict=True))
    return Tariff(base * float(wanted.sum() / mean.sum()), tables)


def rate(tariff: Tariff, book: Book) -> Floats:
    """The rate a year of each row: base times one cell of each table."""
    result = np.full(len(book), tariff.base)
    for table in tariff.tables:
        result *= np.array(table.relativities)[_cells(table.axes, book)]
    return result


def as_rows(tariff: Tariff) -> list[tuple[str, str, str, float]]:
    """Each cell: table, level of the first factor, level of the second (empty when there is none), relativity."""
    rows = []
    for table in tariff.tables:
        second = table.axes[1].names if len(table.axes) > 1 else [""]
        cells = [(one, two) for one in table.axes[0].names for two in second]
        rows += [(table.name, one, two, cell) for (one, two), cell in zip(cells, table.relativities, strict=True)]
    return rows


def _cells(axes: tuple[Axis, ...], book: Book) -> Ints:
    cell = axes[0].cells(book)
    for axis in axes[1:]:
        cell = cell * len(axis.names) + axis.cells(book)
    return cell


def _axis(name: str, book: Book, most: int) -> Axis:
    """Levels as they are; numbers in at most `most` bands of about equal exposure."""
    if name in book.levels:
        return Axis(name, levels=book.levels[name])
    value = book.values[name]
    known = ~np.isnan(value)
    if not known.any():
        return Axis(name)
    order = np.argsort(value[known], kind="stable")
    share = np.cumsum(book.exposure_years[known][order])
    cuts = value[known][order][np.searchsorted(share, share[-1] * np.arange(1, most) / most)]
    bands = np.unique(cuts)
    return Axis(name, bands=tuple(float(band) for band in bands if band > value[known].min()))


def _best_pairs(
    axes: list[Axis], book: Book, wanted: Floats, expected: Floats, settings: Tables
) -> list[tuple[Axis, ...]]:
    gains = []
    for pair in combinations(axes, 2):
        cell = _cells(pair, book)
        said, told = (np.bincount(cell, weights=column) for column in (wanted, expected))
        gains.append((poisson_deviance(said, told, book.exposure_years), pair))
    gains.sort(key=lambda gain: -gain[0])
    return [pair for gain, pair in gains[: settings.pairs] if gain > 0]
