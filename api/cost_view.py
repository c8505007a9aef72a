"""What one trip costs: its kilometres by road and hour at the plan's rates, as posted or as the month stands now."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from api import wording
from api.languages import say
from api.receipt import cents_that_add_up
from pricing.money import ratio
from pricing.plan import RatePlan

HOURS = {
    "night": "night, 22–05",
    "morning": "morning, 05–09",
    "day": "day, 09–16",
    "evening": "evening, 16–22",
}
type RateWords = Callable[[Decimal, str], str]

ANY_HOUR = "any hour"
NOT_CHARGED = {
    "excluded": "it is not insured driving",
    "uncertified": "its data are not good enough to raise a premium",
    "outside_cover": "it was outside the policy's term",
}


@dataclass(frozen=True, slots=True)
class PricedTrip:
    """A trip as pricing saw it; `cost` is exact and unrounded, None where it is not charged."""

    pay_plan: str
    covers: tuple[str, ...]
    cells: tuple[tuple[str, str, int], ...]
    distance_m: int
    gap_m: int
    not_charged: str | None
    cost: Decimal | None
    minutes: int = 0  # 0 where the pay plan does not read them


@dataclass(frozen=True, slots=True)
class CostLine:
    """Kilometres of one kind, their rate with every relativity, and what they cost."""

    road: str
    hours: str
    distance: str
    rate: str
    amount: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What a trip costs, with its lines."""

    amount: str
    sentence: str
    lines: list[CostLine]


def priced_trip(inputs: Mapping[str, object], trip_id: str, costs: Mapping[str, str]) -> PricedTrip | None:
    """A trip out of a posting's inputs (or a preview's, same form); None when it was not among them."""
    trips, terms = inputs["trips"], inputs["terms"]
    if not isinstance(trips, list) or not isinstance(terms, Mapping):
        return None
    trip = next((trip for trip in trips if trip["trip_id"] == trip_id), None)
    if trip is None:
        return None
    parts = inputs.get("parts")  # of a month whose terms changed within it: the trip has those of its part
    for part in parts if isinstance(parts, list) else []:
        terms = part["terms"] if trip_id in part["trips"] else terms
    return PricedTrip(
        pay_plan=str(terms["pay_plan"]),
        covers=tuple(terms["covers"]),
        cells=tuple((str(road), str(hour), int(metres)) for road, hour, metres in trip["cells"]),
        distance_m=int(trip["distance_m"]),
        gap_m=int(trip["gap_m"]),
        not_charged=trip["not_charged"],
        cost=Decimal(costs[trip_id]) if trip_id in costs else None,
        minutes=int(trip.get("minutes", 0)),
    )


def cost_view(trip: PricedTrip, plan: RatePlan, status: str) -> Cost:
    """The trip's part of the premium in words; `status` says whether that is posted."""
    nothing = wording.money(Decimal(0), plan.currency)
    if trip.not_charged is not None:
        reason = say(NOT_CHARGED.get(trip.not_charged.split(":")[0], trip.not_charged))
        return Cost(nothing, say("This trip costs nothing: {reason}.", reason=reason), [])
    if trip.cost is None:
        return Cost(nothing, say("This pay plan charges by the day: a trip changes nothing."), [])
    parts = _parts(trip, plan)
    before = sum((amount for *_, amount in parts), Decimal(0))
    multiple = ratio(trip.cost, before, 12) if before else Decimal(1)
    shown = cents_that_add_up([amount * multiple for *_, amount in parts], plan.currency)
    lines = [
        CostLine(
            road,
            hours,
            driven,
            rate_words(rate * multiple, plan.currency),
            wording.money(cents, plan.currency),
        )
        for (road, hours, driven, rate_words, rate, _), cents in zip(parts, shown, strict=True)
    ]
    sentence = say("of your premium, before fee and tax: {status}.", status=status)
    return Cost(wording.money(sum(shown, Decimal(0)), plan.currency), sentence, lines)


def _parts(trip: PricedTrip, plan: RatePlan) -> Sequence[tuple[str, str, str, RateWords, Decimal, Decimal]]:
    """(road, hours, km or minutes, how their rate is said, that rate of all covers, amount) before relativities."""
    covers, uses = [plan.covers[name] for name in trip.covers], plan.pay_plans[trip.pay_plan].uses
    standard = sum((cover.standard_per_km for cover in covers), Decimal(0))
    parts: list[tuple[str, str, int, Decimal]] = []
    if {"road_class", "hour_band"} <= uses:
        for road, hour, metres in sorted(trip.cells, key=lambda cell: -cell[2]):
            rate = sum((cover.per_km[road, hour] for cover in covers), Decimal(0))
            name = say("Off the map") if road == "unmatched" else wording.words(road)
            parts.append((name, say(HOURS.get(hour, hour)), metres, rate))
    elif "distance" in uses:
        parts.append((say("All roads"), say(ANY_HOUR), trip.distance_m, standard))
    if trip.gap_m and "distance" in uses and plan.rules["gap_km"] == "standard_rate":
        parts.append((say("Not measured"), say("estimated"), trip.gap_m, standard))
    shown: list[tuple[str, str, str, RateWords, Decimal, Decimal]] = [
        (road, hours, wording.km(metres), wording.per_distance, rate, rate * metres / 1000)
        for road, hours, metres, rate in parts
    ]
    if trip.minutes:
        rate = sum((cover.per_minute for cover in covers), Decimal(0))
        driven = f"{trip.minutes} min"
        shown.append((say("All roads"), say(ANY_HOUR), driven, _per_minute, rate, rate * trip.minutes))
    return shown


def _per_minute(rate: Decimal, currency: str) -> str:
    return say("{rate} a minute", rate=wording.money(rate, currency, decimals=4))
