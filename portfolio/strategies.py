"""Four strategies on one market: mass, differentiated, concentrated, one-to-one, played year by year.

All meet the same customers, the same other offers and the same luck. None reads what is true: rates and the effects of
contacts come from a pilot, and each strategy's loading (the concentrated one's niche too) is the best of a rehearsal
on another market. Rates follow expected cost; no price looks at what its customer would put up with.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from portfolio.contact import LeaveModel, best_action, fit_leaving, kept_more
from portfolio.market import NOTHING, Bools, Codes, Floats, Market, Pilot, leave_chance, log_ratio, take_chance
from portfolio.rates import (
    NICHES,
    SEGMENTS,
    Individual,
    by_declared,
    by_driving,
    individual_rates,
    niche_of,
    one_rate,
    segment_of,
    segment_rates,
)

MASS, DIFFERENTIATED, CONCENTRATED, ONE_TO_ONE = STRATEGIES = (
    "mass",
    "differentiated",
    "concentrated",
    "one_to_one",
)
LOADINGS = (1.15, 1.25, 1.35, 1.45, 1.55, 1.65, 1.8, 2.0)
DISCOUNT = 0.05  # a year, of customer value
EVERY_NICHE = -1


@dataclass(frozen=True, slots=True)
class Costs:
    """Euro; stated, not measured. What a strategy spends besides losses, service and the actions themselves."""

    acquisition: float = 45.0  # a policy sold
    reach: float = 1.5  # a year and customer whom an offer is made to, insured here or not
    segment: float = 1_000.0  # a year and segment: its own rate, material and filing
    measuring: float = 12.0  # a year and policy that shares its driving
    individual_treatment: float = 5.0  # a year and policy of an individual rate; an individual contact as well


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a pilot taught."""

    one: float
    segments: Floats
    individual: Individual
    leaving: LeaveModel


