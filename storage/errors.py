"""What can go wrong below every stage. Each error names its facts and what to do about it."""

from dataclasses import dataclass
from pathlib import Path


class StorageError(Exception):
    """Base of every error of this package."""


@dataclass(eq=False)
class StorageUnavailable(StorageError):
    """The server cannot be reached, or cannot take the write now. Nothing was committed that was not acknowledged."""

    detail: str

    def __str__(self) -> str:
        return f"the database is not available ({self.detail}); nothing was acknowledged, try again later"


@dataclass(eq=False)
class DataFolderReadOnly(StorageError):
    """The folder for the embedded server cannot be written."""

    folder: Path

    def __str__(self) -> str:
        return (
            f"data folder {self.folder} is read-only; make it writable, or choose another with --data-dir, "
            "or use a server by WAYRATE_DSN"
        )


@dataclass(eq=False)
class DataFolderUnusable(StorageError):
    """The folder for the embedded server is not one, belongs to somebody else, or holds another version's data."""

    folder: Path
    detail: str

    def __str__(self) -> str:
        return f"data folder {self.folder} cannot be used: {self.detail}; choose another with --data-dir"


@dataclass(eq=False)
class ServerDoesNotStart(StorageError):
    """The embedded server did not come up."""

    folder: Path
    detail: str

    def __str__(self) -> str:
        return (
            f"the embedded PostgreSQL in {self.folder} does not start: {self.detail}\n"
            f"see {self.folder / 'postgres.log'}, or use a server by WAYRATE_DSN"
        )


@dataclass(eq=False)
class SchemaIsNewer(StorageError):
    """The database was migrated by a later version of wayrate."""

    unknown: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"this database was made by a newer wayrate (it has {', '.join(self.unknown)}); nothing was changed: "
            "upgrade wayrate, or use another --data-dir or WAYRATE_DSN"
        )


@dataclass(eq=False)
class MigrationFailed(StorageError):
    """A migration did not apply; it was rolled back whole."""

    migration: str
    detail: str

    def __str__(self) -> str:
        return f"migration {self.migration} failed and was rolled back: {self.detail}"


@dataclass(eq=False)
class ValueOutOfRange(StorageError):
    """A column holds a value its SQL type cannot."""

    column: str
    sql_type: str

    def __str__(self) -> str:
        return f"column {self.column} holds a value that {self.sql_type} cannot; such a reading belongs in quarantine"


@dataclass(eq=False)
class UnexpectedNull(StorageError):
    """A query returned NULL in a column whose array cannot say "not reported"."""

    columns: tuple[str, ...]

    def __str__(self) -> str:
        return f"NULL in a column that may not be: one of {', '.join(self.columns)}"
