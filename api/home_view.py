"""The figures of a month and the shares of a set of trips, as the overview and the policy's file show them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from markupsafe import Markup

from api import charts, wording
from api.languages import say
from api.store import MonthTrip, Trip
from api.trip_view import Fact, day_bars, over_limit_share
from pricing.plan import RatePlan
from pricing.products import catalogue_of
from pricing.store import Policy
from scoring.features import sum_totals

LEAST_SHOWN_M = 50  # less is 0.0 km
GRADE_NAMES = {
    "A": "Quality A",
    "B": "Quality B",
    "C": "Quality C",
    "uncertified": "Not certified",
}


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A policy's head; `has_menu`: its plan has something to configure."""

    policy_id: str
    policyholder: str
    pay_plan: str
    term: str
    has_menu: bool


@dataclass(frozen=True, slots=True)
class MonthView:
    """What was measured in one month."""

    name: str
    note: str
    km: str
    trips: int
    bars: Markup
    bars_text: str
    facts: list[Fact]


@dataclass(frozen=True, slots=True)
class QualityShare:
    """How many of the kilometres have one grade."""

    name: str
    value: str
    bar: Markup


def policy_view(policy: Policy, plan: RatePlan) -> PolicyView:
    """The policy's head under the title of its pay plan."""
    last_day = policy.ends_on - timedelta(days=1)
    term = say("{first} to {last}", first=wording.long_day(policy.starts_on), last=wording.long_day(last_day))
    return PolicyView(
        policy.policy_id, policy.name, pay_plan_name(plan, policy.pay_plan), term, catalogue_of(plan) is not None
    )


def pay_plan_name(plan: RatePlan, pay_plan: str) -> str:
    """The short title of a pay plan."""
    known = plan.pay_plans.get(pay_plan)
    return say(known.title).split(":")[0] if known else wording.words(pay_plan)


def shown_month(months: Collection[str], today: date) -> str:
    """This month, or the latest with a trip when nothing was driven in this one yet. `months`: those with trips."""
    this = f"{today:%Y-%m}"
    return this if this in months or not months else max(months)


def whole_month(months: Collection[str], today: date) -> str:
    """The latest month that is over and was driven in: half a month's driving would price as a whole month's."""
    over = [month for month in months if month < f"{today:%Y-%m}"]
    return max(over) if over else shown_month(months, today)


def month_view(trips: Sequence[Trip | MonthTrip], period: str) -> MonthView:
    """Counted trips of a month: kilometres by day and shares."""
    month = [trip for trip in trips if trip.local_month == period and trip.excluded is None]
    totals = sum_totals(trip.totals for trip in month)
    bars, text = day_bars(month, period)
    distance_m = totals.get("distance_m", 0)
    over = over_limit_share(totals)
    certified = sum(trip.distance_m for trip in month if trip.grade in {"A", "B", "C"})
    latest = max((trip.started_at for trip in month), default=None)
    facts = [
        Fact(say("At night"), _share(totals.get("night_m", 0), distance_m), "22:00–05:00"),
        Fact(
            say("Over the limit"),
            say("not known") if over is None else wording.percent(over, 1),
            say("of the way with a known limit"),
        ),
        Fact(say("Certified"), _share(certified, distance_m), say("of the way")),
    ]
    if totals.get("gap_m", 0) >= LEAST_SHOWN_M:
        facts.append(Fact(say("Not measured"), wording.km(totals["gap_m"]), say("estimated, shown apart")))
    return MonthView(
        name=wording.month(period),
        note=say("up to {day}", day=_day_of(latest, month[0].time_zone)) if latest else say("nothing measured yet"),
        km=wording.number(distance_m / wording.METRES[wording.unit()]),
        trips=len(month),
        bars=bars,
        bars_text=text,
        facts=facts,
    )


def quality_shares(trips: Sequence[Trip]) -> list[QualityShare]:
    """The kilometres by grade, those of trips that do not count, and those that the policyholder relabelled."""
    every = sum(trip.distance_m for trip in trips) or 1
    shares = [
        (say(name), sum(trip.distance_m for trip in trips if trip.grade == grade and trip.excluded is None))
        for grade, name in GRADE_NAMES.items()
    ]
    shares.append((say("Not counted"), sum(trip.distance_m for trip in trips if trip.excluded and not trip.label)))
    shares.append((say("Relabelled"), sum(trip.distance_m for trip in trips if trip.label)))
    return [QualityShare(name, wording.km(metres), charts.share_bar(metres / every)) for name, metres in shares]


def greeting(hour: int, name: str) -> str:
    """A word for the time of the day."""
    if 5 <= hour < 12:
        return say("Good morning, {name}", name=name)
    return say("Good afternoon, {name}", name=name) if 12 <= hour < 18 else say("Good evening, {name}", name=name)


def _share(part: int, whole: int) -> str:
    return wording.percent(part / whole) if whole else "–"


def _day_of(time: datetime, time_zone: str) -> str:
    return wording.day(wording.local(time, time_zone))
