"""What each cover costs one customer under each pay plan, to the cent what `rate_period` says.

As a book is rated: in doubles whose error is bounded, and exactly where that bound leaves a doubt which way to round.
What is the same for every customer of a plan and a catalogue is worked out once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from pricing.book_rating import DOUBT, MOST_MINOR, compile_plan
from pricing.factor import Factor
from pricing.money import MINOR_DIGITS
from pricing.month import expiring_of
from pricing.plan import RatePlan
from pricing.rating import (
    PLACE_AND_TIME,
    Inputs,
    behaviour_relativity,
    charges_gaps,
    cover_minor_units,
    declared_metres,
)
from pricing.table_of_two import TableOfTwo

type Floats = NDArray[np.float64]
type Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CoverRates:
    """A plan's rates of c covers, as P pay plans charge them.

    `per_day` (P, c). A customer's way is n quantities: metres by cell, all measured metres, estimated and declared
    ones, minutes. `rates` (n, c) is what one of each costs, `charged` (P, n) whether the pay plan charges for it.
    """

    plan: RatePlan
    covers: tuple[str, ...]
    per_day: Floats
    rates: Floats
    charged: Floats
    place: dict[tuple[str, str], int]  # of a cell
    by_all: tuple[Factor | TableOfTwo, ...]  # what every pay plan multiplies by
    by_declared_km: tuple[Factor | TableOfTwo, ...]
    reads: tuple[tuple[bool, bool], ...]  # of each pay plan, whether it reads declared km and behaviour


@lru_cache(64)
def cover_rates(plan: RatePlan, covers: tuple[str, ...]) -> CoverRates:
    """Made once for a plan and the covers of a menu. Raises UnknownLevel for a cover that the plan has not."""
    compiled = compile_plan(plan)
    order = list(plan.covers)
    places = [order.index(plan.cover(name).name) for name in covers]
    per_metre, per_minute = compiled.per_metre[places], compiled.per_minute[places]
    uses = [one.uses for one in plan.pay_plans.values()]
    declared = [one for one in plan.multipliers if _reads_declared_km(one)]
    return CoverRates(
        plan=plan,
        covers=covers,
        per_day=compiled.per_day[:, places],
        rates=np.vstack([compiled.cell_rates[places].T, per_metre, per_metre, per_minute]),
        charged=np.array([_charged(plan, one, len(compiled.cells)) for one in uses], dtype=np.float64),
        place={cell: place for place, cell in enumerate(compiled.cells)},
        by_all=tuple(one for one in plan.multipliers if one not in declared),
        by_declared_km=tuple(declared),
        reads=tuple(("declared_km" in one, "behaviour" in one) for one in uses),
    )


def cover_amounts(rates: CoverRates, inputs: Inputs, before: Sequence[RatePlan] = ()) -> Ints:
    """Minor units of each cover's line, shape (P, c), whatever pay plan and covers the inputs name.

    `before`: the plans of the terms before a renewal. Raises UnknownLevel.
    """
    plan = rates.plan
    if plan.smoothing is not None and (before or inputs.expiring):
        return np.array([_exactly(rates, inputs, name, before) for name in plan.pay_plans], dtype=np.int64)
    way = (rates.charged * _quantities(rates, inputs)) @ rates.rates
    values = (inputs.days * rates.per_day + way) * (_relativity(rates, inputs) * 10.0 ** MINOR_DIGITS[plan.currency])
    whole = np.floor(values)
    over = values - whole
    amounts: Ints = whole.astype(np.int64) + (over > 0.5)
    doubtful = (np.abs(over - 0.5) <= values * DOUBT) | ~(values < MOST_MINOR)
    if doubtful.any():
        for row, name in enumerate(plan.pay_plans):
            if doubtful[row].any():
                amounts[row] = _exactly(rates, inputs, name, ())
    return amounts


def _charged(plan: RatePlan, uses: frozenset[str], cells: int) -> list[bool]:
    """Of each quantity of a way, whether a pay plan that reads this charges for it."""
    by_distance, by_cell = "distance" in uses, uses >= PLACE_AND_TIME
    return [by_distance and by_cell] * cells + [by_distance and not by_cell, by_distance, "minutes" in uses]


def _quantities(rates: CoverRates, inputs: Inputs) -> Floats:
    """A customer's way, shape (n,)."""
    found = [0] * len(rates.rates)
    charged = [trip for trip in inputs.trips if trip.not_charged is None]
    for trip in charged:
        for road_class, hour_band, metres in trip.cells:
            found[rates.place[road_class, hour_band]] += metres
    gap_m = sum(trip.gap_m for trip in charged) if charges_gaps(rates.plan) else 0
    found[-3:] = (
        sum(trip.distance_m for trip in charged),
        gap_m + declared_metres(rates.plan, inputs),
        sum(trip.minutes for trip in charged),
    )
    return np.array(found, dtype=np.float64)


def _relativity(rates: CoverRates, inputs: Inputs) -> Floats:
    """All relativities of each pay plan multiplied, shape (P, 1). Raises UnknownLevel."""
    plan, behaviour = rates.plan, inputs.behaviour
    common = _product(plan, rates.by_all, inputs)
    by_km = _product(plan, rates.by_declared_km, inputs) if any(km for km, _ in rates.reads) else 1.0
    driven = 1.0 if behaviour is None else float(behaviour_relativity(plan, behaviour))
    found = [[common * (by_km if km else 1.0) * (driven if behaves else 1.0)] for km, behaves in rates.reads]
    return np.array(found)


def _product(plan: RatePlan, multipliers: Sequence[Factor | TableOfTwo], inputs: Inputs) -> float:
    levels, found = inputs.terms.levels, 1.0
    for one in multipliers:
        declared = levels if isinstance(one, TableOfTwo) else levels.get(one.name)
        found *= float(one.step_of(declared, plan.name)[1])  # type: ignore[arg-type]
    return found


def _reads_declared_km(one: Factor | TableOfTwo) -> bool:
    return "declared_km" in (one.keys if isinstance(one, TableOfTwo) else (one.name,))


def _exactly(rates: CoverRates, inputs: Inputs, pay_plan: str, before: Sequence[RatePlan]) -> list[int]:
    """The lines of one pay plan as they are rated alone."""
    asked = replace(inputs, terms=replace(inputs.terms, pay_plan=pay_plan, covers=rates.covers))
    asked = replace(asked, expiring=expiring_of(before, asked)) if before else asked
    return cover_minor_units(rates.plan, asked)
