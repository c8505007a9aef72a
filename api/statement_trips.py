"""The trips behind a statement: what each one added to the covers, and how days and trips together are the covers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby

from api import wording
from api.cost_view import NOT_CHARGED
from api.languages import say, say_count
from api.receipt import cents_that_add_up
from api.trip_view import EXCLUSIONS, exclusion
from pricing.money import EXACT, MINOR_DIGITS
from pricing.rating import SMOOTHING, DrivenTrip
from pricing.statement import PeriodStatement, Posting

# A trip of a few hundred metres costs less than a cent: two digits more tell it from nothing.
EXTRA_DIGITS = 2
LEAST_SHOWN_M = 50  # less is 0.0 km
SHORT_LIST = 8

type PostedTrip = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class TripPart:
    """One trip and its part of the covers; `href` empty: the reader may not, or cannot, open it."""

    name: str
    href: str
    mark: str
    remarks: list[str]
    distance: str
    amount: str


@dataclass(frozen=True, slots=True)
class TripPartGroup:
    """Rows under a heading; without adjustments there is one group and no heading."""

    name: str
    rows: list[TripPart]


@dataclass(frozen=True, slots=True)
class Sum:
    """One row of how days and trips become the covers."""

    name: str
    why: str
    amount: str
    is_sum: bool = False


@dataclass(frozen=True, slots=True)
class TripsBehind:
    """The trips of the latest posting; the shown amounts add up, row by row, to the posted covers."""

    summary: str
    caption: str
    is_short: bool
    groups: list[TripPartGroup]
    together: str
    sums: list[Sum]
    note: str


@dataclass(frozen=True, slots=True)
class Covers:
    """The covers of a worksheet in currency units: what the days alone come to, exact, and the rounded lines' sum.

    `unrounded` is what days and trips come to, before the bounds of a renewal.
    """

    daily: Decimal
    unrounded: Decimal
    posted: Decimal


def trips_behind(
    statement: PeriodStatement, time_zone: str, own_trips: Mapping[str, datetime] | None = None
) -> TripsBehind | None:
    """The section of a statement; None where the posting holds no trips' inputs.

    `own_trips` are the ids that the reader can open, with when each began: a posting does not hold that. None is an
    underwriter: kilometres, cost and reason, but neither when the person drove nor a way to where.
    """
    first, latest = statement.postings[0], statement.postings[-1]
    if not isinstance(latest.inputs.get("trips"), list):
        return None
    now, before = _trips(latest), _trips(first)
    # What an adjustment touched comes first: in a list of seventy it would not be found.
    both, began = before | now, own_trips or {}
    listed = sorted(both.values(), key=lambda trip: (not _mark(_key(trip), now, before), _began(trip, began)))
    costs, first_costs = _costs(latest), _costs(first)
    covers = covers_of(latest)
    exact = [costs.get(_key(trip), Decimal(0)) for trip in listed]
    daily, *parts, rounding = cents_that_add_up(
        [covers.daily, *exact, covers.posted - covers.daily - sum(exact, Decimal(0))],
        statement.currency,
        extra_digits=EXTRA_DIGITS,
    )
    rows = []
    for number, (trip, part) in enumerate(zip(listed, parts, strict=True), 1):
        key = _key(trip)
        openable = key in began and key in now
        rows.append(
            TripPart(
                name=_when(began[key], time_zone) if key in began else say("Trip {number}", number=number),
                href=f"/trips/{key}" if openable else "",
                mark=_mark(key, now, before),
                remarks=_remarks(key, now, before, first_costs, statement.currency),
                distance=wording.km(_metres(trip, "distance_m")),
                amount=_fine(part, statement.currency),
            )
        )
    return TripsBehind(
        summary=", ".join(
            [
                say_count("{count} trip with its cost", "{count} trips with their cost", len(listed)),
                *_counted([row.mark for row in rows if row.mark]),
            ]
        ),
        caption=_caption(bool(costs), "" if own_trips is None else time_zone),
        is_short=len(listed) <= SHORT_LIST,
        groups=_groups(rows),
        together=_fine(sum(parts, Decimal(0)), statement.currency),
        sums=_sums(latest, daily, sum(parts, Decimal(0)), rounding),
        note=_note(now, before, costs, first_costs),
    )


def covers_of(posting: Posting) -> Covers:
    """The sections of the posting's covers, gone through step by step; by the days alone, too."""
    names = _cover_names(posting)
    daily = unrounded = posted = Decimal(0)
    of_days = running = Decimal(0)
    for step in posting.worksheet:
        if step["section"] not in names:
            continue
        if step["kind"] == "round":
            posted += Decimal(step["running"])
            daily, unrounded = EXACT.add(daily, of_days), EXACT.add(unrounded, running)
            of_days = Decimal(0)
        elif step["kind"] == "times":
            of_days = EXACT.multiply(of_days, Decimal(step["rate"]))
        elif step["kind"] in SMOOTHING:
            continue
        elif step["label"].endswith(" days") or step["label"].startswith("declared km"):
            of_days = EXACT.fma(Decimal(step["quantity"]), Decimal(step["rate"]), of_days)
        running = Decimal(step["running"])
    return Covers(daily, unrounded, posted)


