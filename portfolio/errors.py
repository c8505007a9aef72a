"""What the book of customers refuses, as nouns with their facts."""

from collections.abc import Sequence
from dataclasses import dataclass


class PortfolioError(Exception):
    """Base of the package's errors."""


@dataclass(eq=False)
class TooFewRows(PortfolioError):
    """Fewer rows than an estimate can stand on."""

    what: str
    rows: int
    least: int

    def __str__(self) -> str:
        return f"{self.what}: {self.rows} rows, {self.least} are needed; take a larger book"


@dataclass(eq=False)
class UnknownWord(PortfolioError):
    """A word that is none of those there are."""

    noun: str
    word: str
    known: Sequence[str]

    def __str__(self) -> str:
        return f"{self.noun} {self.word!r} is not known; use one of {', '.join(self.known)}"


@dataclass(eq=False)
class KeyUsedTwice(PortfolioError):
    """One idempotency key for two different things."""

    key: str

    def __str__(self) -> str:
        return f"Idempotency-Key {self.key!r} was used for something else; make a fresh one"


@dataclass(eq=False)
class BadBook(PortfolioError):
    """A file of a book that is not there or not whole."""

    table: str
    field: str
    problem: str

    def __str__(self) -> str:
        return f"{self.table}, {self.field}: {self.problem}"
