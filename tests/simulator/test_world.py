"""The simulated world obeys physics, the road and its seed; its truth agrees with its motion."""

import hashlib
import os
import subprocess
import sys
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from scoring.geodesy import haversine_m
from scoring.roads import ASSUMED_SPEED_MPS, RoadMap
from simulator.drivers import CITY_CENTRE, draw_drivers
from simulator.motion import ARRIVED_M
from simulator.truth import manoeuvres, read_truth, write_truth
from simulator.world import SimulatedTrip, simulate_month
from tests.simulator.conftest import DRIVERS, SEED, fleet

ROOT = Path(__file__).parents[2]


def digest(trips: list[SimulatedTrip]) -> str:
    sha256 = hashlib.sha256()
    for trip in trips:
        sha256.update(repr((trip.driver, trip.departure.isoformat(), trip.truth)).encode())
        for name, values in trip.columns.items():
            sha256.update(name.encode() + values.tobytes())
    return sha256.hexdigest()


DIGEST_ELSEWHERE = """
from scoring.extract import demo_extract, read_road_map
from tests.simulator.conftest import fleet
from tests.simulator.test_world import digest
print(digest(fleet(read_road_map(demo_extract()), 2, 5)))
"""


def test_the_same_seed_gives_the_same_bytes_in_a_process_of_another_zone_and_hash_seed(roads: RoadMap) -> None:
    here = digest(fleet(roads, 2, 5))
    environment = os.environ | {"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "4711", "PYTHONPATH": str(ROOT)}
    elsewhere = subprocess.run(
        [sys.executable, "-c", DIGEST_ELSEWHERE], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert elsewhere.stdout.strip() == here


def test_another_seed_gives_another_world(roads: RoadMap) -> None:
    of_one, of_another = (
        simulate_month(roads, drivers=1, first_day=date(2026, 10, 1), days=5, time_zone="Europe/Helsinki", seed=seed)
        for seed in (1, 2)
    )
    assert digest(of_one) != digest(of_another)


def test_more_drivers_and_days_keep_what_fewer_gave(roads: RoadMap, trips: list[SimulatedTrip]) -> None:
    fewer = fleet(roads, 2, 3)
    kept = [trip for trip in trips if trip.driver < 2 and trip.truth.departure_us < 1_791_060_000_000_000]
    assert digest([trip for trip in fewer if trip.truth.departure_us < 1_791_060_000_000_000]) == digest(kept)


def test_acceleration_stays_within_what_a_car_can_do(trips: list[SimulatedTrip]) -> None:
    for trip in trips:
        forward = trip.motion.acceleration_forward_mps2
        assert forward.max() <= 4.0
        assert forward.min() >= -8.0
        assert np.abs(trip.motion.acceleration_lateral_mps2).max() <= 5.0
        assert np.abs(np.diff(trip.motion.speed_mps)).max() <= 8.0


def test_speed_is_never_above_the_limit_times_the_drivers_trait(trips: list[SimulatedTrip]) -> None:
    drivers = draw_drivers(DRIVERS, SEED, CITY_CENTRE)
    known = 0
    for trip in trips:
        factor = drivers[trip.driver].speed_factor
        is_known = np.isfinite(trip.motion.limit_mps)
        known += np.count_nonzero(is_known)
        assert (trip.motion.speed_mps[is_known] <= trip.motion.limit_mps[is_known] * factor + 1e-9).all()
        assert (trip.motion.speed_mps <= ASSUMED_SPEED_MPS.max() * factor).all()
    assert known > 0.5 * sum(map(len, trips))


def test_the_integral_of_speed_is_the_distance(trips: list[SimulatedTrip]) -> None:
    for trip in trips:
        assert trip.motion.speed_mps.sum() == pytest.approx(trip.truth.distance_m, rel=1e-3)
        steps_m = haversine_m(
            trip.motion.latitude_deg[:-1], trip.motion.longitude_deg[:-1],
            trip.motion.latitude_deg[1:], trip.motion.longitude_deg[1:],
        )  # fmt: skip
        assert steps_m.sum() == pytest.approx(trip.truth.distance_m, rel=0.02)  # chords of bends are shorter


def test_routes_are_joined_and_obey_one_way_streets(roads: RoadMap, trips: list[SimulatedTrip]) -> None:
    for trip in trips:
        edge, backward = np.array(trip.truth.route_edges), np.array(trip.truth.route_backward)
        assert np.where(backward, roads.edge_backward[edge], roads.edge_forward[edge]).all()
        tail = np.where(backward, roads.edge_to_node[edge], roads.edge_from_node[edge])
        head = np.where(backward, roads.edge_from_node[edge], roads.edge_to_node[edge])
        assert (head[:-1] == tail[1:]).all()
        turns_around = (edge[:-1] == edge[1:]) & (backward[:-1] != backward[1:])
        assert not turns_around.any()
        # The map's length and the line driven differ by rounded corners only.
        assert trip.truth.distance_m == pytest.approx(roads.edge_length_m[edge].sum(), rel=0.06)


def test_a_car_starts_where_it_stood_and_trips_do_not_overlap(trips: list[SimulatedTrip]) -> None:
    for earlier, later in pairwise(trips):
        if earlier.driver != later.driver:
            continue
        gap_m = haversine_m(
            earlier.motion.latitude_deg[-1], earlier.motion.longitude_deg[-1],
            later.motion.latitude_deg[0], later.motion.longitude_deg[0],
        )  # fmt: skip
        assert gap_m < ARRIVED_M  # who parks stops within it
        assert later.motion.time_us[0] - earlier.motion.time_us[-1] >= 15 * 60 * 1_000_000


def test_each_trip_is_a_reading_a_second_with_a_minute_parked_at_both_ends(trips: list[SimulatedTrip]) -> None:
    for trip in trips:
        assert (np.diff(trip.motion.time_us) == 1_000_000).all()
        assert (trip.columns["fix_time_us"] == trip.motion.time_us[trip.rows]).all()
        assert not trip.motion.speed_mps[:59].any()
        assert not trip.motion.speed_mps[-59:].any()
        standing = np.diff(np.flatnonzero(trip.motion.speed_mps > 0))
        assert standing.max() < 300  # nothing within a trip looks like its end


def test_hard_brakes_are_found_by_peak_and_two_peaks_of_one_brake_are_one() -> None:
    tick_us = np.arange(100, dtype=np.int64) * 100_000
    acceleration = np.zeros(100)
    acceleration[10:20] = -4.5
    acceleration[14] = -3.0  # not under the leaving level: still the same brake
    acceleration[16] = -5.25
    acceleration[50:60] = -3.9
    speed = np.linspace(15.0, 5.0, 100)
    found = manoeuvres("hard_brake", tick_us, -acceleration, speed, 4.0)
    assert [(event.time_us, event.peak, event.from_mps) for event in found] == [(1_600_000, 5.25, 15.0)]
    assert (found[0].started_us, found[0].ended_us) == (1_000_000, 1_900_000)


def test_the_key_is_read_back_as_it_was_written(trips: list[SimulatedTrip], tmp_path: Path) -> None:
    truths = [trip.truth for trip in trips]
    write_truth(tmp_path / "key.jsonl", truths)
    assert read_truth(tmp_path / "key.jsonl") == truths
