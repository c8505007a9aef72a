"""What the risk models refuse, with its facts."""

from dataclasses import dataclass
from pathlib import Path

from pricing.errors import PricingError


@dataclass(eq=False)
class BadContract(PricingError):
    """A data contract that cannot be read."""

    source: str
    problem: str

    def __str__(self) -> str:
        return f"data contract {self.source}: {self.problem}"


@dataclass(eq=False)
class BadBook(PricingError):
    """A book of policies or claims that breaks its contract: where, and what is wrong there."""

    source: str
    policy: str
    field: str
    problem: str

    def __str__(self) -> str:
        where = f"policy {self.policy}: " if self.policy else ""
        return f"{self.source}: {where}{self.field}: {self.problem}"


@dataclass(eq=False)
class WrongArtefact(PricingError):
    """A model file that is not what it says it is."""

    path: Path
    problem: str

    def __str__(self) -> str:
        return f"model {self.path}: {self.problem}"


@dataclass(eq=False)
class NotThePlansModel(PricingError):
    """A model beside a plan whose basis does not name it: the plan's relativities are not known to be its."""

    plan: str
    version: str
    digest: str

    def __str__(self) -> str:
        return (
            f"model {self.digest[:16]}: rate plan {self.plan} version {self.version} does not name it in its basis, as "
            "`wayrate plan fitted` writes it: give the model that the plan was made from, or none"
        )


@dataclass(eq=False)
class NoTable(PricingError):
    """A factor of a model that cannot be a table of the rate plan."""

    factor: str
    problem: str

    def __str__(self) -> str:
        return f"{self.factor}: no table of the rate plan: {self.problem}"


@dataclass(eq=False)
class NothingToFit(PricingError):
    """Claims too few for the model that was asked for."""

    what: str
    problem: str

    def __str__(self) -> str:
        return f"{self.what}: {self.problem}"
