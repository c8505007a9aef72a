"""Lifetime value in euro held to the truth out of time: learned from a book before a day, asked about terms after it.

What a term brings is premium less the true mean of its losses and its service; who stays is as it came. A tenth's mean
is therefore near the truth but for who happened to stay.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from portfolio.fitting import fit_poisson
from portfolio.lapse import DISCOUNT, Renewals, fit_lapse, worths_of
from portfolio.renewals_file import TERMS, RenewalBook, looked_up, other_ends, read_renewals, read_table
from portfolio.value_check import Decile, by_decile

type Floats = NDArray[np.float64]
type Table = Mapping[str, NDArray[Any]]

COVERS = ("liability", "collision")
RIDGE = 1.0
YEAR = np.timedelta64(365, "D")
DAYS_A_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class ValueOutOfTime:
    """Means in euro over `years`, of customers whose term began in the year after the day, and by tenths."""

    learned_from: int
    asked_about: int
    years: int
    predicted: float
    true: float
    without_service_and_score: tuple[Decile, ...]
    tenths: tuple[Decile, ...]
    correlation: float  # of predicted values with what came
    correlation_without: float  # likewise of a prediction that knows no service, claim or score


def check_value(folder: Path, learn: float) -> ValueOutOfTime:
    """Of a simulated book; `learn` is the part of its time that is learned from. Raises BadBook, TooFewRows."""
    book, exposure = read_renewals(folder), read_table(folder, "exposure")
    starts = exposure["starts_on"].astype("datetime64[D]")
    first, after = starts.min(), exposure["ends_on"].astype("datetime64[D]").max()
    cut = first + np.timedelta64(int(learn * (after - first).astype(int)), "D")
    years = int((after - cut - YEAR) / YEAR)
    asked = (starts >= cut) & (starts < cut + YEAR)
    at = exposure["policy"] * TERMS + exposure["term"]
    premium = _premium(exposure) / exposure["exposure_years"]
    known = _known(book, exposure, at, asked)
    before = book.renewals.chosen(book.renewals.day < cut)
    model = fit_lapse(before, other_ends(folder), book.actions)
    cost = np.full(int(asked.sum()), _mean_cost(folder, at[starts < cut]))
    brought = _brought(folder, exposure, at, years)[asked]
    found = []
    for plain in (False, True):
        rate = _expected_losses(folder, exposure, starts, cut, with_score=not plain)[asked]
        ratio = rate / premium[asked]
        told = _without(known) if plain else known
        found.append(worths_of(model, told, premium[asked], (ratio, ratio, ratio), cost, years).mean)
    return ValueOutOfTime(
        learned_from=len(before),
        asked_about=int(asked.sum()),
        years=years,
        predicted=float(found[0].mean()),
        true=float(brought.mean()),
        without_service_and_score=by_decile(found[1], brought),
        tenths=by_decile(found[0], brought),
        correlation=float(np.corrcoef(found[0], brought)[0, 1]),
        correlation_without=float(np.corrcoef(found[1], brought)[0, 1]),
    )


def _known(book: RenewalBook, exposure: Table, at: NDArray[np.int64], asked: NDArray[np.bool_]) -> Renewals:
    """What is known when a term begins: the renewal that led to it; in a first term nothing is."""
    renewals = book.renewals
    keys, wanted = book.policy * TERMS + book.term, at[asked] - 1  # the term before
    columns = {
        name: looked_up(keys, getattr(renewals, name).astype(np.float64), wanted)
        for name in ("log_price_ratio", "bad_service", "claim", "score_gain")
    }
    unknown = np.isnan(columns["bad_service"])
    return Renewals(
        log_price_ratio=columns["log_price_ratio"],
        increase=np.zeros(len(wanted)),
        bad_service=np.where(unknown, 0.0, columns["bad_service"]),
        claim=np.where(unknown, 0.0, columns["claim"]),
        score_gain=columns["score_gain"],
        years_with_us=exposure["term"][asked] + 1.0,
        action=np.zeros(len(wanted), dtype=np.int64),
        left=np.zeros(len(wanted)),
        day=exposure["starts_on"][asked].astype("datetime64[D]"),
    )


def _without(known: Renewals) -> Renewals:
    """As if neither service nor claim nor score were known."""
    nothing = np.zeros(len(known))
    changed = {"bad_service": nothing, "claim": nothing, "score_gain": nothing + np.nan}
    return Renewals(**{name: changed.get(name, getattr(known, name)) for name in Renewals.__slots__})


def _expected_losses(
    folder: Path, exposure: Table, starts: NDArray[np.datetime64], cut: np.datetime64, *, with_score: bool
) -> Floats:
    """Euro a year of each term (n,), by a frequency model of the terms before the day at their mean settled amount.

    A term's score is known once it is driven, so the score of the term before is what counts.
    """
    at = exposure["policy"] * TERMS + exposure["term"]
    score = looked_up(at, exposure["score"].astype(np.float64), at - 1)
    mean = np.nanmean(score[starts < cut])
    columns = [np.ones(len(at)), np.log(exposure["exposure_years"]), np.log(exposure["declared_km_per_year"])]
    columns.append(_against_their_year(np.log(_premium(exposure) / exposure["exposure_years"]), starts))
    for name in ("territory", "vehicle_class"):
        columns += [(exposure[name] == level).astype(np.float64) for level in np.unique(exposure[name])[1:]]
    columns += [(exposure["driver_age"] < age).astype(np.float64) for age in (21, 25, 35)]
    columns += [(exposure["driver_age"] >= age).astype(np.float64) for age in (65, 75)]
    if with_score:
        columns += [np.isfinite(score).astype(np.float64), np.nan_to_num((score - mean) / 10.0)]
    table = np.stack(columns, axis=1)
    learned = starts + YEAR < cut  # ended, and most of their claims reported
    counts = np.sum([exposure[f"{cover}_claims"] for cover in COVERS], axis=0).astype(np.float64)
    coefficients = fit_poisson(table[learned], counts[learned], RIDGE)
    table[:, 1] = 0.0  # of a year
    return np.asarray(np.exp(table @ coefficients) * _amount(folder, starts, cut))


def _amount(folder: Path, starts: NDArray[np.datetime64], cut: np.datetime64) -> Floats:
    """The mean amount of a claim in each term (n,): of those settled before the day, with the trend of their logs."""
    claims = read_table(folder, "claims")
    settled = claims["settled_on"].astype("datetime64[D]") < cut
    amount = claims["amount_cents"].astype(np.float64)[settled] / 100.0
    year = _years(claims["occurred_on"][settled])
    trend = float(np.polyfit(year, np.log(np.maximum(amount, 1.0)), 1)[0])
    return float((amount / np.exp(trend * year)).mean()) * np.exp(trend * (_years(starts) + 0.5))


def _against_their_year(log_premium: Floats, starts: NDArray[np.datetime64]) -> Floats:
    """What the rates knew of them, without how prices rose: less the mean of the terms that began in the same year."""
    year = np.floor(_years(starts)).astype(np.int64)
    year -= year.min()
    return log_premium - (np.bincount(year, log_premium) / np.maximum(np.bincount(year), 1))[year]


def _years(days: NDArray[Any]) -> Floats:
    return days.astype("datetime64[D]").astype(np.float64) / DAYS_A_YEAR


def _brought(folder: Path, exposure: Table, at: NDArray[np.int64], years: int) -> Floats:
    """What each term and those after it brought, discounted, within `years`; shape (n,)."""
    truth, service = read_table(folder, "truth_exposure"), read_table(folder, "service")
    margin = _premium(exposure) - looked_up(
        service["policy"] * TERMS + service["term"], service["cost_cents"] / 100.0, at
    )
    keys = truth["policy"] * TERMS + truth["term"]
    for cover in COVERS:
        means = looked_up(keys, truth[f"{cover}_mean_of_driver"], at)
        margin = margin - means * looked_up(keys, truth[f"{cover}_mean_amount"], at)
    total = margin.copy()
    for ahead in range(1, years):
        total += np.nan_to_num(looked_up(at, margin, at + ahead)) / (1.0 + DISCOUNT) ** ahead
    return total


def _premium(exposure: Table) -> Floats:
    """Euro, of each term."""
    return np.asarray(np.sum([exposure[f"{cover}_premium_cents"] for cover in COVERS], axis=0) / 100.0)


def _mean_cost(folder: Path, at: NDArray[np.int64]) -> float:
    service = read_table(folder, "service")
    return float(np.nanmean(looked_up(service["policy"] * TERMS + service["term"], service["cost_cents"] / 100.0, at)))
