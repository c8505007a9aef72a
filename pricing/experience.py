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
from pricing.claims_record import (
    ClaimsRecord,
    counts_from,
    fading,
    percent_of,
    percent_of_record,
    read_claims_record,
    relativity_of,
)
from pricing.periods import month_bounds
from pricing.plan import CLASS_MEAN_PERCENT, OWN_CLAIMS, RatePlan
from pricing.rating import Terms
from pricing.terms import PolicyChange, spans_of
from storage.pool import Conn


def own_claims_percent(
    conn: Conn,
    changes: Sequence[PolicyChange],
    terms: Terms,
    plan: RatePlan,
    day: date,
    declared: ClaimsRecord | None,
) -> int | None:
    """The percent of a renewal of a policy, on these terms from a day on, of months and claims known now (policy role).

    None where the plan has no such factor; the class mean's where it does not say how. `declared`: the latest record,
    without which a plan of what is declared cannot be asked.
    """
    asked = plan.own_claims
    if asked is None:
        return CLASS_MEAN_PERCENT if OWN_CLAIMS in plan.factors else None
    policy_key = changes[0].policy_key
    on_record = change_store.fetch_claims_on_record(conn, policy_key)
    if asked.declared:
        assert declared is not None
        return percent_of_record(asked, _with_ours(declared, on_record), terms, plan, day)
    spans, since = spans_of(changes), counts_from(asked, day)
    claimed = Counter(f"{one.occurred_on:%Y-%m}" for one in on_record if one.occurred_on >= since and asked.counts(one))
    claims = expected = 0.0
    for month in book_month_store.fetch_experience(conn, policy_key, since.isoformat()[:7], f"{day:%Y-%m}"):
        first, after = month_bounds(month.period)
        span = next((one for one in spans if one.from_day < after and first < one.to_day), None)
        relativity = relativity_of(plan, span.terms.levels if span else {})
        share = (after - max(first, since)).days / (after - first).days
        faded = fading(asked, first, day)
        claims += faded * claimed[month.period]
        expected += faded * share * month.expected_of_mean * relativity * asked.claims_per_100000_km / 100_000
    return percent_of(asked, claims, expected, plan)


def declared_before(changes: Sequence[PolicyChange]) -> ClaimsRecord | None:
    """What was declared last."""
    for change in reversed(changes):
        if "claims_record" in change.terms:
            return read_claims_record("", change.terms["claims_record"], change.effective_on)
    return None


def _with_ours(record: ClaimsRecord, on_record: Sequence[RecordedClaim]) -> ClaimsRecord:
    """What the policyholder would declare elsewhere. A claim on record here stands for what is declared of its day."""
    ours = {one.occurred_on for one in on_record}
    elsewhere = (one for one in record.claims if one.occurred_on not in ours)
    return ClaimsRecord(record.insured_since, (*elsewhere, *on_record))
