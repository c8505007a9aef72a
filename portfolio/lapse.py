"""How customers leave at a renewal: by price, service, claims, the score's change and time with us. Pure.

A logistic model of renewals as they were (a discrete-time hazard; Singer and Willett 1993). Ends for another reason
(the car sold, moved away) compete with it and come on top. Price effects are those of the renewals it is fitted on:
where prices did not move by lot they are confounded (see `elasticity`) and say little of what another price would do.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

from portfolio.errors import TooFewRows
from portfolio.fitting import fit_logistic
from portfolio.market import log_ratio

type Floats = NDArray[np.float64]
type Codes = NDArray[np.int64]

LEAST_RENEWALS = 400
RIDGE = 1.0
SURE = 0.95
DISCOUNT = 0.05
DRAWS = 200
SURE_ENDS = (100 * (1 - SURE) / 2, 100 * (1 + SURE) / 2)
_BLOCK = 512  # customers at a time: their draws stay in the cache

NAMES = (
    "intercept", "price_against_market", "increase", "bad_service", "claim", "score_gain", "score_known", "log_years",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Renewals:
    """n renewals, arrays of shape (n,). NaN: not known. `action` 0 is none; `left` 0 or 1."""

    log_price_ratio: Floats  # log(offered / market); all NaN where no market price is known
    increase: Floats  # max(0, log(offered / last))
    bad_service: Floats  # 0 or 1, in the term that ends
    claim: Floats  # likewise
    score_gain: Floats  # points won since the term before
    years_with_us: Floats
    action: Codes
    left: Floats
    day: NDArray[np.datetime64]

    def __len__(self) -> int:
        return len(self.left)

    def chosen(self, rows: NDArray[np.bool_] | Codes) -> "Renewals":
        """Those rows."""
        return Renewals(**{name: getattr(self, name)[rows] for name in Renewals.__slots__})


@dataclass(frozen=True, slots=True)
class LapseModel:
    """Logit of leaving: coefficients (p,) by name and their covariance (p, p); `other_reason` a year comes on top."""

    names: tuple[str, ...]
    coefficients: Floats
    covariance: Floats
    renewals: int
    other_reason: float

    def as_json(self) -> dict[str, Any]:
        """As kept."""
        return {
            "names": list(self.names),
            "coefficients": self.coefficients.tolist(),
            "covariance": self.covariance.tolist(),
            "renewals": self.renewals,
            "other_reason": self.other_reason,
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "LapseModel":
        """From the kept one."""
        return cls(
            tuple(kept["names"]),
            np.array(kept["coefficients"]),
            np.array(kept["covariance"]),
            kept["renewals"],
            kept["other_reason"],
        )

    def intervals(self) -> dict[str, tuple[float, float, float]]:
        """Of each name its coefficient, and 95 % about it."""
        half = norm.ppf((1 + SURE) / 2) * np.sqrt(np.diag(self.covariance))
        ends = zip(self.names, self.coefficients, half, strict=True)
        return {name: (float(mean), float(mean - wide), float(mean + wide)) for name, mean, wide in ends}


def fit_lapse(renewals: Renewals, other_reason: float, actions: tuple[str, ...] = ()) -> LapseModel:
    """The model. `actions` name the codes from 1 on. Raises TooFewRows."""
    if len(renewals) < LEAST_RENEWALS:
        raise TooFewRows("renewals", len(renewals), LEAST_RENEWALS)
    table = _columns(renewals, len(actions))
    varies = np.concatenate(([True], table[:, 1:].std(axis=0) > 1e-9))  # what is the same for all teaches nothing
    names = tuple(name for name, kept in zip((*NAMES, *actions), varies, strict=True) if kept)
    columns = table[:, varies]
    coefficients = fit_logistic(columns, renewals.left, RIDGE)
    chance = expit(columns @ coefficients)
    information = columns.T @ (columns * (chance * (1.0 - chance))[:, None])
    information[np.diag_indices(len(names))] += np.where(np.arange(len(names)) > 0, RIDGE, 0.0)
    return LapseModel(names, coefficients, np.linalg.inv(information), len(renewals), other_reason)


def leaving_chance(model: LapseModel, renewals: Renewals, actions: tuple[str, ...] = ()) -> Floats:
    """The chance of leaving at each of these renewals, shape (n,)."""
    return np.asarray(expit(_table(model, renewals, actions) @ model.coefficients))


@dataclass(frozen=True, slots=True)
class Worths:
    """Euro over the years looked at, shape (n,), with 95 % intervals for what lapse model and loss ratio may err."""

    mean: Floats
    low: Floats
    high: Floats


def worths_of(
    model: LapseModel,
    known: Renewals,
    premium: Floats,
    loss_ratio: tuple[Floats, Floats, Floats],
    cost: Floats,
    years: int,
    seed: int = 1,
) -> Worths:
    """What n customers are expected to bring over `years`: the first certain, each next one if still here.

    `known` holds a renewal of each; premium and cost (n,) are a year's; `loss_ratio` is mean, low and high, (n,) each.
    Price and service are taken to stay as they are, time with us grows. The draws are the same for everybody.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.multivariate_normal(model.coefficients, model.covariance, DRAWS)
    luck = rng.standard_normal(DRAWS)
    best = model.coefficients[None, :]
    means, ends = [np.empty(0)], [np.empty((2, 0))]
    for start in range(0, len(known), _BLOCK):
        part = np.arange(start, min(start + _BLOCK, len(known)))
        ratio, least, most = (one[part] for one in loss_ratio)
        spread = (most - least) / (2 * norm.ppf((1 + SURE) / 2))
        tables = [_table(model, _older(known.chosen(part), ahead), ()) for ahead in range(years - 1)]

        def value(coefficients: Floats, ratios: Floats, part: Codes = part, tables: list[Floats] = tables) -> Floats:
            """Of rows of coefficients (d, p) and loss ratios (d, n), shape (d, n)."""
            margin = premium[part] * (1.0 - ratios) - cost[part]
            here, total = np.ones(margin.shape), margin.copy()
            for ahead, table in enumerate(tables):
                here *= (1.0 - model.other_reason) * expit(-(coefficients @ table.T))
                total += here * margin / (1.0 + DISCOUNT) ** (ahead + 1)
            return total

        means.append(value(best, ratio[None, :])[0])
        ends.append(np.percentile(value(drawn, ratio + np.outer(luck, spread)), SURE_ENDS, axis=0))
    mean, (low, high) = np.concatenate(means), np.concatenate(ends, axis=1)
    return Worths(mean, np.minimum(low, mean), np.maximum(high, mean))


