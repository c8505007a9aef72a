"""Columns to PostgreSQL and back by binary COPY, whole arrays at a time: no Python object per row.

The format is PostgreSQL's own (documentation, "COPY", binary format): a header, per row a field count and per field a
length and its big-endian bytes, length -1 for NULL, and a trailer of -1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from storage.pool import Conn

type SqlType = Literal["bigint", "integer", "smallint", "double precision", "real", "timestamptz"]

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
POSTGRES_EPOCH_US = 946_684_800_000_000  # 2000-01-01 as microseconds since 1970

_WIRE: dict[str, str] = {
    "bigint": ">i8",
    "integer": ">i4",
    "smallint": ">i2",
    "double precision": ">f8",
    "real": ">f4",
    "timestamptz": ">i8",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table and of a batch. A nullable one is NaN in the array where it is NULL in the table."""

    name: str
    sql_type: SqlType
    nullable: bool = False


def encode(columns: Sequence[Column], arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """n rows in COPY's binary format from arrays of shape (n,); timestamps are microseconds since 1970."""
    count = len(arrays[columns[0].name])
    rows = np.zeros(count, dtype=_row_dtype(columns))
    keep = np.ones((count, rows.dtype.itemsize), dtype=bool)
    rows["fields"] = len(columns)
    for column in columns:
        values = arrays[column.name]
        width = np.dtype(_WIRE[column.sql_type]).itemsize
        rows[f"length of {column.name}"] = width
        if column.nullable:
            null = np.isnan(values)
            rows[f"length of {column.name}"][null] = -1
            start = rows.dtype.fields[column.name][1]  # type: ignore[index]
            keep[null, start : start + width] = False
            values = np.where(null, 0, values)
        if column.sql_type == "timestamptz":
            values = values.astype(np.int64) - POSTGRES_EPOCH_US
        rows[column.name] = values
    body = rows.view(np.uint8).reshape(count, rows.dtype.itemsize)
    packed = body if keep.all() else body[keep]
    return HEADER + packed.tobytes() + TRAILER


def copy_in(conn: Conn, table: str, columns: Sequence[Column], arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Append the rows to `table` ("schema.name" or a temporary table's name)."""
    statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        sql.Identifier(*table.split(".")), sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
    )
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(encode(columns, arrays))


def copy_out(conn: Conn, source: sql.Composable, columns: Sequence[Column]) -> dict[str, NDArray[np.generic]]:
    """The rows of `source` (a composed "from ... where ... order by ..." tail) as arrays by column name.

    NULL comes back as NaN, so a nullable small integer comes back as float32. Native byte order.
    """
    fields = sql.SQL(", ").join(_selected(column) for column in columns)
    statement = sql.SQL("copy (select {} {}) to stdout (format binary)").format(fields, source)
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        received = b"".join(bytes(block) for block in copy)
    read_as = [Column(column.name, _read_type(column)) for column in columns]
    body = received[len(HEADER) : len(received) - len(TRAILER)]
    rows = np.frombuffer(body, dtype=_row_dtype(read_as))
    arrays: dict[str, NDArray[np.generic]] = {}
    for column in read_as:
        values = rows[column.name]
        native = values.astype(values.dtype.newbyteorder("="))
        arrays[column.name] = native + POSTGRES_EPOCH_US if column.sql_type == "timestamptz" else native
    return arrays


def _read_type(column: Column) -> SqlType:
    return "real" if column.nullable and column.sql_type == "smallint" else column.sql_type


def _selected(column: Column) -> sql.Composable:
    name = sql.Identifier(column.name)
    if not column.nullable:
        return name
    return sql.SQL("coalesce({}::{}, 'NaN')").format(name, sql.SQL(_read_type(column)))


def _row_dtype(columns: Sequence[Column]) -> np.dtype[np.void]:
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for column in columns:
        fields += [(f"length of {column.name}", ">i4"), (column.name, _WIRE[column.sql_type])]
    return np.dtype(fields)
