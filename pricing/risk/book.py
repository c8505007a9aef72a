"""A book as columns, by its contract: read from Parquet or CSV, and refused by name where it breaks the contract."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from pricing.risk.columns import Book, Claims
from pricing.risk.contract import MOST, ClaimFile, Contract, Factor, PolicyFile
from pricing.risk.errors import BadBook

type Levels = dict[str, tuple[str, ...]]
NO_LEVEL = ""
DAY = np.dtype("datetime64[D]")
MOST_POLICY = 2**53  # beyond it a double skips numbers
DAYS_OF_A_YEAR, ONE_DAY_OVER = 365, 1  # an exposure is counted in years of 365 days or 365.25, and may be rounded


@dataclass(frozen=True, slots=True)
class Source:
    """A file's table and its name in messages."""

    name: str
    table: pa.Table

    def column(self, field: str) -> Any:
        """One column; refused when the file has none of this name, or several."""
        if field not in self.table.column_names:
            raise BadBook(self.name, "", field, f"no such column (it has {', '.join(self.table.column_names)})")
        if self.table.column_names.count(field) > 1:
            raise BadBook(self.name, "", field, "several columns have this name")
        column = self.table.column(field).combine_chunks()
        return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column

    def numbers(self, field: str) -> NDArray[np.float64]:
        """A column as floats; null is NaN."""
        column = self._cast(field, pa.float64(), "numbers")
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)

    def texts(self, field: str) -> Any:
        """A column as texts; null stays null."""
        return self._cast(field, pa.string(), "texts")

    def days(self, field: str) -> NDArray[np.datetime64]:
        """A column as days; null is NaT."""
        return np.asarray(self._cast(field, pa.date32(), "days").to_numpy(zero_copy_only=False)).astype(DAY)

    def _cast(self, field: str, wanted: pa.DataType, what: str) -> Any:
        try:
            return self.column(field).cast(wanted)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise BadBook(self.name, "", field, f"holds no {what}: {error}") from None

    def policies(self, field: str) -> NDArray[np.int64]:
        """Policy numbers: whole, and none missing."""
        numbers = self.numbers(field)
        bad = np.flatnonzero(~(np.abs(numbers) <= MOST_POLICY) | (numbers != np.floor(numbers)))
        if len(bad):
            raise BadBook(self.name, "", field, f"row {bad[0] + 1}: {numbers[bad[0]]} is no policy number")
        return numbers.astype(np.int64)


def read_book(folder: Path, contract: Contract, levels: Levels | None = None) -> Book:
    """Read the files of a contract from `folder` (or the policy file itself, with its claims beside it).

    `levels` are those a fitted model knows: any other is refused. A BadBook names file, policy, field and problem.
    """
    policy_path = folder if folder.is_file() else folder / contract.policies.file
    source, digest = _source(policy_path)
    policy = source.policies(contract.policies.policy)
    if not len(policy):
        raise BadBook(source.name, "", contract.policies.policy, "the file has no row")
    exposure, counted = _exposure_and_claims(source, contract.policies, policy)
    starts_on, ends_on = _periods(source, contract.policies, policy)
    if starts_on is not None:
        days = (ends_on - starts_on).astype(np.int64)
        over = exposure > (days + ONE_DAY_OVER) / DAYS_OF_A_YEAR
        _refuse_first(source, policy, over, contract.policies.exposure_years, "is more than the days of the period")
    exposure = np.minimum(exposure, contract.policies.exposure_at_most or np.inf)
    values, levels_found, keep = _factors(source, contract, policy, exposure, levels or {})
    amounts = None
    if contract.claims is not None:
        path = policy_path.parent / contract.claims.file
        if path.exists():
            claim_source, claim_digest = _source(path)
            digest = hashlib.sha256((digest + claim_digest).encode()).hexdigest()
            amounts = _claims(claim_source, contract.claims, policy, starts_on, ends_on)
            found = np.bincount(amounts.row, minlength=len(policy))
            problem = f"says fewer claims than {claim_source.name} has of the row"
            _refuse_first(source, policy, found > counted, contract.policies.claims, problem)
    km = _distance(source, contract.policies, policy)
    if not keep.any():
        raise BadBook(source.name, "", "factor", "every row is left out: each lacks the value of a factor")
    claims = np.minimum(counted, contract.policies.claims_at_most or np.inf)
    book = Book(policy, exposure, claims, starts_on, values, levels_found, amounts, digest, ends_on, km)
    return book if keep.all() else book.only(keep)


