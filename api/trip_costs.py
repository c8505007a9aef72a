"""What trips do to the premium: each one's cost for a list, and a month with and without one of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from api import wording
from api.languages import say
from api.policy_file import posted_plan, preview
from api.store import Trip
from pricing.plan import RatePlan
from pricing.policies import plan_of_month
from pricing.statement import PeriodStatement
from pricing.store import Policy
from pricing.what_if import with_and_without
from storage.pool import Database


@dataclass(frozen=True, slots=True)
class Effect:
    """A month's premium with a trip and without it, fee, tax and score included."""

    sentence: str
    taken_out: str


def costs_by_trip(
    database: Database, policy: Policy, statements: Sequence[PeriodStatement], trips: Iterable[Trip]
) -> dict[str, str]:
    """Each charged trip's part of the covers in words: as posted, or as its month stands so far. Others are absent."""
    costs: dict[str, str] = {}
    for period in dict.fromkeys(trip.local_month for trip in trips):
        posted = next((statement for statement in statements if statement.period == period), None)
        if posted is not None:
            found = posted.postings[-1].inputs.get("trip_costs")
            for trip_id, cost in (found if isinstance(found, dict) else {}).items():
                costs[str(trip_id)] = wording.money(Decimal(str(cost)), posted.currency)
        else:
            plan, _, premium = preview(database, policy, period)
            for trip_id, cost in premium.trip_costs.items():
                costs[trip_id] = say("{amount} so far", amount=wording.money(cost, plan.currency))
    return costs


def effect_of(database: Database, policy: Policy, trip: Trip, statement: PeriodStatement | None) -> Effect | None:
    """What this trip does to its month: nothing is shown where the month has no such trip or it changes nothing."""
    plan = _plan(database, policy, trip, statement)
    with database.role("policy") as conn:
        found = with_and_without(conn, policy, plan, trip.local_month, str(trip.trip_id))
    if found is None:
        return None
    total, without = (premium.amount for premium in found)
    if total == without:
        return None
    month = wording.month(trip.local_month)
    amounts = {
        "month": month,
        "total": wording.money(total, plan.currency),
        "without": wording.money(without, plan.currency),
        "difference": wording.money(abs(total - without), plan.currency),
    }
    if total > without:
        sentence = say(
            "With it {month} comes to {total}, without it to {without}: it adds {difference}, with fee, tax and what "
            "it does to your score.",
            **amounts,
        )
    else:
        sentence = say(
            "With it {month} comes to {total}, without it to {without}: it saves {difference}, for it does your score "
            "good.",
            **amounts,
        )
    return Effect(sentence, wording.money(without - total, plan.currency, signed=True))


def _plan(database: Database, policy: Policy, trip: Trip, statement: PeriodStatement | None) -> RatePlan:
    if statement is not None:
        return posted_plan(database, policy, statement.postings[0].plan_hash)
    with database.role("policy") as conn:
        return plan_of_month(conn, policy, trip.local_month)
