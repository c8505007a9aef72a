"""What scoring finds beside what truly happened: recall and precision of its events, by kind and by device."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ingest.readings import make_readings
from scoring.match import Matcher
from scoring.path import ScoredTrip, score_readings
from scoring.roads import RoadMap
from simulator.truth import TrueEvent
from simulator.upload import joined
from simulator.world import SimulatedTrip

type Pair = tuple[SimulatedTrip, list[ScoredTrip]]

NEAR_US = 2_000_000  # a finding lies within a sample or two of what caused it
# An event that must be found is clearly over the threshold of scoring for a car, from a speed that leaves time to show
# at 1 Hz: a stop from under 7 m/s is over within a second. A finding is right if the truth came near its threshold.
CLEAR = {"hard_brake": 4.0, "hard_acceleration": 3.2, "hard_corner": 4.2, "speeding": 3.0, "phone_use": 6.0}
LEAST_FROM_MPS = {"hard_brake": 7.0}


@dataclass(frozen=True, slots=True)
class Grade:
    """One kind of event on one kind of device; `trips` are those on which it was measurable, of `all_trips`.

    `clear` true events had to be found and `recalled` were; of `found` events `right` were true.
    """

    device_kind: str
    kind: str
    all_trips: int
    trips: int
    clear: int
    recalled: int
    found: int
    right: int

    @property
    def recall(self) -> float | None:
        """The share of clear true events that were found; None without any."""
        return self.recalled / self.clear if self.clear else None

    @property
    def precision(self) -> float | None:
        """The share of the events found that were true; None without any."""
        return self.right / self.found if self.found else None


def scored_pairs(
    trips: Sequence[SimulatedTrip], matcher: Matcher | None = None, roads: RoadMap | None = None
) -> list[Pair]:
    """Each trip with the scored trips that overlap it, by the readings of its device."""
    by_driver: dict[int, list[SimulatedTrip]] = defaultdict(list)
    for trip in trips:
        by_driver[trip.driver].append(trip)
    pairs: list[Pair] = []
    for driver, own in by_driver.items():
        columns = joined(own)
        readings = make_readings(len(columns["fix_time_us"]), **columns)
        scored = score_readings(readings, matcher, roads, device=driver)
        for trip in own:
            first, last = trip.truth.departure_us, trip.truth.arrival_us
            pairs.append((trip, [one for one in scored if one.started_us < last and one.ended_us > first]))
    return pairs


def grades(pairs: Iterable[Pair], device_kinds: Mapping[int, str]) -> list[Grade]:
    """The grades of every device kind and kind of event that occur; `device_kinds` by driver."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for trip, scored in pairs:
        for kind in CLEAR:
            count = counts[device_kinds[trip.driver], kind]
            count["all_trips"] += 1
            if scored and not any(kind in one.not_measurable for one in scored):
                count["trips"] += 1
                count.update(_of_trip(kind, trip, scored))
    names = ("all_trips", "trips", "clear", "recalled", "found", "right")
    return [Grade(*key, *(count[name] for name in names)) for key, count in sorted(counts.items())]


def _of_trip(kind: str, trip: SimulatedTrip, scored: list[ScoredTrip]) -> dict[str, int]:
    true = [event for event in trip.truth.events if event.kind == kind]
    clear = [one for one in true if one.peak >= CLEAR[kind] and one.from_mps >= LEAST_FROM_MPS.get(kind, 0.0)]
    spans = [(e.started_us, e.ended_us) for one in scored for e in one.events if e.kind == kind]
    return {
        "clear": len(clear),
        "recalled": sum(any(_meet(event, *span) for span in spans) for event in clear),
        "found": len(spans),
        "right": sum(any(_meet(event, *span) for event in true) for span in spans),
    }


def _meet(event: TrueEvent, started_us: int, ended_us: int) -> bool:
    return event.started_us - NEAR_US <= ended_us and started_us <= event.ended_us + NEAR_US
