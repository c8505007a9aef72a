"""Each fault, and what the system answers, by the front door's own decoder and rules and scoring; truth beside."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from ingest.decoders.wayrate import decode
from ingest.readings import Flag, Readings, concatenate
from ingest.validate import validate
from scoring.path import ScoredTrip, score_readings
from simulator import faults
from simulator.upload import Uploader, batch_json, joined
from simulator.world import Columns, SimulatedTrip
from storage.pool import Database
from tests.simulator.conftest import NOW, serving
from tests.simulator.test_upload import enrolled, stored


@dataclass(frozen=True)
class Answer:
    readings: Readings
    refused: Counter[str]
    trips: list[ScoredTrip]

    @property
    def flags(self) -> set[str]:
        return {str(flag) for trip in self.trips for flag in trip.quality["flags"]}  # type: ignore[attr-defined]

    @property
    def distance_m(self) -> int:
        return sum(trip.distance_m for trip in self.trips)


def answer(batches: Sequence[Columns], received_at: datetime = NOW) -> Answer:
    parts = [validate(decode(batch_json(batch)), received_at) for batch in batches]
    readings = concatenate([part.readings for part in parts])
    refused = Counter(str(one.reason) for part in parts for one in part.rejected)
    return Answer(readings, refused, score_readings(readings, None, None, device=1))


@pytest.fixture
def trip(trips: list[SimulatedTrip]) -> SimulatedTrip:
    """A drive of several kilometres."""
    return max((one for one in trips if one.driver == 0), key=len)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def just_sent(trip: SimulatedTrip) -> datetime:
    return trip.departure + timedelta(seconds=len(trip.motion.time_us))


def middle(trip: SimulatedTrip, seconds: int) -> slice:
    """So many readings in the middle of the drive, beginning while it moves."""
    moving = np.flatnonzero(trip.motion.speed_mps[trip.rows] > 5.0)
    first = int(moving[len(moving) // 2])
    return slice(first, first + seconds)


def test_reordered_recut_overlapping_and_doubled_batches_change_nothing(
    trip: SimulatedTrip, rng: np.random.Generator
) -> None:
    whole = answer([trip.columns])
    mixed = faults.shuffle(faults.double(faults.recut(trip.columns, rng, most=100)), rng)
    assert len(mixed) > 10
    assert [one.content_digest for one in answer(mixed).trips] == [one.content_digest for one in whole.trips]


def test_recut_batches_through_the_gateway_store_each_reading_once(
    database: Database, trip: SimulatedTrip, rng: np.random.Generator
) -> None:
    token = enrolled(database, {0})[0]
    batches = faults.shuffle(faults.recut(trip.columns, rng), rng)
    with serving(database) as url, Uploader(url) as uploader:
        sent = sum((uploader.upload(token, batch) for batch in batches[1:]), uploader.upload(token, batches[0]))
    assert sent.accepted == len(trip) == len(stored(database))
    assert sent.duplicate == sum(len(batch["fix_time_us"]) for batch in batches) - len(trip) > 0


def test_what_comes_weeks_late_is_scored_alike_and_after_retention_it_is_refused(trip: SimulatedTrip) -> None:
    on_time, late = answer([trip.columns], just_sent(trip)), answer([trip.columns], NOW + timedelta(weeks=8))
    assert [one.content_digest for one in late.trips] == [one.content_digest for one in on_time.trips]
    assert answer([trip.columns], NOW + timedelta(weeks=20)).refused == {"too_late": len(trip)}


def test_lost_batches_leave_gaps_that_are_said_and_no_made_up_kilometres(
    trip: SimulatedTrip, rng: np.random.Generator
) -> None:
    arrived, lost = faults.lose(faults.recut(trip.columns, rng, most=60), 0.3, rng)
    assert lost
    found = answer(arrived)
    assert "gap" in found.flags
    assert found.distance_m < 0.95 * trip.truth.distance_m
    assert found.distance_m + sum(one.gap_m for one in found.trips) <= 1.03 * trip.truth.distance_m


def test_a_clock_two_minutes_ahead_is_taken_two_hours_is_not_scored_two_days_is_refused(trip: SimulatedTrip) -> None:
    received_at = just_sent(trip)
    minutes, hours, days = (
        answer([faults.skew_clock(trip.columns, skew_s)], received_at) for skew_s in (120.0, 7200.0, 172_800.0)
    )
    assert minutes.distance_m == pytest.approx(trip.truth.distance_m, rel=0.02)
    assert hours.trips == []
    assert (hours.readings.flags & Flag.CLOCK_AHEAD != 0).all()
    assert days.refused == {"future": len(trip)}


def test_a_drifting_clock_keeps_the_kilometres(trip: SimulatedTrip) -> None:
    found = answer([faults.skew_clock(trip.columns, -30.0, drift_ppm=200.0)])
    assert found.distance_m == pytest.approx(trip.truth.distance_m, rel=0.02)


def test_a_clock_that_is_set_forward_splits_a_trip_and_set_back_is_said(trip: SimulatedTrip) -> None:
    half = middle(trip, 1).start
    forward = answer([faults.jump_clock(trip.columns, half, 600.0)])
    assert len(forward.trips) == 2
    assert forward.distance_m == pytest.approx(trip.truth.distance_m, rel=0.05)
    back = answer([faults.jump_clock(trip.columns, half, -120.0)])
    assert "conflict_same_key" in back.flags
    assert back.distance_m <= 1.02 * trip.truth.distance_m  # two places at one time are no way between them
    assert {one.grade for one in back.trips} != {"A"}


def test_readings_before_the_clock_is_set_are_quarantined_and_the_rest_counts(trip: SimulatedTrip) -> None:
    found = answer([faults.unsynchronise(trip.columns, 200)])
    assert found.refused == {"unsynced_clock": 200}
    assert 0 < found.distance_m < trip.truth.distance_m


def test_zero_positions_are_no_places_and_make_a_gap(trip: SimulatedTrip) -> None:
    rows = middle(trip, 60)
    found = answer([faults.zero_positions(trip.columns, rows)])
    assert np.count_nonzero(found.readings.flags & Flag.NO_FIX) == 60
    assert "gap" in found.flags
    assert found.distance_m + sum(one.gap_m for one in found.trips) <= 1.03 * trip.truth.distance_m


def test_a_position_that_is_held_is_said_and_the_speed_goes_on_counting(trip: SimulatedTrip) -> None:
    found = answer([faults.freeze_positions(trip.columns, middle(trip, 60))])
    assert "held_positions" in found.flags
    assert found.distance_m == pytest.approx(trip.truth.distance_m, rel=0.05)


def test_a_position_that_is_frozen_for_good_is_no_drive(trip: SimulatedTrip) -> None:
    assert answer([faults.freeze_positions(trip.columns, slice(0, len(trip)))]).trips == []


def test_days_unplugged_are_a_gap_before_the_next_trip_and_no_kilometres(trips: list[SimulatedTrip]) -> None:
    pairs = [pair for pair in pairwise(trips) if len({one.driver for one in pair}) == 1 and apart_m(*pair) > 600.0]
    own = [one for one in trips if one.driver == pairs[0][1].driver]
    first = next(place for place, one in enumerate(own) if one is pairs[0][1])
    kept = faults.unplug(own, own[first].departure, own[first + 1].departure)
    assert len(kept) == len(own) - 1
    found = answer([joined(kept)])
    assert "gap_before" in found.flags
    assert found.distance_m == pytest.approx(sum(one.truth.distance_m for one in kept), rel=0.02)
    assert sum(one.gap_m for one in found.trips) > 0


def apart_m(earlier: SimulatedTrip, later: SimulatedTrip) -> float:
    """How far a trip led away, through the air, in a rough metre."""
    north = (later.motion.latitude_deg[-1] - earlier.motion.latitude_deg[-1]) * 111_000.0
    east = (later.motion.longitude_deg[-1] - earlier.motion.longitude_deg[-1]) * 55_000.0
    return float(np.hypot(north, east))


def test_a_device_carried_to_another_car_shows_a_way_nobody_measured(trips: list[SimulatedTrip]) -> None:
    own, others = ([one for one in trips if one.driver == driver] for driver in (0, 3))
    moved = faults.move_device(own, others, own[len(own) // 2].departure)
    shared = set.intersection(*(set(one.columns) for one in moved))
    found = answer([{name: values for name, values in one.columns.items() if name in shared} for one in moved])
    assert {one.driver for one in moved} == {0, 3}
    assert "gap_before" in found.flags
    assert found.distance_m == pytest.approx(sum(one.truth.distance_m for one in moved), rel=0.02)


def test_a_replayed_trip_has_the_shape_of_the_first(trip: SimulatedTrip) -> None:
    found = answer([trip.columns, faults.replay(trip.columns, 86_400.0)])
    first, second = found.trips
    assert first.distance_m == second.distance_m
    assert first.shape
    assert first.shape == second.shape


def test_a_passengers_phone_measures_the_same_way_with_its_own_use(trips: list[SimulatedTrip]) -> None:
    trip = max((one for one in trips if "phone_in_use" in one.columns), key=len)
    mine = answer([trip.columns])
    theirs = answer([faults.as_passenger(trip.columns, np.ones(len(trip), dtype=np.bool_))])
    assert theirs.distance_m == mine.distance_m
    used = sum(event.kind == "phone_use" for one in theirs.trips for event in one.events)
    assert used > sum(event.kind == "phone_use" for one in mine.trips for event in one.events)
