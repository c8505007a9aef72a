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
# How each of TEMPERS answers a contact: takes it up, or refuses it; the others are silent. Invented as well.
TAKES, REFUSES = np.array([0.25, 0.6, 0.05]), np.array([0.2, 0.1, 0.6])
TOLD_APART = 2  # answers of a kind: more count as so many
PILOT_PRICE_SIGMA = 0.25  # log: how far the pilot's renewal prices were drawn from the market's
FIRST_DAY = np.datetime64("2026-01-01", "D")


def make_round(
    seed: int,
    customers: int,
    years: int,
    formula: Formula,
    behaviour: Behaviour,
    pilot_customers: int | None = None,
    contacts: int = 0,
) -> Round:
    """One seed's worlds, of `customers` each, the pilot of `pilot_customers`; the same seed gives the same worlds.

    `contacts`: how many earlier ones each customer was made whose answer the insurer wrote down (taken, refused, or
    silence).
    """
    markets = {
        part: _answered(
            _market(customers, years, formula, behaviour, generator(seed, ROUND, part)),
            formula,
            contacts,
            generator(seed, ROUND, part, ANSWERS),
        )
        for part in (REHEARSAL, PLAYED)
    }
    pilot = _pilot(pilot_customers or customers, formula, behaviour, generator(seed, ROUND, PILOT))
    answered = _answered(pilot.market, formula, contacts, generator(seed, ROUND, PILOT, ANSWERS))
    return Round(replace(pilot, market=answered), markets[REHEARSAL], markets[PLAYED])


def _answered(market: Market, formula: Formula, contacts: int, rng: np.random.Generator) -> Market:
    """With how each customer answered so many contacts before: by their temper, and luck."""
    if contacts == 0:
        return market
    temper = np.argmax([(market.moved == moved).all(axis=1) for moved in _moves(formula)], axis=0)
    taken = rng.binomial(contacts, TAKES[temper])
    refused = rng.binomial(contacts - taken, (REFUSES / (1.0 - TAKES))[temper])
    kinds = np.minimum(taken, TOLD_APART) * (TOLD_APART + 1) + np.minimum(refused, TOLD_APART)
    return replace(market, answered=kinds.astype(np.int64))


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


def _moves(formula: Formula) -> Floats:
    """How each action moves the leaving logit of each of TEMPERS, shape (tempers, actions)."""
    return np.stack([levels(formula.actions, name if name != "plain" else "effect") for name in TEMPERS])


def _moved(formula: Formula, people: Customers) -> Floats:
    """The same of each customer, shape (n, actions)."""
    return np.asarray(_moves(formula)[people.temper])


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
