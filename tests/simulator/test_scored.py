"""What scoring measures of a simulated month beside its truth: trips, kilometres, events by kind of device."""

from dataclasses import replace

import numpy as np
import pytest

from scoring.extract import demo_extract
from scoring.match import HiddenMarkovMatcher
from scoring.roads import RoadMap
from simulator.drivers import CITY_CENTRE, Spread, draw_drivers
from simulator.grading import Grade, Pair, grades, scored_pairs
from simulator.surroundings import read_surroundings
from tests.simulator.conftest import SEED, fleet

# A rough fleet with every kind of device: something to find on each trip.
ROUGH = replace(
    CITY_CENTRE,
    device_shares=(0.4, 0.4, 0.2),
    hard_brakes_per_stop=Spread(0.1, 0.3, 0.05, 0.2, 0.0),
    acceleration_mps2=Spread(3.6, 0.1, 3.0, 4.5, 0.0),
    lateral_mps2=Spread(4.6, 0.1, 4.0, 5.5, 0.0),
    phone_uses_per_hour=Spread(6.0, 0.3, 3.0, 12.0, 0.0),
)


@pytest.fixture(scope="module")
def pairs(roads: RoadMap) -> list[Pair]:
    """Each trip of a month of fourteen drivers with the scored trips that overlap it."""
    return scored_pairs(fleet(roads, drivers=14, days=30))


@pytest.fixture(scope="module")
def graded(roads: RoadMap) -> dict[tuple[str, str], Grade]:
    """The grades of ten days of drivers with every kind of device, put on roads."""
    trips = fleet(roads, drivers=24, days=10, population=ROUGH)
    found = scored_pairs(trips, HiddenMarkovMatcher(roads), roads)
    kinds = {driver.number: driver.device_kind for driver in draw_drivers(24, SEED, ROUGH)}
    return {(grade.device_kind, grade.kind): grade for grade in grades(found, kinds)}


def test_a_month_of_the_demo_has_its_size(pairs: list[Pair]) -> None:
    assert len(pairs) >= 330
    assert sum(len(trip) for trip, _ in pairs) >= 220_000


def test_nearly_every_trip_is_found_as_one_with_its_kilometres(pairs: list[Pair], roads: RoadMap) -> None:
    tunnel = read_surroundings(demo_extract(), roads).edge_tunnel
    assert np.mean([bool(scored) for _, scored in pairs]) >= 0.99  # a short way under ground may be missed whole
    under = [bool(tunnel[list(trip.truth.route_edges)].any()) for trip, _ in pairs]
    ratio = np.array([sum(s.distance_m for s in scored) / trip.truth.distance_m for trip, scored in pairs])
    print(f"{len(ratio)} trips, {sum(under)} with tunnels, measured/true km {np.quantile(ratio, [0.01, 0.5, 0.99])}")
    in_sight = ratio[~np.array(under)]
    assert abs(float(np.median(in_sight)) - 1.0) < 0.005
    assert np.mean(np.abs(in_sight - 1.0) < 0.02) >= 0.95
    assert np.quantile(ratio, 0.98) < 1.03  # under ground kilometres are missed, not made up


# Bounds a little under what is measured. A phone has no accelerometer: of short corners its headings show few.
BOUNDS = {  # recall, precision
    ("box", "hard_brake"): (0.9, 0.95),
    ("box", "hard_corner"): (0.7, 0.95),
    ("phone", "hard_brake"): (0.75, 0.95),
    ("phone", "hard_corner"): (0.02, 0.95),
    ("phone", "phone_use"): (0.95, 0.95),
}


@pytest.mark.parametrize(("key", "bounds"), BOUNDS.items(), ids=lambda value: "-".join(map(str, value)))
def test_events_are_those_that_were(
    graded: dict[tuple[str, str], Grade], key: tuple[str, str], bounds: tuple[float, float]
) -> None:
    grade = graded[key]
    assert grade.clear >= 5
    assert grade.found >= 5
    assert grade.recall is not None
    assert grade.recall >= bounds[0]
    assert grade.precision is not None
    assert grade.precision >= bounds[1]


def test_a_tracker_says_that_it_cannot_measure_manoeuvres(graded: dict[tuple[str, str], Grade]) -> None:
    for kind in ("hard_brake", "hard_acceleration", "hard_corner"):
        grade = graded["tracker", kind]
        assert grade.all_trips > 20
        assert grade.trips == 0
