"""A trip as its pages show it: list rows, quality certificate, events, and what was not measurable and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from api import charts, wording
from api.map_drawing import Marker
from api.store import Trip
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
GRADE_TEXTS = {"A": "quality A", "B": "quality B", "C": "quality C", "uncertified": "not certified"}
GRADE_SENTENCES = {
    "A": "The readings cover this trip well. It counts in full.",
    "B": "The readings cover this trip with small holes. It counts in full.",
    "C": "The readings of this trip have clear limits, named below.",
    "uncertified": "The readings do not carry a judgement: this trip can never raise your premium.",
}
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


def trip_row(trip: Trip) -> TripRow:
    """A trip in the local time of where it began."""
    start, end = (wording.local(time, trip.time_zone) for time in (trip.started_at, trip.ended_at))
    return TripRow(
        trip_id=str(trip.trip_id),
        day=wording.day(start),
        long_day=wording.long_day(start),
        start=wording.clock(start),
        end=wording.clock(end),
        distance=wording.km(trip.distance_m),
        duration=wording.duration(trip.duration_s),
        time_zone=trip.time_zone,
        summary=_summary(trip),
        grade=trip.grade,
        grade_text="does not count" if trip.excluded else GRADE_TEXTS.get(trip.grade, trip.grade),
        excluded=EXCLUSIONS.get(trip.excluded, wording.words(trip.excluded).lower()) if trip.excluded else "",
    )


def trip_groups(trips: Sequence[Trip]) -> list[TripGroup]:
    """Trips by local month, the latest first as they come."""
    groups = []
    for period, members in groupby(trips, key=lambda trip: trip.local_month):
        month = list(members)
        counted = [trip for trip in month if trip.excluded is None]
        distance = wording.km(sum(trip.distance_m for trip in counted))
        summary = f"{len(month)} {'trip' if len(month) == 1 else 'trips'}, {distance}"
        groups.append(TripGroup(wording.month(period), summary, [trip_row(trip) for trip in month]))
    return groups


def day_bars(trips: Sequence[Trip], period: str) -> tuple[Markup, str]:
    """Kilometres by local day of a month as columns, and the same as text."""
    by_day: dict[int, int] = {}
    for trip in trips:
        day = wording.local(trip.started_at, trip.time_zone).day
        by_day[day] = by_day.get(day, 0) + trip.distance_m
    last = wording.days_of(period)
    values = [(str(day), float(by_day.get(day, 0)), wording.km(by_day.get(day, 0))) for day in range(1, last + 1)]
    text = ", ".join(f"{label}: {said}" for label, metres, said in values if metres)
    return charts.month_bars(values), f"Kilometres by day of the month. {text}"


def event_rows(trip: Trip, events: Sequence[Event]) -> list[EventLine]:
    """Events numbered in order of start."""
    return [
        EventLine(
            number=number,
            name=wording.event_name(event.kind),
            peak=wording.peak(event.peak, event.peak_unit),
            detail=_event_detail(event),
            time=f"{wording.local(event.started_at, trip.time_zone):%H:%M:%S}",
        )
        for number, event in enumerate(events, 1)
    ]


def markers(trip: Trip, events: Sequence[Event]) -> list[Marker]:
    """The events that have a place, under the numbers of `event_rows`."""
    rows = event_rows(trip, events)
    return [
        Marker(row.number, row.name, f"{row.peak} at {row.time}", event.latitude_deg, event.longitude_deg)
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
    facts = [Fact("Time covered", _percent(quality.get("coverage")), f"{quality.get('gaps', 0)} gaps")]
    if sampling_interval_s is not None:
        facts.append(Fact("One reading every", f"{sampling_interval_s:g} s", f"{quality.get('readings', 0)} readings"))
    facts.append(Fact("On known roads", _percent(quality.get("matched_share")), "of the measured way"))
    if trip.gap_m:
        facts.append(Fact("Not measured", wording.km(trip.gap_m), "estimated from its ends"))
    versions = ", ".join(f"{name} {version}" for name, version in trip.versions.items() if version)
    return Certificate(
        sentence=_sentence(trip),
        facts=facts,
        remarks=remarks(quality),
        versions=f"Computed with {versions}." if versions else "",
    )


def _sentence(trip: Trip) -> str:
    """What the grade means; of a trip that does not count, not that it does."""
    sentence = GRADE_SENTENCES.get(trip.grade, "")
    return sentence.partition(". It counts")[0].rstrip(".") + "." if trip.excluded and sentence else sentence


def remarks(quality: Mapping[str, object]) -> list[str]:
    """What kept a trip from grade A, in words."""
    reasons = quality.get("reasons")
    if not isinstance(reasons, list):
        return []
    return [REASONS.get(str(reason).split(":")[0], wording.words(str(reason))) for reason in reasons]


def speed_chart(track: Track, trip: Trip, events: Sequence[Event]) -> Markup:
    """Speed against the limit over the time of the trip, with the events' numbers."""
    at = [((event.started_at - trip.started_at).total_seconds(), number) for number, event in enumerate(events, 1)]
    return charts.speed_chart(track.t_s, track.speed_mps * 3.6, track.limit_mps * 3.6, at)


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
        parts.append(f"{count} {'event' if count == 1 else 'events'}")
    over = over_limit_share(trip.totals)
    if over:
        parts.append(f"{100 * over:.0f} % over the limit")
    return " · ".join(parts)


def _event_detail(event: Event) -> str:
    length_s = (event.ended_at - event.started_at).total_seconds()
    source = wording.SOURCE_NAMES.get(event.source, wording.words(event.source).lower())
    length = f"{wording.duration(length_s)}, " if length_s >= 1 else ""
    return f"{length}by {source}, one reading every {event.sampling_interval_s:g} s"


def _why(kind: str, trip: Trip, sampling_interval_s: float | None) -> str:
    limits = DEFAULT_SETTINGS.thresholds
    if kind in {"hard_brake", "hard_acceleration", "hard_corner"}:
        if sampling_interval_s is not None and sampling_interval_s > limits.longest_interval_s:
            return f"It takes a reading every second to see one; here there was one every {sampling_interval_s:g} s."
        return "Too few readings report the speed and heading that it is read from."
    if kind == "speeding":
        return "No posted limit is known for enough of the way."
    if kind in {"phone_use", "seat_belt_off"}:
        return "This device does not report it."
    if kind == "suspected_crash":
        return "It takes an accelerometer in the vehicle's axes, read five times a second."
    return f"The readings of this trip cannot show it (grade {trip.grade})."


def _percent(share: object) -> str:
    return f"{100 * share:.0f} %" if isinstance(share, int | float) else "not known"
