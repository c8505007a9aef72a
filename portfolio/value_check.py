"""Predicted lifetime values against what the customers of a simulated market really bring."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from portfolio.market import NOTHING, Market, Pilot, leave_chance, log_ratio
from portfolio.rates import by_declared, by_driving
from portfolio.strategies import DISCOUNT, Fitted
from portfolio.value import value_of

type Floats = NDArray[np.float64]

LOADING = 1.4
DECILES = 10


@dataclass(frozen=True, slots=True)
class Decile:
    """A tenth of the customers by predicted value, from the lowest: means in euro."""

    predicted: float
    true: float


@dataclass(frozen=True, slots=True)
class Check:
    """Means over all customers, euro, and by tenths of the predicted value."""

    predicted: float
    true: float
    interval_width: float
    deciles: tuple[Decile, ...]


def check(market: Market, pilot: Pilot, fitted: Fitted, years: int, seed: int) -> Check:
    """Everybody in the market begins at an individual rate that stays; the price against the market as it was then."""
    rate = np.where(
        market.shares_driving, by_driving(fitted.individual, market, 0), by_declared(fitted.individual, market)
    )
    price = LOADING * rate
    margin = price - rate - market.service_cost
    ones = np.ones(len(market))
    ratio = log_ratio(price, market.offer[0])
    predicted = value_of(pilot, ratio, ones, margin, market.tastes.other_reason, years, seed)
    true = true_value(market, price, years)
    return Check(
        predicted=float(predicted.mean.mean()),
        true=float(true.mean()),
        interval_width=float((predicted.high - predicted.low).mean()),
        deciles=by_decile(predicted.mean, true),
    )


def true_value(market: Market, price: Floats, years: int) -> Floats:
    """What each customer would really bring, expected over luck, shape (n,): at a price (n,) that stays."""
    here, total = np.ones(len(market)), np.zeros(len(market))
    nothing = np.full(len(market), NOTHING)
    for year in range(years):
        total += here * (price - market.loss[year] - market.service_cost) / (1.0 + DISCOUNT) ** year
        leaves = leave_chance(market, year, price, price, np.full(len(market), year + 1.0), nothing)
        here = here * (1.0 - market.tastes.other_reason) * (1.0 - leaves)
    return total


def by_decile(predicted: Floats, true: Floats) -> tuple[Decile, ...]:
    """Predicted and true means of each tenth by predicted value, from the lowest."""
    parts = np.array_split(np.argsort(predicted, kind="stable"), DECILES)
    return tuple(Decile(float(predicted[rows].mean()), float(true[rows].mean())) for rows in parts)
