"""A trip as its pages show it: list rows, quality certificate, events, and what was not measurable and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from markupsafe import Markup

from api import charts, wording
from api.languages import say, say_count
from api.map_drawing import Marker
from api.sight import Sight
from api.store import MonthTrip, Trip
from scoring.settings import DEFAULT_SETTINGS
from scoring.store import EventRow as Event
from scoring.tracks import Track

EXCLUSIONS = {
    "too_short": "it is too short to be a drive",
    "too_long": "it goes on for over a day without a stop",
    "off_road": "it is on no road: a train, a ferry or a plane",
    "not_driving": "its motion is not that of a car on a road",
    "vin_mismatch": "the device was in another vehicle",
    "replay_suspect": "the same way was reported before, to the decimetre: a copy",
    "towed": "the car was moved without being driven",
    "contested": "its contest was upheld",
    "relabelled_passenger": "relabelled, a ride as a passenger",
    "relabelled_taxi": "relabelled, a ride in a taxi",
    "relabelled_bus": "relabelled, a ride by bus",
    "relabelled_train": "relabelled, a ride by train or tram",
    "relabelled_ferry": "relabelled, a crossing by ferry",
    "relabelled_bicycle": "relabelled, a ride on a bicycle",
    "relabelled_walk": "relabelled, a walk",
    "relabelled_other": "relabelled, no drive of the insured car",
}
SOMEBODY_ELSE = "somebody else drove: kilometres and score only"
NOBODY_YET = "who drove?"
GRADE_TEXTS = {"A": "quality A", "B": "quality B", "C": "quality C", "uncertified": "not certified"}
GRADE_SENTENCES = {
    "A": "The readings cover this trip well.",
    "B": "The readings cover this trip with small holes.",
    "C": "The readings of this trip have clear limits, named below.",
    "uncertified": "The readings do not carry a judgement: this trip can never raise your premium.",
}
SPEED_TITLE = "Speed and speed limit over the time of the trip"
NOT_COUNTED = "does not count"
IN_FULL = "It counts in full."
REASONS = {
    "coverage": "times without readings",
    "sampling_interval": "readings are far apart",
    "conflicting_readings": "readings that contradict each other",
    "dropped_fixes": "jumps that no car can make",
    "unsynced_clock": "the device's clock was not set",
    "speed_mismatch": "reported speed and positions disagree",
    "teleport": "a jump in position",
    "gap_before": "a way before it that nobody measured",
    "off_road": "most of the way is on none of the map's roads: a train, a ferry, or a road that the map lacks",
    "implausible_place": "off the map, and on it when latitude and longitude change places: the device swaps them",
    "odometer_mismatch": "the odometer counted another way",
    "too_fast_for_vehicle": "faster than a vehicle of the declared class can go",
    "no_road_map": "no road map was at hand: speeding could not be measured",
    "unmatched": "the road map does not cover it: speeding could not be measured",
    "unobserved": "nobody reported the way, only where it ended",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A named value with a small remark."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class TripRow:
    """One trip in a list."""

    trip_id: str
    day: str
    long_day: str
    start: str
    end: str
    distance: str
    duration: str
    time_zone: str
    summary: str
    grade: str
    grade_text: str
    excluded: str
    cost: str


@dataclass(frozen=True, slots=True)
class TripGroup:
    """The trips of one month."""

    name: str
    summary: str
    trips: list[TripRow]


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event under its number."""

    number: int
    name: str
    peak: str
    detail: str
    time: str


