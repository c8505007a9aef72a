"""Rating a book: policies a second on one core, from coded columns to whole cents by cover, tax and fee, exact.

uv run python -m benchmarks.rating [POLICIES]

Beside it in one run: the same relativities gathered and multiplied in floats by numpy, whole columns at once (wrong by
a cent where it rounds badly), a copy of the columns (what memory allows), the loop in decimals, and single quotes with
their worksheets. The plan has 15 factors; one pay plan, so that nothing but factors is charged for.
"""

import os
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pricing.book_rating import compile_plan, inputs_of, rate_book, rate_row
from pricing.rating import rate_period
from pricing.rating_book import read_rating_book
from tests.pricing.rating_books import CLASS_MEAN, plan_of

ROUNDS = 7
QUOTES = 3000


def best(work: object) -> float:
    """Seconds of the fastest of some rounds."""
    times = []
    for _ in range(ROUNDS):
        began = perf_counter()
        work()  # type: ignore[operator]
        times.append(perf_counter() - began)
    return min(times)


def write(path: Path, plan: object, rows: int) -> None:
    rng = np.random.default_rng(1)
    columns: dict[str, object] = {
        "policy": [f"P-{row}" for row in range(rows)],
        "pay_plan": pa.array(np.repeat("flat", rows)),
        "days": rng.integers(28, 32, rows),
        "covers": pa.array([["liability", "collision"]] * rows),
        "driver_age": rng.integers(17, 120, rows),
        "declared_km_per_year": rng.integers(0, 60_000, rows),
    }
    for factor in plan.factors.values():  # type: ignore[attr-defined]
        if factor.levels:
            columns[factor.name] = rng.choice(sorted(factor.levels), rows)
    pq.write_table(pa.table(columns), path)


def main() -> None:
    """Print each way's policies a second and its ratio to ours."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    plan = plan_of(15)
    compiled = compile_plan(plan)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book.parquet"
        write(path, plan, rows)
        began = perf_counter()
        book = read_rating_book(path, compiled, Decimal(CLASS_MEAN))
        read_s = perf_counter() - began
    premiums = rate_book(compiled, book)  # compiles
    tables, per_day = compiled.relativities, compiled.per_day[book.pay_plan[0]]

    def floats() -> None:
        product = np.ones(rows)
        for table, codes in zip(tables, book.codes, strict=True):
            product *= table[codes]
        for rate in per_day:
            np.rint(book.days * rate * product * 100)

    ours = best(lambda: rate_book(compiled, book))
    found = {
        "ours, exact": ours,
        "numpy, floats": best(floats),
        "copy of the columns": best(
            lambda: (book.codes.copy(), book.days.copy(), premiums.covers.copy(), premiums.tax.copy())
        ),
    }
    few = min(rows, QUOTES)
    began = perf_counter()
    for row in range(few):
        rate_row(compiled, book, row)
    found["decimals, one by one"] = (perf_counter() - began) * rows / few
    print(f"{rows:,} policies, {len(plan.factors)} factors, {len(plan.covers)} covers; load {os.getloadavg()[0]:.1f}")
    for name, seconds in found.items():
        print(f"{name:<24} {rows / seconds / 1e6:>8.2f} million policies/s   {ours / seconds:>8.3f} of ours")
    print(f"in doubt and rated one by one: {premiums.in_doubt}; reading the Parquet took {read_s:.2f} s")
    asked = [inputs_of(compiled, book, row) for row in range(few)]
    times = []
    for inputs in asked:
        began = perf_counter()
        rate_period(plan, inputs)
        times.append(perf_counter() - began)
    p50, p99 = np.percentile(times, [50, 99]) * 1e6
    print(f"one quote with its worksheet: p50 {p50:.0f} µs, p99 {p99:.0f} µs")


if __name__ == "__main__":
    main()
