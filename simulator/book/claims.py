"""Claims of a term: true means, counts, days, amounts, delays."""

from dataclasses import dataclass

import numpy as np

from simulator.book.behaviour import FEATURES
from simulator.book.customers import Codes, Customers, Days, Floats
from simulator.book.formula import CoverTruth, Formula, levels


@dataclass(frozen=True, slots=True)
class Claims:
    """n claims; `row` is the row of the term they belong to, `cover` the cover's code."""

    row: Codes
    cover: Codes
    occurred_on: Days
    reported_on: Days
    settled_on: Days
    amount_cents: Codes


def true_mean(
    formula: Formula, customers: Customers, age: Codes, km_per_year: Floats, features: Floats, years: Floats
) -> Floats:
    """Expected claims of a term by cover before heterogeneity, shape (n, covers): the formula itself."""
    log = formula.km.exponent * np.log(km_per_year / formula.km.reference)
    for column, name in enumerate(FEATURES):
        effect = formula.behaviour[name]
        log = log + effect.effect * (features[:, column] - effect.reference)
    factor = (
        np.exp(log)
        * levels(formula.territory, "relativity")[customers.territory]
        * levels(formula.vehicle_class, "relativity")[customers.vehicle_class]
        * np.array(formula.driver_age.relativity)[formula.driver_age.band(age)]
        * years
    )
    return np.asarray(factor[:, None] * levels(formula.cover, "per_year"))


def draw_claims(
    formula: Formula,
    customers: Customers,
    mean: Floats,
    begins: Days,
    days: Codes,
    book_year: Codes,
    rng: np.random.Generator,
) -> Claims:
    """The claims of n terms that begin on `begins` and last `days`; `mean` (n, covers) includes heterogeneity."""
    parts = []
    for code, truth in enumerate(formula.cover.values()):
        counts = rng.poisson(mean[:, code])
        row = np.repeat(np.arange(len(counts)), counts)
        occurred = begins[row] + (rng.random(len(row)) * days[row]).astype("timedelta64[D]")
        inflation = (1.0 + formula.amounts.inflation) ** book_year[row]
        severity = levels(formula.vehicle_class, "severity")[customers.vehicle_class[row]]
        amount = np.minimum(_amounts(truth, len(row), rng) * inflation * severity, truth.most)
        reported = occurred + _delay(truth.report_days, truth.report_log_sigma, len(row), rng)
        settled = reported + _delay(truth.settle_days, truth.settle_log_sigma, len(row), rng)
        cents = np.maximum(np.round(100.0 * amount), 1).astype(np.int64)
        parts.append(Claims(row, np.full(len(row), code), occurred, reported, settled, cents))
    return Claims(*(np.concatenate([getattr(part, name) for part in parts]) for name in Claims.__slots__))


def _amounts(truth: CoverTruth, count: int, rng: np.random.Generator) -> Floats:
    ordinary = rng.gamma(truth.amount_shape, truth.mean_amount / truth.amount_shape, count)
    large = truth.large_from * (1.0 + rng.pareto(truth.large_alpha, count))
    return np.where(rng.random(count) < truth.large_share, large, ordinary)


def _delay(median_days: float, log_sigma: float, count: int, rng: np.random.Generator) -> Codes:
    return (median_days * np.exp(log_sigma * rng.standard_normal(count))).astype("timedelta64[D]")
