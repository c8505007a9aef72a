"""How the learn part was spread, kept in the model: what a later book is held against, and how far it has moved."""

from itertools import pairwise

import msgspec
import numpy as np
from scipy import stats

from pricing.risk.columns import Book, Floats, Ints
from pricing.risk.contract import Contract

PREDICTED = "predicted rate"
MISSING = "missing"
BINS = 10


class Spread(msgspec.Struct, frozen=True):
    """Exposure by level, or by bands that begin at `edges`; the last bin is `missing`.

    `policies` is how many policies of like weight would tell as much (Kish 1965: (sum w)^2 / sum w^2 of theirs).
    """

    name: str
    levels: tuple[str, ...]
    edges: tuple[float, ...]
    years: tuple[float, ...]
    policies: float

    def bins(self, value: Floats) -> Ints:
        """The bin of each value (n,)."""
        last = len(self.years) - 1
        place = np.nan_to_num(value) if self.levels else np.searchsorted(np.array(self.edges), value, side="right")
        return np.where(np.isnan(value), last, place).astype(np.int64)

    @property
    def names(self) -> list[str]:
        """The bins' names."""
        if self.levels:
            return [*self.levels, MISSING]
        if not self.edges:
            return ["all", MISSING]
        ends = [f"{edge:.4g}" for edge in self.edges]
        inner = [f"{low} to {high}" for low, high in pairwise(ends)]
        return [f"below {ends[0]}", *inner, f"from {ends[-1]}", MISSING]


class Reference(msgspec.Struct, frozen=True):
    """The spread of each factor, and of the preferred model's predicted rate."""

    spreads: tuple[Spread, ...]


class Drift(msgspec.Struct, frozen=True):
    """How far a spread has moved: the population stability index and the chance of as much where nothing moved.

    Without a move the index is about (1 / n + 1 / m) x chi-squared of bins - 1 (Yurdakul and Naranjo 2020); n and m are
    policies, since a policy's terms say the same again. With many policies in both the test is on the careful side.
    """

    name: str
    index: float
    chance: float


def reference_of(contract: Contract, book: Book, rate: Floats) -> Reference:
    """The spreads of a book's rows with predicted rates (n,)."""
    names = [factor.name for factor in contract.factors]
    spreads = [_spread(name, book.values[name], book.levels.get(name, ()), book) for name in names]
    return Reference((*spreads, _spread(PREDICTED, rate, (), book)))


def _spread(name: str, value: Floats, levels: tuple[str, ...], book: Book) -> Spread:
    weight = book.exposure_years
    edges: tuple[float, ...] = ()
    known = ~np.isnan(value)
    if not levels and known.any():
        order = np.argsort(value[known], kind="stable")
        share = np.cumsum(weight[known][order])
        cuts = value[known][order][np.searchsorted(share, share[-1] * np.arange(1, BINS) / BINS)]
        edges = tuple(float(cut) for cut in np.unique(cuts) if cut > value[known].min())
    size = (len(levels) if levels else len(edges) + 1) + 1
    empty = Spread(name, levels, edges, (0.0,) * size, policies_of(book.policy, weight))
    years = np.bincount(empty.bins(value), weights=weight, minlength=size)
    return msgspec.structs.replace(empty, years=tuple(map(float, years)))


def policies_of(policy: Ints, weight: Floats) -> float:
    """How many policies of like weight tell as much as these rows."""
    _, number = np.unique(policy, return_inverse=True)
    total = np.bincount(number, weights=weight)
    return float(total.sum() ** 2 / np.sum(total**2))


def drift(spread: Spread, value: Floats, policy: Ints, weight: Floats) -> Drift:
    """How far the rows (n,) with these weights are from the reference."""
    after = np.bincount(spread.bins(value), weights=weight, minlength=len(spread.years))
    return moved(spread.name, np.array(spread.years), after, spread.policies, policies_of(policy, weight))


def moved(name: str, before: Floats, after: Floats, n: float, m: float) -> Drift:
    """How far the weights of bins (k,) moved, of n and of m policies. A bin that neither has does not count."""
    used = (before > 0) | (after > 0)
    # half a policy in every bin: an empty one is no infinite move
    p, q = (
        (share * size + 0.5) / (size + 0.5 * used.sum())
        for share, size in ((before[used] / before.sum(), n), (after[used] / after.sum(), m))
    )
    index = float(np.sum((q - p) * np.log(q / p)))
    freedom = int(used.sum()) - 1
    chance = float(stats.chi2.sf(index / (1 / n + 1 / m), freedom)) if freedom else 1.0
    return Drift(name, index, chance)
