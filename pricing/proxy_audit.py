"""Does a plan price a group of people that it must not read? Factors that stand in for supplied group labels.

Labels never enter a plan: they come with the book, for this audit alone. Three questions: does a group pay more, which
factor carries it, and do its claims answer for it. Arrays have shape (n,), one row a policy.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from pricing.book_rating import CompiledPlan, RatingBook, rate_book
from pricing.money import MINOR_DIGITS

STRONG_ASSOCIATION = 0.1  # Cramer's V: what Cohen (1988) calls small, and the least that can carry a group's price
CARRIES = 0.01  # a factor that lifts a group's price against all others' by so much

type Labels = NDArray[np.object_]
type Ints = NDArray[np.int64]
type Floats = NDArray[np.float64]


def audit(compiled: CompiledPlan, book: RatingBook, groups: Labels, claims: Ints | None) -> dict[str, Any]:
    """The audit of a book by its labels, as JSON. With `claims` (counts), each group's price is held to them."""
    names, group = np.unique(groups.astype(str), return_inverse=True)
    amount = rate_book(compiled, book).amount.astype(np.float64) / 10 ** MINOR_DIGITS[compiled.plan.currency]
    factors = list(_factors(compiled, book, names, group))
    rows = [
        _group(name, group == place, amount, claims) | {"carried_by": _carriers(factors, str(name))}
        for place, name in enumerate(names)
    ]
    return {
        "plan": {"name": compiled.plan.name, "version": compiled.plan.version, "hash": compiled.plan.plan_hash},
        "policies": len(book),
        "currency": compiled.plan.currency,
        "claims": None if claims is None else int(claims.sum()),
        "groups": rows,
        "factors": factors,
        "flagged": [row["factor"] for row in factors if row["flagged"]],
        "unexplained": [row["group"] for row in rows if row.get("explained") is False],
    }


def _group(name: str, own: NDArray[np.bool_], amount: Floats, claims: Ints | None) -> dict[str, Any]:
    """What a group pays against the rest; its claims against what its share of the price would answer for."""
    rest = ~own
    ratio = float(amount[own].mean() / amount[rest].mean()) if rest.any() and amount[rest].any() else None
    row: dict[str, Any] = {
        "group": str(name),
        "policies": int(own.sum()),
        "mean_amount": round(float(amount[own].mean()), 4),
        "price_ratio": ratio,
    }
    if claims is None or not claims.sum() or not amount.sum():
        return row
    expected = float(claims.sum() * amount[own].sum() / amount.sum())
    count = int(claims[own].sum())
    lowest, highest = poisson_interval(count)
    row |= {"claims": count, "claims_paid_for": round(expected, 3)}
    row["claims_ratio"] = count / expected if expected else None
    row["claims_ratio_interval"] = [lowest / expected, highest / expected] if expected else None
    # It pays too much where even the most claims that chance allows do not answer for its price.
    row["explained"] = bool(highest >= expected)
    return row


def poisson_interval(count: int, level: float = 0.95) -> tuple[float, float]:
    """The exact interval of a Poisson mean after `count` events (Garwood 1936)."""
    tail = (1.0 - level) / 2.0
    lowest = float(chi2.ppf(tail, 2 * count)) / 2.0 if count else 0.0
    return lowest, float(chi2.ppf(1.0 - tail, 2 * (count + 1))) / 2.0


def _factors(
    compiled: CompiledPlan, book: RatingBook, names: NDArray[np.str_], group: NDArray[np.intp]
) -> Iterator[dict[str, Any]]:
    read = [(one.name, codes, compiled.relativities[place, codes]) for place, (one, codes) in enumerate(
        zip(compiled.plan.multipliers, book.codes, strict=True))]  # fmt: skip
    behaviour = np.unique(book.relativity, return_inverse=True)[1] if len(book) else np.zeros(0, dtype=np.intp)
    # Of a continuous relativity only the tenth: a table of every value would be associated with anything.
    tenths = (behaviour * 10 // max(int(behaviour.max(initial=0)) + 1, 1)).astype(np.int16)
    for name, codes, relativity in [*read, ("behaviour", tenths, book.relativity)]:
        association = cramers_v(codes.astype(np.int64), group.astype(np.int64))
        logs = np.log(relativity)
        carried = {
            str(one): float(np.exp(logs[group == place].mean() - logs[group != place].mean()))
            for place, one in enumerate(names)
            if (group != place).any()
        }
        carries = any(abs(np.log(ratio)) >= np.log1p(CARRIES) for ratio in carried.values())
        yield {
            "factor": name,
            "association": association,
            "price_ratio": carried,
            "flagged": association >= STRONG_ASSOCIATION and carries,
        }


def _carriers(factors: list[dict[str, Any]], group: str) -> list[str]:
    """The factors that lift this group's price, the strongest first."""
    lifted = [(row["price_ratio"].get(group, 1.0), row["factor"]) for row in factors]
    return [name for ratio, name in sorted(lifted, reverse=True) if ratio >= 1.0 + CARRIES]


def cramers_v(first: Ints, second: Ints) -> float:
    """The association of two classifications in [0, 1], 0 for independent ones (Bergsma 2013, corrected for bias)."""
    codes, others = np.unique(first, return_inverse=True)[1], np.unique(second, return_inverse=True)[1]
    count, rows, columns = len(first), int(codes.max(initial=0)) + 1, int(others.max(initial=0)) + 1
    if count < 2 or rows < 2 or columns < 2:
        return 0.0
    table = np.bincount(codes * columns + others, minlength=rows * columns).reshape(rows, columns).astype(np.float64)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / count
    phi = ((table - expected) ** 2 / expected).sum() / count
    least_phi = max(0.0, phi - (rows - 1) * (columns - 1) / (count - 1))
    least = min(rows - (rows - 1) ** 2 / (count - 1), columns - (columns - 1) ** 2 / (count - 1)) - 1
    return float(np.sqrt(least_phi / least)) if least > 0 else 0.0
