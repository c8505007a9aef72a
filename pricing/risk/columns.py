"""The columns of a book that models read. No input or output happens here."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]
type Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Claims:
    """m claims: the row of the book each belongs to, and its amount (NaN where unknown)."""

    row: NDArray[np.intp]
    amount: Floats


@dataclass(frozen=True, slots=True)
class Book:
    """n rows of a book, one a policy or a policy and term.

    `values` holds a column of n numbers a factor: of a categorical factor the code of its level in `levels`, NaN where
    it is missing. `starts_on` is None when the contract names no periods.
    """

    policy: Ints
    exposure_years: Floats
    claims: Floats
    starts_on: NDArray[np.datetime64] | None
    values: dict[str, Floats]
    levels: dict[str, tuple[str, ...]]
    amounts: Claims | None
    digest: str

    def __len__(self) -> int:
        return len(self.policy)

    def only(self, rows: Mask) -> "Book":
        """The rows where `rows` is true, with their claims."""
        amounts = self.amounts
        if amounts is not None:
            kept = rows[amounts.row]
            amounts = Claims((np.cumsum(rows) - 1)[amounts.row[kept]], amounts.amount[kept])
        return Book(
            self.policy[rows],
            self.exposure_years[rows],
            self.claims[rows],
            None if self.starts_on is None else self.starts_on[rows],
            {name: column[rows] for name, column in self.values.items()},
            self.levels,
            amounts,
            self.digest,
        )

    def with_value(self, factor: str, value: float) -> "Book":
        """The same rows, all with this value of a factor (a categorical one's code)."""
        return replace(self, values=self.values | {factor: np.full(len(self), value)})

    def take(self, rows: NDArray[np.intp]) -> "Book":
        """The rows at these places, as often as they are named, without claims: one row a claim for severity."""
        return Book(
            self.policy[rows],
            self.exposure_years[rows],
            self.claims[rows],
            None if self.starts_on is None else self.starts_on[rows],
            {name: column[rows] for name, column in self.values.items()},
            self.levels,
            None,
            self.digest,
        )


def folds_of(policy: Ints, folds: int, seed: int) -> Ints:
    """The fold of each row, all rows of a policy in one: a hash of its number and the seed, the same in any order."""
    mixed = policy.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed) * np.uint64(0xD1B54A32D192ED03)
    mixed ^= mixed >> np.uint64(31)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(29)
    return (mixed % np.uint64(folds)).astype(np.int64)
