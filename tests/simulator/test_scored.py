"""What scoring measures of a simulated month beside its truth: trips, kilometres, hard brakes."""

from collections import defaultdict

import numpy as np
import pytest

from ingest.readings import make_readings
from scoring.path import ScoredTrip, score_readings
from scoring.roads import RoadMap
from scoring.settings import CAR
from simulator.truth import TrueEvent
from simulator.upload import joined
from simulator.world import SimulatedTrip
from tests.simulator.conftest import fleet

NEAR_US = 2_000_000  # an event lies within a sample or two of the peak that caused it
# At 1 Hz a stop from less than this is over in a second: its peak cannot be resolved, and need not be found.
RESOLVED_FROM_MPS = 7.0
MEASUREMENT_MARGIN = 0.9  # a peak of the noisy speed may stand so far over the true one

type Pair = tuple[SimulatedTrip, list[ScoredTrip]]


@pytest.fixture(scope="module")
def pairs(roads: RoadMap) -> list[Pair]:
    """Each trip of a month of fourteen drivers with the scored trips that overlap it."""
    by_driver: dict[int, list[SimulatedTrip]] = defaultdict(list)
    for trip in fleet(roads, drivers=14, days=30):
        by_driver[trip.driver].append(trip)
    found: list[Pair] = []
    for driver, own in by_driver.items():
        columns = joined(own)
        readings = make_readings(len(columns["fix_time_us"]), **columns)
        scored = score_readings(readings, None, None, device=driver)
        found += [
            (
                trip,
                [s for s in scored if s.started_us < trip.truth.arrival_us and s.ended_us > trip.truth.departure_us],
            )
            for trip in own
        ]
    return found


def test_nearly_every_trip_is_found_as_one_with_its_kilometres(pairs: list[Pair]) -> None:
    ratio = np.array([sum(s.distance_m for s in scored) / trip.truth.distance_m for trip, scored in pairs])
    total = sum(s.distance_m for _, scored in pairs for s in scored) / sum(t.truth.distance_m for t, _ in pairs)
    print(f"{len(ratio)} trips, measured/true km: p1 p50 p99 {np.quantile(ratio, [0.01, 0.5, 0.99]).round(4)}")
    print(f"all together {total:.4f}")
    assert all(scored for _, scored in pairs)
    assert abs(total - 1.0) < 0.01
    assert abs(float(np.median(ratio)) - 1.0) < 0.005
    # On so small a map a car may circle one block for five minutes, which scoring takes for a stop.
    assert np.mean(np.abs(ratio - 1.0) < 0.02) >= 0.97


def test_hard_brakes_that_one_hertz_resolves_are_found(pairs: list[Pair]) -> None:
    resolved = [
        (brake, scored)
        for trip, scored in pairs
        for brake in trip.truth.hard_brakes
        if _from_mps(trip, brake) >= RESOLVED_FROM_MPS
    ]
    recall = np.mean([any(_near(brake, scored)) for brake, scored in resolved])
    print(f"{len(resolved)} true hard brakes from {RESOLVED_FROM_MPS} m/s and more, found {recall:.2f}")
    assert len(resolved) >= 20
    assert recall >= 0.8


def test_no_hard_brake_is_found_where_nobody_braked_hard(pairs: list[Pair]) -> None:
    checked = 0
    for trip, scored in pairs:
        for event in (event for s in scored for event in s.events if event.kind == "hard_brake"):
            time_us = trip.motion.time_us
            around = (time_us >= event.started_us - NEAR_US) & (time_us <= event.ended_us + NEAR_US)
            assert -trip.motion.acceleration_forward_mps2[around].min() >= MEASUREMENT_MARGIN * CAR.brake_mps2
            checked += 1
    assert checked >= 20


def _near(brake: TrueEvent, scored: list[ScoredTrip]) -> list[bool]:
    return [
        event.started_us - NEAR_US <= brake.time_us <= event.ended_us + NEAR_US
        for trip in scored
        for event in trip.events
        if event.kind == "hard_brake"
    ]


def _from_mps(trip: SimulatedTrip, brake: TrueEvent) -> float:
    """The highest speed in the three seconds before a brake's peak."""
    before = (trip.motion.time_us <= brake.time_us) & (trip.motion.time_us >= brake.time_us - 3_000_000)
    return float(trip.motion.speed_mps[before].max())
