"""A book to be rated, from Parquet: every policy's terms and driving of one period, refused by row and field."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pricing.book_rating import NOT_READ, CompiledPlan, RatingBook, relativity_of
from pricing.factor import Factor
from pricing.plan import CLASS_MEAN_PERCENT, OWN_CLAIMS, TIERS
from pricing.rating import MOST_AMOUNT, MOST_DAYS, MOST_METRES, MOST_MINUTES
from pricing.rating_errors import BadRatingBook
from pricing.score_model import MOST_CLAIMS
from pricing.table_of_two import TableOfTwo
from scoring.score_columns import counters_of, predict

DECLARED_KM = "declared_km_per_year"
FREQUENCY = "claims_per_100000_km"
TOTALS = "totals"
ENDS = (f"{FREQUENCY}_low", f"{FREQUENCY}_high")
EXPIRING = "expiring_"  # and the name of a cover
MAY_BE_NULL = (FREQUENCY, *ENDS, EXPIRING)
type Cells = Mapping[tuple[str, str], NDArray[np.int64]]  # metres (n,) by road class and hour band

MOST_COUNT = 10**15  # of a total
MOST_DIGITS = 10  # of the claims of one policy
_NUMBER = r"^[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"


def read_rating_book(path: Path, compiled_plan: CompiledPlan) -> RatingBook:
    """The book of a Parquet file. Columns: `policy`, `pay_plan`, `days`, `covers` (a list), a column a factor,
    `declared_km_per_year`, and where driving is charged `distance_m`, `gap_m`, `m_ROADCLASS_HOURBAND`, `minutes`,
    `unmeasured_days`, `claims_per_100000_km` with `_low` and `_high`, or the `totals` from which the plan's own model
    predicts them, `tier`; of renewals `expiring_COVER`. Raises BadRatingBook.
    """
    reader = _Reader(path.name, _table(path), compiled_plan)
    book = reader.book()
    reader.refuse_free_metres(book)
    return book


def _table(path: Path) -> pa.Table:
    try:
        return pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadRatingBook(path.name, None, "", "file", f"cannot be read as Parquet: {error}") from None


def rating_book_of(table: pa.Table, name: str, compiled_plan: CompiledPlan) -> RatingBook:
    """The book of a table with those columns. Raises BadRatingBook, which names the table so."""
    return _Reader(name, table, compiled_plan).book()


def read_groups(path: Path, column: str) -> NDArray[np.object_]:
    """The labels of a column, as text, one a policy. Raises BadRatingBook where it is not there or has holes."""
    table = _table(path)
    if column not in table.column_names:
        raise BadRatingBook(path.name, None, "", column, f"no such column (it has {', '.join(table.column_names)})")
    labels = table.column(column)
    if labels.null_count:
        raise BadRatingBook(path.name, None, "", column, f"is missing in {labels.null_count:,} rows")
    return np.array([str(one) for one in labels.to_pylist()], dtype=np.object_)


def read_claims(path: Path, column: str) -> NDArray[np.int64]:
    """The claims of each policy. Raises BadRatingBook where one is no whole number, 0 or more."""
    labels = read_groups(path, column)
    bad = np.array([not (one.isascii() and one.isdigit() and len(one) < MOST_DIGITS) for one in labels])
    if bad.any():
        row = int(np.argmax(bad))
        raise BadRatingBook(path.name, row + 1, "", column, f"{labels[row]!r} is no whole number, 0 or more")
    return labels.astype(np.int64)


def _counts(column: pa.Array) -> NDArray[np.int64]:
    """Whole numbers, null 0; of a struct's field that is of no number all 0."""
    if not pa.types.is_integer(column.type):
        return np.zeros(len(column), dtype=np.int64)
    return np.asarray(pc.fill_null(column, 0)).astype(np.int64)


def _sum_of(cell_m: Cells, rows: int) -> NDArray[np.int64]:
    return np.sum([*cell_m.values(), np.zeros(rows, dtype=np.int64)], axis=0)


