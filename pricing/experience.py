"""A policy's own claims on record against those that its plan expected: two fading sums, and the percent they come to.

`own_claims_percent` is (a + claims) / (a + expected) in whole percent, a the plan's `own_claims.shape`. Both sums are
of the posted months before a day, each halved every `half_life_years`. Expected of a month is the plan's claims a km of
a policy all of whose relativities are 1, times the km, the predicted claims over the class mean's, and the relativities
of what was declared then. Without a posted month both are 0 and the percent is 100, the class mean.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from pricing import book_month_store
from pricing.errors import UnknownLevel
from pricing.periods import month_bounds
from pricing.plan import OWN_CLAIMS, OwnClaims, RatePlan
from pricing.terms import Span
from storage.pool import Conn

DAYS_OF_A_YEAR = 365.25


def own_claims_percent(conn: Conn, policy_key: UUID, spans: Sequence[Span], plan: RatePlan, day: date) -> int | None:
    """The percent as of a day, of months and claims known now (policy role); None where the plan does not ask."""
    asked = plan.own_claims
    if asked is None:
        return None
    claims = expected = 0.0
    for month in book_month_store.fetch_experience(conn, policy_key, f"{day:%Y-%m}", asked.covers):
        first, after = month_bounds(month.period)
        span = next((one for one in spans if one.from_day < after and first < one.to_day), None)
        faded = 0.5 ** ((day - first).days / DAYS_OF_A_YEAR / asked.half_life_years)
        claims += faded * month.claims
        expected += faded * month.expected_of_mean * _relativity(plan, span) * asked.claims_per_100000_km / 100_000
    return percent_of(asked, claims, expected, plan)


def percent_of(asked: OwnClaims, claims: float, expected: float, plan: RatePlan) -> int:
    """(a + claims) / (a + expected) in whole percent, rounded down, within what the plan's factor knows."""
    found = int(100 * (asked.shape + claims) / (asked.shape + expected))
    return min(found, plan.factors[OWN_CLAIMS].below - 1)


def _relativity(plan: RatePlan, span: Span | None) -> float:
    """Of what was declared, km apart, for those are exposure; 1 for a level that the plan does not know."""
    levels = span.terms.levels if span else {}
    apart = {"declared_km", OWN_CLAIMS}
    asked: list[tuple[Callable[[Any, str], tuple[str, Decimal]], object]] = [
        *((one.step_of, levels.get(one.name)) for one in plan.factors.values() if one.name not in apart),
        *((one.step_of, levels) for one in plan.tables.values() if not apart & set(one.keys)),
    ]
    found = 1.0
    for step_of, declared in asked:
        with suppress(UnknownLevel):
            found *= float(step_of(declared, plan.name)[1])
    return found
