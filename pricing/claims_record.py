"""The claims that somebody had, as new business declares them, and the own-claims percent that they come to. Pure.

By the same rule a renewal is worked out where its plan says `new_business = "declared"`: what is on record here is what
the same person would declare elsewhere, so neither costs more.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pricing.claim_rule import RecordedClaim
from pricing.errors import BadPolicy, UnknownLevel
from pricing.money import read_amount
from pricing.periods import month_bounds
from pricing.plan import OWN_CLAIMS, OwnClaims, RatePlan
from pricing.rating import Terms

DAYS_OF_A_YEAR = 365.25
MOST_YEARS = 80
MOST_CLAIMS = 100
_CLAIM_KEYS = ("occurred_on", "cover", "at_fault_percent", "incurred")


@dataclass(frozen=True, slots=True)
class ClaimsRecord:
    """Every claim since a day, with whichever insurer."""

    insured_since: date
    claims: tuple[RecordedClaim, ...]

    def as_json(self) -> dict[str, Any]:
        """As it is kept with what was agreed."""
        claims = [
            {
                "occurred_on": one.occurred_on.isoformat(),
                "cover": one.cover,
                "at_fault_percent": one.at_fault_percent,
                "incurred": None if one.incurred is None else str(one.incurred),
            }
            for one in self.claims
        ]
        return {"insured_since": self.insured_since.isoformat(), "claims": claims}


def declared_record(source: str, value: object, plan: RatePlan, before: date) -> ClaimsRecord | None:
    """The record that is declared for a term that begins on a day; None: none is.

    Raises BadPolicy where it is not whole, names a cover that the plan has not, or the plan does not read it.
    """
    if value is None:
        return None
    if plan.own_claims is None or not plan.own_claims.declared:
        raise BadPolicy(source, "claims_record", f"is not read by {plan.name}: leave it out")
    record = read_claims_record(source, value, before)
    for place, claim in enumerate(record.claims):
        if claim.cover and claim.cover not in plan.covers:
            problem = f"{claim.cover!r} is not one of {', '.join(plan.covers)}: leave it out where none fits"
            raise BadPolicy(source, f"claims_record.claims[{place}].cover", problem)
    return record


def read_claims_record(source: str, value: object, before: date) -> ClaimsRecord:
    """The record that a policy's file declares, of days before its start. Raises BadPolicy with the field."""
    if not isinstance(value, dict) or not set(value) <= {"insured_since", "claims"}:
        raise BadPolicy(source, "claims_record", "must be a table of insured_since and claims")
    since = _day(source, "claims_record.insured_since", value.get("insured_since"))
    if not before.year - MOST_YEARS <= since.year or since > before:
        problem = f"{since} is not a day up to the policy's start, at most {MOST_YEARS} years before"
        raise BadPolicy(source, "claims_record.insured_since", problem)
    rows = value.get("claims", [])
    if not isinstance(rows, list) or len(rows) > MOST_CLAIMS:
        raise BadPolicy(source, "claims_record.claims", f"must be a list of at most {MOST_CLAIMS} claims")
    claims = tuple(_claim(source, f"claims_record.claims[{place}]", row) for place, row in enumerate(rows))
    for place, claim in enumerate(claims):
        if not since <= claim.occurred_on < before:
            problem = f"{claim.occurred_on} is not from insured_since to the day before the policy's start"
            raise BadPolicy(source, f"claims_record.claims[{place}].occurred_on", problem)
    return ClaimsRecord(since, claims)


