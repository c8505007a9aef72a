"""A file's rows as columns of whatever type the file has, before anything is understood of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingest.decoded import Rejected
from ingest.errors import MissingColumn
from ingest.readings import Int64s


@dataclass(frozen=True, slots=True)
class SourceTable:
    """n whole rows. `columns` are Arrow arrays of shape (n,); `place` is each row's record index in the file.

    `received` counts the broken rows too. `first_row` is the number that a person gives to record 0.
    """

    file: str
    columns: dict[str, Any]
    place: Int64s
    received: int
    broken: tuple[Rejected, ...]
    first_row: int
    raw_of: Callable[[int], bytes]

    def __len__(self) -> int:
        return len(self.place)

    def column(self, name: str) -> Any:
        """The column of that name. Raises `MissingColumn`."""
        if name not in self.columns:
            raise MissingColumn(self.file, name, max(self.first_row - 1, 1), tuple(self.columns))
        return self.columns[name]

    def row_number(self, row: int) -> int:
        """What a person calls the row at `row` of the arrays."""
        return int(self.place[row]) + self.first_row
