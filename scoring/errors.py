"""What can go wrong in scoring: one base, each error a noun with its facts."""

from dataclasses import dataclass
from pathlib import Path


class ScoringError(Exception):
    """Base of every error of the scoring stage."""


@dataclass(eq=False)
class ExtractMissing(ScoringError):
    """There is no road extract at this path."""

    path: Path

    def __str__(self) -> str:
        endings = ".osm.pbf, .osm, .osm.gz, .geojson or .geojson.gz"
        return f"no road extract at {self.path}: give a {endings} file, or a built map (.npz)"


@dataclass(eq=False)
class NotAnExtract(ScoringError):
    """The file is there but holds no road extract that can be read."""

    path: Path
    cause: str

    def __str__(self) -> str:
        endings = ".osm.pbf, .osm, .osm.gz, .geojson or .geojson.gz"
        return f"{self.path} is not a road extract ({self.cause}): give a {endings} file"


@dataclass(eq=False)
class BadRoadFile(ScoringError):
    """The file is no road map that `wayrate roads build` wrote, or it is damaged."""

    path: Path
    cause: str

    def __str__(self) -> str:
        return f"{self.path} is not a built road map ({self.cause}): build it again with wayrate roads build EXTRACT"


@dataclass(eq=False)
class UnknownCountry(ScoringError):
    """There is no table of statutory limits of this country."""

    country: str
    known: tuple[str, ...]

    def __str__(self) -> str:
        return f"no statutory limits of country {self.country!r}: use one of {', '.join(self.known)}, or leave it out"


@dataclass(eq=False)
class NoDrivableRoads(ScoringError):
    """The extract was read, and holds no road a car may use."""

    path: Path

    def __str__(self) -> str:
        return f"{self.path} has no drivable roads: choose an extract that covers where the cars drive"


@dataclass(eq=False)
class BadLayer(ScoringError):
    """A file of polygons or points that cannot be laid over the map."""

    path: Path
    cause: str

    def __str__(self) -> str:
        return f"{self.path}: {self.cause}"
