"""The litmus test against the truth of a simulated market: its gain beside treating all, nobody, and by the truth."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from portfolio.contact import kept_more
from portfolio.litmus import NOTHING, next_steps
from portfolio.market import Market, leave_chance, log_ratio
from portfolio.rates import by_declared, by_driving, usual_offer
from portfolio.strategies import DISCOUNT, Fitted

type Floats = NDArray[np.float64]
type Bools = NDArray[np.bool_]

LOADING = 1.4
QINI_STEPS = 100
SENSITIVITIES = 15  # quantiles that a mean over customers is taken at
NODES = 5  # of a mean over what others will offer (Gauss-Hermite)


@dataclass(frozen=True, slots=True)
class Check:
    """True gains over all customers of a renewal, euro: of the litmus test, of all and of nobody, and of four oracles.

    `foreseeing` knows the true mean effect of every action for customers of whom the same is known, what the others
    usually offer and, of who shares it, what the driving so far truly costs: all that can be known before a renewal.
    `knowing_offers` knows this year's offers and driving as well, which nobody does yet; `knowing_tempers` also who is
    moved by what; `knowing_all` also everybody's own sensitivity to price and losses.
    """

    litmus: float
    treat_all: float  # the one action that is best for everybody
    treat_none: float
    foreseeing: float
    knowing_offers: float
    knowing_tempers: float
    knowing_all: float
    treated_share: float
    qini: float  # of the dearest action: area over random targeting, as a share of that of the true order

    def share_of(self, oracle: str) -> float:
        """Of what an oracle gains over the better of all and none."""
        better = max(self.treat_all, self.treat_none)
        return float((self.litmus - better) / (getattr(self, oracle) - better))


ORACLES = ("foreseeing", "knowing_offers", "knowing_tempers", "knowing_all")


def check(market: Market, fitted: Fitted) -> Check:
    """One renewal of everybody in the market, after a year, at individual rates."""
    year, count = 1, len(market)
    declared = by_declared(fitted.individual, market)
    expected = np.where(market.shares_driving, by_driving(fitted.individual, market, year - 1), declared)
    price = LOADING * expected
    annuity = _annuity(fitted.leaving.stay_share, market.years - year)
    usual, spread = usual_offer(market, year - 1)
    estimated = kept_more(fitted.leaving, log_ratio(price, usual), np.ones(count), market.answered)
    free = np.zeros(len(market.action_cost))
    value = (price - expected - market.service_cost) * annuity
    chosen = next_steps(estimated, value, market.action_cost, free, 0.0, np.zeros(count, dtype=np.bool_))

    each = _true_uplift(market, year, price)
    gain = each * ((price - market.loss[year] - market.service_cost) * annuity)[:, None] - market.action_cost
    rows = np.arange(count)

    def gained(uplift: Floats, losses_of: int) -> float:
        """By who goes by this uplift (n, actions), and by what the driving of a year truly costs."""
        loss = np.where(market.shares_driving, market.explained_loss[losses_of], expected)
        worth = (price - loss - market.service_cost) * annuity
        return float(gain[rows, (uplift * worth[:, None] - market.action_cost).argmax(axis=1)].sum())

    dearest = int(np.argmax(market.action_cost))
    return Check(
        litmus=float(gain[rows, chosen.action].sum()),
        treat_all=float(gain[:, NOTHING + 1 :].sum(axis=0).max()),
        treat_none=0.0,
        foreseeing=gained(_foreseen_uplift(market, year, price, usual, spread), year - 1),
        knowing_offers=gained(_mean_uplift(market, year, price), year),
        knowing_tempers=gained(_mean_over_sensitivities(market, year, price), year),
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


def _foreseen_uplift(market: Market, year: int, price: Floats, usual: Floats, spread: float) -> Floats:
    """The mean over what others may offer in that year about their usual offers; tempers and sensitivities unknown."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    total = np.zeros_like(market.moved)
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        offer = market.offer.copy()
        offer[year] = usual * np.exp(spread * node)
        total += weight * _mean_uplift(replace(market, offer=offer), year, price)
    return total


def _mean_uplift(market: Market, year: int, price: Floats) -> Floats:
    """The mean over the tempers of customers who answered alike, each by its share, and over all sensitivities."""
    tempers, temper = np.unique(market.moved, axis=0, return_inverse=True)
    total = np.zeros_like(market.moved)
    for number, moved in enumerate(tempers):
        kinds = np.bincount(market.answered)
        shares = np.bincount(market.answered, temper == number) / np.maximum(kinds, 1)
        everybody = replace(market, moved=np.tile(moved, (len(market), 1)))
        total += shares[market.answered, None] * _mean_over_sensitivities(everybody, year, price)
    return total


def _mean_over_sensitivities(market: Market, year: int, price: Floats) -> Floats:
    quantiles = np.quantile(market.sensitivity, (np.arange(SENSITIVITIES) + 0.5) / SENSITIVITIES)
    parts = [_true_uplift(replace(market, sensitivity=np.full(len(market), one)), year, price) for one in quantiles]
    return np.asarray(np.mean(parts, axis=0))
