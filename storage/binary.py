"""Columns to PostgreSQL and back by binary COPY, whole arrays at a time: no Python object per row.

The format is PostgreSQL's own (documentation, "COPY", binary format): a header, per row a field count and per field a
length and its big-endian bytes, length -1 for NULL, and a trailer of -1.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from storage.errors import UnexpectedNull, ValueOutOfRange
from storage.pool import Conn

type SqlType = Literal["bigint", "integer", "smallint", "double precision", "real", "timestamptz"]
type Arrays = Mapping[str, NDArray[Any]]  # int64, int32, float64 or float32, shape (n,)

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
POSTGRES_EPOCH_US = 946_684_800_000_000  # 2000-01-01 as microseconds since 1970
FIRST_TIME_US = -210_866_803_200_000_000  # 4714-11-24 BC, PostgreSQL's first timestamp
LAST_TIME_US = np.iinfo(np.int64).max - 1  # int64 since 1970 ends before PostgreSQL does
BLOCK_ROWS = 16_384  # about 3 MB of readings: stays in the processor's cache

_WIRE: dict[str, str] = {
    "bigint": ">i8",
    "integer": ">i4",
    "smallint": ">i2",
    "double precision": ">f8",
    "real": ">f4",
    "timestamptz": ">i8",
}
_INTEGERS = ("bigint", "integer", "smallint")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table and of a batch. A nullable one is NaN in the array where it is NULL in the table."""

    name: str
    sql_type: SqlType
    nullable: bool = False


def encode(columns: Sequence[Column], arrays: Arrays) -> bytes:
    """n rows in COPY's binary format from arrays of shape (n,); timestamps are microseconds since 1970.

    Raises `ValueOutOfRange` rather than let a value wrap around into another.
    """
    for column in columns:
        _check_range(column, arrays[column.name])
    count = len(arrays[columns[0].name])
    blocks = (
        _encode_block(columns, {name: values[start : start + BLOCK_ROWS] for name, values in arrays.items()})
        for start in range(0, count, BLOCK_ROWS)
    )
    return b"".join((HEADER, *blocks, TRAILER))


def copy_in(conn: Conn, table: str, columns: Sequence[Column], arrays: Arrays) -> None:
    """Append the rows to `table` ("schema.name" or a temporary table's name). Raises `ValueOutOfRange`."""
    statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    )
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(encode(columns, arrays))


def copy_out(conn: Conn, source: sql.Composable, columns: Sequence[Column]) -> dict[str, NDArray[np.generic]]:
    """The rows of `source` (a composed "from ... where ... order by ..." tail) as arrays by column name.

    NULL comes back as NaN, so a nullable small integer comes back as float32. Native byte order. Raises
    `UnexpectedNull` when a column that is not nullable holds one.
    """
    fields = sql.SQL(", ").join(_selected(column) for column in columns)
    statement = sql.SQL("copy (select {} {}) to stdout (format binary)").format(fields, source)
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        received = b"".join(copy)
    read_as = [Column(column.name, _read_type(column)) for column in columns]
    dtype = _row_dtype(read_as)
    size = len(received) - len(HEADER) - len(TRAILER)
    rows = np.frombuffer(received, dtype=dtype, offset=len(HEADER), count=size // dtype.itemsize)
    # A NULL is shorter than a value: it would move every later field.
    if size % dtype.itemsize or any((rows[_length_name(column)] != _width(column)).any() for column in read_as):
        raise UnexpectedNull(tuple(column.name for column in columns if not column.nullable))
    arrays: dict[str, NDArray[np.generic]] = {}
    for column in read_as:
        values = rows[column.name]
        native = values.astype(values.dtype.newbyteorder("="))
        arrays[column.name] = native + POSTGRES_EPOCH_US if column.sql_type == "timestamptz" else native
    return arrays


def _encode_block(columns: Sequence[Column], arrays: Arrays) -> bytes:
    """The rows without header and trailer. A column that is NULL throughout the block has no bytes at all in it."""
    count = len(arrays[columns[0].name])
    nulls = {column.name: np.isnan(arrays[column.name]) for column in columns if column.nullable}
    empty = {name for name, null in nulls.items() if null.all()}
    dtype = _row_dtype(columns, empty)
    rows = np.zeros(count, dtype=dtype)
    rows["fields"] = len(columns)
    keep: NDArray[np.bool_] | None = None
    for column in columns:
        if column.name in empty:
            rows[_length_name(column)] = -1
            continue
        values = arrays[column.name]
        rows[_length_name(column)] = _width(column)
        if column.nullable and nulls[column.name].any():
            null = nulls[column.name]
            keep = np.ones((count, dtype.itemsize), dtype=bool) if keep is None else keep
            start = _offset(dtype, column)
            keep[null, start : start + _width(column)] = False
            rows[_length_name(column)][null] = -1
            values = np.where(null, 0, values)
        if column.sql_type == "timestamptz":
            values = values.astype(np.int64) - POSTGRES_EPOCH_US
        rows[column.name] = values
    if keep is None:
        return rows.tobytes()
    return rows.view(np.uint8).reshape(count, dtype.itemsize)[keep].tobytes()


def _check_range(column: Column, values: NDArray[Any]) -> None:
    """NaN is the only value a float may hold that its integer column cannot; numpy would wrap the others silently."""
    numbers = values[~np.isnan(values)] if column.nullable else values
    if len(numbers) == 0:
        return
    if column.sql_type == "timestamptz":
        inside = bool(numbers.min() >= FIRST_TIME_US and numbers.max() <= LAST_TIME_US)
    elif column.sql_type in _INTEGERS:
        limits = np.iinfo(np.dtype(_WIRE[column.sql_type]))
        inside = bool(numbers.min() >= limits.min and numbers.max() <= limits.max)
        inside = inside and (numbers.dtype.kind == "i" or bool((numbers % 1 == 0).all()))
    elif column.sql_type == "real" and numbers.dtype.itemsize > 4:
        finite = numbers[np.isfinite(numbers)]
        inside = bool((np.abs(finite) <= np.finfo(np.float32).max).all())
    else:
        inside = True
    if not inside:
        raise ValueOutOfRange(column.name, column.sql_type)


def _read_type(column: Column) -> SqlType:
    return "real" if column.nullable and column.sql_type == "smallint" else column.sql_type


def _selected(column: Column) -> sql.Composable:
    name = sql.Identifier(column.name)
    if not column.nullable:
        return name
    return sql.SQL("coalesce({}::{}, 'NaN')").format(name, sql.SQL(_read_type(column)))


def _row_dtype(columns: Sequence[Column], empty: Set[str] = frozenset()) -> np.dtype[np.void]:
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for column in columns:
        fields.append((_length_name(column), ">i4"))
        if column.name not in empty:
            fields.append((column.name, _WIRE[column.sql_type]))
    return np.dtype(fields)


def _length_name(column: Column) -> str:
    return f"length of {column.name}"


def _width(column: Column) -> int:
    return np.dtype(_WIRE[column.sql_type]).itemsize


def _offset(dtype: np.dtype[np.void], column: Column) -> int:
    assert dtype.fields is not None
    return int(dtype.fields[column.name][1])
