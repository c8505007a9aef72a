"""Rating a book: policies a second on one core, from coded columns to whole cents by cover, tax and fee, exact.

uv run python -m benchmarks.rating [POLICIES]

Beside it in one run: the same relativities gathered and multiplied in floats by numpy, whole columns at once (wrong by
a cent where it rounds badly), a copy of the columns (what memory allows), the loop in decimals, and single quotes with
their worksheets, whose steps are multiplied out again and held to the book's amounts. The plan has 15 factors; one pay
plan, so that nothing but factors is charged for. The quotes are of every pay plan, then of this one; each is timed by
the clock and by its own processor time, which what else runs on the machine does not count in.
"""

import os
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from time import perf_counter, perf_counter_ns, thread_time, thread_time_ns

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pricing.book_rating import CompiledPlan, RatingBook, compile_plan, inputs_of, rate_book, rate_row
from pricing.quote import quote_of_row
from pricing.rating import Inputs, rate_period, recompute, unrounded
from pricing.rating_book import read_rating_book
from tests.pricing.rating_books import plan_of, write_book

ROUNDS = 15
QUOTES = 10_000
WARM_UP = 500
EXPLAINED = 200


def best(work: object) -> tuple[float, float]:
    """Seconds of the fastest of some rounds: by the clock, and of processor time."""
    times = []
    for _ in range(ROUNDS):
        began, spent = perf_counter(), thread_time()
        work()  # type: ignore[operator]
        times.append((perf_counter() - began, thread_time() - spent))
    return min(clock for clock, _ in times), min(processor for _, processor in times)


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
        book = read_rating_book(path, compiled)
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
    began, spent = perf_counter(), thread_time()
    alone = [rate_row(compiled, book, row) for row in range(few)]
    one_by_one = perf_counter() - began, thread_time() - spent
    found["decimals, one by one"] = one_by_one[0] * rows / few, one_by_one[1] * rows / few
    print(f"{rows:,} policies, {len(plan.factors)} factors, {len(plan.covers)} covers; load {os.getloadavg()[0]:.1f}")
    print(f"{'million policies/s':<24} {'by the clock':>14} {'of processor time':>18} {'of ours':>8}")
    for name, (clock, processor) in found.items():
        speeds = f"{rows / clock / 1e6:>14.2f} {rows / processor / 1e6:>18.2f}"
        print(f"{name:<24} {speeds} {ours[1] / processor:>8.3f}")
    print(f"in doubt and rated one by one: {premiums.in_doubt}; reading the Parquet took {read_s:.2f} s")
    worksheets = [recompute([step.as_json() for step in one.worksheet], plan.currency) for one in alone]
    wrong = sum(
        Decimal(cents).scaleb(-2) != one for cents, one in zip(premiums.amount.tolist(), worksheets, strict=False)
    )
    print(f"{few:,} worksheets multiplied out: {wrong} differ from the book's amount")
    show_quotes("one pay plan, 15 factors", plan, [inputs_of(compiled, book, row) for row in range(few)])
    show_quotes("any pay plan, 15 factors, driving in 8 cells", plan, driven(compiled, few))
    show_tables(rows)
    show_doubtful(rows // 10)
    began = perf_counter()
    for row in range(min(rows, EXPLAINED)):
        quote_of_row(compiled, book, book.policy[row])
    print(f"with counterfactuals, as JSON: {(perf_counter() - began) / min(rows, EXPLAINED) * 1e6:.0f} µs each")


def show_tables(rows: int) -> None:
    """The same with four tables of two beside the factors."""
    compiled = compile_plan(plan_of(15, tables=4))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book.parquet"
        write(path, compiled.plan, rows)
        book = read_rating_book(path, compiled)
    rate_book(compiled, book)
    clock, processor = best(lambda: rate_book(compiled, book))
    print(f"and 4 tables of two: {rows / clock / 1e6:.2f} by the clock, {rows / processor / 1e6:.2f} of processor time")
    show_quotes("one pay plan, 15 factors, 4 tables of two", compiled.plan,
                [inputs_of(compiled, book, row) for row in range(min(rows, QUOTES))])  # fmt: skip


def show_doubtful(rows: int) -> None:
    """Relativities of one digit make amounts that lie on half a cent: those rows are rated one by one, and held to the
    worksheets too.
    """
    compiled = compile_plan(plan_of(2, decimals=1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book.parquet"
        write(path, compiled.plan, rows)
        book = read_rating_book(path, compiled)
    premiums = rate_book(compiled, book)
    clock, _ = best(lambda: rate_book(compiled, book))
    amounts = premiums.amount.tolist()
    ties = [row for row in range(rows) if is_tie(compiled, book, row)]
    wrong = sum(Decimal(amounts[row]).scaleb(-2) != rate_row(compiled, book, row).amount for row in ties)
    speed = f"{rows:,} policies of few digits, {rows / clock / 1e6:.2f} million a second"
    print(f"{speed}: {premiums.in_doubt:,} in doubt, {len(ties):,} on half a cent, of which {wrong} differ")


def is_tie(compiled: CompiledPlan, book: RatingBook, row: int) -> bool:
    """Whether a cover of the row comes to half a cent exactly."""
    return any(value * 200 % 2 == 1 for value in unrounded(rate_row(compiled, book, row)).values())


def driven(compiled: CompiledPlan, count: int) -> list[Inputs]:
    """Policies of every pay plan, with driving and behaviour."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "driven.parquet"
        write_book(path, compiled.plan, count, cells=8)
        book: RatingBook = read_rating_book(path, compiled)
    return [inputs_of(compiled, book, row) for row in range(count)]


def show_quotes(name: str, plan: object, asked: list[Inputs]) -> None:
    """Percentiles of one quote with its worksheet, in microseconds."""
    for inputs in asked[:WARM_UP]:
        rate_period(plan, inputs)  # type: ignore[arg-type]
    for kind, clock in (("by the clock", perf_counter_ns), ("of processor time", thread_time_ns)):
        times = []
        for inputs in asked:
            began = clock()
            rate_period(plan, inputs)  # type: ignore[arg-type]
            times.append(clock() - began)
        p50, p99, p999 = np.percentile(times, [50, 99, 99.9]) / 1e3
        print(f"one quote with its worksheet, {name}: p50 {p50:.0f}, p99 {p99:.0f}, p99.9 {p999:.0f} µs {kind}")


if __name__ == "__main__":
    main()
