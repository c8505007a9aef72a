"""A policy's premium for a period, with the worksheet that leads to it. Pure and exact: same inputs, same cents.

One section of the worksheet makes one line of the statement: it adds quantity x rate, multiplies by relativities,
unrounded, is held inside the bounds of a renewal, and rounds once at its end. A statement is the sum of its rounded
lines.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate, product
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from pricing.money import EXACT, minor_units, ratio, to_minor_unit, total
from pricing.plan import (
    CLASS_MEAN_PERCENT,
    DAYS_OF_A_YEAR,
    OWN_CLAIMS,
    TIERS,
    Behaviour,
    Cover,
    PayPlan,
    RatePlan,
    Smoothing,
)
from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS

type Kind = Literal["add", "times", "at_most", "at_least", "round"]
type RateKey = tuple[str, str]  # a road class and an hour band, STANDARD or MINUTE
type Way = tuple[str, Decimal, RateKey]

ONE = Decimal(1)
# What a period can hold, of a quote and of a book; and an amount beyond which its exposure or a rate is wrong.
MOST_DAYS, MOST_METRES, MOST_MINUTES, MOST_AMOUNT = 3660, 10**11, 10**7, 10**15
SMOOTHING = ("at_most", "at_least")  # kinds of step
STANDARD: RateKey = ("standard", "")
MINUTE: RateKey = ("minute", "")
PLACE_AND_TIME = frozenset({"road_class", "hour_band"})
_PLACES = {cell: place for place, cell in enumerate(product(EXPOSURE_CLASSES, HOUR_BANDS))}
TRIPS_NOT_CHARGED = ("excluded", "uncertified", "outside_cover")


class Terms(msgspec.Struct, frozen=True):
    """What a policy agreed to: its pay plan, covers, declared rating factors (level by factor) and declared km."""

    pay_plan: str
    covers: tuple[str, ...]
    factors: Mapping[str, object]
    declared_km_per_year: int

    @property
    def levels(self) -> Mapping[str, object]:
        """What holds of every factor; own claims that are not on record are those of the class mean."""
        return {OWN_CLAIMS: CLASS_MEAN_PERCENT, **self.factors, "declared_km": self.declared_km_per_year}


# A field with a default is left out of what is stored and hashed where it holds that: inputs from before the field was
# there have the digest that they had.
class DrivenTrip(msgspec.Struct, frozen=True, omit_defaults=True):
    """What pricing sees of a trip: whole metres by (road class, hour band), never a place and never the time.

    `minutes`: how long it took, 0 where the pay plan does not read that.
    """

    trip_id: str
    distance_m: int
    gap_m: int
    not_charged: str | None  # one of TRIPS_NOT_CHARGED with its detail, or None: it is charged
    cells: tuple[tuple[str, str, int], ...]
    minutes: int = 0


class BehaviourInput(msgspec.Struct, frozen=True, omit_defaults=True):
    """The predicted frequency that the trips of the score's window lead to, beside the class mean's.

    `tier`: the weakest trust tier that those trips came with, one of TIERS; "": not known, which proves nothing.
    """

    claims_per_100000_km: Decimal
    class_mean: Decimal
    model: str
    from_month: str
    to_month: str
    km: Decimal
    tier: str = ""


class Inputs(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything a premium is a function of, beside the plan.

    `unmeasured_days`: days of cover without a reading. `expiring`: what the term before a renewal would have cost on
    these same inputs, by cover, exact and unrounded; a cover that it could not price is not there.
    """

    policy: str  # of what is posted the random key: no number that names somebody
    period: str
    days: int
    terms: Terms
    trips: tuple[DrivenTrip, ...]
    behaviour: BehaviourInput | None
    unmeasured_days: int = 0
    expiring: dict[str, Decimal] = {}  # msgspec makes it anew for each

    def as_json(self) -> dict[str, object]:
        """The inputs as stored; decimals as text."""
        stored: dict[str, object] = msgspec.json.decode(msgspec.json.encode(self))
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Inputs":
        """The inputs of a stored posting, from which its premium can be computed again.

        The first postings named the policy by its number and held when each trip began: both are read past.
        """
        known = {name: stored[name] for name in cls.__struct_fields__ if name in stored}
        return msgspec.convert({"policy": stored.get("policy_id")} | known, cls)

    @property
    def digest(self) -> str:
        """SHA-256 of the inputs; the order in which trips are given does not matter."""
        trips = self.trips
        ordered = self if len(trips) < 2 else replace(self, trips=tuple(sorted(trips, key=lambda trip: trip.trip_id)))
        return hashlib.sha256(msgspec.json.encode(ordered, order="deterministic")).hexdigest()


