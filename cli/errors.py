"""What the command itself refuses."""

from dataclasses import dataclass
from pathlib import Path


class CliError(Exception):
    """Base of the command's own errors."""


@dataclass(eq=False)
class BadTime(CliError):
    """A moment that cannot be read as one."""

    text: str

    def __str__(self) -> str:
        return (
            f"{self.text!r} is not a time of the years 1970 to 2999: give a date (2026-10-31, meaning the end of that "
            "day in UTC) or a moment with its offset (2026-10-31T18:00:00Z)"
        )


@dataclass(eq=False)
class PortInUse(CliError):
    """Something else listens where we were told to."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"port {self.port} on {self.host} is in use: stop what listens there, or choose another with --port"


class WorkersWithGateway(CliError):
    """The gateway joins what all devices send in one process."""

    def __str__(self) -> str:
        return "--workers is for the pages: give --only api too, and run the gateway beside it with --only gateway"


class NobodySignsIn(CliError):
    """Neither a password nor a provider."""

    def __str__(self) -> str:
        return "without passwords nobody could sign in: name the identity provider by --oidc-issuer"


@dataclass(eq=False)
class NotFound(CliError):
    """A thing the user named does not exist."""

    what: str
    name: str
    hint: str

    def __str__(self) -> str:
        return f"no {self.what} {self.name!r}: {self.hint}"


class HalfACertificate(CliError):
    """TLS needs both of its files."""

    def __str__(self) -> str:
        return "TLS needs the certificate and its key: give both --certificate and --key, or neither"


@dataclass(eq=False)
class NothingChosen(CliError):
    """A command that works on what it is told, told nothing."""

    command: str
    hint: str

    def __str__(self) -> str:
        return f"{self.command}: nothing is chosen; {self.hint}"


@dataclass(eq=False)
class WrongLine(CliError):
    """One entry of a list is wrong, so none of it is taken."""

    place: str
    detail: str

    def __str__(self) -> str:
        return f"{self.place + ': ' if self.place else ''}{self.detail}; nothing of the list was taken"


@dataclass(eq=False)
class AccidentsWithoutRoads(CliError):
    """Accidents are put on roads, and none were given."""

    path: Path

    def __str__(self) -> str:
        return f"{self.path} is laid over a road map: give one with --roads"


@dataclass(eq=False)
class BadLoad(CliError):
    """A load that cannot be made as it is asked for."""

    detail: str

    def __str__(self) -> str:
        return self.detail


@dataclass(eq=False)
class GatewayDidNotStart(CliError):
    """A gateway of our own that ended before it served."""

    said: str

    def __str__(self) -> str:
        return f"the gateway for the load did not start: {self.said}"


@dataclass(eq=False)
class CannotWrite(CliError):
    """A file that a command was to write."""

    path: Path
    cause: str

    def __str__(self) -> str:
        return f"cannot write {self.path}: {self.cause}"


@dataclass(eq=False)
class WrongSetting(CliError):
    """A setting of a term that is none."""

    setting: str
    terms: str

    def __str__(self) -> str:
        return f"--set {self.setting!r}: write it as TERM=VALUE; the terms are {self.terms}"


@dataclass(eq=False)
class NotAllowed(CliError):
    """A role that may not do this."""

    email: str
    role: str
    roles: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.email} signs in as {self.role}; this takes {' or '.join(self.roles)}"
