"""What the simulator refuses, as nouns with their facts."""

from dataclasses import dataclass
from pathlib import Path


class SimulatorError(Exception):
    """Base of the simulator's errors."""


@dataclass(eq=False)
class MapTooSmall(SimulatorError):
    """The road map has no part in which one can drive on without ever turning around."""

    version: str
    streets: int

    def __str__(self) -> str:
        return (
            f"road map {self.version}: only {self.streets} directions of streets hang together without turning around;"
            " take a larger extract"
        )


@dataclass(eq=False)
class GatewayUnavailable(SimulatorError):
    """The gateway did not take a batch within the attempts; nothing of that batch is acknowledged."""

    url: str
    attempts: int
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.url} took nothing in {self.attempts} attempts ({self.reason}): start the gateway, then send again"
        )


@dataclass(eq=False)
class UploadRefused(SimulatorError):
    """The gateway answered that sending the same again will not help."""

    url: str
    status: int
    detail: str

    def __str__(self) -> str:
        return f"{self.url} refused an upload with {self.status}: {self.detail}"


@dataclass(eq=False)
class UnknownSender(SimulatorError):
    """A driver for whose device no token was given."""

    driver: int

    def __str__(self) -> str:
        return f"no token for the device of driver {self.driver}: enrol it and pass its token"


@dataclass(eq=False)
class BadKey(SimulatorError):
    """A file that is no key of a simulated month."""

    path: Path
    line: int
    detail: str

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: not the truth of a trip ({self.detail})"


@dataclass(eq=False)
class BadFormula(SimulatorError):
    """A file of the true formula, or of the measured behaviour, that no book can be made of."""

    path: Path
    detail: str

    def __str__(self) -> str:
        return f"{self.path}: {self.detail}"


@dataclass(eq=False)
class EmptyBook(SimulatorError):
    """A formula by which hardly a quote is taken."""

    formula: str
    quotes: int
    sold: int

    def __str__(self) -> str:
        return (
            f"formula {self.formula}: of {self.quotes} quotes {self.sold} were taken;"
            " raise quote.intercept or lower insurer.loading"
        )
