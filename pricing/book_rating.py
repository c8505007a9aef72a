"""A whole book rated by columns, to the cent what `rate_period` says of each policy alone.

Rates and relativities are multiplied as binary floating point, whose error is bounded, and rounded to the minor unit
only where that bound leaves no doubt which way. A row in doubt (a tie, or nearly one) is rated by `rate_period` itself.
Fee, minimum and tax are whole numbers throughout. Arrays are of shape (n,), one row a policy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled
from pricing.money import MINOR_DIGITS, to_minor_unit
from pricing.plan import DAYS_OF_A_YEAR, RatePlan
from pricing.rating import (
    MOST_AMOUNT,
    BehaviourInput,
    DrivenTrip,
    Inputs,
    Premium,
    Terms,
    behaviour_relativity,
    rate_period,
)
from pricing.rating_errors import AmountTooLarge, BadRatingBook

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]
type Codes = NDArray[np.int16]
type Bools = NDArray[np.bool_]

NOT_READ = -1  # a factor that the row's pay plan does not multiply by
DOUBT = 2.0**-42  # relative: some two thousand roundings of a double; a premium has at most a hundred
MOST_MINOR = 2**40  # beyond it a double has too few digits left after the point
_SURE, _DOUBTFUL = 0, 1


@dataclass(frozen=True, slots=True)
class CompiledPlan:
    """A plan as arrays: relativities (factors and tables, rows), one pad column of 1 for those that are not read.

    Those of a factor with knots are 1: what lies between two knots comes with the book.
    """

    plan: RatePlan
    relativities: Floats
    per_day: Floats  # (pay plans, covers)
    per_metre: Floats  # (covers,)
    per_minute: Floats  # (covers,)
    cell_rates: Floats  # (covers, cells), a metre
    cells: tuple[tuple[str, str], ...]
    minimum: int  # in minor units, as rounded
    minimum_below: int  # covers under so many minor units get it
    fee: int
    tax_above: int  # the tax rate as a fraction of whole numbers
    tax_below: int


@dataclass(frozen=True, slots=True)
class RatingBook:
    """n policies for one period each.

    `codes` (factors and tables of the plan, n) holds places of levels, bands or cells, NOT_READ where the pay plan does
    not use the factor; `declared` the same rows as declared, for the worksheet. `cell_m` holds metres by (road class,
    hour band). `frequency` is claims per 100,000 km as decimal text. `relativity` is what follows from it, 1 without,
    times the relativities between knots, which stand in `interpolated` by factor. `expiring` holds decimals by cover,
    None where there is none, and is empty where no row is a renewal; `interval` the ends of the frequency's.
    `is_predicted`: the frequencies are those of the plan's own model, and not taken over from the file.
    """

    policy: tuple[str, ...]
    pay_plan: Codes
    days: Ints
    covers: Bools  # (covers of the plan, n)
    codes: Codes
    declared: Mapping[str, NDArray[np.object_]]
    declared_km: Ints
    distance_m: Ints
    gap_m: Ints
    cell_m: Mapping[tuple[str, str], Ints]
    frequency: tuple[str | None, ...]
    tier: tuple[str, ...]
    relativity: Floats
    interpolated: Mapping[str, Floats]
    minutes: Ints
    unmeasured_days: Ints
    expiring: Mapping[str, Sequence[Any]]
    interval: tuple[Sequence[Any], Sequence[Any]] | None
    is_predicted: bool

    def __len__(self) -> int:
        return len(self.days)


@dataclass(frozen=True, slots=True)
class BookPremiums:
    """Whole minor units: `covers` (covers of the plan, n), 0 where not taken, then the lines of every policy."""

    covers: Ints
    minimum: Ints
    fee: Ints
    tax: Ints
    in_doubt: int  # rows that were rated one by one

    @property
    def amount(self) -> Ints:
        """The sum of the lines."""
        return np.asarray(self.covers.sum(axis=0) + self.minimum + self.fee + self.tax, dtype=np.int64)


def compile_plan(plan: RatePlan) -> CompiledPlan:
    """The plan as arrays."""
    digits = MINOR_DIGITS[plan.currency]
    unit = Decimal(1).scaleb(-digits)
    between_knots = {factor.name for factor in plan.factors.values() if factor.knots}
    tables = [
        [1.0 if one.name in between_knots else float(relativity) for _, relativity in one.cells]
        for one in plan.multipliers
    ]
    widest = max((len(table) for table in tables), default=0)
    padded = [table + [1.0] * (widest + 1 - len(table)) for table in tables]
    cells = tuple(next(iter(plan.covers.values())).per_km)
    tax = plan.tax_rate.as_integer_ratio()
    return CompiledPlan(
        plan=plan,
        relativities=np.array(padded, dtype=np.float64).reshape(len(tables), widest + 1),
        per_day=np.array(
            [
                [float(cover.per_day * one.daily_multiple) for cover in plan.covers.values()]
                for one in plan.pay_plans.values()
            ]
        ),
        per_metre=np.array([float(cover.standard_per_km) / 1000 for cover in plan.covers.values()]),
        per_minute=np.array([float(cover.per_minute) for cover in plan.covers.values()]),
        cell_rates=np.array([[float(cover.per_km[cell]) / 1000 for cell in cells] for cover in plan.covers.values()]),
        cells=cells,
        minimum=int(to_minor_unit(plan.minimum_premium, plan.currency) / unit),
        minimum_below=int((plan.minimum_premium / unit).to_integral_value(rounding="ROUND_CEILING")),
        fee=int(to_minor_unit(plan.fee, plan.currency) / unit),
        tax_above=tax[0],
        tax_below=tax[1],
    )


def rate_book(compiled_plan: CompiledPlan, book: RatingBook) -> BookPremiums:
    """Every policy's lines. Raises AmountTooLarge; UnknownLevel only for what reading the book let through."""
    count, plan = len(book), compiled_plan.plan
    covers = np.zeros((len(plan.covers), count), dtype=np.int64)
    doubt = np.zeros(count, dtype=np.uint8)
    _cover_amounts(
        compiled_plan.relativities, book.codes, book.relativity, compiled_plan.per_day, book.pay_plan, book.days,
        _way_rates(compiled_plan, book), book.covers, 10.0 ** MINOR_DIGITS[plan.currency], *_bounds(plan, book),
        covers, doubt,
    )  # fmt: skip
    premium = covers.sum(axis=0)
    minimum = np.where(premium < compiled_plan.minimum_below, compiled_plan.minimum - premium, 0)
    fee = np.full(count, compiled_plan.fee)
    taxed = premium + minimum + fee
    above, below = compiled_plan.tax_above, compiled_plan.tax_below
    doubt[taxed > np.iinfo(np.int64).max // (2 * max(above, 1)) - below] = _DOUBTFUL
    tax = (2 * taxed * above + below) // (2 * below)
    found = BookPremiums(covers, minimum, fee, tax, int(doubt.sum()))
    for row in np.flatnonzero(doubt).tolist():
        _set(compiled_plan, book, found, row)
    return found


def check_comparable(old: CompiledPlan, old_book: RatingBook, new: CompiledPlan, new_book: RatingBook) -> None:
    """Raises BadRatingBook where amounts of the two plans do not compare: in two currencies, or where a frequency of
    the book cannot be that of both plans' models.
    """
    if old.plan.currency != new.plan.currency:
        problem = f"{old.plan.name} charges {old.plan.currency}, {new.plan.name} {new.plan.currency}: neither is more"
        raise BadRatingBook("the plans", None, "", "currency", problem)
    models = [plan.plan.score_model.version for plan in (old, new)]
    given = any(any(book.frequency) and not book.is_predicted for book in (old_book, new_book))
    if models[0] != models[1] and given:
        problem = (
            f"one column cannot hold what {models[0]} and {models[1]} predict: give each policy's `totals`, and each "
            "plan's own model predicts from them"
        )
        raise BadRatingBook("the book", None, "", "claims_per_100000_km", problem)


def rate_row(compiled_plan: CompiledPlan, book: RatingBook, row: int) -> Premium:
    """One policy of the book with its worksheet, by the same plan. Raises UnknownLevel."""
    return rate_period(compiled_plan.plan, inputs_of(compiled_plan, book, row))


def inputs_of(compiled_plan: CompiledPlan, book: RatingBook, row: int) -> Inputs:
    """What the premium of a row is a function of."""
    plan = compiled_plan.plan
    frequency = book.frequency[row]
    expiring = {name: values[row] for name, values in book.expiring.items()}
    cells = tuple((*cell, int(metres[row])) for cell, metres in book.cell_m.items() if metres[row])
    return Inputs(
        policy=book.policy[row],
        period="",
        days=int(book.days[row]),
        terms=Terms(
            list(plan.pay_plans)[book.pay_plan[row]],
            tuple(name for place, name in enumerate(plan.covers) if book.covers[place, row]),
            {name: values[row] for name, values in book.declared.items()},
            int(book.declared_km[row]),
        ),
        trips=(
            DrivenTrip("all", int(book.distance_m[row]), int(book.gap_m[row]), None, cells, int(book.minutes[row])),
        ),
        behaviour=None if frequency is None else behaviour_of(plan, frequency, book.tier[row]),
        unmeasured_days=int(book.unmeasured_days[row]),
        expiring={name: value for name, value in expiring.items() if value is not None},
    )


def relativity_of(plan: RatePlan, frequency: str, tier: str) -> float:
    """The behaviour relativity of a predicted frequency, by the plan's own rounding and bounds."""
    return float(behaviour_relativity(plan, behaviour_of(plan, frequency, tier)))


def behaviour_of(plan: RatePlan, frequency: str, tier: str) -> BehaviourInput:
    """A row's predicted frequency; which trips it comes of stands nowhere in a book."""
    return BehaviourInput(Decimal(frequency), plan.class_mean, "", "", "", Decimal(0), tier)


def _way_rates(compiled_plan: CompiledPlan, book: RatingBook) -> Floats:
    """What the way costs before relativities, shape (covers, n); 0 where the pay plan does not charge for it."""
    plan = compiled_plan.plan
    uses = [one.uses for one in plan.pay_plans.values()]
    by_distance = _rows(book, ["distance" in one for one in uses])
    by_minutes = _rows(book, ["minutes" in one for one in uses])
    if not by_distance.any() and not by_minutes.any():
        return np.zeros((len(compiled_plan.per_metre), 0))
    by_cell = _rows(book, [{"road_class", "hour_band"} <= one for one in uses])
    plain = np.where(by_cell, 0, book.distance_m)
    if plan.rules["gap_km"] == "standard_rate":
        plain = plain + book.gap_m
    if plan.rules["unmeasured_days"] == "declared_km":
        twice = 2 * 1000 * book.declared_km * book.unmeasured_days
        plain = plain + (twice + DAYS_OF_A_YEAR) // (2 * DAYS_OF_A_YEAR)
    found: Floats = np.outer(compiled_plan.per_metre, np.where(by_distance, plain, 0))
    for cell, metres in book.cell_m.items():
        place = compiled_plan.cells.index(cell)
        found += np.outer(compiled_plan.cell_rates[:, place], np.where(by_cell, metres, 0))
    if by_minutes.any():
        found += np.outer(compiled_plan.per_minute, np.where(by_minutes, book.minutes, 0))
    return found


def _rows(book: RatingBook, of_pay_plan: Sequence[bool]) -> Bools:
    """Whether it holds for the pay plan of each row, shape (n,); not looked up where it holds for none."""
    return np.array(of_pay_plan)[book.pay_plan] if any(of_pay_plan) else np.zeros(len(book), dtype=bool)


def _bounds(plan: RatePlan, book: RatingBook) -> tuple[Floats | None, Floats | None]:
    """Between what each cover of a renewal stays, shape (covers, n), NaN: anything; None where nothing is a renewal."""
    if plan.smoothing is None or not book.expiring:
        return None, None
    was = np.full((len(plan.covers), len(book)), np.nan)
    for place, name in enumerate(plan.covers):
        if name in book.expiring:
            was[place] = [np.nan if one is None else float(one) for one in book.expiring[name]]
    return was * float(plan.smoothing.lowest), was * float(plan.smoothing.highest)


@compiled
def _cover_amounts(
    relativities: Floats, codes: Codes, behaviour: Floats, per_day: Floats, pay_plan: Codes, days: Ints,
    way: Floats, covers: Bools, scale: float, least: Floats | None, most: Floats | None, amounts: Ints,
    doubt: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Minor units of each cover into `amounts` (covers, n); `doubt` marks rows whose rounding is not certain."""
    factors, count = codes.shape
    has_way = way.shape[1] > 0
    for row in range(count):
        product = behaviour[row] * scale
        for factor in range(factors):
            product *= relativities[factor, codes[factor, row]]  # NOT_READ is the last column: 1
        for cover in range(covers.shape[0]):
            if not covers[cover, row]:
                continue
            exposure = days[row] * per_day[pay_plan[row], cover]
            if has_way:
                exposure += way[cover, row]
            value = exposure * product
            if most is not None and least is not None and not np.isnan(most[cover, row]):  # None: compiled without it
                value = max(min(value, most[cover, row] * scale), least[cover, row] * scale)
            whole = np.floor(value)
            over = value - whole
            if abs(over - 0.5) <= value * DOUBT or not value < MOST_MINOR:
                doubt[row] = _DOUBTFUL
            else:
                amounts[cover, row] = np.int64(whole) + (1 if over > 0.5 else 0)


def _set(compiled_plan: CompiledPlan, book: RatingBook, found: BookPremiums, row: int) -> None:
    """The row as it is rated alone."""
    plan, premium = compiled_plan.plan, rate_row(compiled_plan, book, row)
    unit = Decimal(1).scaleb(-MINOR_DIGITS[plan.currency])
    if premium.amount > MOST_AMOUNT:  # in minor units it is a whole number of 64 bits
        raise AmountTooLarge(book.policy[row], str(premium.amount))
    lines = {line.name: int(line.amount / unit) for line in premium.lines}
    for place, name in enumerate(plan.covers):
        found.covers[place, row] = lines.get(name, 0)
    found.minimum[row], found.fee[row] = lines.get("minimum premium", 0), lines["fee"]
    found.tax[row] = lines[plan.tax_name]
