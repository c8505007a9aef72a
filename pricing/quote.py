"""A quote of one policy from a JSON document alone: premium, worksheet, digests, interval, and what would change it."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from pricing.errors import BadQuote
from pricing.plan import RatePlan
from pricing.rating import BehaviourInput, DrivenTrip, Inputs, Terms, rate_period
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS
from scoring.score import PRIOR_MODEL


class Driving(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A period's driving: whole metres, and the predicted claims per 100,000 km with their interval."""

    distance_m: int = 0
    gap_m: int = 0
    cells: tuple[tuple[str, str, int], ...] = ()  # road class, hour band, metres
    claims_per_100000_km: Decimal | None = None
    interval: tuple[Decimal, Decimal] | None = None


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a quote is asked for."""

    policy: str
    days: int
    pay_plan: str
    covers: tuple[str, ...]
    factors: dict[str, str | int]
    declared_km_per_year: int = 0
    driving: Driving = Driving()


def read_asked(path: Path) -> Asked:
    """The document of a file. Raises BadQuote with the field."""
    try:
        asked = msgspec.json.decode(path.read_bytes(), type=Asked)
    except (OSError, msgspec.DecodeError) as error:
        raise BadQuote(path.name, str(error)) from None
    problem = _problem(asked)
    if problem:
        raise BadQuote(path.name, problem)
    return asked


def quote_of(plan: RatePlan, asked: Asked) -> dict[str, Any]:
    """The quote as JSON. Raises UnknownLevel."""
    inputs = inputs_of(asked)
    premium = rate_period(plan, inputs)
    reads_behaviour = "behaviour" in plan.pay_plan(asked.pay_plan).uses and inputs.behaviour is not None
    return {
        "policy": asked.policy,
        "amount": str(premium.amount),
        "currency": premium.currency,
        "lines": [{"name": line.name, "amount": str(line.amount)} for line in premium.lines],
        "worksheet": [step.as_json() for step in premium.worksheet],
        "plan": {"name": plan.name, "version": plan.version, "hash": premium.plan_hash},
        "model": PRIOR_MODEL.version if reads_behaviour else None,
        "inputs_digest": premium.inputs_digest,
        "interval": _interval(plan, inputs, asked) if reads_behaviour else None,
        "counterfactuals": _counterfactuals(plan, inputs, premium.amount, reads_behaviour=reads_behaviour),
    }


def inputs_of(asked: Asked) -> Inputs:
    """What the premium is a function of."""
    driving = asked.driving
    frequency = driving.claims_per_100000_km
    return Inputs(
        policy=asked.policy,
        period="",
        days=asked.days,
        terms=Terms(asked.pay_plan, asked.covers, asked.factors, asked.declared_km_per_year),
        trips=(DrivenTrip("all", driving.distance_m, driving.gap_m, None, driving.cells),),
        behaviour=None if frequency is None else _behaviour(frequency, driving),
    )


def _behaviour(frequency: Decimal, driving: Driving) -> BehaviourInput:
    mean = Decimal(str(PRIOR_MODEL.base_claims_per_100000_km))
    return BehaviourInput(frequency, mean, PRIOR_MODEL.version, "", "", Decimal(driving.distance_m).scaleb(-3))


def _interval(plan: RatePlan, inputs: Inputs, asked: Asked) -> list[str] | None:
    """The amounts at both ends of the predicted frequency's interval."""
    ends = asked.driving.interval
    if ends is None:
        return None
    return [str(rate_period(plan, replace(inputs, behaviour=_behaviour(end, asked.driving))).amount) for end in ends]


def _counterfactuals(plan: RatePlan, inputs: Inputs, amount: Decimal, *, reads_behaviour: bool) -> list[dict[str, str]]:
    """What the same policy would cost otherwise, by the same plan: each other pay plan, and average driving."""
    others = {
        f"pay plan {name}": replace(inputs, terms=replace(inputs.terms, pay_plan=name))
        for name in plan.pay_plans
        if name != inputs.terms.pay_plan
    }
    if reads_behaviour:
        others["driving like the class's mean"] = replace(inputs, behaviour=None)
    found = []
    for change, changed in others.items():
        other = rate_period(plan, changed).amount
        found.append({"change": change, "amount": str(other), "difference": str(other - amount)})
    return found


def _problem(asked: Asked) -> str | None:
    driving = asked.driving
    wrong_cell = next(
        (one for one in driving.cells if one[0] not in EXPOSURE_CLASSES or one[1] not in HOUR_BANDS), None
    )
    numbers = [driving.claims_per_100000_km, *(driving.interval or ())]
    metres = [driving.distance_m, driving.gap_m, *(one[2] for one in driving.cells)]
    broken = {
        "days: must be 0 or more": asked.days < 0,
        "covers: must name at least one, each once": not asked.covers or len(set(asked.covers)) < len(asked.covers),
        "declared_km_per_year: must be 0 or more": asked.declared_km_per_year < 0,
        "driving: metres must be 0 or more": any(one < 0 for one in metres),
        f"driving.cells: {wrong_cell} is no road class ({', '.join(EXPOSURE_CLASSES)}) and hour band "
        f"({', '.join(HOUR_BANDS)})": wrong_cell is not None,
        "driving.claims_per_100000_km and interval: must be over 0": any(
            one is not None and not (one.is_finite() and one > 0) for one in numbers
        ),
    }
    return next((problem for problem, holds in broken.items() if holds), None)
