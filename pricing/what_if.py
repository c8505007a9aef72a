"""What a month would cost if it were driven otherwise, by the plan's own rating: nothing here knows a price.

The same inputs as a statement's, changed in one thing: how far, how much of it at night, how much of it over the limit,
or without one trip. The score's window is changed the same way and scored by its own model.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from msgspec.structs import replace

from pricing.driving import counted_trips, driving_in, inputs_of, plans_before, window_of
from pricing.month import expiring_of, rate_month
from pricing.plan import RatePlan
from pricing.rating import BehaviourInput, DrivenTrip, Inputs, Premium, rate_period
from pricing.store import Policy
from scoring.features import Totals, sum_totals
from scoring.score import Score, score_totals
from storage.pool import Conn

NIGHT = "night"
OVER = ("over_0_10_m", "over_10_20_m", "over_20_m")


@dataclass(frozen=True, slots=True)
class Wish:
    """A month driven otherwise; None leaves a thing as it is. Shares are 0 to 1, of km and of km with a known limit."""

    distance_m: int | None = None
    night_share: float | None = None
    over_share: float | None = None


@dataclass(frozen=True, slots=True)
class Driving:
    """A whole month of a policy, the totals of its score's window, and the plans of the terms before."""

    inputs: Inputs
    totals: Totals
    before: Sequence[RatePlan] = ()

    @property
    def charged(self) -> tuple[DrivenTrip, ...]:
        """The trips that cost something."""
        return tuple(trip for trip in self.inputs.trips if trip.not_charged is None)

    @property
    def distance_m(self) -> int:
        """Metres of the trips that are charged, measured and estimated in gaps."""
        return sum(trip.distance_m + trip.gap_m for trip in self.charged)

    @property
    def night_share(self) -> float:
        """Of the metres with a known hour; of the score's window where the hours are not shared."""
        cells = [cell for trip in self.charged for cell in trip.cells]
        whole = sum(metres for _, _, metres in cells)
        if not whole:
            return _share(self.totals, (f"{NIGHT}_m",), "distance_m")
        return sum(metres for _, hour, metres in cells if hour == NIGHT) / whole

    @property
    def over_share(self) -> float:
        """Of the score's window."""
        return _share(self.totals, OVER, "limit_known_m")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a wish comes to; `score` None: there is no driving to score."""

    premium: Premium
    score: Score | None


def driving_until(conn: Conn, policy: Policy, plan: RatePlan, period: str) -> Driving:
    """The month's driving on the present terms, with its score's window (policy role)."""
    rows = window_of(conn, policy, plan, period)
    totals = sum_totals(row.totals for row in counted_trips(rows, policy))
    return Driving(driving_in(rows, policy, plan, period), totals, plans_before(conn, policy))


def outcome(plan: RatePlan, driving: Driving, wish: Wish = Wish()) -> Outcome:
    """The premium and the score of the driving as wished. Raises UnknownLevel."""
    totals = _totals(driving.totals, wish)
    score = score_totals(totals, plan.score_model) if driving.inputs.behaviour is not None else None
    inputs = replace(
        driving.inputs,
        trips=_trips(driving, wish),
        behaviour=_scored(driving.inputs.behaviour, score),
    )
    return Outcome(_premium(plan, driving, inputs), score)


def amount_at(plan: RatePlan, driving: Driving, claims_per_100000_km: float) -> Decimal:
    """The month's amount if the predicted claims were these."""
    behaviour = driving.inputs.behaviour
    if behaviour is not None:
        behaviour = replace(behaviour, claims_per_100000_km=Decimal(str(round(claims_per_100000_km, 4))))
    return _premium(plan, driving, replace(driving.inputs, behaviour=behaviour)).amount


def _premium(plan: RatePlan, driving: Driving, inputs: Inputs) -> Premium:
    """Of other inputs than were driven, held to what the terms before would have cost on them."""
    return rate_period(plan, replace(inputs, expiring=expiring_of(driving.before, inputs)))


