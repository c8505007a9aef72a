"""Readings far apart on a winding road: along the matched route the distance is the true one."""

import numpy as np
import pytest

from scoring.extract import build_road_map
from scoring.match import HiddenMarkovMatcher
from scoring.path import score_readings
from scoring.roads import RoadMap
from tests.scoring.conformance.cases import metres, only, sampled_way_m, score
from tests.scoring.conformance.physics import Journey, Leg, World, journey, on_sphere, seen


def winding() -> Journey:
    """15 minutes at 20 m/s, right and left by turns on a radius of 150 m."""
    return journey(20, [Leg(10, 0, side / 150) for side in (1, -1, -1, 1) * 22])


def road_under(truth: Journey, pieces: int = 40) -> RoadMap:
    """A two-way road with a point every 5 m, in ways of equal length."""
    rows = np.arange(0, len(truth.t_s), 25)
    latitude, longitude = on_sphere(truth.x_m[rows], truth.y_m[rows], World())
    ways = []
    for part in np.array_split(np.arange(len(rows) - 1), pieces):
        points = np.arange(part[0], part[-1] + 2)
        ways.append(({"highway": "primary"}, points.tolist(), latitude[points].tolist(), longitude[points].tolist()))
    return build_road_map(ways, "winding")


@pytest.mark.parametrize("hz", [0.2, 0.1])
@pytest.mark.parametrize("noise", ["none", "white", "correlated"])
@pytest.mark.parametrize("with_speed", [True, False])
def test_a_winding_road_is_measured_along_it(hz: float, noise: str, with_speed: bool) -> None:
    truth = winding()
    roads = road_under(truth)
    world = World(hz=hz, noise=noise, with_speed=with_speed, seed=3)
    readings = seen(truth, world)
    trip = only(score_readings(readings, HiddenMarkovMatcher(roads), roads, device="car"))
    assert metres([trip]) == pytest.approx(sampled_way_m(truth, world), rel=0.01)
    assert trip.totals["distance_m"] == trip.distance_m
    assert trip.quality["shortfall_share"] == pytest.approx(0.0, abs=0.002)
    if hz < 0.2:  # off the map it falls short, and says so
        off_the_map = only(score(readings))
        assert off_the_map.distance_m < 0.97 * sampled_way_m(truth, world)
        assert off_the_map.quality["shortfall_share"] > 0.01  # type: ignore[operator]
