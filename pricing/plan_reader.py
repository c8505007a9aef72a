"""A plan's file, read table by table: every refusal names the place at which it found something wrong."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from pricing.errors import BadPlan

# Decimal would read "1_000", " 1" and the digits of any script, too.
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
DIGITS = 9  # a plan's number has at most so many on either side of the point: products of them stay exact


@dataclass(frozen=True, slots=True)
class Reader:
    """A table of the file that knows its place, so that every refusal can name it. Each read raises BadPlan."""

    source: str
    values: Mapping[str, Any]
    place: str = ""

    def _at(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key

    def refuse(self, key: str, problem: str) -> BadPlan:
        """The refusal of what stands at a key."""
        return BadPlan(self.source, self._at(key), problem)

    def get(self, key: str) -> Any:
        """What stands there."""
        if key not in self.values:
            raise self.refuse(key, "is missing")
        return self.values[key]

    def text(self, key: str) -> str:
        """A text that says something."""
        value = self.get(key)
        if not isinstance(value, str) or not value or "\0" in value:  # PostgreSQL's text holds no NUL
            raise self.refuse(key, "must be a text")
        return value

    def texts(self) -> dict[str, str]:
        """Every entry, as text."""
        return {key: self.text(key) for key in self.values}

    def day(self, key: str) -> date:
        """A date."""
        value = self.get(key)
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self.refuse(key, "must be a date, such as 2026-01-01")
        return value

    def whole(self, key: str, least: int = 0, most: int = 10**DIGITS - 1) -> int:
        """A whole number from `least` to `most`."""
        value = self.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.refuse(key, f"must be a whole number, {least} or more")
        if value > most:
            raise self.refuse(key, f"is over {most:,}")
        return value

    def one_of(self, key: str, allowed: Sequence[str]) -> str:
        """One of a closed set."""
        value = self.get(key)
        if value not in allowed:
            raise self.refuse(key, f"{value!r} is not one of {', '.join(allowed)}")
        return str(value)

    def number(self, key: str, *, positive: bool = False, signed: bool = False) -> Decimal:
        """An exact number of 0 or more, over 0, or of any sign."""
        value = self.get(key)
        try:
            number = Decimal(value) if isinstance(value, str | Decimal | int) and not isinstance(value, bool) else None
        except InvalidOperation:
            number = None
        if number is None:
            raise self.refuse(key, f"{value!r} is not a number")
        if not number.is_finite():
            raise self.refuse(key, f"{value!r} is not finite")
        if isinstance(value, str) and not _NUMBER.fullmatch(value):
            raise self.refuse(key, f"{value!r} is not a number: write its digits and a point, such as 1000.50")
        if (number < 0 and not signed) or (positive and number == 0):
            raise self.refuse(key, f"{value} must be {'over 0' if positive else '0 or more'}")
        if number.adjusted() >= DIGITS or int(number.as_tuple().exponent) < -DIGITS:
            raise self.refuse(key, f"{value} has more than {DIGITS} digits before or after the point")
        return number

    def table(self, key: str) -> "Reader":
        """A table with entries."""
        value = self.get(key)
        if not isinstance(value, dict) or not value:
            raise self.refuse(key, "must be a table with entries")
        return Reader(self.source, value, self._at(key))

    def tables(self, key: str) -> list[tuple[str, "Reader"]]:
        """The tables in a table, by name."""
        parent = self.table(key)
        return [(name, parent.table(name)) for name in parent.values]

    def refuse_others(self, *known: str) -> None:
        """Raises BadPlan for an entry that is none of these."""
        for key in self.values:
            if key not in known:
                raise self.refuse(key, f"is not known here (known: {', '.join(known)})")

    def rows(self, key: str, names: str) -> list["Reader"]:
        """The tables of a list; `names` says what each holds, for the refusal."""
        found = self.get(key)
        if not isinstance(found, list) or not found or not all(isinstance(row, dict) for row in found):
            raise self.refuse(key, f"must be a list of {{ {names} }}")
        return [Reader(self.source, row, f"{self._at(key)}[{place}]") for place, row in enumerate(found)]

    def grid(self, key: str, rows: int, columns: int) -> tuple[tuple[Decimal, ...], ...]:
        """Numbers over 0 in a list of lists, all of them there."""
        found = self.get(key)
        if not isinstance(found, list) or not all(isinstance(line, list) for line in found):
            raise self.refuse(key, "must be a list of lists: a row each")
        for row, cells in enumerate(found):
            if row >= rows or len(cells) > columns:
                raise self.refuse(f"{key}[{row}]", f"is over the table's size of {rows} rows and {columns} columns")
        at = {f"{key}[{row}][{column}]": cell for row, cells in enumerate(found) for column, cell in enumerate(cells)}
        cells_of = Reader(self.source, at, self.place)
        return tuple(
            tuple(cells_of.number(f"{key}[{row}][{column}]", positive=True) for column in range(columns))
            for row in range(rows)
        )
