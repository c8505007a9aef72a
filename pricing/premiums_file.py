"""What rating a book came to, as Parquet: the premiums by cover, and the notices of who pays more."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pricing.book_rating import BookPremiums, CompiledPlan, RatingBook
from pricing.money import MINOR_DIGITS
from pricing.notices import Notices
from pricing.rating_errors import BadRatingBook


def write_premiums(path: Path, compiled_plan: CompiledPlan, book: RatingBook, premiums: BookPremiums) -> None:
    """The amounts as exact decimals by cover, with the plan's hash in every row and in the file's metadata."""
    plan = compiled_plan.plan
    digits = MINOR_DIGITS[plan.currency]
    parts = dict(zip(plan.covers, premiums.covers, strict=True)) | {
        "minimum_premium": premiums.minimum, "fee": premiums.fee, "tax": premiums.tax, "amount": premiums.amount,
    }  # fmt: skip
    columns: dict[str, Any] = {"policy": pa.array(book.policy)}
    columns |= {name: _decimals(values, digits) for name, values in parts.items()}
    hashes = pa.DictionaryArray.from_arrays(np.zeros(len(book), dtype=np.int32), [plan.plan_hash])
    table = pa.table(columns | {"plan_hash": hashes})
    _write(path, table.replace_schema_metadata({"plan_hash": plan.plan_hash, "currency": plan.currency}))


def write_notices(path: Path, compiled_plan: CompiledPlan, book: RatingBook, found: Notices) -> None:
    """A row a policy that pays more: both amounts, the change, what raised it, and the day to send it by."""
    digits = MINOR_DIGITS[compiled_plan.plan.currency]
    table = pa.table(
        {
            "policy": pa.array([book.policy[row] for row in found.rows.tolist()], pa.string()),
            "old_amount": _decimals(found.old_amount, digits),
            "new_amount": _decimals(found.new_amount, digits),
            "change": pa.array(found.new_amount / np.maximum(found.old_amount, 1) - 1),
            "reasons": pa.array([list(one) for one in found.reasons], pa.list_(pa.string())),
            "send_by": pa.array([found.send_by] * len(found.rows), pa.date32()),
        }
    )
    _write(path, table.replace_schema_metadata({"plan_hash": compiled_plan.plan.plan_hash}))


def _write(path: Path, table: pa.Table) -> None:
    """The whole file or none: it gets its name when it is complete. Raises BadRatingBook."""
    part = path.with_name(f"{path.name}.part")
    try:
        pq.write_table(table, part)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise BadRatingBook(path.name, None, "", "file", f"cannot be written: {error}") from None


def _decimals(minor: NDArray[np.int64], digits: int) -> pa.Array:
    """Whole minor units as a decimal column: the same 128-bit integers under another type."""
    wide = np.zeros((len(minor), 2), dtype=np.int64)
    wide[:, 0], wide[:, 1] = minor, minor >> 63
    return pa.Array.from_buffers(pa.decimal128(18, digits), len(minor), [None, pa.py_buffer(wide)])