def _source(path: Path) -> tuple[Source, str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadBook(str(path), "", "file", error.strerror or "cannot be read") from None
    try:
        if path.suffix == ".csv":
            table = pyarrow.csv.read_csv(pa.BufferReader(content))
        else:
            table = pyarrow.parquet.read_table(pa.BufferReader(content))
    except pa.ArrowInvalid as error:
        raise BadBook(str(path), "", "file", f"is neither Parquet nor CSV: {error}") from None
    return Source(path.name, table), hashlib.sha256(content).hexdigest()


def _refuse_first(source: Source, policy: NDArray[np.int64], bad: NDArray[np.bool_], field: str, problem: str) -> None:
    rows = np.flatnonzero(bad)
    if len(rows):
        raise BadBook(source.name, str(policy[rows[0]]), field, f"{problem} ({len(rows):,} rows)")


def _exposure_and_claims(
    source: Source, declared: PolicyFile, policy: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    exposure, claims = source.numbers(declared.exposure_years), source.numbers(declared.claims)
    _refuse_first(source, policy, ~np.isfinite(exposure), declared.exposure_years, "is missing")
    _refuse_first(source, policy, exposure < 0, declared.exposure_years, "is negative")
    _refuse_first(source, policy, exposure == 0, declared.exposure_years, "is zero")
    whole = np.isfinite(claims) & (claims >= 0) & (claims == np.floor(np.nan_to_num(claims)))
    _refuse_first(source, policy, ~whole, declared.claims, "is no whole number of claims")
    return exposure, claims


def _distance(source: Source, declared: PolicyFile, policy: NDArray[np.int64]) -> NDArray[np.float64] | None:
    """Measured km of each row, NaN where nothing was measured."""
    if declared.distance_km is None:
        return None
    km = source.numbers(declared.distance_km)
    _refuse_first(source, policy, (km < 0) | np.isinf(km), declared.distance_km, "is no distance")
    return km


def _periods(source: Source, declared: PolicyFile, policy: NDArray[np.int64]) -> tuple[Any, Any]:
    """Begin and end (exclusive) of each row's cover; refused where they overlap, or end before they begin."""
    if declared.starts_on is None or declared.ends_on is None:
        _, counts = np.unique(policy, return_counts=True)
        if counts.max(initial=1) > 1:
            repeated = np.isin(policy, np.unique(policy)[counts > 1])
            _refuse_first(source, policy, repeated, declared.policy, "has several rows, and the contract no periods")
        return None, None
    starts, ends = source.days(declared.starts_on), source.days(declared.ends_on)
    _refuse_first(source, policy, np.isnat(starts) | np.isnat(ends), declared.starts_on, "a period has no begin or end")
    _refuse_first(source, policy, ends <= starts, declared.ends_on, "is not after the begin")
    order = np.lexsort((starts, policy))
    overlap = (policy[order][1:] == policy[order][:-1]) & (starts[order][1:] < ends[order][:-1])
    _refuse_first(source, policy[order][1:], overlap, declared.starts_on, "periods of the policy overlap")
    return starts, ends


def _factors(
    source: Source, contract: Contract, policy: NDArray[np.int64], exposure: NDArray[np.float64], known: Levels
) -> tuple[dict[str, NDArray[np.float64]], Levels, NDArray[np.bool_]]:
    values: dict[str, NDArray[np.float64]] = {}
    found: Levels = {}
    keep = np.ones(len(policy), dtype=bool)
    for factor in contract.factors:
        field = factor.column or factor.name
        if factor.kind == "categorical":
            value, found[factor.name] = _coded(source, factor, field, policy, known.get(factor.name, factor.levels))
        else:
            value = _number(source, factor, field, policy, exposure)
        if factor.missing == "leave_out":
            keep &= ~np.isnan(value)
        elif factor.missing == "refuse":
            _refuse_first(source, policy, np.isnan(value), field, "is missing")
        values[factor.name] = value
    return values, found, keep


def _number(
    source: Source, factor: Factor, field: str, policy: NDArray[np.int64], exposure: NDArray[np.float64]
) -> NDArray[np.float64]:
    value = source.numbers(field)
    if factor.per_year:
        value = value / exposure
    _refuse_first(source, policy, np.abs(value) > MOST, field, f"is infinite, or beyond {MOST:,.0f}")
    if factor.lowest is not None:
        _refuse_first(source, policy, value < factor.lowest, field, f"is below {factor.lowest}")
    if factor.highest is not None:
        _refuse_first(source, policy, value > factor.highest, field, f"is above {factor.highest}")
    if factor.log:
        _refuse_first(source, policy, value <= 0, field, "has no logarithm")
        value = np.log(value)
    return value


def _coded(
    source: Source, factor: Factor, field: str, policy: NDArray[np.int64], known: tuple[str, ...]
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    encoded = pc.dictionary_encode(source.texts(field))
    names = encoded.dictionary.to_pylist()
    codes = np.asarray(encoded.indices.cast(pa.float64()).to_numpy(zero_copy_only=False))
    levels = known or tuple(sorted(name for name in names if name != NO_LEVEL))
    place = {level: float(code) for code, level in enumerate(levels)}
    unknown = [code for code, name in enumerate(names) if name not in place and name != NO_LEVEL]
    if unknown:
        level = names[unknown[0]]
        _refuse_first(
            source, policy, codes == unknown[0], field, f"has no level {level!r} (it has {', '.join(levels)})"
        )
    to_level = np.array([place.get(name, np.nan) for name in names] or [np.nan])
    known_rows = ~np.isnan(codes)
    value = np.full(len(codes), np.nan)
    value[known_rows] = to_level[codes[known_rows].astype(np.intp)]
    return value, levels


def _claims(source: Source, declared: ClaimFile, policy: NDArray[np.int64], starts_on: Any, ends_on: Any) -> Claims:
    """Each claim's row in the book and amount (NaN: unknown); refused without its policy or outside its cover."""
    for field, wanted in declared.only.items():
        matches = pc.equal(source.texts(field), wanted)
        source = Source(source.name, source.table.filter(matches))
    of_policy = source.policies(declared.policy)
    if declared.claim is not None:
        number = source.texts(declared.claim)
        _refuse_first(source, of_policy, np.asarray(number.is_null()), declared.claim, "is missing")
        first = np.unique(np.array(number.to_pylist(), dtype=str), return_index=True)[1]
        again = np.ones(len(of_policy), dtype=bool)
        again[first] = False
        _refuse_first(source, of_policy, again, declared.claim, "stands in a row before: one row a claim")
    amount = source.numbers(declared.amount) * declared.amount_unit
    _refuse_first(source, of_policy, amount < 0, declared.amount, "is negative")
    _refuse_first(source, of_policy, amount > MOST, declared.amount, f"is infinite, or beyond {MOST:,.0f}")
    order = np.argsort(policy, kind="stable") if starts_on is None else np.lexsort((starts_on, policy))
    ordered = policy[order]
    first = np.searchsorted(ordered, of_policy)
    exists = ordered[np.minimum(first, len(ordered) - 1)] == of_policy
    _refuse_first(source, of_policy, ~exists, declared.policy, "a claim of a policy that is not in the book")
    if starts_on is None or declared.occurred_on is None:
        return Claims(order[first], amount)
    occurred = source.days(declared.occurred_on)
    _refuse_first(source, of_policy, np.isnat(occurred), declared.occurred_on, "is missing")
    _refuse_first(source, of_policy, occurred < starts_on[order[first]], declared.occurred_on, "is before inception")
    key = _period_key(ordered, starts_on[order])
    row = order[np.searchsorted(key, _period_key(of_policy, occurred), side="right") - 1]
    _refuse_first(source, of_policy, occurred > ends_on[row], declared.occurred_on, "is after the cover's end")
    return Claims(row, amount, occurred)


def _period_key(policy: NDArray[np.int64], day: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Policy and day as one number that sorts by both."""
    return np.asarray(policy * 100_000 + day.astype(DAY).astype(np.int64), dtype=np.int64)
