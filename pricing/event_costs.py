"""What a posted month would have cost without the events that its score counts, to the cent.

Everything but the predicted claims is what the posting holds. It does not hold the events, so they are counted anew
from the trips of the score's months, and only where those still lead to the very claims and km that the posting holds.
"""

from dataclasses import dataclass
from dataclasses import replace as replace_in
from decimal import Decimal

from msgspec.structs import replace

from pricing.driving import counted_trips, terms_before, window_of
from pricing.month import Month, expiring_of, rate_month
from pricing.plan import RatePlan
from pricing.policies import plan_of_hash
from pricing.score_model import RATES
from pricing.statement import PeriodStatement
from pricing.store import Policy
from scoring.features import Totals, sum_totals
from scoring.score import ScoreModel, score_totals
from storage.pool import Conn

EVENTS = "_events"  # how counters of events end


@dataclass(frozen=True, slots=True)
class EventCost:
    """The events of one feature of the score, or of all (""), and the month's amount without them less as it is."""

    feature: str
    events: int
    difference: Decimal


def event_costs(conn: Conn, policy: Policy, statement: PeriodStatement) -> tuple[EventCost, ...]:
    """By kind of event, and last without any where there are several kinds (policy role).

    Nothing where the month was not priced by behaviour, where there are no events, and where the trips have changed or
    are gone since the posting.
    """
    latest = statement.postings[-1]
    plan, month = plan_of_hash(conn, latest.plan_hash), Month.from_json(latest.inputs)
    held = next((part.inputs.behaviour for part in month.parts if part.inputs.behaviour is not None), None)
    if held is None or rate_month(plan, month).amount != statement.total:
        return ()
    trips = counted_trips(window_of(conn, policy, plan, statement.period), policy)
    totals = sum_totals(trip.totals for trip in trips)
    score = score_totals(totals, plan.score_model)
    said = plan.score_model.version, Decimal(str(score.claims_per_100000_km)), Decimal(str(score.km))
    if said != (held.model, held.claims_per_100000_km, held.km):
        return ()
    counters = {name: found for name, found in counters_of(plan.score_model).items() if totals.get(found)}
    asked = {name: [found] for name, found in counters.items()}
    asked |= {"": list(counters.values())} if len(counters) > 1 else {}
    before = terms_before(conn, policy, plan, statement.period)
    return tuple(
        EventCost(
            feature,
            sum(totals[name] for name in without),
            _amount(plan, month, before, totals | dict.fromkeys(without, 0)) - statement.total,
        )
        for feature, without in asked.items()
    )


def counters_of(model: ScoreModel) -> dict[str, str]:
    """The features of a model that count events, each with its counter."""
    found = {}
    for weight in model.weights:
        counter = RATES[weight.feature].numerator[0]
        if counter.endswith(EVENTS):
            found[weight.feature] = counter
    return found


def _amount(plan: RatePlan, month: Month, before: list[RatePlan], totals: Totals) -> Decimal:
    """The month's amount at the claims that these totals predict, what the term before would have cost included."""
    claims = Decimal(str(score_totals(totals, plan.score_model).claims_per_100000_km))
    parts = []
    for part in month.parts:
        inputs = part.inputs
        if inputs.behaviour is not None:
            inputs = replace(inputs, behaviour=replace(inputs.behaviour, claims_per_100000_km=claims), expiring={})
            inputs = replace(inputs, expiring=expiring_of(before, inputs))
        parts.append(replace_in(part, inputs=inputs))
    return rate_month(plan, Month(tuple(parts))).amount
