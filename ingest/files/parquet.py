"""A Parquet file's columns."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from ingest.errors import UnreadableFile
from ingest.files.table import SourceTable


def read_parquet(file: str, content: bytes) -> SourceTable:
    """All rows, with the types that the file gives them. Raises `UnreadableFile`."""
    try:
        table = pyarrow.parquet.ParquetFile(pa.BufferReader(content)).read()  # `read_table` loads pandas
    except (pa.ArrowInvalid, OSError) as err:
        raise UnreadableFile(file, f"it is not Parquet: {err}") from err

    def raw_of(place: int) -> bytes:
        return json.dumps(table.slice(place, 1).to_pylist()[0], default=str, ensure_ascii=True).encode()

    columns = {name: table.column(name).combine_chunks() for name in table.column_names}
    return SourceTable(file, columns, np.arange(len(table)), len(table), (), 1, raw_of)
