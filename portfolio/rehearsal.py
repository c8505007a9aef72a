"""A whole experiment before it is run: its plan on the customers of a simulated market, looked at as they come."""

from dataclasses import dataclass

import numpy as np

from portfolio.experiments import LEAST_ROWS, Assessment, Plan, assess
from portfolio.market import NOTHING, Market, leave_chance


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What each look said, the first verdict (None: the customers did not suffice), and the truth."""

    looks: tuple[Assessment, ...]
    stopped_at: int | None
    verdict: str
    true_effect: float
    cost: float  # of treating those who were treated until then, euro


def rehearse(market: Market, action: int, plan: Plan, every: int, seed: int) -> Rehearsal:
    """Renewals at the market's own price come in one after another; a lot says who gets the action.

    It ends at the first verdict, as the interval allows, or when all customers have come.
    """
    rng = np.random.default_rng(seed)
    count, year = len(market), 1
    price = market.offer[year - 1]

    def leaves(what: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return leave_chance(market, year, price, price, np.ones(count), np.full(count, what))

    untreated, acted = leaves(NOTHING), leaves(action)
    treated = rng.random(count) < plan.treated_share
    stays = (rng.random(count) >= np.where(treated, acted, untreated)).astype(np.float64)
    looks, stopped_at = [], None
    for seen in range(max(every, LEAST_ROWS), count + 1, every):
        looks.append(assess(plan, treated[:seen], stays[:seen]))
        if looks[-1].verdict != "undecided":
            stopped_at = seen
            break
    last = looks[-1]
    return Rehearsal(
        tuple(looks),
        stopped_at,
        last.verdict,
        float((untreated - acted).mean()),
        float(market.action_cost[action]) * last.treated,
    )
