"""Monitoring a model in use: actual over expected, calibration, and drift of factors and predictions, period by period.

Where the contract names the day of a claim, claims belong to the period in which they occurred, and a row's exposure
and expected claims are shared out over the days that it covers. Else a row belongs as a whole to the period in which it
begins. No input or output happens here.
"""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
import numpy as np
from scipy import stats

from pricing.risk.artefact import RiskModel
from pricing.risk.columns import Book, Floats
from pricing.risk.errors import NothingToFit
from pricing.risk.metrics import NORMAL_95, Group, actual_over_expected, deciles, recalibration_slope
from pricing.risk.reference import PREDICTED, Drift, drift

type By = Literal["month", "quarter", "year"]
MONTHS: dict[By, int] = {"month": 1, "quarter": 3, "year": 12}
SMALL_MOVE, LARGE_MOVE = 0.1, 0.25  # of the stability index: the usual marks of a moderate and of a large shift
LEVEL = 0.01  # over all tests of a kind
FEWEST_CLAIMS = 20  # a slope and tenths of fewer say nothing


class Period(msgspec.Struct, frozen=True):
    """One period: A/E with its exact Poisson interval, the slope of a recalibration with its interval, and drift."""

    name: str
    whole: Group
    slope: tuple[float, float, float] | None  # value, low, high; 1 is right; None: claims too few, or all rates one
    tenths_that_hold: int | None
    drift: tuple[Drift, ...]
    policies: int = 0  # with exposure in it; 0: of before they were counted


class OverTime(msgspec.Struct, frozen=True):
    """Tests of all periods together: whether A/E differs between them, and whether it grows.

    `differ` is the chance of as much scatter of A/E around its mean by Poisson claims; `a_year` the factor by which A/E
    grows a year with its 95 % interval (high None: without an end).
    """

    whole: Group
    differ: float
    a_year: float
    low: float
    high: float | None


class Monitored(msgspec.Struct, frozen=True):
    """What was found; `moved` names what drifted: period, name, index, chance."""

    sha256: str
    data_digest: str
    by: str
    periods: tuple[Period, ...]
    over_time: OverTime
    moved: tuple[dict[str, Any], ...]


def monitor(model: RiskModel, digest: str, book: Book, rate: Floats, by: By) -> Monitored:
    """The series of a book with the preferred model's rates (n,). Raises NothingToFit where it has no periods."""
    if book.starts_on is None or book.ends_on is None or model.reference is None:
        raise NothingToFit("monitoring", "the contract names no starts_on and ends_on: there is no time to follow")
    periods = tuple(_period(model, book, rate, *part) for part in _parts(book, rate, by))
    if not periods:
        raise NothingToFit("monitoring", "the book has no exposure")
    return Monitored(digest, book.digest, by, periods, _over_time(periods, by), tuple(_moved(periods)))


type Part = tuple[str, Floats, Floats]  # a period's name; of each row its exposure in years and its claims there


def _parts(book: Book, rate: Floats, by: By) -> Iterator[Part]:
    assert book.starts_on is not None
    assert book.ends_on is not None
    months = book.starts_on.astype("datetime64[M]").astype(np.int64)
    last = (book.ends_on - np.timedelta64(1, "D")).astype("datetime64[M]").astype(np.int64)
    dated = book.amounts is not None and book.amounts.occurred_on is not None
    days = (book.ends_on - book.starts_on).astype(np.float64)
    step = MONTHS[by]
    for first in range(int(months.min()) // step * step, int(last.max()) + 1, step):
        begin, end = (np.datetime64(month, "M").astype("datetime64[D]") for month in (first, first + step))
        if dated:
            within = np.minimum(book.ends_on, end) - np.maximum(book.starts_on, begin)
            years = book.exposure_years * np.maximum(within.astype(np.float64), 0.0) / days
            claims = _claims_in(book, begin, end)
        else:
            begun = (months >= first) & (months < first + step)
            years, claims = np.where(begun, book.exposure_years, 0.0), np.where(begun, book.claims, 0.0)
        if years.sum() > 0:
            yield _named(begin, by), years, claims


def _claims_in(book: Book, begin: np.datetime64, end: np.datetime64) -> Floats:
    assert book.amounts is not None
    assert book.amounts.occurred_on is not None
    there = (book.amounts.occurred_on >= begin) & (book.amounts.occurred_on < end)
    return np.bincount(book.amounts.row[there], minlength=len(book)).astype(np.float64)


def _named(begin: np.datetime64, by: By) -> str:
    year, month = str(begin)[:4], int(str(begin)[5:7])
    return {"year": year, "quarter": f"{year} Q{(month + 2) // 3}", "month": str(begin)[:7]}[by]


def _period(model: RiskModel, book: Book, rate: Floats, name: str, years: Floats, claims: Floats) -> Period:
    assert model.reference is not None
    # a claim on the last day of cover may fall where the row has no exposure any more: it stays in the sum
    used = years > 0
    weight, expected, actual = years[used], (rate * years)[used], claims[used]
    slope = holds = None
    if actual.sum() >= FEWEST_CLAIMS:
        value, error = recalibration_slope(actual, expected, np.log(rate[used]))
        if np.isfinite(value) and np.isfinite(error):
            slope = (value, value - NORMAL_95 * error, value + NORMAL_95 * error)
        holds = sum(group.holds for group in deciles(actual, expected, weight))
    values = book.values | {PREDICTED: rate}
    moves = [drift(one, values[one.name][used], book.policy[used], weight) for one in model.reference.spreads]
    whole = actual_over_expected(name, float(claims.sum()), float(expected.sum()), float(weight.sum()))
    return Period(name, whole, slope, holds, tuple(moves), len(np.unique(book.policy[used])))


def _over_time(periods: tuple[Period, ...], by: By) -> OverTime:
    """A Poisson model of the periods' claims with offset log expected: constant, and growing by the year."""
    actual, expected, years = (
        np.array([getattr(period.whole, name) for period in periods])
        for name in ("actual", "expected", "exposure_years")
    )
    whole = actual_over_expected("all", float(actual.sum()), float(expected.sum()), float(years.sum()))
    if len(periods) < 2 or actual.sum() == 0:
        return OverTime(whole, 1.0, 1.0, 0.0, None)
    mean = expected * actual.sum() / expected.sum()
    scatter = 2 * float(np.sum(np.where(actual > 0, actual * np.log(np.maximum(actual, 1e-300) / mean), 0.0)))
    at = np.arange(len(periods)) * MONTHS[by] / 12
    value, error = recalibration_slope(actual, mean, at)
    low, high = value - 1 - NORMAL_95 * error, value - 1 + NORMAL_95 * error
    growth = [float(np.exp(min(each, 700.0))) for each in (value - 1, low, high)]
    return OverTime(whole, float(stats.chi2.sf(scatter, len(periods) - 1)), *growth)


def _moved(periods: tuple[Period, ...]) -> Iterator[dict[str, Any]]:
    """What is both far from the reference and further than chance: the level is shared by all tests made."""
    tests = sum(len(period.drift) for period in periods)
    for period in periods:
        for one in period.drift:
            if one.index >= SMALL_MOVE and one.chance < LEVEL / tests:
                yield {
                    "period": period.name,
                    "name": one.name,
                    "index": one.index,
                    "chance": one.chance,
                    "large": one.index >= LARGE_MOVE,
                }
