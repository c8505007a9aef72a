"""A policy's own claims on record against those that its plan expected: two fading sums, and the percent they come to.

`own_claims_percent` is (a + claims) / (a + expected) in whole percent, a the plan's `own_claims.shape`. Both sums are
of the posted months before a day, each halved every `half_life_years`. Expected of a month is the plan's claims a km of
a policy all of whose relativities are 1, times the km, the predicted claims over the class mean's, and the relativities
of what was declared then. Without a posted month both are 0 and the percent is 100, the class mean.

Where new business declares its record, a renewal is worked out from what it would declare: `claims_record`.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date

from pricing import book_month_store, change_store
from pricing.claim_rule import RecordedClaim
from pricing.claims_record import ClaimsRecord, fading, percent_of, percent_of_record, read_claims_record, relativity_of
from pricing.periods import month_bounds, months_before
from pricing.plan import RatePlan
from pricing.rating import Terms
from pricing.terms import PolicyChange, spans_of
from storage.pool import Conn


def own_claims_percent(
    conn: Conn, changes: Sequence[PolicyChange], terms: Terms, plan: RatePlan, day: date
) -> int | None:
    """The percent of a renewal of a policy, on these terms from a day on, of months and claims known now (policy role).

    None where the plan does not ask.
    """
    asked = plan.own_claims
    if asked is None:
        return None
    bound = changes[0]
    on_record = change_store.fetch_claims_on_record(conn, bound.policy_key)
    if asked.declared:
        return percent_of_record(asked, _as_declared(bound, on_record), terms, plan, day)
    spans = spans_of(changes)
    claimed = Counter(f"{one.occurred_on:%Y-%m}" for one in on_record if asked.counts(one))
    last = f"{day:%Y-%m}"
    since = "" if asked.rule.years is None else months_before(last, 12 * asked.rule.years)
    claims = expected = 0.0
    for month in book_month_store.fetch_experience(conn, bound.policy_key, since, last):
        first, after = month_bounds(month.period)
        span = next((one for one in spans if one.from_day < after and first < one.to_day), None)
        relativity = relativity_of(plan, span.terms.levels if span else {})
        faded = fading(asked, first, day)
        claims += faded * claimed[month.period]
        expected += faded * month.expected_of_mean * relativity * asked.claims_per_100000_km / 100_000
    return percent_of(asked, claims, expected, plan)


def _as_declared(bound: PolicyChange, on_record: Sequence[RecordedClaim]) -> ClaimsRecord:
    """What the policyholder would declare elsewhere: what was declared here at the start, and the claims since."""
    declared = bound.terms.get("claims_record")
    before = ClaimsRecord(bound.effective_on, ())
    if declared is not None:
        before = read_claims_record("", declared, bound.effective_on)
    return ClaimsRecord(before.insured_since, (*before.claims, *on_record))