def with_and_without(
    conn: Conn, policy: Policy, plan: RatePlan, period: str, trip_id: str
) -> tuple[Premium, Premium] | None:
    """The month as it stands, and as it would be without one trip, in km and in the score; None: it has no such trip.

    What a trip does to the premium, and what relabelling or contesting it would take off (policy role).
    """
    month, _ = inputs_of(conn, policy, plan, period)
    if not any(trip.trip_id == trip_id for trip in month.trips):
        return None
    without, _ = inputs_of(conn, policy, plan, period, without=trip_id)
    return rate_month(plan, month), rate_month(plan, without)


def _scored(behaviour: BehaviourInput | None, score: Score | None) -> BehaviourInput | None:
    """The behaviour with another score's prediction; without a score as a month without one."""
    if behaviour is None or score is None:
        return None
    return replace(behaviour, claims_per_100000_km=Decimal(str(score.claims_per_100000_km)))


def _trips(driving: Driving, wish: Wish) -> tuple[DrivenTrip, ...]:
    """The charged trips as one, as far and as late as wished; the trips themselves where nothing is wished of them."""
    if wish.distance_m is None and wish.night_share is None:
        return driving.inputs.trips
    charged = driving.charged
    cells: dict[tuple[str, str], float] = {}
    for road, hour, metres in (cell for trip in charged for cell in trip.cells):
        cells[road, hour] = cells.get((road, hour), 0.0) + metres
    if wish.night_share is not None:
        cells = _by_night(cells, wish.night_share)
    scale = 1.0
    if wish.distance_m is not None:
        if driving.distance_m:
            scale = wish.distance_m / driving.distance_m
        elif wish.distance_m:  # nothing was driven so far: at the rate of what is on no known road
            return (DrivenTrip("what-if", wish.distance_m, 0, None, (("unmatched", "day", wish.distance_m),)),)
    whole = tuple((road, hour, round(metres * scale)) for (road, hour), metres in sorted(cells.items()))
    distance_m = round(sum(trip.distance_m for trip in charged) * scale)
    gap_m = round(sum(trip.gap_m for trip in charged) * scale)
    minutes = round(sum(trip.minutes for trip in charged) * scale)
    return (DrivenTrip("what-if", distance_m, gap_m, None, tuple(cell for cell in whole if cell[2]), minutes),)


def _by_night(cells: Mapping[tuple[str, str], float], share: float) -> dict[tuple[str, str], float]:
    """The same metres on each kind of road, this share of them at night; the other hours keep their proportions."""
    whole, by_day = sum(cells.values()), _metres(cells, night=False)
    at_night, moved = whole - by_day, dict[tuple[str, str], float]()
    for (road, hour), metres in cells.items():
        if hour == NIGHT and at_night:
            moved[road, NIGHT] = moved.get((road, NIGHT), 0.0) + metres * share * whole / at_night
        elif hour != NIGHT:
            moved[road, hour] = metres * (1 - share) * whole / by_day
            if not at_night:
                moved[road, NIGHT] = moved.get((road, NIGHT), 0.0) + metres * share
    if not by_day and at_night:  # everything was at night: the rest is driven by day, on the same roads
        for (road, _), metres in cells.items():
            moved[road, "day"] = metres * (1 - share)
    return moved


def _metres(cells: Mapping[tuple[str, str], float], *, night: bool) -> float:
    return sum(metres for (_, hour), metres in cells.items() if (hour == NIGHT) == night)


def _totals(totals: Totals, wish: Wish) -> Totals:
    """The window as wished; how far it was stays, for that is how well the driver is known."""
    changed = dict(totals)
    if wish.night_share is not None:
        changed[f"{NIGHT}_m"] = round(wish.night_share * totals.get("distance_m", 0))
    if wish.over_share is not None:
        over, wanted = sum(totals.get(name, 0) for name in OVER), wish.over_share * totals.get("limit_known_m", 0)
        for name in OVER:
            changed[name] = round(totals.get(name, 0) * wanted / over) if over else 0
        if not over:
            changed[OVER[0]] = round(wanted)
    return changed


def _share(totals: Totals, parts: Iterable[str], whole: str) -> float:
    below = totals.get(whole, 0)
    return sum(totals.get(name, 0) for name in parts) / below if below else 0.0
