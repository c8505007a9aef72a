"""Service and renewal: contacts and what they cost, experiences, actions by lot, and who leaves."""

import numpy as np
from scipy.special import expit

from simulator.book.customers import TEMPERS, Bools, Codes, Customers, Floats
from simulator.book.formula import CHANNELS, Formula, levels

MOST_LOG_RATIO = 1.5


def contacts(
    formula: Formula, customers: Customers, measured: Bools, claims: Codes, years: Floats, rng: np.random.Generator
) -> Codes:
    """Contacts of a term by channel, shape (n, channels). An app is for those whose driving is measured."""
    counts = np.empty((len(customers), len(CHANNELS)), dtype=np.int64)
    for column, (name, channel) in enumerate(formula.service.channels.items()):
        mean = channel.per_year * years
        if name == "app":
            mean = mean * measured
        if name in {"web", "email"}:
            mean = mean * np.where(customers.digital, 1.4, 0.4)
        if name == "call_centre":
            mean = mean * np.where(customers.digital, 0.7, 1.5) + formula.service.contacts_per_claim * claims
        counts[:, column] = rng.poisson(mean)
    return counts


def bad_service(formula: Formula, claims: Codes, rng: np.random.Generator) -> Bools:
    """Whether a term leaves a bad experience, shape (n,)."""
    chance = formula.service.bad_service + formula.service.bad_service_per_claim * claims
    return np.asarray(rng.random(len(claims)) < chance)


def lapse_chance(
    formula: Formula,
    customers: Customers,
    *,
    offered: Floats,
    last: Floats,
    market: Floats,
    was_bad: Bools,
    had_claim: Bools,
    score_gain: Floats,
    years_with_us: Floats,
) -> Floats:
    """The probability of leaving at this renewal under each action, shape (n, actions). Prices are a year's, euro."""
    lapse = formula.lapse
    against_market = np.clip(np.log(offered / market), -MOST_LOG_RATIO, MOST_LOG_RATIO)
    logit = (
        lapse.intercept
        + lapse.price * customers.price_sensitivity * against_market
        + lapse.increase * np.maximum(np.log(offered / last), 0.0)
        + lapse.bad_service * was_bad
        + lapse.claim * had_claim
        + lapse.score_gain * score_gain
        + lapse.tenure * np.log1p(years_with_us)
    )
    moved = np.stack([levels(formula.actions, name if name != "plain" else "effect") for name in TEMPERS])
    return np.asarray(expit(logit[:, None] + moved[customers.temper]))


def draw_actions(formula: Formula, count: int, rng: np.random.Generator) -> Codes:
    """The action of each customer by lot, shape (n,): whatever else is known of them, so effects can be measured."""
    return rng.choice(len(formula.actions), count, p=levels(formula.actions, "share"))
