"""The columns of a book that models read. No input or output happens here."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]
type Mask = NDArray[np.bool_]
type Days = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class Claims:
    """m claims: the row of the book each belongs to, its amount (NaN where unknown), and its day where one is named."""

    row: NDArray[np.intp]
    amount: Floats
    occurred_on: Days | None = None

    def only(self, kept: Mask, row: NDArray[np.intp]) -> "Claims":
        """The claims where `kept` is true, whose places in the book are then `row`."""
        days = self.occurred_on
        return Claims(row, self.amount[kept], None if days is None else days[kept])


@dataclass(frozen=True, slots=True)
class Book:
    """n rows of a book, one a policy or a policy and term.

    `values` holds a column of n numbers a factor: of a categorical factor the code of its level in `levels`, NaN where
    it is missing. `starts_on` and `ends_on` (exclusive) are None when the contract names no periods, `km` when it names
    no column of measured distance.
    """

    policy: Ints
    exposure_years: Floats
    claims: Floats
    starts_on: Days | None
    values: dict[str, Floats]
    levels: dict[str, tuple[str, ...]]
    amounts: Claims | None
    digest: str
    ends_on: Days | None = None
    km: Floats | None = None

    def __len__(self) -> int:
        return len(self.policy)

    def only(self, rows: Mask) -> "Book":
        """The rows where `rows` is true, with their claims."""
        amounts = self.amounts
        if amounts is not None:
            kept = rows[amounts.row]
            amounts = amounts.only(kept, (np.cumsum(rows) - 1)[amounts.row[kept]])
        return self._at(rows, amounts)

    def take(self, rows: NDArray[np.intp]) -> "Book":
        """The rows at these places, as often as they are named, without claims: one row a claim for severity."""
        return self._at(rows, None)

    def _at(self, rows: Mask | NDArray[np.intp], amounts: Claims | None) -> "Book":
        return Book(
            self.policy[rows],
            self.exposure_years[rows],
            self.claims[rows],
            None if self.starts_on is None else self.starts_on[rows],
            {name: column[rows] for name, column in self.values.items()},
            self.levels,
            amounts,
            self.digest,
            None if self.ends_on is None else self.ends_on[rows],
            None if self.km is None else self.km[rows],
        )

    def with_value(self, factor: str, value: float) -> "Book":
        """The same rows, all with this value of a factor (a categorical one's code)."""
        return self.with_column(factor, np.full(len(self), value))

    def with_column(self, factor: str, column: Floats) -> "Book":
        """The same rows with these values (n,) of a factor."""
        return replace(self, values=self.values | {factor: column})


def folds_of(policy: Ints, folds: int, seed: int) -> Ints:
    """The fold of each row, all rows of a policy in one: a hash of its number and the seed, the same in any order."""
    mixed = policy.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed * 0xD1B54A32D192ED03 % 2**64)
    mixed ^= mixed >> np.uint64(31)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(29)
    return (mixed % np.uint64(folds)).astype(np.int64)
