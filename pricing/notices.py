"""Who has to be told that a change of plan raises their premium: both amounts, by when, and what in the plan did it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from pricing.book_rating import CompiledPlan, RatingBook, check_comparable, rate_book, relativity_of
from pricing.plan import RatePlan, Smoothing
from pricing.profile import profile_named

type Ints = NDArray[np.int64]
type Bools = NDArray[np.bool_]

CHARGED = ("standard_rate", "declared_km")  # what a rule says where it charges kilometres that it need not


@dataclass(frozen=True, slots=True)
class Notices:
    """The policies that pay more, k rows: places in the book, both amounts in minor units, and why, largest first."""

    rows: NDArray[np.intp]
    old_amount: Ints
    new_amount: Ints
    reasons: tuple[tuple[str, ...], ...]
    send_by: date | None  # None: the plan's jurisdiction names no number of days


def notices(old: CompiledPlan, old_book: RatingBook, new: CompiledPlan, new_book: RatingBook) -> Notices:
    """The notices of a change of plan. The book was read by each plan, for their levels may differ.

    Raises BadRatingBook where the plans predict by two models and the book holds what one of them, or neither, did.
    """
    check_comparable(old, old_book, new, new_book)
    rated = rate_book(new, new_book)
    before, after = rate_book(old, old_book).amount, rated.amount
    rows = np.flatnonzero(after > before)
    profile = None if new.plan.jurisdiction is None else profile_named(new.plan.jurisdiction)
    days = None if profile is None else profile.notice_days
    return Notices(
        rows=rows,
        old_amount=before[rows],
        new_amount=after[rows],
        reasons=_reasons(old, old_book, new, new_book, rows, rated.minimum[rows] > 0),
        send_by=None if days is None else new.plan.effective_from - timedelta(days=days),
    )


def _reasons(
    old: CompiledPlan, old_book: RatingBook, new: CompiledPlan, new_book: RatingBook, rows: NDArray[np.intp],
    at_minimum: Bools,
) -> tuple[tuple[str, ...], ...]:  # fmt: skip
    """Of each row the factors whose relativity rose, then what else rose that the row is charged by."""
    found: list[list[tuple[float, str]]] = [[] for _ in rows]
    for name in dict.fromkeys(one.name for plan in (old, new) for one in plan.plan.multipliers):
        was, was_level = _relativities(old, old_book, name, rows)
        now, now_level = _relativities(new, new_book, name, rows)
        for place in np.flatnonzero(now > was).tolist():
            step = f"{was_level[place]} x {was[place]:g} -> {now_level[place]} x {now[place]:g}"
            found[place].append((now[place] / was[place], f"{name}: {step}"))
    driven = ((old, old_book), (new, new_book))
    for place, row in enumerate(rows.tolist()):
        before, after = (_behaviour(plan, book, row) for plan, book in driven)
        if after > before:
            found[place].append((after / before, f"behaviour: x {before:g} -> x {after:g}"))
    told = [[text for _, text in sorted(one, reverse=True)] for one in found]
    for text, bears in _raised_beside_factors(old.plan, new.plan, new_book, rows, at_minimum):
        for place in np.flatnonzero(bears).tolist():
            told[place].append(text)
    whole = f"what changed from version {old.plan.version} to {new.plan.version} taken together: nothing rose by itself"
    return tuple(tuple(one) or (whole,) for one in told)


def _behaviour(plan: CompiledPlan, book: RatingBook, row: int) -> float:
    """The behaviour relativity of a row; 1 where its pay plan does not read it, or nothing was driven."""
    pay_plan, frequency = list(plan.plan.pay_plans.values())[book.pay_plan[row]], book.frequency[row]
    if frequency is None or "behaviour" not in pay_plan.uses:
        return 1.0
    return relativity_of(plan.plan, frequency, book.tier[row])


def _relativities(
    plan: CompiledPlan, book: RatingBook, name: str, rows: NDArray[np.intp]
) -> tuple[NDArray[np.float64], list[str]]:
    """Relativity and level of a factor (a table: its cell) at these rows; 1 where the plan does not read it."""
    names = [one.name for one in plan.plan.multipliers]
    if name not in names:
        return np.ones(len(rows)), ["not rated"] * len(rows)
    place = names.index(name)
    codes = book.codes[place, rows]
    levels = [*(level for level, _ in plan.plan.multipliers[place].cells), "not rated"]
    relativities = plan.relativities[place, codes]
    if name in book.interpolated:
        relativities = relativities * book.interpolated[name][rows]
    return relativities, [levels[code] for code in codes.tolist()]


def _raised_beside_factors(
    old: RatePlan, new: RatePlan, book: RatingBook, rows: NDArray[np.intp], at_minimum: Bools
) -> Iterator[tuple[str, Bools]]:
    """Fee, tax, minimum, rates, rules and smoothing that rose: a line each, and which of the rows (k,) it bears on."""
    everybody = np.ones(len(rows), dtype=bool)
    amounts = [
        ("minimum_premium", old.minimum_premium, new.minimum_premium, at_minimum),
        ("fee", old.fee, new.fee, everybody),
        ("tax_rate", old.tax_rate, new.tax_rate, everybody),
    ]
    for name, was, now, bears in (*amounts, *_rates(old, new, book, rows)):
        if now > was:
            yield f"{name}: {was} -> {now}", bears
    yield from _rules_changed(old, new, book, rows)
    renewals = np.zeros(len(book), dtype=bool)
    for values in book.expiring.values():
        renewals |= np.array([one is not None for one in values], dtype=bool)
    for text in _smoothed_less(old.smoothing, new.smoothing):
        yield text, renewals[rows]


def _rates(
    old: RatePlan, new: RatePlan, book: RatingBook, rows: NDArray[np.intp]
) -> Iterator[tuple[str, Decimal, Decimal, Bools]]:
    """Each rate of the covers and pay plans in both plans, and which of the rows are charged it."""
    driven = _reads(new, "distance", book, rows)
    by_place = _reads(new, "road_class", book, rows) & _reads(new, "hour_band", book, rows)
    charged = driven & ~by_place & (book.distance_m[rows] > 0)
    for rule, km in (("gap_km", book.gap_m), ("unmeasured_days", book.unmeasured_days)):
        if new.rules[rule] in CHARGED:
            charged |= driven & (km[rows] > 0)
    days, minutes = book.days[rows] > 0, _reads(new, "minutes", book, rows) & (book.minutes[rows] > 0)
    for place, (name, cover) in enumerate(new.covers.items()):
        if name not in old.covers:
            continue
        held, was = book.covers[place, rows], old.covers[name]
        yield f"{name}: a day", was.per_day, cover.per_day, held & days
        yield f"{name}: a minute", was.per_minute, cover.per_minute, held & minutes
        yield f"{name}: a km", was.standard_per_km, cover.standard_per_km, held & charged
        for cell, metres in book.cell_m.items():
            there = held & driven & by_place & (metres[rows] > 0)
            yield f"{name}: a km on {cell[0]}, {cell[1]}", was.per_km[cell], cover.per_km[cell], there
    for place, (name, pay_plan) in enumerate(new.pay_plans.items()):
        if name in old.pay_plans:
            bears = days & (book.pay_plan[rows] == place)
            yield f"{name}: days", old.pay_plans[name].daily_multiple, pay_plan.daily_multiple, bears


def _reads(plan: RatePlan, use: str, book: RatingBook, rows: NDArray[np.intp]) -> Bools:
    """Whether the pay plan of each row reads this of its driving."""
    return np.array([use in one.uses for one in plan.pay_plans.values()])[book.pay_plan[rows]]


def _rules_changed(
    old: RatePlan, new: RatePlan, book: RatingBook, rows: NDArray[np.intp]
) -> Iterator[tuple[str, Bools]]:
    """Rules and what pay plans read, where they now charge what they did not."""
    driven = _reads(new, "distance", book, rows)
    for rule, km in (("gap_km", book.gap_m), ("unmeasured_days", book.unmeasured_days)):
        if new.rules[rule] != old.rules[rule] and new.rules[rule] in CHARGED:
            yield f"rules.{rule}: {old.rules[rule]} -> {new.rules[rule]}", driven & (km[rows] > 0)
    for place, (name, pay_plan) in enumerate(new.pay_plans.items()):
        if name in old.pay_plans and pay_plan.uses != old.pay_plans[name].uses:
            uses = (", ".join(sorted(one.pay_plans[name].uses)) for one in (old, new))
            yield f"{name} reads: {' -> '.join(uses)}", book.pay_plan[rows] == place


def _smoothed_less(old: Smoothing | None, new: Smoothing | None) -> list[str]:
    """Where renewals may now rise more, or fall less."""
    found = []
    if old is not None and (new is None or new.highest > old.highest):
        found.append(f"smoothing.highest: {old.highest} -> {'none' if new is None else new.highest}")
    if new is not None and new.lowest > (0 if old is None else old.lowest):
        found.append(f"smoothing.lowest: {'none' if old is None else old.lowest} -> {new.lowest}")
    return found
