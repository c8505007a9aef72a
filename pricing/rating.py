"""A policy's premium for a period, with the worksheet that leads to it. Pure and exact: same inputs, same cents.

One section of the worksheet makes one line of the statement: it adds quantity x rate, multiplies by relativities,
unrounded, and rounds once at its end. A statement is the sum of its rounded lines.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from functools import lru_cache
from itertools import product
from typing import Any, Literal

import msgspec

from pricing.money import EXACT, ratio, to_minor_unit
from pricing.plan import Cover, PayPlan, RatePlan
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS

type Kind = Literal["add", "times", "round"]
type Way = tuple[str, Decimal, tuple[str, str] | None]

ONE = Decimal(1)
_PLACE_AND_TIME = frozenset({"road_class", "hour_band"})
_PLACES = {cell: place for place, cell in enumerate(product(EXPOSURE_CLASSES, HOUR_BANDS))}
TRIPS_NOT_CHARGED = ("excluded", "uncertified", "outside_cover")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a policy agreed to: its pay plan, covers, declared rating factors (level by factor) and declared km."""

    pay_plan: str
    covers: tuple[str, ...]
    factors: Mapping[str, object]
    declared_km_per_year: int


@dataclass(frozen=True, slots=True)
class DrivenTrip:
    """What pricing sees of a trip: whole metres by (road class, hour band), never a place and never the time."""

    trip_id: str
    distance_m: int
    gap_m: int
    not_charged: str | None  # one of TRIPS_NOT_CHARGED with its detail, or None: it is charged
    cells: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class BehaviourInput:
    """The predicted frequency that the trips of the score's window lead to, beside the class mean's."""

    claims_per_100000_km: Decimal
    class_mean: Decimal
    model: str
    from_month: str
    to_month: str
    km: Decimal


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything a premium is a function of, beside the plan."""

    policy: str  # of what is posted the random key: no number that names somebody
    period: str
    days: int
    terms: Terms
    trips: tuple[DrivenTrip, ...]
    behaviour: BehaviourInput | None

    def as_json(self) -> dict[str, object]:
        """The inputs as stored; decimals as text."""
        stored: dict[str, object] = json.loads(json.dumps(asdict(self), default=str))
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Inputs":
        """The inputs of a stored posting, from which its premium can be computed again."""
        terms, behaviour = stored["terms"], stored["behaviour"]
        decimals = ("claims_per_100000_km", "class_mean", "km")
        return cls(
            policy=stored["policy"],
            period=stored["period"],
            days=stored["days"],
            terms=Terms(**terms | {"covers": tuple(terms["covers"])}),
            trips=tuple(
                DrivenTrip(**trip | {"cells": tuple((road, hour, metres) for road, hour, metres in trip["cells"])})
                for trip in stored["trips"]
            ),
            behaviour=behaviour and BehaviourInput(**behaviour | {name: Decimal(behaviour[name]) for name in decimals}),
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the inputs; the order in which trips are given does not matter."""
        trips = self.trips
        ordered = self if len(trips) < 2 else replace(self, trips=tuple(sorted(trips, key=lambda trip: trip.trip_id)))
        return hashlib.sha256(msgspec.json.encode(ordered, order="deterministic")).hexdigest()


class Step(msgspec.Struct, frozen=True):
    """One step of a section. `add`: running += quantity x rate; `times`: running x= rate; `round`: to the cent."""

    section: str
    kind: Kind
    label: str
    quantity: Decimal
    rate: Decimal
    running: Decimal

    def as_json(self) -> dict[str, str]:
        """The step as stored; decimals as text."""
        return {
            name: format(value, "f") if isinstance(value, Decimal) else value
            for name, value in msgspec.structs.asdict(self).items()
        }


@dataclass(frozen=True, slots=True)
class Line:
    """What is charged under one heading."""

    name: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Premium:
    """The rounded lines, their sum, the worksheet, and each charged trip's own part before rounding."""

    lines: tuple[Line, ...]
    worksheet: tuple[Step, ...]
    trip_costs: Mapping[str, Decimal]
    currency: str
    plan_hash: str
    inputs_digest: str

    @property
    def amount(self) -> Decimal:
        """The sum of the rounded lines."""
        return sum((line.amount for line in self.lines), Decimal(0))


