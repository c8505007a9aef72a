"""What the book of customers refuses, as nouns with their facts."""

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