def _sums(posting: Posting, daily: Decimal, trips: Decimal, rounding: Decimal) -> list[Sum]:
    """Days + trips = covers before rounding; + rounding = the posted covers."""
    charged = [trip for trip in _trips(posting).values() if trip["not_charged"] is None]
    driven = wording.km(sum(_metres(trip, "distance_m") for trip in charged))
    gap_m = sum(_metres(trip, "gap_m") for trip in charged)
    why = say_count("{count} trip charged, {driven}", "{count} trips charged, {driven}", len(charged), driven=driven)
    if gap_m >= LEAST_SHOWN_M:
        why += " " + say("and {distance} estimated", distance=wording.km(gap_m))
    if not _costs(posting) and charged:
        why = say("this pay plan charges by the day")
    names = _cover_names(posting)
    later = dict.fromkeys(step["section"] for step in posting.worksheet if step["section"] not in names)
    currency = posting.currency
    return [
        Sum(
            say("The days"),
            say("{days} days of cover, every factor included", days=posting.inputs.get("days", "–")),
            _fine(daily, currency),
        ),
        Sum(say("The trips"), why, _fine(trips, currency, signed=True)),
        Sum(say("Covers before rounding"), "", _fine(daily + trips, currency), is_sum=True),
        Sum(say("Rounding"), _why_rounded(posting), _fine(rounding, currency, signed=True)),
        Sum(
            say("Covers"),
            say("then come {charges}", charges=f" {say('and')} ".join(wording.words(name) for name in later))
            if later
            else "",
            wording.money(daily + trips + rounding, currency),
            is_sum=True,
        ),
    ]


def _why_rounded(posting: Posting) -> str:
    smooth = any(step["kind"] in SMOOTHING for step in posting.worksheet)
    if smooth:
        return say("each cover inside the bounds of a renewal, then to the cent")
    return say("each cover to the cent")


def _mark(key: str, now: Mapping[str, PostedTrip], before: Mapping[str, PostedTrip]) -> str:
    """What an adjustment did to a trip, against the first posting."""
    if key not in before:
        return say("added later")
    if key not in now:
        return say("taken out")
    return "" if now[key] == before[key] else say("measured anew")


def _remarks(
    key: str,
    now: Mapping[str, PostedTrip],
    before: Mapping[str, PostedTrip],
    first_costs: Mapping[str, Decimal],
    currency: str,
) -> list[str]:
    """What the numbers of a row do not say: estimated km, why it is free, what it was at first."""
    trip = now.get(key) or before[key]
    remarks = []
    if (gap_m := _metres(trip, "gap_m")) >= LEAST_SHOWN_M:
        remarks.append(say("and {distance} estimated in gaps", distance=wording.km(gap_m)))
    if key in now and trip["not_charged"] is not None:
        reason = reason_in_words(str(trip["not_charged"]))
        remarks.append(say("not charged: {reason}", reason=reason))
    if key in before and now.get(key) != before[key]:
        places = MINOR_DIGITS.get(currency, 2) + EXTRA_DIGITS
        cost = wording.money(first_costs.get(key, Decimal(0)), currency, decimals=places)
        way = wording.km(_metres(before[key], "distance_m"))
        if first_gap_m := _metres(before[key], "gap_m"):
            way += " " + say("and {distance} estimated", distance=wording.km(first_gap_m))
        remarks.append(say("at first {way}, {cost}", way=way, cost=cost))
    return remarks