def rate_period(plan: RatePlan, inputs: Inputs) -> Premium:
    """The premium of one policy for one period. Raises UnknownLevel."""
    pay_plan = plan.pay_plan(inputs.terms.pay_plan)
    relativities = _relativities(plan, pay_plan, inputs)
    way = _way(pay_plan, inputs.trips)
    steps: list[Step] = []
    lines: list[Line] = []
    for name in inputs.terms.covers:
        section = _Section(name, plan.currency)
        _exposure(section, plan.cover(name), pay_plan, inputs.days, way)
        section.times(relativities)
        lines.append(section.close(steps))
    lines += charges(plan, lines, steps)
    return Premium(
        lines=tuple(lines),
        worksheet=tuple(steps),
        trip_costs=_trip_costs(plan, pay_plan, inputs, [relativity for _, relativity in relativities]),
        currency=plan.currency,
        plan_hash=plan.plan_hash,
        inputs_digest=inputs.digest,
    )


def recompute(worksheet: Sequence[Mapping[str, str]], currency: str) -> Decimal:
    """What a stored worksheet comes to, by its own steps alone: what a policyholder does with a pencil."""
    total = running = Decimal(0)
    for step in worksheet:
        if step["kind"] == "add":
            running = EXACT.fma(Decimal(step["quantity"]), Decimal(step["rate"]), running)
        elif step["kind"] == "times":
            running = EXACT.multiply(running, Decimal(step["rate"]))
        else:
            total += to_minor_unit(running, currency)
            running = Decimal(0)
    return total


def behaviour_relativity(plan: RatePlan, behaviour: BehaviourInput) -> Decimal:
    """Predicted frequency over the class mean's, inside the plan's bounds, rounded to the plan's decimals."""
    bounds = plan.behaviour
    found = ratio(behaviour.claims_per_100000_km, behaviour.class_mean, bounds.decimals)
    return min(max(found, bounds.lowest), bounds.highest)


class _Section:
    """The steps of one line, as they are added."""

    def __init__(self, name: str, currency: str) -> None:
        self.name, self.currency = name, currency
        self.running = Decimal(0)
        self.steps: list[Step] = []

    def add(self, label: str, quantity: Decimal, rate: Decimal) -> None:
        self.running = EXACT.fma(quantity, rate, self.running)
        self.steps.append(Step(self.name, "add", label, quantity, rate, self.running))

    def times(self, relativities: Sequence[tuple[str, Decimal]]) -> None:
        """Each in turn: the most frequent step of all, so in one loop."""
        name, running, multiply, keep = self.name, self.running, EXACT.multiply, self.steps.append
        for label, relativity in relativities:
            running = multiply(running, relativity)
            keep(Step(name, "times", label, ONE, relativity, running))
        self.running = running

    def close(self, steps: list[Step]) -> Line:
        """Rounds, hands the steps over, and is the line."""
        amount = to_minor_unit(self.running, self.currency)
        steps += [*self.steps, Step(self.name, "round", f"to the minor unit of {self.currency}", ONE, ONE, amount)]
        return Line(self.name, amount)


def _exposure(section: _Section, cover: Cover, pay_plan: PayPlan, days: int, way: Iterable[Way]) -> None:
    section.add(f"{days} days", Decimal(days), EXACT.multiply(cover.per_day, pay_plan.daily_multiple))
    for label, km, cell in way:
        section.add(label, km, cover.standard_per_km if cell is None else cover.per_km[cell])


