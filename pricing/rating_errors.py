"""What rating books and quotes refuses, with its facts."""

from dataclasses import dataclass

from pricing.errors import PricingError


@dataclass(eq=False)
class BadRatingBook(PricingError):
    """A book that cannot be rated: file, row (from 1), policy and field, and what is wrong there."""

    source: str
    row: int | None
    policy: str
    field: str
    problem: str

    def __str__(self) -> str:
        where = "" if self.row is None else f"row {self.row}, policy {self.policy!r}: "
        return f"{self.source}: {where}{self.field}: {self.problem}"


@dataclass(eq=False)
class BadQuote(PricingError):
    """A document that no quote can be made of."""

    source: str
    problem: str

    def __str__(self) -> str:
        return f"quote {self.source}: {self.problem}"


@dataclass(eq=False)
class AmountTooLarge(PricingError):
    """A premium of a book that no insurer charges: its exposure or a rate is wrong."""

    policy: str
    amount: str

    def __str__(self) -> str:
        return f"policy {self.policy}: {self.amount} is over 10^15: look at its exposure and at the plan's rates"