class _Reader:
    """One table, read column by column."""

    def __init__(self, name: str, table: pa.Table, compiled_plan: CompiledPlan) -> None:
        self.name, self.table, self.compiled_plan = name, table, compiled_plan
        self.policy: tuple[str, ...] = ()
        self.policy = tuple(str(one) for one in self._column("policy").to_pylist())
        if len(set(self.policy)) < len(self.policy):
            again = np.ones(len(self.policy), dtype=bool)
            again[np.unique(np.array(self.policy), return_index=True)[1]] = False
            self._refuse(again, "policy", f"{self.policy[int(np.argmax(again))]!r} has a row before: one row a policy")

    def book(self) -> RatingBook:
        """All columns; the first that breaks a rule is refused with its row."""
        plan = self.compiled_plan.plan
        pay_plan = self._places("pay_plan", tuple(plan.pay_plans))
        declared_km = self._whole(DECLARED_KM, 10**9, needed="declared_km" in plan.factors)
        codes, declared = self._codes(pay_plan, declared_km)
        behaves = np.array(["behaviour" in one.uses for one in plan.pay_plans.values()])[pay_plan]
        reads_minutes = any("minutes" in one.uses for one in plan.pay_plans.values())
        predicted = TOTALS in self.table.column_names
        frequency, ends = self._predicted() if predicted else self._given()
        tier = self._tiers()
        relativity = np.ones(len(self.table))
        if any(frequency):
            asked = list(zip(frequency, tier, strict=True))
            known = {one: 1.0 if one[0] is None else relativity_of(plan, one[0], one[1]) for one in set(asked)}
            relativity = np.where(behaves, [known[one] for one in asked], 1.0)
        distance_m, cell_m = self._driven()
        interpolated = self._interpolated(pay_plan)
        for values in interpolated.values():
            relativity *= values
        return RatingBook(
            policy=self.policy,
            pay_plan=pay_plan,
            days=self._whole("days", MOST_DAYS),
            covers=self._covers(tuple(plan.covers)),
            codes=codes,
            declared=declared,
            declared_km=declared_km,
            distance_m=distance_m,
            gap_m=self._whole("gap_m", MOST_METRES, needed=False),
            cell_m=cell_m,
            frequency=frequency,
            tier=tier,
            relativity=relativity,
            interpolated=interpolated,
            minutes=self._whole("minutes", MOST_MINUTES, needed=reads_minutes),
            unmeasured_days=self._unmeasured_days(),
            expiring=self._expiring(),
            interval=ends,
            is_predicted=predicted,
        )

    def _driven(self) -> tuple[NDArray[np.int64], Cells]:
        """The metres of each row, and those of each road class and hour band; without `distance_m` it is their sum."""
        names = {f"m_{road}_{hour}": (road, hour) for road, hour in self.compiled_plan.cells}
        for field in self.table.column_names:
            if field.startswith("m_") and field not in names:
                raise BadRatingBook(self.name, None, "", field, "is no road class and hour band of the plan")
        cell_m = {
            cell: self._whole(field, MOST_METRES) for field, cell in names.items() if field in self.table.column_names
        }
        if "distance_m" in self.table.column_names:
            return self._whole("distance_m", MOST_METRES), cell_m
        return _sum_of(cell_m, len(self.table)), cell_m

    def refuse_free_metres(self, book: RatingBook) -> None:
        """Where a pay plan charges by road and hour both are known of every metre, as of every trip that is scored."""
        pay_plans = self.compiled_plan.plan.pay_plans.values()
        reads = np.array(["road_class" in one.uses for one in pay_plans])[book.pay_plan]
        bad = reads & (_sum_of(book.cell_m, len(self.table)) != book.distance_m)
        self._refuse(bad, "distance_m", "is not the sum of the metres by road and hour")

    def _column(self, field: str) -> Any:
        if field not in self.table.column_names:
            if field == OWN_CLAIMS:
                return pa.array([CLASS_MEAN_PERCENT] * len(self.table), pa.int64())
            raise BadRatingBook(
                self.name, None, "", field, f"no such column (it has {', '.join(self.table.column_names)})"
            )
        column = self.table.column(field).combine_chunks()
        if column.null_count and not field.startswith(MAY_BE_NULL):
            self._refuse(np.asarray(column.is_null()), field, "is missing")
        return column

    def _refuse(self, bad: NDArray[np.bool_], field: str, problem: str) -> None:
        rows = np.flatnonzero(bad)
        if len(rows):
            policy = self.policy[rows[0]] if field != "policy" else ""
            raise BadRatingBook(self.name, int(rows[0]) + 1, policy, field, f"{problem} ({len(rows):,} rows)")

    def _refuse_rows(self, rows: NDArray[np.int64], field: str, problem: str) -> None:
        self._refuse(np.isin(np.arange(len(self.table)), rows), field, problem)

    def _whole(self, field: str, most: int, *, needed: bool = True) -> NDArray[np.int64]:
        if not needed and field not in self.table.column_names:
            return np.zeros(len(self.table), dtype=np.int64)
        column = self._column(field)
        if not pa.types.is_integer(column.type):
            raise BadRatingBook(self.name, None, "", field, f"must hold whole numbers, not {column.type}")
        values = np.asarray(column)
        self._refuse(values < 0, field, "is negative")
        self._refuse(values > most, field, f"is over {most:,}")
        return values.astype(np.int64)

    def _places(self, field: str, known: tuple[str, ...]) -> NDArray[np.int16]:
        """The place of each text among those known."""
        column = self._column(field)
        if pa.types.is_nested(column.type):
            raise BadRatingBook(self.name, None, "", field, f"must hold texts, not {column.type}")
        encoded = pc.dictionary_encode(column.cast(pa.string()))
        names = encoded.dictionary.to_pylist()
        place = np.array([known.index(name) if name in known else NOT_READ for name in names], dtype=np.int16)
        found = place[np.asarray(encoded.indices)]
        if (found < 0).any():
            name = names[int(np.asarray(encoded.indices)[np.flatnonzero(found < 0)[0]])]
            self._refuse(found < 0, field, f"has no level {name!r} (it has {', '.join(known)})")
        return found

    def _codes(
        self, pay_plan: NDArray[np.int16], declared_km: NDArray[np.int64]
    ) -> tuple[NDArray[np.int16], dict[str, NDArray[np.object_]]]:
        plan = self.compiled_plan.plan
        codes = np.full((len(plan.multipliers), len(self.table)), NOT_READ, dtype=np.int16)
        declared = {}
        for row, factor in enumerate(plan.factors.values()):
            if factor.name == "declared_km":
                used = np.array(["declared_km" in one.uses for one in plan.pay_plans.values()])[pay_plan]
                codes[row] = np.where(used, self._bands(DECLARED_KM, factor, declared_km, used), NOT_READ)
            elif factor.levels:
                codes[row] = self._places(factor.name, tuple(factor.levels))
                declared[factor.name] = np.array(tuple(factor.levels), dtype=object)[codes[row]]
            else:
                values = self._whole(factor.name, 10**9)
                codes[row] = self._bands(factor.name, factor, values, np.ones(len(values), dtype=bool))
                declared[factor.name] = values.astype(object)
        for row, table in enumerate(plan.tables.values(), start=len(plan.factors)):
            codes[row] = self._cells(table, codes, declared_km)
        return codes, declared

    def _cells(self, table: TableOfTwo, codes: NDArray[np.int16], declared_km: NDArray[np.int64]) -> NDArray[np.int16]:
        """The cell of each row, of factors whose codes are read; NOT_READ where one of the two is not."""
        names = list(self.compiled_plan.plan.factors)
        sides, read = [], np.ones(len(self.table), dtype=bool)
        for axis in (table.rows, table.columns):
            code = codes[names.index(axis.factor)]
            read &= code != NOT_READ
            if axis.levels:
                place = np.array([axis.places[level] for level in self.compiled_plan.plan.factors[axis.factor].levels])
                sides.append(place[code])
            else:
                values = declared_km if axis.factor == "declared_km" else self._whole(axis.factor, 10**9)
                sides.append(np.searchsorted(np.array(axis.begins), values, side="right") - 1)
        return np.where(read, sides[0] * len(table.columns.names) + sides[1], NOT_READ).astype(np.int16)

    def _bands(
        self, field: str, factor: Factor, values: NDArray[np.int64], used: NDArray[np.bool_]
    ) -> NDArray[np.int16]:
        """The place of the band, or of the knot before, of each value."""
        place = np.searchsorted(np.array(factor.begins), values, side="right") - 1
        self._refuse(used & ((place < 0) | (values >= factor.below)), field, f"is not within {factor.known[0]}")
        return place.astype(np.int16)

    def _interpolated(self, pay_plan: NDArray[np.int16]) -> dict[str, NDArray[np.float64]]:
        """The relativities of the factors with knots, 1 where the pay plan does not read the factor."""
        plan = self.compiled_plan.plan
        found = {}
        for factor in (one for one in plan.factors.values() if one.knots):
            is_km = factor.name == "declared_km"
            used = np.array([not is_km or "declared_km" in one.uses for one in plan.pay_plans.values()])[pay_plan]
            values, place = np.unique(self._whole(DECLARED_KM if is_km else factor.name, 10**9), return_inverse=True)
            within = [factor.begins[0] <= value <= factor.begins[-1] for value in values.tolist()]
            exact = [
                float(factor.step_of(value, plan.name)[1]) if is_within else 1.0
                for value, is_within in zip(values.tolist(), within, strict=True)
            ]
            found[factor.name] = np.where(used, np.array(exact)[place], 1.0)
        return found

    def _tiers(self) -> tuple[str, ...]:
        if "tier" not in self.table.column_names:
            return ("",) * len(self.table)
        return tuple(np.array(TIERS, dtype=object)[self._places("tier", TIERS)].tolist())

    def _unmeasured_days(self) -> NDArray[np.int64]:
        found = self._whole("unmeasured_days", MOST_DAYS, needed=False)
        self._refuse(found > self._whole("days", MOST_DAYS), "unmeasured_days", "is more than the days of the period")
        return found

    def _expiring(self) -> dict[str, Any]:
        """What each renewal's covers would have cost the term before, as decimals."""
        found = {}
        for field in (name for name in self.table.column_names if name.startswith(EXPIRING)):
            cover = field.removeprefix(EXPIRING)
            if cover not in self.compiled_plan.plan.covers:
                known = ", ".join(self.compiled_plan.plan.covers)
                raise BadRatingBook(self.name, None, "", field, f"is of no cover of the plan (it has {known})")
            column = self._column(field)
            if not pa.types.is_decimal(column.type):
                raise BadRatingBook(self.name, None, "", field, f"must hold decimals, not {column.type}")
            values = column.to_pylist()
            self._refuse(np.array([one is not None and one < 0 for one in values], dtype=bool), field, "is negative")
            over = np.array([one is not None and one > MOST_AMOUNT for one in values], dtype=bool)
            self._refuse(over, field, f"is over {MOST_AMOUNT:,}")
            found[cover] = values
        return found

    def _given(self) -> tuple[tuple[str | None, ...], tuple[Any, Any] | None]:
        """The frequencies as they stand in the book, with their interval where it is there."""
        frequency = self._frequencies()
        if not set(ENDS) <= set(self.table.column_names):
            return frequency, None
        low, high = (self._frequencies(name) for name in ENDS)
        parts = [
            np.array([np.nan if one is None else float(one) for one in column]) for column in (low, frequency, high)
        ]
        self._refuse((parts[0] > parts[1]) | (parts[1] > parts[2]), ENDS[0], "the interval does not hold it")
        return frequency, (low, high)

    def _predicted(self) -> tuple[tuple[str | None, ...], tuple[Any, Any]]:
        """What the plan's model predicts from each row's totals, and its interval; None where nothing was driven."""
        both = sorted({FREQUENCY, *ENDS} & set(self.table.column_names))
        if both:
            problem = f"the model predicts from {TOTALS}: leave one of them out"
            raise BadRatingBook(self.name, None, "", both[0], problem)
        model = self.compiled_plan.plan.score_model
        drove, counters = self._counters(counters_of(model))
        found = predict(counters, model, len(self.table))
        frequency, low, high = (
            [str(value) if is_known else None for value, is_known in zip(values.tolist(), drove, strict=True)]
            for values in (found.claims_per_100000_km, found.low, found.high)
        )
        return tuple(frequency), (low, high)

    def _counters(self, names: Sequence[str]) -> tuple[list[bool], dict[str, NDArray[np.int64]]]:
        """Whether a row's totals count anything, and those of these names; one that is not there, or null, is 0."""
        column, drove = self._column(TOTALS), np.zeros(len(self.table), dtype=bool)
        if pa.types.is_map(column.type):
            offsets = np.asarray(column.offsets)
            parts = [(column.items[offsets[0] : offsets[-1]], np.repeat(np.arange(len(drove)), np.diff(offsets)))]
            found = {name: pc.map_lookup(column, name, "last") for name in names}
        elif pa.types.is_struct(column.type):
            held = {one.name: column.field(one.name) for one in column.type}
            parts = [(one, np.arange(len(drove))) for one in held.values()]
            lacking = sorted(set(names) - held.keys())
            if lacking:
                problem = f"has no {lacking[0]}, and the plan's score model predicts from it: add that counter"
                raise BadRatingBook(self.name, None, "", TOTALS, problem)
            found = {name: held[name] for name in names}
        else:
            raise BadRatingBook(self.name, None, "", TOTALS, f"must hold counters by name, not {column.type}")
        bad = np.zeros(len(drove), dtype=bool)
        for counts, rows in parts:
            if pa.types.is_integer(counts.type):
                values = np.asarray(pc.fill_null(counts, 0))
                bad[rows[(values < 0) | (values > MOST_COUNT)]] = True
                drove[rows[values != 0]] = True
            else:
                bad[rows[np.asarray(counts.is_valid())]] = True
        self._refuse(bad, TOTALS, f"must be whole numbers from 0 to {MOST_COUNT:,}")
        return drove.tolist(), {name: _counts(one) for name, one in found.items()}

    def _covers(self, known: tuple[str, ...]) -> NDArray[np.bool_]:
        column = self._column("covers")
        if not pa.types.is_list(column.type):
            raise BadRatingBook(self.name, None, "", "covers", f"must hold lists of covers, not {column.type}")
        row, held = np.asarray(pc.list_parent_indices(column)), pc.list_flatten(column)
        if pa.types.is_nested(held.type):
            raise BadRatingBook(self.name, None, "", "covers", f"must hold lists of covers, not {column.type}")
        self._refuse_rows(row[np.asarray(held.is_null())], "covers", "holds a cover without a name")
        names = pc.dictionary_encode(held.cast(pa.string()))
        taken = np.zeros((len(known), len(self.table)), dtype=bool)
        for code, name in enumerate(names.dictionary.to_pylist()):
            rows = row[np.asarray(names.indices) == code]
            if name not in known:
                self._refuse_rows(rows, "covers", f"has no cover {name!r} (the plan has {', '.join(known)})")
            self._refuse_rows(rows[1:][rows[1:] == rows[:-1]], "covers", f"names {name!r} twice")
            taken[known.index(name), rows] = True
        self._refuse(~taken.any(axis=0), "covers", "is empty")
        return taken

    def _frequencies(self, field: str = FREQUENCY) -> tuple[str | None, ...]:
        if field not in self.table.column_names:
            return (None,) * len(self.table)
        column = self._column(field)
        is_known = np.asarray(column.is_valid())
        if pa.types.is_string(column.type):
            written = np.asarray(pc.match_substring_regex(column, _NUMBER).fill_null(True))
            self._refuse(~written, field, "is no number: write its digits and a point, such as 0.85")
        elif not any(is_of(column.type) for is_of in (pa.types.is_floating, pa.types.is_integer, pa.types.is_decimal)):
            raise BadRatingBook(self.name, None, "", field, f"must hold numbers, not {column.type}")
        values = np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))
        self._refuse(is_known & ~((values > 0) & (values < MOST_CLAIMS)), field, "is no frequency over 0")
        return tuple(None if one is None else str(one) for one in column.to_pylist())