def _older(known: Renewals, years: int) -> Renewals:
    grown = {name: getattr(known, name) for name in Renewals.__slots__}
    return Renewals(**grown | {"years_with_us": known.years_with_us + years})


def _table(model: LapseModel, renewals: Renewals, actions: tuple[str, ...]) -> Floats:
    known = dict(zip((*NAMES, *actions), _columns(renewals, len(actions)).T, strict=True))
    nothing = np.zeros(len(renewals))
    return np.stack([known.get(name, nothing) for name in model.names], axis=1)


def _columns(renewals: Renewals, actions: int) -> Floats:
    """What is not known counts as the usual: a market price like ours, no score won; that it is known is a column."""
    known = np.isfinite(renewals.score_gain)
    levels = [(renewals.action == one).astype(np.float64) for one in range(1, actions + 1)]
    return np.stack(
        [
            np.ones(len(renewals)),
            np.nan_to_num(renewals.log_price_ratio),
            np.nan_to_num(renewals.increase),
            renewals.bad_service,
            renewals.claim,
            np.nan_to_num(renewals.score_gain),
            known.astype(np.float64),
            np.log1p(renewals.years_with_us),
            *levels,
        ],
        axis=1,
    )


def price_terms(offered: Floats, last: Floats, market: Floats) -> tuple[Floats, Floats]:
    """`log_price_ratio` and `increase` of prices of a year, shape (n,) each."""
    return log_ratio(offered, market), np.maximum(log_ratio(offered, last), 0.0)
