"""Prices of the simulated market: the insurer's own, which reads scores, and the best other offer, which does not."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from scoring.score import PRIOR_MODEL
from simulator.book.behaviour import FEATURES
from simulator.book.customers import Bools, Codes, Customers, Floats
from simulator.book.formula import Formula, levels, of_year

BEHAVIOUR_PRICED = "autograph"
MEASURED_PLANS = ("per_km", "autograph")
SHARING = ("odometer", "scores", "full")
WEIGHTS = tuple(weight for weight in PRIOR_MODEL.weights if weight.feature in FEATURES)
PHONE = FEATURES.index("phone_time_share")


def expected_loss(formula: Formula, cover: str) -> float:
    """Euro a year of the base class: frequency x mean amount."""
    truth = formula.cover[cover]
    return truth.per_year * truth.expected_amount


def log_effect(features: Floats, km: Floats, is_phone: Bools) -> Floats:
    """Log of claims against the class mean by the insurer's prior score, credibility included; shape (n,).

    `features` (n, features) as measured over `km` (n,); a box measures no phone use.
    """
    log = np.zeros(len(km))
    for weight in WEIGHTS:
        column = FEATURES.index(weight.feature)
        credibility = km / (km + weight.credibility_km)
        departure = np.minimum(features[:, column], weight.cap) - weight.reference
        effect = weight.beta * credibility * departure
        log += np.where(is_phone, effect, 0.0) if column == PHONE else effect
    return log


def score_of(log: Floats) -> Floats:
    """The 0-100 view of a log effect, as `scoring.score` shows it; shape (n,)."""
    best = -sum(weight.beta * weight.reference for weight in PRIOR_MODEL.weights)
    return np.asarray(np.round(100 * np.exp(np.minimum(best - log, 0.0)), 1))


def tariff(formula: Formula, customers: Customers, age: Codes, km: Floats, year: Codes) -> Floats:
    """The insurer's price for a year by the static factors, euro, shape (n, covers); `year` is of the book."""
    insurer = formula.insurer
    factor = (
        np.array(list(insurer.territory.values()))[customers.territory]
        * np.array(list(insurer.vehicle_class.values()))[customers.vehicle_class]
        * np.array(insurer.driver_age)[formula.driver_age.band(age)]
        * (km / formula.km.reference) ** insurer.declared_km_exponent
        * of_year(tuple(np.cumprod(1.0 + np.array(insurer.rate_change))), year)
        * (1.0 + formula.amounts.inflation) ** year
    )
    base = np.array([expected_loss(formula, cover) * insurer.loading for cover in formula.cover])
    return np.asarray(factor[:, None] * base)


def behaviour_relativity(formula: Formula, log: Floats) -> Floats:
    """The capped relativity, shape (n,)."""
    return np.clip(np.exp(log), formula.insurer.behaviour_lowest, formula.insurer.behaviour_highest)


def market_price(formula: Formula, customers: Customers, age: Codes, year: Codes, rng: np.random.Generator) -> Floats:
    """The best other offer for a year, all covers, euro, shape (n,): static factors by the truth, and luck."""
    market = formula.market
    loss = sum(expected_loss(formula, cover) for cover in formula.cover)
    factor = (
        levels(formula.territory, "relativity")[customers.territory]
        * levels(formula.vehicle_class, "relativity")[customers.vehicle_class]
        * np.array(formula.driver_age.relativity)[formula.driver_age.band(age)]
        * (customers.declared_km / formula.km.reference) ** formula.insurer.declared_km_exponent
        * (1.0 + formula.amounts.inflation) ** year
    )
    luck = np.exp(of_year(market.cycle, year) + market.noise * rng.standard_normal(len(customers)))
    return np.asarray(loss * market.loading * factor * luck)


def choose_plan(formula: Formula, customers: Customers, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """Each customer's pay plan and how much driving they share, as codes; both shape (n,)."""
    low_km = np.log(formula.km.reference / customers.declared_km)
    appeals = [
        taste.appeal + taste.low_km * low_km - taste.privacy * customers.distrust for taste in formula.pay_plan.values()
    ]
    plan = np.argmax(np.stack(appeals, axis=1) + rng.gumbel(size=(len(customers), len(appeals))), axis=1)
    is_behaviour = plan == list(formula.pay_plan).index(BEHAVIOUR_PRICED)
    full = rng.random(len(customers)) < formula.data_sharing.full_share
    sharing = np.where(is_behaviour, np.where(full, 2, 1), 0)
    return plan, sharing


def conversion(formula: Formula, customers: Customers, price: Floats, market: Floats) -> Floats:
    """The probability that a quote is taken, shape (n,)."""
    quote = formula.quote
    logit = quote.intercept - quote.price * customers.price_sensitivity * np.log(price / market)
    return np.asarray(expit(logit + quote.digital * customers.digital))


def plan_discount(formula: Formula, plan: Codes) -> Floats:
    """1 - the pay plan's discount, shape (n,)."""
    discounts: NDArray[np.float64] = levels(formula.pay_plan, "discount")
    return 1.0 - discounts[plan]
