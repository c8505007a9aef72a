"""What a posted month would have cost without the events that its score counts, to the cent.

Everything but the predicted claims is what the posting holds. It does not hold the events, so they are counted anew
from the trips of the score's months, and only where those still lead to the very claims and km that the posting holds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from dataclasses import replace as replace_in
from decimal import Decimal
from functools import partial

from msgspec.structs import replace

from pricing.driving import counted_trips, plans_before_parts, window_of
from pricing.month import Month, Part, expiring_of, rate_month
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


@dataclass(frozen=True, slots=True)
class _Driven:
    """A part of the posted month, its plan and those of the terms before, and the totals of that plan's window."""

    part: Part
    plan: RatePlan
    before: Sequence[RatePlan]
    totals: Totals

    @property
    def is_as_posted(self) -> bool:
        """Whether the totals lead to the very claims and km that the posting holds."""
        held, score = self.part.inputs.behaviour, score_totals(self.totals, self.plan.score_model)
        said = self.plan.score_model.version, Decimal(str(score.claims_per_100000_km)), Decimal(str(score.km))
        return held is not None and said == (held.model, held.claims_per_100000_km, held.km)

    def without(self, counters: Iterable[str]) -> Part:
        """The part at the claims that the totals predict without those events, what the terms before would have cost
        included.
        """
        inputs = self.part.inputs
        if inputs.behaviour is None:
            return self.part
        score = score_totals({**self.totals, **dict.fromkeys(counters, 0)}, self.plan.score_model)
        claims = Decimal(str(score.claims_per_100000_km))
        inputs = replace(inputs, behaviour=replace(inputs.behaviour, claims_per_100000_km=claims), expiring={})
        return replace_in(self.part, inputs=replace(inputs, expiring=expiring_of(self.before, inputs)))


def event_costs(conn: Conn, policy: Policy, statement: PeriodStatement) -> tuple[EventCost, ...]:
    """By kind of event, and last without any where there are several kinds (policy role).

    Nothing where the month was not priced by behaviour, where there are no events, and where the trips have changed or
    are gone since the posting.
    """
    latest = statement.postings[-1]
    plan = plan_of_hash(conn, latest.plan_hash)
    month = Month.from_json(latest.inputs, partial(plan_of_hash, conn))
    if rate_month(plan, month).amount != statement.total:
        return ()
    driven: list[_Driven] = []
    befores = plans_before_parts(conn, policy, plan, statement.period, month)
    for part, before in zip(month.parts, befores, strict=True):
        by = part.plan or plan
        trips = counted_trips(window_of(conn, policy, by, statement.period), policy)
        driven.append(_Driven(part, by, before, sum_totals(trip.totals for trip in trips)))
    scored = [one for one in driven if one.part.inputs.behaviour is not None]
    if not scored or not all(one.is_as_posted for one in scored):
        return ()
    counters = {
        name: counter
        for one in scored
        for name, counter in counters_of(one.plan.score_model).items()
        if one.totals.get(counter)
    }
    asked = {name: [counter] for name, counter in counters.items()}
    asked |= {"": list(counters.values())} if len(counters) > 1 else {}
    return tuple(
        EventCost(
            feature,
            sum(max(one.totals.get(name, 0) for one in scored) for name in without),
            rate_month(plan, Month(tuple(one.without(without) for one in driven))).amount - statement.total,
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
