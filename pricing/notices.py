"""Who has to be told that a change of plan raises their premium: both amounts, by when, and what in the plan did it."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from pricing.book_rating import CompiledPlan, RatingBook, check_comparable, rate_book, relativity_of
from pricing.plan import RatePlan, Smoothing
from pricing.profile import profile_named

type Ints = NDArray[np.int64]


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
    before, after = (rate_book(plan, book).amount for plan, book in ((old, old_book), (new, new_book)))
    rows = np.flatnonzero(after > before)
    profile = None if new.plan.jurisdiction is None else profile_named(new.plan.jurisdiction)
    days = None if profile is None else profile.notice_days
    return Notices(
        rows=rows,
        old_amount=before[rows],
        new_amount=after[rows],
        reasons=_reasons(old, old_book, new, new_book, rows),
        send_by=None if days is None else new.plan.effective_from - timedelta(days=days),
    )


def _reasons(
    old: CompiledPlan, old_book: RatingBook, new: CompiledPlan, new_book: RatingBook, rows: NDArray[np.intp]
) -> tuple[tuple[str, ...], ...]:
    """Of each row the factors whose relativity rose, then what else of the plan rose for everybody."""
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
    common = tuple(_raised_for_everybody(old, new))
    told = (tuple(text for _, text in sorted(one, reverse=True)) + common for one in found)
    whole = f"what changed from version {old.plan.version} to {new.plan.version} taken together: nothing rose by itself"
    return tuple(one or (whole,) for one in told)


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


def _raised_for_everybody(old: CompiledPlan, new: CompiledPlan) -> list[str]:
    """Rates, fee, minimum and tax that rose, and rules that charge more: one line each."""
    pairs = [(f"{field}", getattr(old.plan, field), getattr(new.plan, field)) for field in
             ("minimum_premium", "fee", "tax_rate")]  # fmt: skip
    for name, cover in new.plan.covers.items():
        if name in old.plan.covers:
            held = old.plan.covers[name]
            pairs += [
                (f"{name}: a day", held.per_day, cover.per_day),
                (f"{name}: a minute", held.per_minute, cover.per_minute),
                (f"{name}: a km", held.standard_per_km, cover.standard_per_km),
            ]
            pairs += [
                (f"{name}: a km on {road}, {hour}", held.per_km[road, hour], rate)
                for (road, hour), rate in cover.per_km.items()
            ]
    for name, pay_plan in new.plan.pay_plans.items():
        if name in old.plan.pay_plans:
            pairs.append((f"{name}: days", old.plan.pay_plans[name].daily_multiple, pay_plan.daily_multiple))
    raised = [f"{name}: {was} -> {now}" for name, was, now in pairs if now > was]
    return [*raised, *_rules_changed(old.plan, new.plan), *_smoothed_less(old.plan.smoothing, new.plan.smoothing)]


def _rules_changed(old: RatePlan, new: RatePlan) -> list[str]:
    """Rules and what pay plans read, where they now charge what they did not."""
    rules = [
        f"rules.{rule}: {old.rules[rule]} -> {now}"
        for rule, now in new.rules.items()
        if now != old.rules[rule] and now in ("standard_rate", "declared_km")
    ]
    return rules + [
        f"{name} reads: {', '.join(sorted(old.pay_plans[name].uses))} -> {', '.join(sorted(pay_plan.uses))}"
        for name, pay_plan in new.pay_plans.items()
        if name in old.pay_plans and pay_plan.uses != old.pay_plans[name].uses
    ]


def _smoothed_less(old: Smoothing | None, new: Smoothing | None) -> list[str]:
    """Where renewals may now rise more, or fall less."""
    found = []
    if old is not None and (new is None or new.highest > old.highest):
        found.append(f"smoothing.highest: {old.highest} -> {'none' if new is None else new.highest}")
    if new is not None and new.lowest > (0 if old is None else old.lowest):
        found.append(f"smoothing.lowest: {'none' if old is None else old.lowest} -> {new.lowest}")
    return found