def reason_in_words(not_charged: str) -> str:
    """Why a trip costs nothing, from pricing's code (`excluded: too_short`)."""
    kind, _, detail = not_charged.partition(":")
    if detail.strip() in EXCLUSIONS:
        return exclusion(detail.strip())
    return say(NOT_CHARGED[kind]) if kind in NOT_CHARGED else wording.inside(wording.words(not_charged))


def _note(
    now: Mapping[str, PostedTrip],
    before: Mapping[str, PostedTrip],
    costs: Mapping[str, Decimal],
    first_costs: Mapping[str, Decimal],
) -> str:
    """An adjustment can move the price of trips that did not change: the driving factor holds for all of them."""
    repriced = sum(now.get(key) == trip and costs.get(key) != first_costs.get(key) for key, trip in before.items())
    if not repriced:
        return ""
    return say_count(
        "The adjustment changed a factor that holds for every trip, too: "
        "1 trip that is as it was costs more or less than at first.",
        "The adjustment changed a factor that holds for every trip, too: "
        "{count} trips that are as they were cost more or less than at first.",
        repriced,
    )


def _groups(rows: Sequence[TripPart]) -> list[TripPartGroup]:
    """Touched by adjustments, then the others, in the order given."""
    groups = [(touched, list(members)) for touched, members in groupby(rows, key=lambda row: bool(row.mark))]
    if not any(touched for touched, _ in groups):
        return [TripPartGroup("", members) for _, members in groups]
    names = {True: say("Changed since the first statement"), False: say("Measured as in the first statement")}
    return [TripPartGroup(names[touched], members) for touched, members in groups]


def _caption(charges_trips: bool, time_zone: str) -> str:
    """What the columns mean; `time_zone` empty: no times are shown."""
    if charges_trips:
        said = say(
            "Cost with every factor, before rounding, fee and tax; its last digit is set so that the rows add up."
        )
    else:
        said = say("No trip of this month is charged.")
    return f"{said} {say('Times are those of {zone}.', zone=time_zone)}" if time_zone else said


def _counted(marks: Sequence[str]) -> list[str]:
    return [f"{marks.count(mark)} {mark}" for mark in dict.fromkeys(marks)]


def _key(trip: PostedTrip) -> str:
    return str(trip["trip_id"])


def _when(began: datetime, time_zone: str) -> str:
    start = wording.local(began, time_zone)
    return f"{wording.day(start)}, {wording.clock(start)}"


def _began(trip: PostedTrip, began: Mapping[str, datetime]) -> datetime:
    """For the order of rows: trips that are no longer there come last, as they stand in the posting."""
    return began.get(_key(trip), datetime.max.replace(tzinfo=UTC))


def _metres(trip: PostedTrip, name: str) -> int:
    return int(str(trip[name]))


def _fine(amount: Decimal, currency: str, *, signed: bool = False) -> str:
    return wording.money(amount, currency, signed=signed, decimals=MINOR_DIGITS.get(currency, 2) + EXTRA_DIGITS)


def _trips(posting: Posting) -> dict[str, PostedTrip]:
    """By id; what the first postings held of a trip beside what pricing reads is left away."""
    trips = posting.inputs.get("trips")
    return (
        {
            str(trip["trip_id"]): {name: trip[name] for name in DrivenTrip.__struct_fields__ if name in trip}
            for trip in trips
        }
        if isinstance(trips, list)
        else {}
    )


def _costs(posting: Posting) -> dict[str, Decimal]:
    costs = posting.inputs.get("trip_costs")
    return {str(key): Decimal(cost) for key, cost in costs.items()} if isinstance(costs, Mapping) else {}


def _cover_names(posting: Posting) -> Sequence[str]:
    terms = posting.inputs.get("terms")
    return [str(name) for name in terms["covers"]] if isinstance(terms, Mapping) else []