def _claim(source: str, place: str, row: object) -> RecordedClaim:
    if not isinstance(row, dict) or not set(row) <= set(_CLAIM_KEYS):
        raise BadPolicy(source, place, f"must be a table of {', '.join(_CLAIM_KEYS)}")
    percent, cover, incurred = row.get("at_fault_percent"), row.get("cover") or "", row.get("incurred")
    whole = isinstance(percent, int) and not isinstance(percent, bool)
    if percent is not None and not (whole and 0 <= percent <= 100):
        raise BadPolicy(source, f"{place}.at_fault_percent", f"{percent!r} is not a whole number from 0 to 100")
    if not isinstance(cover, str):
        raise BadPolicy(source, f"{place}.cover", f"{cover!r} is not a text")
    amount = None if incurred is None else _amount(source, f"{place}.incurred", incurred)
    return RecordedClaim(_day(source, f"{place}.occurred_on", row.get("occurred_on")), cover, percent, amount)


def _amount(source: str, place: str, value: object) -> Decimal:
    amount = read_amount(value)
    if amount is None:
        raise BadPolicy(source, place, f"{value!r} is no amount, such as 1234.50")
    return amount


def _day(source: str, place: str, value: object) -> date:
    if isinstance(value, str):
        with suppress(ValueError):
            return date.fromisoformat(value)
    if not isinstance(value, date) or isinstance(value, datetime):
        raise BadPolicy(source, place, f"{value!r} is not a date, such as 2026-10-01")
    return value


def percent_of_record(asked: OwnClaims, record: ClaimsRecord, terms: Terms, plan: RatePlan, day: date) -> int:
    """The percent of a term that begins on a day, for whoever declares this record and these terms.

    Expected are the claims of the declared km, driven like the class mean.
    """
    km_per_day = terms.declared_km_per_year / DAYS_OF_A_YEAR
    per_km = relativity_of(plan, terms.levels) * asked.claims_per_100000_km / 100_000
    claims = expected = 0.0
    for first, after in _months(max(record.insured_since, counts_from(asked, day)), day):
        faded = fading(asked, first.replace(day=1), day)
        expected += faded * (after - first).days * km_per_day * per_km
        claims += faded * sum(first <= one.occurred_on < after and asked.counts(one) for one in record.claims)
    return percent_of(asked, claims, expected, plan)


def counts_from(asked: OwnClaims, day: date) -> date:
    """The first day whose claims count on a day: so many years before it, to the day; any where the plan names none."""
    if asked.rule.years is None:
        return date.min
    year = day.year - asked.rule.years
    with suppress(ValueError):
        return day.replace(year=year)
    return date(year, 3, 1)  # of 29 February


def _months(since: date, day: date) -> Iterator[tuple[date, date]]:
    """The months before that of a day, each as its days from `since` on."""
    period = since.isoformat()[:7]
    while period < day.isoformat()[:7]:
        first, after = month_bounds(period)
        yield max(first, since), after
        period = f"{after:%Y-%m}"


def fading(asked: OwnClaims, month: date, day: date) -> float:
    """What is left on a day of a month that began on another, halved every half-life."""
    return float(0.5 ** ((day - month).days / DAYS_OF_A_YEAR / asked.half_life_years))


def percent_of(asked: OwnClaims, claims: float, expected: float, plan: RatePlan) -> int:
    """(a + claims) / (a + expected) in whole percent, rounded down, within what the plan's factor knows."""
    found = int(100 * (asked.shape + claims) / (asked.shape + expected))
    return min(found, plan.factors[OWN_CLAIMS].below - 1)


def relativity_of(plan: RatePlan, levels: Mapping[str, object]) -> float:
    """Of what was declared, km apart, for those are exposure; 1 for a level that the plan does not know."""
    apart = {"declared_km", OWN_CLAIMS}
    asked: Sequence[tuple[Callable[[Any, str], tuple[str, Decimal]], object]] = [
        *((one.step_of, levels.get(one.name)) for one in plan.factors.values() if one.name not in apart),
        *((one.step_of, levels) for one in plan.tables.values() if not apart & set(one.keys)),
    ]
    found = 1.0
    for step_of, declared in asked:
        with suppress(UnknownLevel):
            found *= float(step_of(declared, plan.name)[1])
    return found
