"""A market for strategies to compete on, and the pilot they learn from, out of the true formula of the book.

Money is that of the first year: neither claims nor prices inflate, and nobody grows older. Everybody's luck is drawn
beforehand, so that strategies meet the same customers on the same days.
"""

from dataclasses import replace

import numpy as np

from portfolio.comparison import Round
from portfolio.market import Market, Pilot, Tastes, leave_chance
from simulator.book.behaviour import Behaviour
from simulator.book.claims import true_mean
from simulator.book.customers import TEMPERS, Codes, Customers, Floats, draw_customers
from simulator.book.formula import CHANNELS, Formula, levels, of_year
from simulator.book.prices import MEASURED_PLANS, choose_plan, expected_loss, market_price
from simulator.seeds import BOOK, generator

PILOT, REHEARSAL, PLAYED = range(3)  # the last number of a round's spawn keys
ANSWERS = 1  # beside it, of what was written down of answers
ROUND = BOOK + 1
SHOPS = 0.35  # of those insured elsewhere ask for quotes in a year: invented, as all of the formula is
MOST_YEARS = 6  # that a policy of the pilot has been with us
PILOT_PRICE_SIGMA = 0.25  # log: how far the pilot's renewal prices were drawn from the market's
FIRST_DAY = np.datetime64("2026-01-01", "D")


def make_round(
    seed: int,
    customers: int,
    years: int,
    formula: Formula,
    behaviour: Behaviour,
    pilot_customers: int | None = None,
    told: float = 0.0,
) -> Round:
    """One seed's worlds, of `customers` each, the pilot of `pilot_customers`; the same seed gives the same worlds.

    `told`: the share of customers whose earlier answers to contacts, which the insurer wrote down, show their temper;
    the answers of the others are chance. 0: nothing was written down.
    """
    markets = {
        part: _told(_market(customers, years, formula, behaviour, generator(seed, ROUND, part)), told, seed, part)
        for part in (REHEARSAL, PLAYED)
    }
    pilot = _pilot(pilot_customers or customers, formula, behaviour, generator(seed, ROUND, PILOT))
    return Round(replace(pilot, market=_told(pilot.market, told, seed, PILOT)), markets[REHEARSAL], markets[PLAYED])


def _told(market: Market, told: float, seed: int, part: int) -> Market:
    """With earlier answers: of so many customers their temper, of the others anybody's."""
    if told == 0.0:
        return market
    rng = generator(seed, ROUND, part, ANSWERS)
    _, temper = np.unique(market.moved, axis=0, return_inverse=True)
    return replace(market, answered=np.where(rng.random(len(market)) < told, temper, rng.permutation(temper)))


def _market(count: int, years: int, formula: Formula, behaviour: Behaviour, rng: np.random.Generator) -> Market:
    people = draw_customers(count, formula, behaviour, FIRST_DAY, 1, rng)
    age = _age(people)
    plan, _ = choose_plan(formula, people, rng)
    shares = np.isin(plan, [list(formula.pay_plan).index(name) for name in MEASURED_PLANS])
    driven = _driven_km(years, people, formula, rng)
    features = np.stack([behaviour.driven(people.habits, km, rng) for km in driven])
    explained = np.stack([_loss(formula, people, age, driven[year], features[year]) for year in range(years)])
    year_zero = np.zeros(count, dtype=np.int64)
    offer = np.stack(
        [
            market_price(formula, people, age, year_zero, rng)
            * float(np.exp(of_year(formula.market.cycle, np.array([year]))[0]))
            for year in range(years)
        ]
    )
    return Market(
        tastes=_tastes(formula),
        territory=people.territory,
        vehicle_class=people.vehicle_class,
        age_band=formula.driver_age.band(age),
        declared_km=people.declared_km,
        shares_driving=shares,
        driven_km=driven,
        behaviour=features,
        answered=np.zeros(count, dtype=np.int64),
        explained_loss=explained,
        loss=explained * people.heterogeneity,
        sensitivity=people.price_sensitivity,
        moved=_moved(formula, people),
        action_cost=levels(formula.actions, "cost"),
        service_cost=_service_cost(formula, people, shares),
        offer=offer,
        luck=rng.random((3, years, count)),
    )


def _pilot(count: int, formula: Formula, behaviour: Behaviour, rng: np.random.Generator) -> Pilot:
    market = _market(count, 1, formula, behaviour, rng)
    amount = sum(expected_loss(formula, cover) for cover in formula.cover) / levels(formula.cover, "per_year").sum()
    claims = rng.poisson(market.loss[0] / amount)
    ratio = PILOT_PRICE_SIGMA * rng.standard_normal(count)
    action = rng.integers(0, len(formula.actions), count)  # equal lots: rare actions would teach little
    price = market.offer[0] * np.exp(ratio)
    years_with_us = rng.integers(1, MOST_YEARS + 1, count).astype(np.float64)
    chance = leave_chance(market, 0, price, price, years_with_us, action)
    left = (rng.random(count) < chance).astype(np.float64)
    return Pilot(market, claims, float(amount), ratio, years_with_us, action, left)


def _tastes(formula: Formula) -> Tastes:
    return Tastes(
        shops=SHOPS,
        take=formula.quote.intercept,
        take_price=formula.quote.price,
        leave=formula.lapse.intercept,
        leave_price=formula.lapse.price,
        leave_increase=formula.lapse.increase,
        leave_tenure=formula.lapse.tenure,
        other_reason=formula.lapse.other_reason,
    )


def _age(people: Customers) -> Codes:
    return people.first_day.astype("datetime64[Y]").astype(np.int64) + 1970 - people.birth_year


def _driven_km(years: int, people: Customers, formula: Formula, rng: np.random.Generator) -> Floats:
    luck = np.exp(formula.km.year_log_sigma * rng.standard_normal((years, len(people))))
    return np.asarray(np.maximum(np.round(people.km_per_year * luck), 1.0))


def _loss(formula: Formula, people: Customers, age: Codes, km: Floats, features: Floats) -> Floats:
    """Expected loss of a year by all that is driven, euro, shape (n,): without the driver's own heterogeneity."""
    means = true_mean(formula, people, age, km, features, np.ones(len(people)))
    amounts = np.array([truth.expected_amount for truth in formula.cover.values()])
    severity = levels(formula.vehicle_class, "severity")[people.vehicle_class]
    return np.asarray((means @ amounts) * severity)


def _moved(formula: Formula, people: Customers) -> Floats:
    """How each action moves each customer's leaving logit, shape (n, actions)."""
    moved = np.stack([levels(formula.actions, name if name != "plain" else "effect") for name in TEMPERS])
    return np.asarray(moved[people.temper])


def _service_cost(formula: Formula, people: Customers, shares: np.ndarray) -> Floats:
    """What a year's contacts cost on average, euro, shape (n,): claims' own calls left out."""
    cost = np.zeros(len(people))
    for name in CHANNELS:
        channel = formula.service.channels[name]
        asked = np.full(len(people), channel.per_year)
        if name == "app":
            asked *= shares
        if name in {"web", "email"}:
            asked *= np.where(people.digital, 1.4, 0.4)
        if name == "call_centre":
            asked *= np.where(people.digital, 0.7, 1.5)
        cost += channel.cost * asked
    return cost
