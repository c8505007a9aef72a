"""What a change of a rate plan is, and what it does to a book: dislocation by segment, and the off-balance."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pricing.book_rating import CompiledPlan, RatingBook, check_comparable, rate_book
from pricing.money import MINOR_DIGITS
from pricing.plan import RatePlan

QUANTILES = (0, 1, 5, 25, 50, 75, 95, 99, 100)
MOST_CELLS_SHOWN = 100  # of a table of two: a larger one is seen by its factors

type Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Difference:
    """A place of the file, and what stands there in either plan; None: it is not there."""

    place: str
    old: str | None
    new: str | None


def differences(old: RatePlan, new: RatePlan) -> list[Difference]:
    """Every place whose value differs, in the order of the files."""
    before, after = (dict(_leaves(tomllib.loads(plan.content, parse_float=Decimal))) for plan in (old, new))
    places = dict.fromkeys([*before, *after])
    return [
        Difference(place, before.get(place), after.get(place))
        for place in places
        if before.get(place) != after.get(place)
    ]


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(part, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _leaves(part, f"{place}[{number}]")
    else:
        yield place, str(value)


def impact(old: CompiledPlan, old_book: RatingBook, new: CompiledPlan, new_book: RatingBook) -> dict[str, Any]:
    """The same policies by both plans, as JSON. The book was read by each plan, for their levels may differ.

    `off_balance` is what all new amounts must be multiplied by to bring in as much as the old ones. Raises
    BadRatingBook where the plans predict by two models and the book holds what one of them, or neither, predicted.
    """
    check_comparable(old, old_book, new, new_book)
    before, after = (rate_book(plan, book).amount for plan, book in ((old, old_book), (new, new_book)))
    digits = MINOR_DIGITS[new.plan.currency]
    change = after / np.maximum(before, 1) - 1
    return {
        "old": {"name": old.plan.name, "version": old.plan.version, "hash": old.plan.plan_hash},
        "new": {"name": new.plan.name, "version": new.plan.version, "hash": new.plan.plan_hash},
        "currency": new.plan.currency,
        **_sums(before, after, digits),
        "off_balance": float(before.sum() / after.sum()) if after.sum() else None,
        "pay_less": int((after < before).sum()),
        "pay_the_same": int((after == before).sum()),
        "pay_more": int((after > before).sum()),
        "change_quantiles": dict(
            zip(map(str, QUANTILES), np.percentile(change, QUANTILES).round(4).tolist(), strict=True)
        ),
        "segments": dict(_segments(new, new_book, before, after, digits)),
    }


def _sums(before: Ints, after: Ints, digits: int) -> dict[str, Any]:
    sums = [Decimal(int(one.sum())).scaleb(-digits) for one in (before, after)]
    change = float(sums[1] / sums[0] - 1) if sums[0] else None
    return {"policies": len(before), "old_amount": str(sums[0]), "new_amount": str(sums[1]), "change": change}


def _segments(
    plan: CompiledPlan, book: RatingBook, before: Ints, after: Ints, digits: int
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """By pay plan, by each level of each factor and each cell of a table that is not too large to read: policies, both
    sums, and how many pay less and more.
    """
    groups = {"pay_plan": (list(plan.plan.pay_plans), book.pay_plan)}
    for codes, one in zip(book.codes, plan.plan.multipliers, strict=True):
        if one.name in plan.plan.factors or len(one.cells) <= MOST_CELLS_SHOWN:
            groups[one.name] = ([name for name, _ in one.cells], codes)
    for name, (levels, codes) in groups.items():
        rows = []
        for place, level in enumerate(levels):
            of_level = codes == place
            if of_level.any():
                own = before[of_level], after[of_level]
                less, more = int((own[1] < own[0]).sum()), int((own[1] > own[0]).sum())
                rows.append({"level": level} | _sums(*own, digits) | {"pay_less": less, "pay_more": more})
        yield name, rows
