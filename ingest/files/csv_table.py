"""A CSV file as columns of bytes. Each row keeps its place in the file, so a refused one is kept as it was written."""

import codecs
import csv

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from ingest.decoded import Rejected
from ingest.errors import UnreadableFile
from ingest.files.mapping import FileFormat
from ingest.files.table import SourceTable
from ingest.rejection import Rejection

_BLOCK_BYTES = 1 << 30  # one block: rows keep their order and their numbers
_HEADER_ROW = 1


def read_csv(file: str, content: bytes, form: FileFormat) -> SourceTable:
    """The rows of a CSV with a header; a row of another width is broken, alone. Raises `UnreadableFile`."""
    content, encoding = _ascii_compatible(file, content, form.encoding)
    if content.count(b'"') % 2:
        raise UnreadableFile(file, "its quotes do not close")
    starts, ends = _row_bounds(content)
    if not len(starts):
        raise UnreadableFile(file, "it is empty")
    names = _names(file, content[starts[0] : ends[0]], encoding, form.separator)
    received = len(starts) - 1
    # Found here: the parser's own finding of such rows stops at one that is not UTF-8.
    has_width = _widths(content, starts, ends, form.separator)[1:] == len(names)
    whole, broken_at = np.flatnonzero(has_width), np.flatnonzero(~has_width)

    def raw_of(place: int) -> bytes:
        return content[starts[place + 1] : ends[place + 1]]

    if len(broken_at):
        body = b"\n".join(raw_of(place) for place in whole.tolist())
    else:
        body = content[starts[1] :] if received else b""
    table = _parse(file, body, names, form) if body else None
    if (len(table) if table is not None else 0) != len(whole):
        raise UnreadableFile(file, "its quotes are not those of a CSV")
    broken = tuple(
        Rejected(place, Rejection.MALFORMED, f"the row does not have {len(names)} columns", raw_of(place))
        for place in broken_at.tolist()
    )
    columns = {
        name: pa.array([], pa.binary()) if table is None else table.column(index).combine_chunks()
        for index, name in reversed([*enumerate(names)])
    }
    columns = {name: columns[name] for name in names}
    return SourceTable(file, columns, whole, received, broken, _HEADER_ROW + 1, raw_of)


def _parse(file: str, body: bytes, names: list[str], form: FileFormat) -> pa.Table:
    # Columns are numbered here: a header may name one twice, and only the first counts.
    numbered = [str(index) for index in range(len(names))]
    try:
        return pyarrow.csv.read_csv(
            pa.BufferReader(body),
            read_options=pyarrow.csv.ReadOptions(use_threads=False, column_names=numbered, block_size=_BLOCK_BYTES),
            parse_options=pyarrow.csv.ParseOptions(delimiter=form.separator, newlines_in_values=b'"' in body),
            convert_options=pyarrow.csv.ConvertOptions(
                check_utf8=False, strings_can_be_null=False, column_types={name: pa.binary() for name in numbered}
            ),
        )
    except pa.ArrowInvalid as err:
        raise UnreadableFile(file, ascii(str(err).splitlines()[0][:200])) from err


def _widths(content: bytes, starts: NDArray[np.intp], ends: NDArray[np.intp], separator: str) -> NDArray[np.intp]:
    """How many columns each row has. A separator inside quotes separates nothing."""
    data = np.frombuffer(content, dtype=np.uint8)
    separates = data == ord(separator)
    if b'"' in content:
        separates &= np.cumsum(data == ord('"')) % 2 == 0
    places = np.flatnonzero(separates)
    return np.searchsorted(places, ends) - np.searchsorted(places, starts) + 1


def _ascii_compatible(file: str, content: bytes, encoding: str) -> tuple[bytes, str]:
    """The content in an encoding in which separators, quotes and line ends are single bytes."""
    name = codecs.lookup(encoding).name
    if name.startswith(("utf-16", "utf-32")):
        try:
            return content.decode(encoding).encode(), "utf-8"
        except UnicodeDecodeError as err:
            raise UnreadableFile(file, f"it is not {encoding}") from err
    return content.removeprefix(codecs.BOM_UTF8), encoding


def _row_bounds(content: bytes) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where the rows that are not empty begin and end. A line end inside quotes ends no row."""
    data = np.frombuffer(content, dtype=np.uint8)
    line_end = data == (ord("\n") if b"\n" in content else ord("\r"))
    if b'"' in content:
        line_end &= np.cumsum(data == ord('"')) % 2 == 0
    ends = np.append(np.flatnonzero(line_end), len(data))
    starts = np.concatenate(([0], ends[:-1] + 1)).astype(np.intp)
    has_return = (
        (ends > starts) & (data[np.maximum(ends - 1, 0)] == ord("\r")) if len(data) else np.zeros(1, dtype=bool)
    )
    ends = ends - has_return
    filled = ends > starts
    return starts[filled], ends[filled]


def _names(file: str, header: bytes, encoding: str, separator: str) -> list[str]:
    try:
        text = header.decode(encoding)
    except UnicodeDecodeError as err:
        raise UnreadableFile(file, f"its header is not {encoding}; declare the encoding in a mapping") from err
    parsed = next(csv.reader([text], delimiter=separator), [])
    return [name.strip() for name in parsed]
