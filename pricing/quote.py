"""A quote of one policy, alone or of a book: premium, worksheet, digests, interval, and what would change it."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from pricing.book_rating import CompiledPlan, RatingBook
from pricing.book_rating import inputs_of as inputs_of_row
from pricing.json_text import read_json
from pricing.plan import OWN_CLAIMS, TIERS, RatePlan
from pricing.rating import (
    MOST_AMOUNT,
    MOST_DAYS,
    MOST_METRES,
    MOST_MINUTES,
    BehaviourInput,
    DrivenTrip,
    Inputs,
    Terms,
    rate_period,
)
from pricing.rating_errors import AmountTooLarge, BadQuote
from pricing.score_model import MOST_CLAIMS
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS
from scoring.events import KINDS
from scoring.features import FEATURES, Feature
from scoring.score import Score, ScoreModel, score_totals

MOST_KM = 10**9  # a year, as of a book
MOST_TOTAL = 10**15
MOST_DECIMALS = 300  # what a term before cost is exact: a product of many rates and relativities
TOTALS = {name for one in FEATURES if isinstance(one, Feature) for name in (*one.numerator, *one.denominator)}

type Cell = tuple[str, str, int]  # road class, hour band, metres
type Ends = tuple[Decimal, Decimal]  # of the predicted frequency's interval


class DrivingEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event of the period, one of scoring's kinds, and what it added to the totals; {}: one of its kind."""

    kind: str
    totals: dict[str, int] = {}

    @property
    def added(self) -> Mapping[str, int]:
        """What the totals are less without it."""
        return self.totals or {f"{self.kind}_events": 1}


