"""A market of customers in which strategies compete: what each really costs, what others offer, how each decides."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

type Floats = NDArray[np.float64]
type Codes = NDArray[np.int64]
type Bools = NDArray[np.bool_]

MOST_LOG_RATIO = 1.5
NOTHING = 0  # the action that is none


@dataclass(frozen=True, slots=True)
class Tastes:
    """How the market's customers decide: logits of taking a quote and of leaving at a renewal."""

    shops: float  # share of those insured elsewhere who ask for quotes in a year
    take: float
    take_price: float  # x sensitivity x log(ours / market), taken off
    leave: float
    leave_price: float  # x sensitivity x log(ours / market)
    leave_increase: float  # x max(0, log(ours / ours of last year))
    leave_tenure: float  # x log(1 + years with us)
    other_reason: float  # a year: ends whatever is done


@dataclass(frozen=True, slots=True)
class Market:
    """n customers over years. Money is euro a year at the prices of the first year; `yearly` columns are (years, n)."""

    tastes: Tastes
    # what every insurer may ask
    territory: Codes
    vehicle_class: Codes
    age_band: Codes
    declared_km: Floats
    # what only measuring shows, and who lets it
    shares_driving: Bools
    driven_km: Floats  # yearly
    behaviour: Floats  # (years, n, features)
    answered: Codes  # how they answered contacts before, as far as the insurer wrote it down; 0 for all: it did not
    # what is true and nobody sees
    explained_loss: Floats  # yearly: expected by all that is driven, without the driver's own heterogeneity
    loss: Floats  # yearly: expected
    sensitivity: Floats
    moved: Floats  # (n, actions): change of the leaving logit; action 0 is nothing, and costs nothing
    # the rest of the world
    action_cost: Floats  # (actions,)
    service_cost: Floats
    offer: Floats  # yearly: the best other price
    luck: Floats  # (3, years, n) uniform: shops, takes or leaves, ends for another reason; the same for every strategy

    def __len__(self) -> int:
        return len(self.sensitivity)

    @property
    def years(self) -> int:
        """How many years it is played."""
        return len(self.offer)


@dataclass(frozen=True, slots=True)
class Pilot:
    """A year of policies known from before, none of them in the market played.

    Their claims were counted; then they were offered renewal at prices and with actions drawn by lot. Of `market` only
    what an insurer may know is read.
    """

    market: Market
    claims: Codes
    mean_amount: float  # euro, of a claim
    log_price_ratio: Floats  # log(offered / market)
    years_with_us: Floats
    action: Codes
    left: Floats  # 0 or 1


def log_ratio(ours: Floats, other: Floats) -> Floats:
    """log(ours / other), bounded: nobody tells ten times too dear from twenty."""
    return np.clip(np.log(ours / other), -MOST_LOG_RATIO, MOST_LOG_RATIO)


def take_chance(market: Market, year: int, price: Floats) -> Floats:
    """The probability that somebody who asks takes our price, shape (n,)."""
    tastes = market.tastes
    against = log_ratio(price, market.offer[year])
    return np.asarray(expit(tastes.take - tastes.take_price * market.sensitivity * against))


def leave_chance(
    market: Market, year: int, price: Floats, last_price: Floats, years_with_us: Floats, action: Codes
) -> Floats:
    """The probability of leaving at a renewal at `price` after `action`, shape (n,); other reasons come on top."""
    tastes = market.tastes
    logit = (
        tastes.leave
        + tastes.leave_price * market.sensitivity * log_ratio(price, market.offer[year])
        + tastes.leave_increase * np.maximum(log_ratio(price, last_price), 0.0)
        + tastes.leave_tenure * np.log1p(years_with_us)
        + market.moved[np.arange(len(market)), action]
    )
    return np.asarray(expit(logit))