@dataclass(frozen=True, slots=True)
class NotMeasurable:
    """A kind of event that this trip's readings cannot show, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """The data-quality certificate in words."""

    sentence: str
    facts: list[Fact]
    remarks: list[str]
    versions: str


def trip_row(trip: Trip, costs: Mapping[str, str] | None = None, sight: Sight = Sight.ALL) -> TripRow:
    """A trip in the local time of where it began; `costs`: what each trip does to the premium, in words.

    Of one that somebody else drove the day and the kilometres alone.
    """
    start, end = (wording.local(time, trip.time_zone) for time in (trip.started_at, trip.ended_at))
    whole = sight is not Sight.KM
    return TripRow(
        trip_id=str(trip.trip_id),
        day=wording.day(start),
        long_day=wording.long_day(start),
        start=wording.clock(start) if whole else "",
        end=wording.clock(end) if whole else "",
        distance=wording.km(trip.distance_m),
        duration=wording.duration(trip.duration_s) if whole else "",
        time_zone=trip.time_zone,
        summary=_summary_seen(trip, sight),
        grade=trip.grade,
        grade_text=say(NOT_COUNTED if trip.excluded else GRADE_TEXTS.get(trip.grade, trip.grade)),
        excluded=exclusion(trip.excluded) if trip.excluded else "",
        cost=(costs or {}).get(str(trip.trip_id), ""),
    )


def _summary_seen(trip: Trip, sight: Sight) -> str:
    if sight is Sight.KM:
        return say(SOMEBODY_ELSE)
    return f"{say(NOBODY_YET)} · {_summary(trip)}" if sight is Sight.NUMBERS else _summary(trip)


def exclusion(code: str) -> str:
    """Why a trip does not count, in words."""
    return say(EXCLUSIONS[code]) if code in EXCLUSIONS else wording.words(code).lower()


def trip_groups(trips: Sequence[Trip], costs: Mapping[str, str], person_key: UUID | None) -> list[TripGroup]:
    """Trips by local month, the latest first as they come, as far as this person may see them."""
    groups = []
    for period, members in groupby(trips, key=lambda trip: trip.local_month):
        month = list(members)
        counted = [trip for trip in month if trip.excluded is None]
        distance = wording.km(sum(trip.distance_m for trip in counted))
        summary = say_count("{count} trip, {distance}", "{count} trips, {distance}", len(month), distance=distance)
        rows = [trip_row(trip, costs, trip.sight(person_key)) for trip in month]
        groups.append(TripGroup(wording.month(period), summary, rows))
    return groups


def day_bars(trips: Sequence[Trip | MonthTrip], period: str) -> tuple[Markup, str]:
    """Kilometres by local day of a month as columns, and the same as text."""
    by_day: dict[int, int] = {}
    for trip in trips:
        day = wording.local(trip.started_at, trip.time_zone).day
        by_day[day] = by_day.get(day, 0) + trip.distance_m
    last = wording.days_of(period)
    values = [(str(day), float(by_day.get(day, 0)), wording.km(by_day.get(day, 0))) for day in range(1, last + 1)]
    text = ", ".join(f"{label}: {said}" for label, metres, said in values if metres)
    return charts.month_bars(values), f"{say('Distance by day of the month.')} {text}"


def event_rows(trip: Trip, events: Sequence[Event]) -> list[EventLine]:
    """Events numbered in order of start."""
    return [
        EventLine(
            number=number,
            name=wording.event_name(event.kind),
            peak=wording.peak(event.peak, event.peak_unit),
            detail=_event_detail(event),
            time=wording.clock(wording.local(event.started_at, trip.time_zone), seconds=True),
        )
        for number, event in enumerate(events, 1)
    ]


def markers(trip: Trip, events: Sequence[Event]) -> list[Marker]:
    """The events that have a place, under the numbers of `event_rows`."""
    rows = event_rows(trip, events)
    return [
        Marker(
            row.number,
            row.name,
            say("{peak} at {time}", peak=row.peak, time=row.time),
            event.latitude_deg,
            event.longitude_deg,
        )
        for row, event in zip(rows, events, strict=True)
        if event.latitude_deg is not None and event.longitude_deg is not None
    ]


def not_measurable(trip: Trip, sampling_interval_s: float | None) -> list[NotMeasurable]:
    """Each kind that was not measurable with its reason; never a silent zero."""
    return [
        NotMeasurable(wording.event_name(kind), _why(kind, trip, sampling_interval_s)) for kind in trip.not_measurable
    ]


def certificate(trip: Trip, sampling_interval_s: float | None) -> Certificate:
    """The certificate in words, with what kept it from grade A."""
    quality = trip.quality
    gaps = int(str(quality.get("gaps", 0)))
    covered = _percent(quality.get("coverage"))
    facts = [Fact(say("Time covered"), covered, say_count("{count} gap", "{count} gaps", gaps))]
    if sampling_interval_s is not None:
        readings = wording.number(int(str(quality.get("readings", 0))))
        every = f"{sampling_interval_s:g} s"
        facts.append(Fact(say("One reading every"), every, say("{count} readings", count=readings)))
    facts.append(Fact(say("On known roads"), _percent(quality.get("matched_share")), say("of the measured way")))
    if trip.gap_m:
        facts.append(Fact(say("Not measured"), wording.km(trip.gap_m), say("estimated from its ends")))
    versions = ", ".join(f"{name} {version}" for name, version in trip.versions.items() if version)
    return Certificate(
        sentence=_sentence(trip),
        facts=facts,
        remarks=remarks(quality),
        versions=say("Computed with {versions}.", versions=versions) if versions else "",
    )


def _sentence(trip: Trip) -> str:
    """What the grade means; of a trip that does not count, not that it does."""
    sentence = GRADE_SENTENCES.get(trip.grade, "")
    if trip.excluded or not sentence:
        return say(sentence)
    return f"{say(sentence)} {say(IN_FULL)}" if trip.grade in {"A", "B"} else say(sentence)


def remarks(quality: Mapping[str, object]) -> list[str]:
    """What kept a trip from grade A, in words."""
    reasons = quality.get("reasons")
    if not isinstance(reasons, list):
        return []
    codes = [str(reason).split(":")[0] for reason in reasons]
    return [
        say(REASONS[code]) if code in REASONS else wording.words(str(reason))
        for code, reason in zip(codes, reasons, strict=True)
    ]


def speed_chart(track: Track, trip: Trip, events: Sequence[Event]) -> Markup:
    """Speed against the limit over the time of the trip, with the events' numbers."""
    at = [((event.started_at - trip.started_at).total_seconds(), number) for number, event in enumerate(events, 1)]
    scale = 3600 / wording.METRES[wording.unit()]
    return charts.speed_chart(track.t_s, track.speed_mps * scale, track.limit_mps * scale, at, say(SPEED_TITLE))


