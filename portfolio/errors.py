"""What the book of customers refuses, as nouns with their facts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


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
    """A word that is none of those there are; `noun` is the field that it stands in."""

    noun: str
    word: str
    known: Sequence[str]

    @property
    def field(self) -> str:
        """The noun, as every refusal that has a field names it."""
        return self.noun

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


@dataclass(eq=False)
class OtherWords(PortfolioError):
    """Agreed to words that are not today's."""

    purpose: str

    def __str__(self) -> str:
        return f"the words of {self.purpose!r} have changed since they were shown; read them again, then agree"


@dataclass(eq=False)
class OfferRefused(PortfolioError):
    """An offer that would step over the line."""

    template: str
    reasons: Sequence[str]

    field: ClassVar[str] = "template"

    def __str__(self) -> str:
        return f"offer {self.template!r} is not sent: {'; '.join(self.reasons)}"


@dataclass(eq=False)
class NothingToOffer(PortfolioError):
    """An offer whose words need what is not known of this customer."""

    template: str
    missing: Sequence[str]

    field: ClassVar[str] = "template"

    def __str__(self) -> str:
        return f"offer {self.template!r} needs {', '.join(self.missing)}, which is not known of this customer"


@dataclass(eq=False)
class AlreadyAnswered(PortfolioError):
    """An answer to an offer that has one."""

    offer: str

    def __str__(self) -> str:
        return f"offer {self.offer} was answered before"


@dataclass(eq=False)
class BadExperiment(PortfolioError):
    """A plan or an outcome that is none."""

    name: str
    field: str

    def __str__(self) -> str:
        return f"experiment {self.name!r}, {self.field}: cannot be; docs/portfolio.md says what can"


@dataclass(eq=False)
class NoExperiment(PortfolioError):
    """No experiment of that name."""

    name: str

    def __str__(self) -> str:
        return f"there is no experiment {self.name!r}"


@dataclass(eq=False)
class ExperimentExists(PortfolioError):
    """A plan is fixed: another one needs another name."""

    name: str

    def __str__(self) -> str:
        return f"experiment {self.name!r} is planned already; a plan is not changed, give another name"


@dataclass(eq=False)
class StepOutOfOrder(PortfolioError):
    """Plan, build, execute, assess: each once, in this order."""

    name: str
    step: str
    wanted: str

    def __str__(self) -> str:
        return f"experiment {self.name!r}: {self.step} does not come now; next is {self.wanted}"


@dataclass(eq=False)
class NoErasure(PortfolioError):
    """An id that no request for erasure has."""

    request: str

    def __str__(self) -> str:
        return f"there is no request for erasure {self.request!r}"


@dataclass(eq=False)
class ErasureDecided(PortfolioError):
    """A request that was decided the other way."""

    request: str

    def __str__(self) -> str:
        return f"the request for erasure {self.request} was decided otherwise; the person may ask anew"


@dataclass(eq=False)
class NoReason(PortfolioError):
    """A decision or a look that a person will read about, without its reason."""

    field: str

    def __str__(self) -> str:
        return f"{self.field}: say why in a sentence; the person reads it"


@dataclass(eq=False)
class TripTaken(PortfolioError):
    """A trip that somebody else says they drove."""

    trip: str

    def __str__(self) -> str:
        return f"somebody else says that they drove trip {self.trip}; they can take it back"
