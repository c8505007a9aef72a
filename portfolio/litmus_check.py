"""The litmus test against the truth of a simulated market: its gain beside treating all, nobody, and by the truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portfolio.contact import kept_more
from portfolio.litmus import NOTHING, next_steps
from portfolio.market import Market, leave_chance, log_ratio
from portfolio.rates import by_declared, by_driving
from portfolio.strategies import DISCOUNT, Fitted

type Floats = NDArray[np.float64]
type Bools = NDArray[np.bool_]

LOADING = 1.4
QINI_STEPS = 100


@dataclass(frozen=True, slots=True)
class Check:
    """True gains over all customers of a renewal, euro.

    `knowing_all` knows each customer's own temper, price sensitivity and losses, which nobody can; `knowable` the true
    mean effect of each action given the prices, and of who shares their driving the losses that it explains.
    """

    litmus: float
    treat_all: float  # the one action that is best for everybody
    treat_none: float
    knowable: float
    knowing_all: float
    treated_share: float
    qini: float  # of the dearest action: area over random targeting, as a share of that of the true order

    @property
    def share_of_knowable(self) -> float:
        """Of what could be gained over the better of all and none by who knows what can be known."""
        better = max(self.treat_all, self.treat_none)
        return (self.litmus - better) / (self.knowable - better)

    @property
    def share_of_all(self) -> float:
        """Likewise of who knows all."""
        better = max(self.treat_all, self.treat_none)
        return (self.litmus - better) / (self.knowing_all - better)


def check(market: Market, fitted: Fitted) -> Check:
    """One renewal of everybody in the market, after a year, at individual rates."""
    year, count = 1, len(market)
    declared = by_declared(fitted.individual, market)
    expected = np.where(market.shares_driving, by_driving(fitted.individual, market, year - 1), declared)
    price = LOADING * expected
    annuity = _annuity(fitted.leaving.stay_share, market.years - year)
    value = (price - expected - market.service_cost) * annuity
    estimated = kept_more(fitted.leaving, log_ratio(price, market.offer[year - 1]), np.ones(count), market.answered)
    free = np.zeros(len(market.action_cost))
    chosen = next_steps(estimated, value, market.action_cost, free, 0.0, np.zeros(count, dtype=np.bool_))

    each = _true_uplift(market, year, price)
    gain = each * ((price - market.loss[year] - market.service_cost) * annuity)[:, None] - market.action_cost
    knowable_uplift = _mean_uplift(market, year, price)
    known_loss = np.where(market.shares_driving, market.explained_loss[year], expected)
    known_value = (price - known_loss - market.service_cost) * annuity
    knowable = (knowable_uplift * known_value[:, None] - market.action_cost).argmax(axis=1)
    rows = np.arange(count)
    dearest = int(np.argmax(market.action_cost))
    return Check(
        litmus=float(gain[rows, chosen.action].sum()),
        treat_all=float(gain[:, NOTHING + 1 :].sum(axis=0).max()),
        treat_none=0.0,
        knowable=float(gain[rows, knowable].sum()),
        knowing_all=float(gain.max(axis=1).sum()),
        treated_share=float((chosen.action != NOTHING).mean()),
        qini=qini(estimated[:, dearest], each[:, dearest]) / qini(each[:, dearest], each[:, dearest]),
    )


def qini(ranked_by: Floats, uplift: Floats) -> float:
    """Area between the kept customers when treating from the highest rank on and when treating by lot, a customer."""
    order = np.argsort(-ranked_by, kind="stable")
    kept = np.cumsum(uplift[order])
    at = np.linspace(0, len(order) - 1, QINI_STEPS).astype(np.intp)
    by_lot = kept[-1] * (at + 1) / len(order)
    return float(np.mean(kept[at] - by_lot) / len(order))


def _annuity(stay_share: float, years: int) -> float:
    a_year = stay_share / (1.0 + DISCOUNT)
    return float(sum(a_year**ahead for ahead in range(years)))


def _true_uplift(market: Market, year: int, price: Floats) -> Floats:
    """By how much each action keeps each customer, shape (n, actions)."""
    count, actions = market.moved.shape
    chances = [
        leave_chance(market, year, price, price, np.ones(count), np.full(count, action)) for action in range(actions)
    ]
    return np.stack([chances[NOTHING] - chance for chance in chances], axis=1)


def _mean_uplift(market: Market, year: int, price: Floats, draws: int = 40) -> Floats:
    """The same given only prices and earlier answers: averaged over the tempers and sensitivities of such customers."""
    rng = np.random.default_rng(0)
    total = np.zeros_like(market.moved)
    groups = [np.flatnonzero(market.answered == one) for one in np.unique(market.answered)]
    other = np.arange(len(market))
    for _ in range(draws):
        for group in groups:
            other[group] = rng.permutation(group)
        swapped = Market(**{name: getattr(market, name) for name in Market.__slots__} | {
            "sensitivity": market.sensitivity[other], "moved": market.moved[other]})  # fmt: skip
        total += _true_uplift(swapped, year, price)
    return np.asarray(total / draws)