def over_limit_share(totals: Mapping[str, int]) -> float | None:
    """The share of the kilometres with a known limit that were driven above it."""
    known = totals.get("limit_known_m", 0)
    over = sum(totals.get(f"{band}_m", 0) for band in ("over_0_10", "over_10_20", "over_20"))
    return over / known if known else None


def _summary(trip: Trip) -> str:
    parts = [wording.duration(trip.duration_s)]
    kinds = ("hard_brake", "hard_acceleration", "hard_corner", "speeding")
    count = sum(trip.totals.get(f"{kind}_events", 0) for kind in kinds)
    if count:
        parts.append(say_count("{count} event", "{count} events", count))
    over = over_limit_share(trip.totals)
    if over:
        parts.append(say("{share} over the limit", share=wording.percent(over)))
    return " · ".join(parts)


def _event_detail(event: Event) -> str:
    length_s = (event.ended_at - event.started_at).total_seconds()
    seen = say(
        "by {source}, one reading every {interval} s",
        source=wording.source_name(event.source),
        interval=f"{event.sampling_interval_s:g}",
    )
    return f"{wording.duration(length_s)}, {seen}" if length_s >= 1 else seen


def _why(kind: str, trip: Trip, sampling_interval_s: float | None) -> str:
    limits = DEFAULT_SETTINGS.thresholds
    if kind in {"hard_brake", "hard_acceleration", "hard_corner"}:
        if sampling_interval_s is not None and sampling_interval_s > limits.longest_interval_s:
            return say(
                "It takes a reading every second to see one; here there was one every {interval} s.",
                interval=f"{sampling_interval_s:g}",
            )
        return say("Too few readings report the speed and heading that it is read from.")
    if kind == "speeding":
        return say("No posted limit is known for enough of the way.")
    if kind in {"phone_use", "seat_belt_off"}:
        return say("This device does not report it.")
    if kind == "suspected_crash":
        return say("It takes an accelerometer in the vehicle's axes, read five times a second.")
    return say("The readings of this trip cannot show it (grade {grade}).", grade=trip.grade)


def _percent(share: object) -> str:
    return wording.percent(share) if isinstance(share, int | float) else say("not known")