class Driving(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A period's driving: whole metres and minutes, and how it was driven.

    Either the predicted claims per 100,000 km with their interval, or the `totals` that the model predicts them from,
    and then the events among them. `model`: by which content hash; another one than ours is refused.
    """

    distance_m: int = 0
    gap_m: int = 0
    minutes: int = 0
    cells: tuple[Cell, ...] = ()
    claims_per_100000_km: Decimal | None = None
    interval: Ends | None = None
    totals: dict[str, int] = {}
    events: tuple[DrivingEvent, ...] = ()
    tier: str = ""
    model: str = ""


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a quote is asked for; `plan_hash` where it must be of that very plan."""

    policy: str
    days: int
    pay_plan: str
    covers: tuple[str, ...]
    factors: dict[str, str | int]
    declared_km_per_year: int = 0
    driving: Driving = Driving()
    unmeasured_days: int = 0
    expiring: dict[str, Decimal] = {}
    plan_hash: str = ""


def read_asked(path: Path) -> Asked:
    """The document of a file. Raises BadQuote with the field."""
    try:
        content = path.read_bytes()
        read_json(content.decode("utf-8"))  # a key that stands twice is refused
        asked = msgspec.json.decode(content, type=Asked)
    except (OSError, ValueError, RecursionError) as error:
        raise BadQuote(path.name, f"{error}; docs/examples/quote.json is one") from None
    problem = _problem(asked) or _driving_problem(asked.driving)
    if problem:
        raise BadQuote(path.name, problem)
    return asked


def quote_of(plan: RatePlan, asked: Asked) -> dict[str, Any]:
    """The quote as JSON. Raises UnknownLevel, AmountTooLarge, and BadQuote where another plan was asked for or one that
    does not know all that is declared.
    """
    if asked.plan_hash and asked.plan_hash != plan.plan_hash:
        raise BadQuote(asked.policy, f"plan_hash: {asked.plan_hash} is asked for, and this plan is {plan.plan_hash}")
    driving, model = asked.driving, plan.score_model
    known = plan.factors.keys() - {"declared_km"}
    if unknown := sorted(asked.factors.keys() - known - {OWN_CLAIMS}):  # a plan that does not ask reads past that one
        raise BadQuote(asked.policy, f"factors: {unknown[0]} is not a factor of the plan ({', '.join(sorted(known))})")
    if driving.model not in ("", model.version):
        problem = f"driving.model: {driving.model} predicted it, and this plan's model is {model.version}"
        raise BadQuote(asked.policy, problem)
    if not _is_charged(plan, asked.pay_plan, driving.distance_m, driving.cells):
        sums = f"add up to {_metres(driving.cells)} m, and driving.distance_m is {driving.distance_m}"
        problem = f"driving.cells: {sums}: {asked.pay_plan} charges every metre by its road and hour"
        raise BadQuote(asked.policy, problem)
    score = score_totals(driving.totals, model) if driving.totals else None
    ends = driving.interval if score is None else _ends(score)
    return _quote(plan, inputs_of(plan, asked), ends, dict(_without_events(driving, model)))


def quote_of_row(compiled_plan: CompiledPlan, book: RatingBook, policy: str) -> dict[str, Any]:
    """The quote of a policy of a book, by the plan that the book is rated by. Raises BadQuote where it is not there."""
    if policy not in book.policy:
        raise BadQuote(policy, "policy: is not in the book")
    row = book.policy.index(policy)
    low, high = (None, None) if book.interval is None else (ends[row] for ends in book.interval)
    ends = None if low is None or high is None else (Decimal(low), Decimal(high))
    return _quote(compiled_plan.plan, inputs_of_row(compiled_plan, book, row), ends, {})


def inputs_of(plan: RatePlan, asked: Asked) -> Inputs:
    """What the premium is a function of."""
    driving = asked.driving
    frequency = driving.claims_per_100000_km
    if driving.totals:
        frequency = _claims(driving.totals, plan.score_model)
    trip = DrivenTrip("all", driving.distance_m, driving.gap_m, None, driving.cells, driving.minutes)
    return Inputs(
        policy=asked.policy,
        period="",
        days=asked.days,
        terms=Terms(asked.pay_plan, asked.covers, asked.factors, asked.declared_km_per_year),
        trips=(trip,),
        behaviour=None if frequency is None else _behaviour(plan, frequency, driving),
        unmeasured_days=asked.unmeasured_days,
        expiring=asked.expiring,
    )


def _behaviour(plan: RatePlan, frequency: Decimal, driving: Driving) -> BehaviourInput:
    km = Decimal(driving.distance_m).scaleb(-3)
    return BehaviourInput(frequency, plan.class_mean, plan.score_model.version, "", "", km, driving.tier)


def _claims(totals: Mapping[str, int], model: ScoreModel) -> Decimal:
    return Decimal(str(score_totals(totals, model).claims_per_100000_km))


def _ends(score: Score) -> Ends:
    low, high = score.interval
    return Decimal(str(low)), Decimal(str(high))


def _quote(plan: RatePlan, inputs: Inputs, ends: Ends | None, without: Mapping[str, Decimal]) -> dict[str, Any]:
    """`without`: the predicted frequency had something not happened, by what that is."""
    premium = rate_period(plan, inputs)
    if premium.amount > MOST_AMOUNT:
        raise AmountTooLarge(inputs.policy, str(premium.amount))
    driven = inputs.behaviour if "behaviour" in plan.pay_plan(inputs.terms.pay_plan).uses else None
    return {
        "policy": inputs.policy,
        "amount": str(premium.amount),
        "currency": premium.currency,
        "lines": [{"name": line.name, "amount": str(line.amount)} for line in premium.lines],
        "worksheet": [step.as_json() for step in premium.worksheet],
        "plan": {"name": plan.name, "version": plan.version, "hash": premium.plan_hash},
        "model": None if driven is None else plan.score_model.version,
        "inputs_digest": premium.inputs_digest,
        "interval": None
        if driven is None or ends is None
        else [str(_amount(plan, inputs, driven, one)) for one in ends],
        "counterfactuals": [
            {"change": change, "amount": str(amount), "difference": str(amount - premium.amount)}
            for change, amount in _counterfactuals(plan, inputs, driven, without)
        ],
    }


def _amount(plan: RatePlan, inputs: Inputs, driven: BehaviourInput, frequency: Decimal) -> Decimal:
    """What the same would cost at another predicted frequency."""
    return rate_period(plan, replace(inputs, behaviour=replace(driven, claims_per_100000_km=frequency))).amount


def _counterfactuals(
    plan: RatePlan, inputs: Inputs, driven: BehaviourInput | None, without: Mapping[str, Decimal]
) -> Iterator[tuple[str, Decimal]]:
    """What the same would cost otherwise, by the same plan: without events, driven as most do, paid another way, where
    what was driven is known as that reads it.
    """
    if driven is not None:
        for change, frequency in without.items():
            yield change, _amount(plan, inputs, driven, frequency)
        yield "driving like the class's mean", rate_period(plan, replace(inputs, behaviour=None)).amount
    (trip,) = inputs.trips
    for name in plan.pay_plans:
        if name != inputs.terms.pay_plan and _is_charged(plan, name, trip.distance_m, trip.cells):
            other = replace(inputs, terms=replace(inputs.terms, pay_plan=name))
            yield f"pay plan {name}", rate_period(plan, other).amount


def _is_charged(plan: RatePlan, pay_plan: str, distance_m: int, cells: Sequence[Cell]) -> bool:
    """Whether a pay plan that charges by road and hour finds both of every metre, as of every trip that is scored."""
    return "road_class" not in plan.pay_plan(pay_plan).uses or _metres(cells) == distance_m


def _metres(cells: Sequence[Cell]) -> int:
    return sum(metres for _, _, metres in cells)


def _without_events(driving: Driving, model: ScoreModel) -> Iterator[tuple[str, Decimal]]:
    """The predicted frequency without the events of each kind, and without all where there are several kinds."""
    kinds = dict.fromkeys(event.kind for event in driving.events)
    for kind in kinds:
        events = [event for event in driving.events if event.kind == kind]
        words = kind.replace("_", " ")
        what = f"this {words}" if len(events) == 1 else f"these {len(events)} {words}s"
        yield f"without {what}", _claims(_less(driving.totals, events), model)
    if len(kinds) > 1:
        yield f"without all {len(driving.events)} events", _claims(_less(driving.totals, driving.events), model)


def _less(totals: Mapping[str, int], events: tuple[DrivingEvent, ...] | list[DrivingEvent]) -> dict[str, int]:
    left = dict(totals)
    for event in events:
        for name, added in event.added.items():
            left[name] = left.get(name, 0) - added
    return left


def _problem(asked: Asked) -> str | None:
    broken = {
        f"days: must be from 1 to {MOST_DAYS:,}": not 1 <= asked.days <= MOST_DAYS,
        "covers: must name at least one, each once": not asked.covers or len(set(asked.covers)) < len(asked.covers),
        f"declared_km_per_year: must be from 0 to {MOST_KM:,}": not 0 <= asked.declared_km_per_year <= MOST_KM,
        "unmeasured_days: must be 0 or more, and at most days": not 0 <= asked.unmeasured_days <= max(asked.days, 0),
        f"expiring: must be from 0 to {MOST_AMOUNT:,}, with at most {MOST_DECIMALS} decimals": not all(
            _is_amount(one) for one in asked.expiring.values()
        ),
        "expiring: names a cover that the policy has not": not set(asked.expiring) <= set(asked.covers),
    }
    return next((problem for problem, holds in broken.items() if holds), None)


def _is_amount(number: Decimal) -> bool:
    return number.is_finite() and 0 <= number <= MOST_AMOUNT and int(number.as_tuple().exponent) >= -MOST_DECIMALS


def _is_frequency(number: Decimal) -> bool:
    return number.is_finite() and 0 < number < MOST_CLAIMS and int(number.as_tuple().exponent) >= -MOST_DECIMALS


def _holds(interval: Ends, frequency: Decimal | None) -> bool:
    """Compared only where all are finite: what is not is refused as such."""
    if frequency is None or not all(one.is_finite() for one in (*interval, frequency)):
        return False
    return interval[0] <= frequency <= interval[1]


def _parts_over(totals: Mapping[str, int]) -> list[str]:
    """The parts that are more than their whole, such as the metres at night and all metres, where both are given."""
    shares = (one for one in FEATURES if isinstance(one, Feature) and (one.unit, one.scale) == ("1", 1))
    return [
        f"{' + '.join(one.numerator)} is more than {' + '.join(one.denominator)}"
        for one in shares
        if set(one.denominator) <= totals.keys()
        and sum(totals.get(part, 0) for part in one.numerator) > sum(totals[part] for part in one.denominator)
    ]


def _driving_problem(driving: Driving) -> str | None:
    wrong_cell = next(
        (one for one in driving.cells if one[0] not in EXPOSURE_CLASSES or one[1] not in HOUR_BANDS), None
    )
    numbers = [one for one in (driving.claims_per_100000_km, *(driving.interval or ())) if one is not None]
    metres = [driving.distance_m, driving.gap_m, *(one[2] for one in driving.cells)]
    added = [event.added for event in driving.events]
    unknown = sorted({name for totals in (driving.totals, *added) for name in totals} - TOTALS)
    predicted = driving.claims_per_100000_km is not None or driving.interval is not None
    broken = {
        f"driving: metres must be from 0 to {MOST_METRES:,}": not all(0 <= one <= MOST_METRES for one in metres),
        f"driving.minutes: must be from 0 to {MOST_MINUTES:,}": not 0 <= driving.minutes <= MOST_MINUTES,
        f"driving.cells: {wrong_cell} is no road class ({', '.join(EXPOSURE_CLASSES)}) and hour band "
        f"({', '.join(HOUR_BANDS)})": wrong_cell is not None,
        f"driving.claims_per_100000_km and interval: must be over 0, under {MOST_CLAIMS:,.0f}, with {MOST_DECIMALS} "
        "decimals or fewer": not all(_is_frequency(one) for one in numbers),
        "driving.interval: must be of claims_per_100000_km, and hold it: its low end, then its high one": (
            driving.interval is not None and not _holds(driving.interval, driving.claims_per_100000_km)
        ),
        "driving.totals: the model predicts from them; leave claims_per_100000_km and interval out": bool(
            driving.totals and predicted
        ),
        f"driving.events: kind must be one of {', '.join(KINDS)}": any(one.kind not in KINDS for one in driving.events),
        f"driving.totals: {', '.join(unknown)} is no total": bool(unknown),
        f"driving.totals: must be from 0 to {MOST_TOTAL:,}": not all(
            0 <= one <= MOST_TOTAL for one in driving.totals.values()
        ),
        f"driving.totals: {' and '.join(_parts_over(driving.totals))}": bool(_parts_over(driving.totals)),
        "driving.events: add more than driving.totals hold": any(
            one < 0 for one in _less(driving.totals, driving.events).values()
        )
        or any(one < 0 for totals in added for one in totals.values()),
        f"driving.tier: must be one of {', '.join(TIERS)}": driving.tier not in ("", *TIERS),
    }
    return next((problem for problem, holds in broken.items() if holds), None)
