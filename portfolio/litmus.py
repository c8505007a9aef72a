"""The litmus test: for each customer the action whose expected gain is worth its cost, within what can be done.

Gain is uplift, not response: what an action adds to the chance of staying times what a customer who stays is worth,
less its cost. A budget (of euro, or of a call centre's minutes) gets a price, the same for everybody, that just
exhausts it; who would not gain at that price is left alone.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Codes = NDArray[np.int64]
type Bools = NDArray[np.bool_]

NOTHING = 0
PAYS, DOES_NOT_PAY, BEYOND_BUDGET, SUPPRESSED = range(4)
REASONS = (
    "pays",
    "does not pay",
    "would pay, but the budget is spent on others",
    "left alone: claim, complaint, care or frequency",
)
_BLOCK = 65_536
_STEPS = 40


@dataclass(frozen=True, slots=True)
class NextSteps:
    """Of n customers: action and expected gain (euro), shape (n,), why as codes of REASONS, and the budget's price."""

    action: Codes
    gain: Floats
    reason: Codes
    used: float
    price: float  # gain that one unit of the budget must bring


def next_steps(
    added_stay: Floats, value: Floats, cost: Floats, use: Floats, budget: float, left_alone: Bools
) -> NextSteps:
    """The best action of each customer within the budget.

    `added_stay` (n, actions) with 0 for NOTHING, `value` (n,) euro of a customer who stays, `cost` (actions,) euro,
    `use` (actions,) of the budget, `left_alone` (n,).
    """
    return allot(added_stay * value[:, None] - cost, use, budget, left_alone)


def allot(gains: Floats, use: Floats, budget: float, left_alone: Bools) -> NextSteps:
    """The same by what each action gains each customer, euro, shape (n, actions); NOTHING gains 0."""
    gains = gains.copy()
    gains[left_alone, 1:] = -np.inf
    free = gains.argmax(axis=1)
    price = _price(gains, use, budget)
    action = _chosen(gains, use, price)
    action = _within(gains, action, use, budget, price)
    rows = np.arange(len(gains))
    reason = np.where(action != NOTHING, PAYS, np.where(free != NOTHING, BEYOND_BUDGET, DOES_NOT_PAY))
    reason[left_alone] = SUPPRESSED
    return NextSteps(action, gains[rows, action], reason, float(use[action].sum()), price)


def frequency_capped(contacts: Codes, most: int) -> Bools:
    """Who has had as many contacts in the window as anybody may have, shape (n,)."""
    return np.asarray(contacts >= most)


def _chosen(gains: Floats, use: Floats, price: float) -> Codes:
    """The best action net of the budget's price, in blocks that stay in the cache."""
    found = np.empty(len(gains), dtype=np.int64)
    toll = price * use
    for start in range(0, len(gains), _BLOCK):
        part = slice(start, start + _BLOCK)
        found[part] = (gains[part] - toll).argmax(axis=1)
    return found


def _price(gains: Floats, use: Floats, budget: float) -> float:
    """The least price at which what is chosen fits the budget."""
    if float(use[_chosen(gains, use, 0.0)].sum()) <= budget:
        return 0.0
    with np.errstate(invalid="ignore"):
        best = float(np.max(gains[:, use > 0] / use[use > 0]))
    low, high = 0.0, max(best, 0.0) + 1e-9
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        if float(use[_chosen(gains, use, middle)].sum()) > budget:
            low = middle
        else:
            high = middle
    return high


def _within(gains: Floats, action: Codes, use: Floats, budget: float, price: float) -> Codes:
    """What is left of the budget goes to those who are nearest to the price: equal gains do not leave it unspent."""
    left = budget - float(use[action].sum())
    if price == 0.0 or left <= 0.0:
        return action
    waiting = np.flatnonzero(action == NOTHING)
    with np.errstate(divide="ignore", invalid="ignore"):
        worth = np.where(use > 0, gains[waiting] / use, -np.inf)
    best = worth.argmax(axis=1)
    worth = worth[np.arange(len(waiting)), best]
    order = np.argsort(-worth, kind="stable")
    order = order[worth[order] > 0.0]
    fits = np.cumsum(use[best[order]]) <= left
    taken = order[fits]
    result = action.copy()
    result[waiting[taken]] = best[taken]
    return result
