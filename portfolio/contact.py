"""Contacts that must pay: what an action adds for each customer against its cost (the litmus test), not who responds.

Actions of the pilot were drawn by lot, so differences between their groups are effects (Rubin 1974), and one logistic
model with the action's own level and slope gives each customer's uplift (an S-learner, Künzel et al. 2019).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from portfolio.fitting import fit_logistic
from portfolio.market import NOTHING, Codes, Floats, Pilot


@dataclass(frozen=True, slots=True)
class LeaveModel:
    """Chance of leaving by price against the market, action and how contacts were answered before, as estimated."""

    coefficients: Floats
    actions: int
    answers: int  # kinds of answers that are told apart; 1: none
    stay_share: float  # of all renewals without an action


def fit_leaving(pilot: Pilot) -> LeaveModel:
    """The model on the pilot's renewals."""
    actions, answers = pilot.market.moved.shape[1], int(pilot.market.answered.max()) + 1
    kinds = pilot.market.answered, actions, answers
    coefficients = fit_logistic(_columns(pilot.log_price_ratio, pilot.years_with_us, pilot.action, *kinds), pilot.left)
    return LeaveModel(coefficients, actions, answers, 1.0 - float(pilot.left[pilot.action == NOTHING].mean()))


def leaving(
    model: LeaveModel, log_price_ratio: Floats, years_with_us: Floats, action: Codes, answered: Codes
) -> Floats:
    """The estimated chance of leaving at a renewal, shape (n,)."""
    columns = _columns(log_price_ratio, years_with_us, action, answered, model.actions, model.answers)
    return np.asarray(expit(columns @ model.coefficients))


def kept_more(model: LeaveModel, log_price_ratio: Floats, years_with_us: Floats, answered: Codes) -> Floats:
    """By how much each action raises the chance of staying, shape (n, actions); nothing raises it by 0."""
    count = len(log_price_ratio)
    chances = [
        leaving(model, log_price_ratio, years_with_us, np.full(count, action), answered)
        for action in range(model.actions)
    ]
    return np.stack([chances[NOTHING] - chance for chance in chances], axis=1)


def best_action(added_stay: Floats, value: Floats, cost: Floats) -> tuple[Codes, Floats]:
    """The action of the largest expected gain, and that gain, euro; shape (n,) both. Nothing gains nothing.

    `added_stay` (n, actions), `value` (n,) of a customer who stays, `cost` (actions,) with 0 for nothing.
    """
    gain = added_stay * value[:, None] - cost
    action = gain.argmax(axis=1)
    return action, gain[np.arange(len(gain)), action]


def _columns(
    log_price_ratio: Floats, years_with_us: Floats, action: Codes, answered: Codes, actions: int, answers: int
) -> Floats:
    """Intercept, price and its bend, years with us, how contacts were answered, then each action's level, also by
    answer: shifts of the logit.

    A slope of its own over price for each action was tried: a pilot's prices are not the market's, and it extrapolates.
    """
    levels = [(action == one).astype(np.float64) for one in range(1, actions)]
    kinds = [(answered == one).astype(np.float64) for one in range(1, answers)]
    both = [level * kind for level in levels for kind in kinds]
    bend = log_price_ratio * np.abs(log_price_ratio)  # the most sensitive leave first
    ones = np.ones(len(action))
    return np.stack([ones, log_price_ratio, bend, np.log1p(years_with_us), *kinds, *levels, *both], axis=1)