def _way(pay_plan: PayPlan, trips: Iterable[DrivenTrip]) -> list[Way]:
    """(label, km, road class and hour band; None: standard rate) of what is charged, in a fixed order, none of 0 km."""
    if "distance" not in pay_plan.uses:
        return []
    charged = [trip for trip in trips if trip.not_charged is None]
    gap_m = sum(trip.gap_m for trip in charged)
    gap: list[Way] = [("estimated km of gaps", _km(gap_m), None)] if gap_m else []
    if not pay_plan.uses >= _PLACE_AND_TIME:
        distance_m = sum(trip.distance_m for trip in charged)
        return ([("measured km", _km(distance_m), None)] if distance_m else []) + gap
    driven: dict[tuple[str, str], int] = {}
    for trip in charged:
        for road_class, hour_band, metres in trip.cells:
            cell = road_class, hour_band
            driven[cell] = driven.get(cell, 0) + metres
    cells = sorted((cell for cell, metres in driven.items() if metres), key=_PLACES.__getitem__)
    return [(_place_and_time(*cell), _km(driven[cell]), cell) for cell in cells] + gap


def _relativities(plan: RatePlan, pay_plan: PayPlan, inputs: Inputs) -> list[tuple[str, Decimal]]:
    """(label, relativity) of the static factors in plan order, then of behaviour where the pay plan reads it."""
    found = []
    for factor in plan.factors_of(pay_plan):
        declared = (
            inputs.terms.declared_km_per_year if factor.name == "declared_km" else inputs.terms.factors.get(factor.name)
        )
        level, relativity = factor.level_of(declared, plan.name)
        found.append((_label(factor.name, level), relativity))
    if "behaviour" in pay_plan.uses and inputs.behaviour is not None:
        frequency = f"{inputs.behaviour.claims_per_100000_km} / {inputs.behaviour.class_mean} claims per 100,000 km"
        found.append((f"behaviour: {frequency}", behaviour_relativity(plan, inputs.behaviour)))
    return found


@lru_cache(4096)
def _label(factor: str, level: str) -> str:
    return f"{factor.replace('_', ' ')}: {level}"


def charges(plan: RatePlan, covers: Sequence[Line], steps: list[Step]) -> list[Line]:
    """Minimum premium, fee and tax on the lines of the covers: each a line of its own, rounded on its own."""
    lines = []
    premium = sum((line.amount for line in covers), Decimal(0))
    if premium < plan.minimum_premium:
        minimum = _Section("minimum premium", plan.currency)
        minimum.add(f"up to {plan.minimum_premium} for the covers", ONE, plan.minimum_premium - premium)
        lines.append(minimum.close(steps))
    fee = _Section("fee", plan.currency)
    fee.add("administration", ONE, plan.fee)
    lines.append(fee.close(steps))
    tax = _Section(plan.tax_name, plan.currency)
    tax.add("of covers, minimum and fee", premium + sum((line.amount for line in lines), Decimal(0)), plan.tax_rate)
    lines.append(tax.close(steps))
    return lines


def _trip_costs(
    plan: RatePlan, pay_plan: PayPlan, inputs: Inputs, relativities: Sequence[Decimal]
) -> dict[str, Decimal]:
    """What each charged trip adds to the covers before rounding, exact: with the daily part they sum to the covers."""
    if "distance" not in pay_plan.uses:
        return {}
    together = Decimal(1)
    for relativity in relativities:
        together = EXACT.multiply(together, relativity)
    costs = {}
    for trip in inputs.trips:
        if trip.not_charged is None:
            cost = Decimal(0)
            for name in inputs.terms.covers:
                for metres, rate in _rates(plan.covers[name], pay_plan, trip):
                    cost = EXACT.fma(_km(metres), rate, cost) if metres else cost
            costs[trip.trip_id] = EXACT.multiply(cost, together)
    return costs


def _rates(cover: Cover, pay_plan: PayPlan, trip: DrivenTrip) -> Iterator[tuple[int, Decimal]]:
    """(metres, rate a km) of what one trip is charged for, as `_way` has them of many."""
    if pay_plan.uses >= _PLACE_AND_TIME:
        for road_class, hour_band, metres in trip.cells:
            yield metres, cover.per_km[road_class, hour_band]
    else:
        yield trip.distance_m, cover.standard_per_km
    yield trip.gap_m, cover.standard_per_km


@lru_cache(128)
def _place_and_time(road_class: str, hour_band: str) -> str:
    where = "off the map" if road_class == "unmatched" else f"on {road_class} roads"
    return f"km {where}, {hour_band}"


def _km(metres: int) -> Decimal:
    return Decimal(metres).scaleb(-3)
