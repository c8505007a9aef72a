"""A book as a folder of Parquet files, one a table, with the truth it was made by beside them."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from simulator.book.formula import SHIPPED

FORMULA = "truth.toml"
HALF_WRITTEN = ".part"


def write_book(folder: Path, blocks: Iterable[dict[str, pa.Table]], formula: Path = SHIPPED) -> dict[str, int]:
    """Write the blocks of a book as they come; rows by table.

    A file has its name only when it is whole, so a run cut short leaves no book that looks finished.
    """
    folder.mkdir(parents=True, exist_ok=True)
    writers: dict[str, pyarrow.parquet.ParquetWriter] = {}
    rows: dict[str, int] = {}
    try:
        for block in blocks:
            for name, table in block.items():
                if name not in writers:
                    part = folder / f"{name}.parquet{HALF_WRITTEN}"
                    writers[name] = pyarrow.parquet.ParquetWriter(part, table.schema, compression="zstd")
                writers[name].write_table(table)
                rows[name] = rows.get(name, 0) + len(table)
    finally:
        for writer in writers.values():
            writer.close()
    for name in writers:
        (folder / f"{name}.parquet{HALF_WRITTEN}").replace(folder / f"{name}.parquet")
    shutil.copyfile(formula, folder / FORMULA)
    return rows