@dataclass(frozen=True, slots=True)
class Strategy:
    """How an insurer rates and whom it reaches."""

    name: str
    loading: float
    niche: int = EVERY_NICHE


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a strategy came to on one market over all its years. Ratios of nothing are NaN."""

    profit: float  # euro
    loss_ratio: float  # expected losses over premium
    retention: float  # share of renewals kept, whatever the reason
    fairness: float  # share of premium that lies where the explained losses lie
    customer_value: float  # euro: discounted profit of a customer ever won, fixed costs left out


def fit(pilot: Pilot) -> Fitted:
    """All that the strategies estimate. Raises TooFewRows."""
    return Fitted(one_rate(pilot), segment_rates(pilot)[0], individual_rates(pilot), fit_leaving(pilot))


def rehearsed(market: Market, fitted: Fitted, costs: Costs) -> dict[str, Strategy]:
    """Each strategy with the loading, and the niche, that earned most on this market."""
    found = {name: rehearsed_loading(market, name, fitted, costs) for name in STRATEGIES}
    niches = [replace(found[CONCENTRATED], niche=niche) for niche in range(NICHES)]
    niche = _best(market, niches, fitted, costs).niche
    found[CONCENTRATED] = rehearsed_loading(market, CONCENTRATED, fitted, costs, niche)
    return found


def rehearsed_loading(market: Market, name: str, fitted: Fitted, costs: Costs, niche: int = EVERY_NICHE) -> Strategy:
    """The strategy with the loading that earned most on this market."""
    return _best(market, [Strategy(name, loading, niche) for loading in LOADINGS], fitted, costs)


def _best(market: Market, candidates: list[Strategy], fitted: Fitted, costs: Costs) -> Strategy:
    return max(candidates, key=lambda one: play(market, one, fitted, costs).profit)


def play(market: Market, strategy: Strategy, fitted: Fitted, costs: Costs) -> Outcome:
    """The strategy's years on a market. Pure: the luck is the market's own."""
    expected_loss = _rates(market, strategy, fitted)
    reached = np.ones(len(market), dtype=np.bool_) if strategy.niche < 0 else niche_of(market) == strategy.niche
    ours = np.zeros(len(market), dtype=np.bool_)
    years_with_us, last_price = np.zeros(len(market)), np.ones(len(market))
    won, value = ours.copy(), np.zeros(len(market))
    tally = _Tally()
    for year in range(market.years):
        expected = expected_loss(year, years_with_us)
        price = strategy.loading * expected
        spent = np.zeros(len(market))
        action = _contact(market, strategy, fitted, costs, year, ours, years_with_us, price, expected)
        spent[ours] += market.action_cost[action[ours]]
        spent[ours & (action != NOTHING)] += costs.individual_treatment
        leaves = leave_chance(market, year, price, last_price, years_with_us, action) > market.luck[1, year]
        leaves |= market.tastes.other_reason > market.luck[2, year]
        tally.renewals += int(ours.sum())
        stays = ours & ~leaves
        tally.kept += int(stays.sum())
        asks = reached & ~ours & (market.luck[0, year] < market.tastes.shops)
        joins = asks & (market.luck[1, year] < take_chance(market, year, price))
        spent[joins] += costs.acquisition
        ours = stays | joins
        spent[ours] += market.service_cost[ours]
        if strategy.name == ONE_TO_ONE:
            spent[ours & market.shares_driving] += costs.measuring
            spent[ours & market.shares_driving & (years_with_us > 0)] += costs.individual_treatment
        margin = np.where(ours, price - market.loss[year], 0.0) - spent
        value += margin / (1.0 + DISCOUNT) ** year
        won |= joins
        tally.add(price[ours], market.loss[year, ours], market.explained_loss[year, ours], margin)
        tally.profit -= costs.reach * int(reached.sum()) + costs.segment * _segments(strategy)
        years_with_us = np.where(ours, years_with_us + 1.0, 0.0)
        last_price = np.where(ours, price, 1.0)
    return tally.outcome(value, won)


@dataclass(slots=True)
class _Tally:
    profit: float = 0.0
    premium: float = 0.0
    loss: float = 0.0
    misplaced: float = 0.0
    renewals: int = 0
    kept: int = 0

    def add(self, premium: Floats, loss: Floats, explained: Floats, margin: Floats) -> None:
        self.premium += float(premium.sum())
        self.loss += float(loss.sum())
        self.profit += float(margin.sum())
        due = explained * (premium.sum() / explained.sum()) if len(explained) else explained
        self.misplaced += float(np.abs(premium - due).sum()) / 2.0  # what one pays too much another pays too little

    def outcome(self, value: Floats, won: Bools) -> Outcome:
        return Outcome(
            profit=self.profit,
            loss_ratio=self.loss / self.premium if self.premium else np.nan,
            retention=self.kept / self.renewals if self.renewals else np.nan,
            fairness=1.0 - self.misplaced / self.premium if self.premium else np.nan,
            customer_value=float(value[won].mean()) if won.any() else np.nan,
        )


def _segments(strategy: Strategy) -> int:
    """How many segments have an offer of their own."""
    if strategy.name == MASS:
        return 1
    return SEGMENTS // NICHES if strategy.niche >= 0 else SEGMENTS


def _rates(market: Market, strategy: Strategy, fitted: Fitted) -> Callable[[int, Floats], Floats]:
    """Expected loss by (year, years with us), euro a year, shape (n,), as the strategy knows it."""
    if strategy.name == MASS:
        flat = np.full(len(market), fitted.one)
        return lambda year, years_with_us: flat
    if strategy.name != ONE_TO_ONE:
        of_segment = fitted.segments[segment_of(market)]
        return lambda year, years_with_us: of_segment
    declared = by_declared(fitted.individual, market)

    def individual(year: int, years_with_us: Floats) -> Floats:
        """By last year's driving where it was measured here; before that by what was declared."""
        if year == 0:
            return declared
        is_measured = market.shares_driving & (years_with_us > 0)
        return np.where(is_measured, by_driving(fitted.individual, market, year - 1), declared)

    return individual


def _contact(
    market: Market,
    strategy: Strategy,
    fitted: Fitted,
    costs: Costs,
    year: int,
    ours: Bools,
    years_with_us: Floats,
    price: Floats,
    expected: Floats,
) -> Codes:
    """The action before each renewal: one-to-one contacts where it adds more than it costs, nobody else does."""
    if strategy.name != ONE_TO_ONE or not ours.any():
        return np.full(len(market), NOTHING)
    # As seen by the insurer: last year's other offers are known, next year's are not.
    ratio = log_ratio(price, market.offer[max(year - 1, 0)])
    a_year = fitted.leaving.stay_share / (1.0 + DISCOUNT)
    years_of_value = sum(a_year**ahead for ahead in range(market.years - year))
    value = (price - expected - market.service_cost) * years_of_value
    cost = market.action_cost + costs.individual_treatment * (np.arange(len(market.action_cost)) != NOTHING)
    action, _ = best_action(kept_more(fitted.leaving, ratio, years_with_us, market.answered), value, cost)
    return np.where(ours, action, NOTHING)
