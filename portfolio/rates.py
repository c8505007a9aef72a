"""What a year of a customer is expected to cost: one rate, rates of segments, individual rates; fitted on a pilot."""

from dataclasses import dataclass

import numpy as np

from portfolio.errors import TooFewRows
from portfolio.fitting import fit_poisson
from portfolio.market import Codes, Floats, Market, Pilot

KM_TIERS = (8_000.0, 14_000.0)
YOUNG_BANDS, OLD_BANDS = 2, 4  # bands under the one are young, from the other on old
SEGMENTS = 27
NICHES = 9  # a territory with a tier of declared km: a segment of every age
KM_REFERENCE = 12_000.0
LEAST_PILOT = 1_000
RIDGE = 4.0


@dataclass(frozen=True, slots=True)
class Individual:
    """Two Poisson models: of what everybody declares, and of that with what is driven, for who shares it."""

    declared: Floats
    driven: Floats
    amount: float  # euro a claim
    centre: Floats  # of behaviour
    scale: Floats


def niche_of(market: Market) -> Codes:
    """Territory x tier of declared km, shape (n,), 0 to NICHES - 1."""
    return market.territory * 3 + np.searchsorted(KM_TIERS, market.declared_km, side="right")


def segment_of(market: Market) -> Codes:
    """Niche x young, middle or old, shape (n,), 0 to SEGMENTS - 1: segments that a planner can name."""
    age = (market.age_band >= YOUNG_BANDS).astype(np.int64) + (market.age_band >= OLD_BANDS)
    return niche_of(market) * 3 + age


def one_rate(pilot: Pilot) -> float:
    """Expected loss of anybody, euro a year. Raises TooFewRows."""
    if len(pilot.claims) < LEAST_PILOT:
        raise TooFewRows("pilot", len(pilot.claims), LEAST_PILOT)
    return float(pilot.claims.mean()) * pilot.mean_amount


def segment_rates(pilot: Pilot) -> tuple[Floats, Floats]:
    """Expected loss of each segment, euro a year, and its credibility Z; both shape (SEGMENTS,).

    Bühlmann and Straub (1970) on claim counts: Z = w / (w + s2 / a), the variance within from policies, that between
    segments unbiased and not under zero. A segment that nobody is in gets the mean of all. Raises TooFewRows.
    """
    overall = one_rate(pilot) / pilot.mean_amount
    of, counts = segment_of(pilot.market), pilot.claims.astype(np.float64)
    weight = np.bincount(of, minlength=SEGMENTS).astype(np.float64)
    mean = np.bincount(of, counts, SEGMENTS) / np.maximum(weight, 1.0)
    used = int(np.count_nonzero(weight))
    total = weight.sum()
    within = float(((counts - mean[of]) ** 2).sum()) / max(total - used, 1.0)
    between = float((weight * (mean - overall) ** 2).sum()) - (used - 1) * within
    between /= max(total - float((weight**2).sum()) / total, 1e-9)
    credibility = weight / (weight + within / between) if between > 0 else np.zeros(SEGMENTS)
    return (credibility * mean + (1.0 - credibility) * overall) * pilot.mean_amount, credibility


def individual_rates(pilot: Pilot) -> Individual:
    """Models of the claim count by declared and by driven facts (a ridge is the credibility). Raises TooFewRows."""
    one_rate(pilot)  # refuses a small pilot
    market = pilot.market
    shared = market.shares_driving
    if np.count_nonzero(shared) < LEAST_PILOT:
        raise TooFewRows("pilot: policies that share their driving", int(np.count_nonzero(shared)), LEAST_PILOT)
    counts = pilot.claims.astype(np.float64)
    centre, scale = market.behaviour[0][shared].mean(axis=0), market.behaviour[0][shared].std(axis=0) + 1e-9
    declared = fit_poisson(_declared(market, market.declared_km), counts, RIDGE)
    columns = _driven(market, market.driven_km[0], market.behaviour[0], centre, scale)[shared]
    driven = fit_poisson(columns, counts[shared], RIDGE)
    return Individual(declared, driven, pilot.mean_amount, centre, scale)


def by_declared(rates: Individual, market: Market) -> Floats:
    """Expected loss by what customers declare, euro a year, shape (n,)."""
    return np.asarray(np.exp(_declared(market, market.declared_km) @ rates.declared) * rates.amount)


def by_driving(rates: Individual, market: Market, year: int) -> Floats:
    """Expected loss by what was driven in `year`, euro a year, shape (n,); only for who shares it."""
    columns = _driven(market, market.driven_km[year], market.behaviour[year], rates.centre, rates.scale)
    return np.asarray(np.exp(columns @ rates.driven) * rates.amount)


def usual_offer(market: Market, year: int) -> tuple[Floats, float]:
    """What others usually offer to customers who declare the same, euro a year, shape (n,), and how far a single offer
    lies from it (log standard deviation): a regression of that year's offers.

    One customer's own offer of a year tells less about their next one than what everybody was offered.
    """
    columns, offered = _declared(market, market.declared_km), np.log(market.offer[year])
    usual = columns @ np.linalg.lstsq(columns, offered, rcond=None)[0]
    return np.exp(usual), float((offered - usual).std())


def _declared(market: Market, km: Floats) -> Floats:
    """Intercept, log km, and a column a level but for the first of each factor."""
    columns = [np.ones(len(market)), np.log(km / KM_REFERENCE)]
    for factor, levels in ((market.territory, 3), (market.vehicle_class, 4), (market.age_band, 6)):
        columns += [(factor == level).astype(np.float64) for level in range(1, levels)]
    return np.stack(columns, axis=1)


def _driven(market: Market, km: Floats, behaviour: Floats, centre: Floats, scale: Floats) -> Floats:
    standard = np.clip((behaviour - centre) / scale, -4.0, 4.0)
    return np.concatenate([_declared(market, km), standard], axis=1)
