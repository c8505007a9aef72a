"""The off-balance taken out of a plan: its rates scaled by one number until a book brings in what it did."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pricing.book_rating import CompiledPlan, RatingBook, check_comparable, compile_plan, rate_book
from pricing.errors import NoBalance
from pricing.plan import RatePlan, parse_plan
from pricing.plan_text import toml_text

MOST_STEPS = 20
NEAR = 0.00005  # of the sum: an off-balance of 1.000 to the digit after
RATE_DECIMALS = 6

type BookOf = Callable[[CompiledPlan], RatingBook]


@dataclass(frozen=True, slots=True)
class Balanced:
    """The plan, what its rates were multiplied by, and the off-balance that is left."""

    plan: RatePlan
    scale: float
    off_balance: float


def balanced(old: RatePlan, plan: RatePlan, book_of: BookOf, version: str) -> Balanced:
    """`plan` with every rate of its covers scaled, so that the book brings in what it does by `old`.

    Fees, minimum and caps do not scale along, so the scale is found step by step. `book_of` reads the book by a plan,
    for levels may differ. Raises NoBalance where no scale does it, BadRatingBook of `check_comparable`.
    """
    before, after = compile_plan(old), compile_plan(plan)
    held = book_of(before)
    check_comparable(before, held, after, book_of(after))
    wanted = int(rate_book(before, held).amount.sum())
    scale = 1.0
    for _ in range(MOST_STEPS):
        found = _scaled(plan, scale, version)
        compiled = compile_plan(found)
        off = wanted / max(int(rate_book(compiled, book_of(compiled)).amount.sum()), 1)
        if abs(off - 1) < NEAR:
            return Balanced(found, scale, off)
        scale *= off
    raise NoBalance(
        plan.name, f"{wanted} minor units cannot be reached: fees and minimum premiums alone weigh too much"
    )


def _scaled(plan: RatePlan, scale: float, version: str) -> RatePlan:
    content = tomllib.loads(plan.content, parse_float=Decimal)
    by = Decimal(repr(scale))
    content["covers"] = {name: _times(cover, by) for name, cover in content["covers"].items()}
    content["version"] = version
    return parse_plan(toml_text(content), f"{plan.name} {version}")


def _times(table: dict[str, Any], by: Decimal) -> dict[str, Any]:
    return {
        key: _times(value, by) if isinstance(value, dict) else value if key == "title" else _rate(value, by)
        for key, value in table.items()
    }


def _rate(value: Any, by: Decimal) -> str:
    return f"{Decimal(value) * by:.{RATE_DECIMALS}f}"