class Step(msgspec.Struct, frozen=True, gc=False):
    """One step of a section. `add`: running += quantity x rate; `times`: running x= rate; `at_most` and `at_least`:
    running is held to quantity x rate; `round`: to the cent.
    """

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


class Line(msgspec.Struct, frozen=True, gc=False):
    """What is charged under one heading."""

    name: str
    amount: Decimal


class Premium(msgspec.Struct, frozen=True):
    """The rounded lines, their sum, the worksheet, and each charged trip's own part before smoothing and rounding."""

    lines: tuple[Line, ...]
    worksheet: tuple[Step, ...]
    trip_costs: Mapping[str, Decimal]
    currency: str
    plan_hash: str
    inputs_digest: str

    @property
    def amount(self) -> Decimal:
        """The sum of the rounded lines."""
        return total(line.amount for line in self.lines)


def rate_period(plan: RatePlan, inputs: Inputs) -> Premium:
    """The premium of one policy for one period. Raises UnknownLevel."""
    terms = inputs.terms
    pay_plan = plan.pay_plan(terms.pay_plan)
    relativities = _relativities(plan, pay_plan, inputs)
    way = _way(plan, pay_plan, inputs)
    steps: list[Step] = []
    lines: list[Line] = []
    for name in terms.covers:
        section = _Section(name, plan.currency, steps)
        _exposure(section, plan.cover(name), pay_plan, inputs.days, way)
        section.times(relativities)
        if plan.smoothing is not None and name in inputs.expiring:
            section.smooth(plan.smoothing, inputs.expiring[name])
        lines.append(section.close())
    lines += charges(plan, lines, steps)
    return Premium(
        lines=tuple(lines),
        worksheet=tuple(steps),
        trip_costs=_trip_costs(plan, pay_plan, inputs, relativities),
        currency=plan.currency,
        plan_hash=plan.plan_hash,
        inputs_digest=inputs.digest,
    )


def cover_minor_units(plan: RatePlan, inputs: Inputs) -> list[int]:
    """The amounts of the covers' lines as `rate_period` has them, in minor units and without their steps.

    Raises UnknownLevel.
    """
    terms, multiply, fma = inputs.terms, EXACT.multiply, EXACT.fma
    pay_plan = plan.pay_plan(terms.pay_plan)
    together = ONE
    for _, relativity in _relativities(plan, pay_plan, inputs):
        together = multiply(together, relativity)
    way = [(quantity, key) for _, quantity, key in _way(plan, pay_plan, inputs)]
    days = multiply(Decimal(inputs.days), pay_plan.daily_multiple)
    amounts: list[Decimal] = []
    for name in terms.covers:
        cover = plan.cover(name)
        running = multiply(days, cover.per_day)
        for quantity, key in way:
            running = fma(quantity, _rate(cover, key), running)
        running = multiply(running, together)
        if plan.smoothing is not None and name in inputs.expiring:
            expiring, bounds = inputs.expiring[name], plan.smoothing
            running = max(min(running, multiply(expiring, bounds.highest)), multiply(expiring, bounds.lowest))
        amounts.append(running)
    return minor_units(amounts, plan.currency)


def unrounded(premium: Premium) -> dict[str, Decimal]:
    """What each section comes to before its rounding."""
    found = {}
    running = Decimal(0)
    for step in premium.worksheet:
        if step.kind == "round":
            found[step.section] = running
        running = step.running
    return found


def recompute(worksheet: Sequence[Mapping[str, str]], currency: str) -> Decimal:
    """What a stored worksheet comes to, by its own steps alone: what a policyholder does with a pencil."""
    running, rounded = Decimal(0), list[Decimal]()
    for step in worksheet:
        kind, quantity, rate = step["kind"], Decimal(step["quantity"]), Decimal(step["rate"])
        if kind == "add":
            running = EXACT.fma(quantity, rate, running)
        elif kind == "times":
            running = EXACT.multiply(running, rate)
        elif kind == "at_most":
            running = min(running, EXACT.multiply(quantity, rate))
        elif kind == "at_least":
            running = max(running, EXACT.multiply(quantity, rate))
        else:
            rounded.append(to_minor_unit(running, currency))
            running = Decimal(0)
    return total(rounded)


def behaviour_relativity(plan: RatePlan, behaviour: BehaviourInput) -> Decimal:
    """Predicted frequency over the class mean's, rounded to the plan's decimals, inside the bounds of plan and tier."""
    bounds = plan.behaviour
    found = ratio(behaviour.claims_per_100000_km, behaviour.class_mean, bounds.decimals)
    return min(max(found, lowest_behaviour(bounds, behaviour.tier)), bounds.highest)


