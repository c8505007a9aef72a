"""The rules of docs/pricing.md once more, in whole numbers and fractions, without the code that prices."""

import tomllib
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import Any

from pricing.money import MINOR_DIGITS
from pricing.plan import RatePlan
from pricing.rating import DrivenTrip, Inputs


def rounded(amount: Fraction, digits: int) -> Fraction:
    """Half away from zero; nothing here is negative."""
    return Fraction(floor(amount * 10**digits + Fraction(1, 2)), 10**digits)


def in_fractions(plan: RatePlan, given: Inputs) -> Fraction:
    """What a policy costs, all in all."""
    digits = MINOR_DIGITS[plan.currency]
    multiple = _static(plan, given) * _behaviour(plan, given)
    covers = Fraction(0)
    for name in given.terms.covers:
        premium = _exposure(plan, given, name) * multiple
        if plan.smoothing is not None and name in given.expiring:
            was = Fraction(given.expiring[name])
            premium = min(premium, was * Fraction(plan.smoothing.highest))
            premium = max(premium, was * Fraction(plan.smoothing.lowest))
        covers += rounded(premium, digits)
    charge = max(covers, rounded(Fraction(plan.minimum_premium), digits)) + rounded(Fraction(plan.fee), digits)
    return charge + rounded(charge * Fraction(plan.tax_rate), digits)


def _exposure(plan: RatePlan, given: Inputs, name: str) -> Fraction:
    cover, pay_plan = plan.covers[name], plan.pay_plans[given.terms.pay_plan]
    premium = given.days * Fraction(cover.per_day) * Fraction(pay_plan.daily_multiple)
    for trip in given.trips:
        if trip.not_charged is None:
            premium += _way(plan, given, trip, name)
    if "distance" in pay_plan.uses and plan.rules["unmeasured_days"] == "declared_km":
        km = rounded(Fraction(given.terms.declared_km_per_year * given.unmeasured_days, 365), 3)
        premium += km * Fraction(cover.standard_per_km)
    return premium


def _way(plan: RatePlan, given: Inputs, trip: DrivenTrip, name: str) -> Fraction:
    cover, uses = plan.covers[name], plan.pay_plans[given.terms.pay_plan].uses
    cost = trip.minutes * Fraction(cover.per_minute) if "minutes" in uses else Fraction(0)
    if "distance" in uses:
        if plan.rules["gap_km"] == "standard_rate":
            cost += Fraction(trip.gap_m, 1000) * Fraction(cover.standard_per_km)
        for road, hour, metres in trip.cells:
            rate = cover.per_km[road, hour] if "road_class" in uses else cover.standard_per_km
            cost += Fraction(metres, 1000) * Fraction(rate)
    return cost


def _static(plan: RatePlan, given: Inputs) -> Fraction:
    terms, multiple = given.terms, Fraction(1)
    for name, factor in plan.factors.items():
        if name == "declared_km" and "declared_km" not in plan.pay_plans[terms.pay_plan].uses:
            continue
        if name == "own_claims_percent":
            level: Any = terms.factors.get(name, 100)  # not on record: the class mean
        else:
            level = terms.declared_km_per_year if name == "declared_km" else terms.factors[name]
        if factor.levels:
            multiple *= Fraction(factor.levels[level])
        elif factor.bands:
            (found,) = (band.relativity for band in factor.bands if band.lowest <= level < band.below)
            multiple *= Fraction(found)
        else:
            left = max((knot for knot in factor.knots if knot.at <= level), key=lambda knot: knot.at)
            right = min((knot for knot in factor.knots if knot.at >= level), key=lambda knot: knot.at)
            share = Fraction(level - left.at, right.at - left.at) if right.at > left.at else Fraction(0)
            line = Fraction(left.relativity) + share * (Fraction(right.relativity) - Fraction(left.relativity))
            multiple *= rounded(line, factor.decimals)
    return multiple * _tables(plan, given)


def _tables(plan: RatePlan, given: Inputs) -> Fraction:
    """From the file itself: which cell a row and a column cross at."""
    terms, multiple = given.terms, Fraction(1)
    content = tomllib.loads(plan.content, parse_float=Decimal)
    for table in content.get("tables", {}).values():
        sides = [table["rows"], table["columns"]]
        reads_km = "declared_km" in plan.pay_plans[terms.pay_plan].uses
        if not reads_km and "declared_km" in (side["factor"] for side in sides):
            continue
        declared = {**terms.factors, "declared_km": terms.declared_km_per_year}
        row, column = (_place(side, declared[side["factor"]]) for side in sides)
        multiple *= Fraction(table["relativities"][row][column])
    return multiple


def _place(side: dict[str, Any], level: Any) -> int:
    if "levels" in side:
        return list(side["levels"]).index(level)
    (found,) = (place for place, band in enumerate(side["bands"]) if band["from"] <= level < band["to"])
    return found


def _behaviour(plan: RatePlan, given: Inputs) -> Fraction:
    driven, bounds = given.behaviour, plan.behaviour
    if "behaviour" not in plan.pay_plans[given.terms.pay_plan].uses or driven is None:
        return Fraction(1)
    ratio = rounded(Fraction(driven.claims_per_100000_km) / Fraction(driven.class_mean), bounds.decimals)
    lowest = bounds.lowest_by_tier[driven.tier or "claim"] if bounds.lowest_by_tier else bounds.lowest
    return min(max(ratio, Fraction(lowest)), Fraction(bounds.highest))
