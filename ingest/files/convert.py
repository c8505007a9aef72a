"""Columns of a file -> columns of Readings, whole arrays at a time; what cannot be read is a fault of its row."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.decoders.diagnosis import MAX_FLOAT32, says_not_a_number
from ingest.errors import WrongMapping
from ingest.files.mapping import FileFormat, ValueColumn
from ingest.files.table import SourceTable
from ingest.readings import Bools, Float64s
from ingest.rejection import Rejection

type Faults = dict[int, tuple[Rejection, str]]  # by row of the table; the first one found stays

NUMBER = r"^[+-]?([0-9]{1,400}(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?$"
_MISREAD = frozenset({Rejection.TYPE, Rejection.MALFORMED})


def text_column(table: SourceTable, name: str, form: FileFormat, faults: Faults, unknown: tuple[str, ...] = ()) -> Any:
    """The column as trimmed text, null where nothing is known; undecodable cells are faults."""
    values = table.column(name)
    if pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type):
        values = _decoded(values, name, form.encoding, faults)
    elif not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        values = values.cast(pa.string())
    values = pc.utf8_trim_whitespace(values.cast(pa.string()))
    for row in np.flatnonzero(_mask(pc.match_substring(values, "\0"))).tolist():
        faults.setdefault(row, (Rejection.NUL, f"{name} holds a NUL"))
    says_nothing = pc.is_in(values, value_set=pa.array(["", *form.unknown, *unknown], pa.string()))
    return pc.if_else(says_nothing, pa.scalar(None, pa.string()), values)


def value_column(table: SourceTable, value: ValueColumn, form: FileFormat, faults: Faults) -> Float64s:
    """The column's numbers as they stand, shape (n,), NaN where nothing is known."""
    column = table.column(value.column)
    if value.values is None and _is_numeric(column.type):
        return _checked(value.column, _floats(column.cast(pa.float64())), faults)
    text = text_column(table, value.column, form, faults, value.unknown)
    if value.values is not None:
        words = pa.array(list(value.values), pa.string())
        meanings = pa.array(list(value.values.values()), pa.float64())
        numbers = pc.take(meanings, pc.index_in(text, value_set=words))
        expected = f"one of {', '.join(value.values)}"
    else:
        point = pc.replace_substring(text, pattern=form.decimal, replacement=".") if form.decimal != "." else text
        is_number = pc.match_substring_regex(point, NUMBER)
        numbers = pc.if_else(is_number, point, pa.scalar(None, pa.string())).cast(pa.float64())
        expected = "a number"
    unread = _unread(value.column, text, numbers, expected)
    refuse_wrong_mapping(table, value.column, text, unread, expected)
    for row, fault in unread.items():
        faults.setdefault(row, fault)
    return _checked(value.column, _floats(numbers), faults)


def refuse_wrong_mapping(table: SourceTable, name: str, text: Any, faults: Faults, expected: str) -> None:
    """Raises `WrongMapping` when there are several known cells and the column's reading failed on all of them."""
    rows = np.flatnonzero(_mask(pc.is_valid(text)))
    if len(rows) > 1 and all(row in faults and faults[row][0] in _MISREAD for row in rows.tolist()):
        first = int(rows[0])
        raise WrongMapping(table.file, name, table.row_number(first), str(text[first].as_py()), expected)


def _decoded(values: Any, name: str, encoding: str, faults: Faults) -> Any:
    try:
        return values.cast(pa.string())  # checks that it is UTF-8
    except pa.ArrowInvalid:
        pass
    texts: list[str | None] = []
    for row, cell in enumerate(values.to_pylist()):
        try:
            texts.append(None if cell is None else cell.decode(encoding))
        except UnicodeDecodeError:
            texts.append(None)
            faults.setdefault(row, (Rejection.ENCODING, f"{name} is not {encoding}"))
    return pa.array(texts, pa.string())


def _unread(name: str, text: Any, numbers: Any, expected: str) -> Faults:
    """A fault for each text that is known but gave no number."""
    faults: Faults = {}
    for row in np.flatnonzero(_mask(pc.is_valid(text)) & ~_mask(pc.is_valid(numbers))).tolist():
        cell = text[row].as_py()
        reason = Rejection.TYPE
        if says_not_a_number(cell):
            reason = Rejection.NOT_FINITE
        elif cell.isascii() and cell.lstrip("+-").isdigit():
            reason = Rejection.NUMBER_RANGE  # more digits than any number has
        faults[row] = (reason, f"{name} is {cell[:40]!a}, not {expected}")
    return faults


def _checked(name: str, numbers: Float64s, faults: Faults) -> Float64s:
    """The numbers; those that no column can hold are faults."""
    beyond = np.isfinite(numbers) & (np.abs(numbers) > MAX_FLOAT32)
    for row in np.flatnonzero(np.isinf(numbers)).tolist():
        faults.setdefault(row, (Rejection.NOT_FINITE, f"{name} is infinite"))
    for row in np.flatnonzero(beyond).tolist():
        faults.setdefault(row, (Rejection.NUMBER_RANGE, f"{name} is a number out of range"))
    return np.where(beyond | np.isinf(numbers), np.nan, numbers)


def _is_numeric(kind: Any) -> bool:
    types = pa.types
    tests = (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean)
    return any(test(kind) for test in tests)


def _floats(values: Any) -> Float64s:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def _mask(values: Any) -> Bools:
    return np.asarray(pc.fill_null(values, fill_value=False).to_numpy(zero_copy_only=False), dtype=bool)