def lowest_behaviour(bounds: Behaviour, tier: str) -> Decimal:
    """How low the relativity may go for what a tier proves; nothing said proves what the weakest does."""
    return bounds.lowest_by_tier.get(tier or TIERS[0], bounds.lowest)


class _Section:
    """The steps of one line, as they are added."""

    def __init__(self, name: str, currency: str, steps: list[Step]) -> None:
        self.name, self.currency, self.steps = name, currency, steps
        self.running = Decimal(0)

    def add(self, label: str, quantity: Decimal, rate: Decimal) -> None:
        self.running = EXACT.fma(quantity, rate, self.running)
        self.steps.append(Step(self.name, "add", label, quantity, rate, self.running))

    def times(self, relativities: Sequence[tuple[str, Decimal]]) -> None:
        """Each in turn: the most frequent step of all, so whole lists at once."""
        name = self.name
        products = list(accumulate([rate for _, rate in relativities], EXACT.multiply, initial=self.running))
        self.running = products[-1]
        self.steps += [
            Step(name, "times", label, ONE, rate, running)
            for (label, rate), running in zip(relativities, products[1:], strict=True)
        ]

    def smooth(self, bounds: Smoothing, expiring: Decimal) -> None:
        """A renewal stays inside the bounds round what the term before would have cost."""
        what = "what the term before would have cost"
        self.running = min(self.running, EXACT.multiply(expiring, bounds.highest))
        most = Step(self.name, "at_most", f"renewal: at most {bounds.highest} x {what}", expiring, bounds.highest,
                    self.running)  # fmt: skip
        self.running = max(self.running, EXACT.multiply(expiring, bounds.lowest))
        least = Step(self.name, "at_least", f"renewal: at least {bounds.lowest} x {what}", expiring, bounds.lowest,
                     self.running)  # fmt: skip
        self.steps += [most, least] if bounds.lowest else [most]

    def close(self) -> Line:
        """Rounds, and is the line."""
        amount = to_minor_unit(self.running, self.currency)
        self.steps.append(Step(self.name, "round", _to_minor(self.currency), ONE, ONE, amount))
        return Line(self.name, amount)


def _exposure(section: _Section, cover: Cover, pay_plan: PayPlan, days: int, way: Iterable[Way]) -> None:
    section.add(f"{days} days", Decimal(days), EXACT.multiply(cover.per_day, pay_plan.daily_multiple))
    for label, quantity, key in way:
        section.add(label, quantity, _rate(cover, key))


def _rate(cover: Cover, key: RateKey) -> Decimal:
    if key is STANDARD:
        return cover.standard_per_km
    return cover.per_minute if key is MINUTE else cover.per_km[key]


def _way(plan: RatePlan, pay_plan: PayPlan, inputs: Inputs) -> list[Way]:
    """(label, km or minutes, which rate) of what is charged, in a fixed order, none of 0."""
    charged = [trip for trip in inputs.trips if trip.not_charged is None]
    found: list[Way] = []
    if "distance" in pay_plan.uses:
        found += _measured_km(pay_plan, charged)
        gap_m = sum(trip.gap_m for trip in charged) if charges_gaps(plan) else 0
        found += [("estimated km of gaps", _km(gap_m), STANDARD)] if gap_m else []
        found += _declared_km(plan, inputs)
    if "minutes" in pay_plan.uses and (minutes := sum(trip.minutes for trip in charged)):
        found.append(("minutes of driving", Decimal(minutes), MINUTE))
    return found


def _measured_km(pay_plan: PayPlan, charged: Iterable[DrivenTrip]) -> list[Way]:
    if not pay_plan.uses >= PLACE_AND_TIME:
        distance_m = sum(trip.distance_m for trip in charged)
        return [("measured km", _km(distance_m), STANDARD)] if distance_m else []
    driven: dict[tuple[str, str], int] = {}
    for trip in charged:
        for road_class, hour_band, metres in trip.cells:
            cell = road_class, hour_band
            driven[cell] = driven.get(cell, 0) + metres
    cells = sorted((cell for cell, metres in driven.items() if metres), key=_PLACES.__getitem__)
    return [(_place_and_time(*cell), _km(driven[cell]), cell) for cell in cells]


def _declared_km(plan: RatePlan, inputs: Inputs) -> list[Way]:
    """The km of days without readings where the plan's rule charges them."""
    metres = declared_metres(plan, inputs)
    what = f"declared km of {inputs.unmeasured_days} days without readings"
    return [(what, _km(metres), STANDARD)] if metres else []


def declared_metres(plan: RatePlan, inputs: Inputs) -> int:
    """What is charged for days without readings: their part of the year's declared km, to the metre."""
    if plan.rules["unmeasured_days"] != "declared_km" or not inputs.unmeasured_days:
        return 0
    declared, days = inputs.terms.declared_km_per_year, inputs.unmeasured_days
    return int(ratio(Decimal(declared * 1000 * days), Decimal(DAYS_OF_A_YEAR), 0))


def charges_gaps(plan: RatePlan) -> bool:
    """Whether the estimated km of gaps are charged for."""
    return plan.rules["gap_km"] == "standard_rate"


def _relativities(plan: RatePlan, pay_plan: PayPlan, inputs: Inputs) -> list[tuple[str, Decimal]]:
    """(label, relativity) of the static factors in plan order, of the tables of two, then of behaviour where the pay
    plan reads it.
    """
    levels = inputs.terms.levels
    found = [factor.step_of(levels.get(factor.name), plan.name) for factor in plan.factors_of(pay_plan)]
    for table in plan.tables_of(pay_plan) if plan.tables else ():
        found.append(table.step_of(levels, plan.name))
    if "behaviour" in pay_plan.uses and inputs.behaviour is not None:
        frequency = f"{inputs.behaviour.claims_per_100000_km} / {inputs.behaviour.class_mean} claims per 100,000 km"
        found.append((f"behaviour: {frequency}", behaviour_relativity(plan, inputs.behaviour)))
    return found


@lru_cache(32)
def _to_minor(currency: str) -> str:
    return f"to the minor unit of {currency}"


def charges(plan: RatePlan, covers: Sequence[Line], steps: list[Step]) -> list[Line]:
    """Minimum premium, fee and tax on the lines of the covers: each a line of its own, rounded on its own."""
    lines = []
    premium = total(line.amount for line in covers)
    if premium < plan.minimum_premium:
        minimum = _Section("minimum premium", plan.currency, steps)
        minimum.add(f"up to {plan.minimum_premium} for the covers", ONE, EXACT.subtract(plan.minimum_premium, premium))
        lines.append(minimum.close())
    fee = _Section("fee", plan.currency, steps)
    fee.add("administration", ONE, plan.fee)
    lines.append(fee.close())
    tax = _Section(plan.tax_name, plan.currency, steps)
    tax.add("of covers, minimum and fee", total(line.amount for line in (*covers, *lines)), plan.tax_rate)
    lines.append(tax.close())
    return lines


def _trip_costs(
    plan: RatePlan, pay_plan: PayPlan, inputs: Inputs, relativities: Sequence[tuple[str, Decimal]]
) -> dict[str, Decimal]:
    """What each charged trip adds to the covers before smoothing and rounding, exact: with the parts of the days they
    sum to the covers.
    """
    if not pay_plan.uses & {"distance", "minutes"}:
        return {}
    together = ONE
    for _, relativity in relativities:
        together = EXACT.multiply(together, relativity)
    costs = {}
    for trip in inputs.trips:
        if trip.not_charged is None:
            cost = Decimal(0)
            for name in inputs.terms.covers:
                for quantity, rate in _rates(plan, plan.covers[name], pay_plan, trip):
                    cost = EXACT.fma(quantity, rate, cost)
            costs[trip.trip_id] = EXACT.multiply(cost, together)
    return costs


def _rates(plan: RatePlan, cover: Cover, pay_plan: PayPlan, trip: DrivenTrip) -> Iterator[tuple[Decimal, Decimal]]:
    """(km or minutes, rate) of what one trip is charged for, as `_way` has them of many."""
    if "minutes" in pay_plan.uses and trip.minutes:
        yield Decimal(trip.minutes), cover.per_minute
    if "distance" not in pay_plan.uses:
        return
    if pay_plan.uses >= PLACE_AND_TIME:
        for road_class, hour_band, metres in trip.cells:
            yield _km(metres), cover.per_km[road_class, hour_band]
    elif trip.distance_m:
        yield _km(trip.distance_m), cover.standard_per_km
    if trip.gap_m and charges_gaps(plan):
        yield _km(trip.gap_m), cover.standard_per_km


@lru_cache(128)
def _place_and_time(road_class: str, hour_band: str) -> str:
    where = "off the map" if road_class == "unmatched" else f"on {road_class} roads"
    return f"km {where}, {hour_band}"


def _km(metres: int) -> Decimal:
    return Decimal(metres).scaleb(-3)
