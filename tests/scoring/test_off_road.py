"""What no road carries is flagged, and can raise no premium: a ferry between two coast roads, a train inland."""

from dataclasses import replace

import numpy as np
import pytest

from scoring.match import HiddenMarkovMatcher
from scoring.path import ScoredTrip, score_readings
from scoring.roads import RoadMap
from tests.scoring.driving import drive, profile
from tests.scoring.test_events import straight_road


def two_coasts() -> RoadMap:
    """The straight road due east of (60.17, 24.94), and another 0.2 degrees to the north of it."""
    south = straight_road(50.0)
    nodes = len(south.node_latitude_deg)
    doubled = {
        name: np.concatenate([getattr(south, name)] * 2)
        for name in RoadMap.__slots__
        if name.startswith("edge_") or name in ("node_longitude_deg", "shape_longitude_deg")
    }
    for name in ("edge_from_node", "edge_to_node"):
        doubled[name][len(south) :] += nodes
    for name in ("node_latitude_deg", "shape_latitude_deg"):
        doubled[name] = np.concatenate([getattr(south, name), getattr(south, name) + 0.2])
    offsets = np.concatenate([south.shape_offset, south.shape_offset[1:] + south.shape_offset[-1]])
    return replace(south, version="two coasts", shape_offset=offsets, **doubled)


def travel(speed_mps: float, heading_deg: float, latitude_deg: float, roads: RoadMap) -> ScoredTrip:
    readings = drive(
        600.0,
        profile((0, speed_mps), (1, speed_mps)),
        heading_deg=lambda t_s: np.full(len(t_s), heading_deg),
        origin=(latitude_deg, 24.94),
        noise_m=3.0,
    )
    trips = score_readings(readings, HiddenMarkovMatcher(roads), roads, device="car")
    assert len(trips) == 1
    return trips[0]


@pytest.mark.parametrize(("speed_mps", "heading_deg"), [(9.0, 0.0), (30.0, 0.0), (30.0, 70.0)])
def test_a_ferry_and_a_train_are_flagged_and_never_surcharged(speed_mps: float, heading_deg: float) -> None:
    trip = travel(speed_mps, heading_deg, 60.18, two_coasts())
    assert "off_road" in trip.quality["flags"]  # type: ignore[operator]
    assert (trip.grade, trip.quality["blocks_surcharges"]) == ("uncertified", True)


def test_a_car_on_the_coast_road_is_not() -> None:
    trip = travel(20.0, 90.0, 60.17, two_coasts())
    assert trip.quality["matched_share"] == 1.0
    assert "off_road" not in trip.quality["flags"]  # type: ignore[operator]


def test_beyond_the_map_nothing_is_said() -> None:
    trip = travel(20.0, 90.0, 60.10, two_coasts())
    assert trip.quality["matched_share"] == 0.0
    assert "off_road" not in trip.quality["flags"]  # type: ignore[operator]


def test_row_44_a_swap_within_range_is_an_implausible_place() -> None:
    roads = two_coasts()
    sound = drive(600.0, profile((0, 20.0), (1, 20.0)), origin=(60.18, 24.94), noise_m=3.0)
    swapped = sound.replace(latitude_deg=sound.longitude_deg, longitude_deg=sound.latitude_deg)
    (right,), (wrong,) = (
        score_readings(one, HiddenMarkovMatcher(roads), roads, device="car") for one in (sound, swapped)
    )
    assert "implausible_place" not in right.quality["flags"]  # type: ignore[operator]
    assert "implausible_place" in wrong.quality["flags"]  # type: ignore[operator]
    assert (wrong.grade, wrong.quality["blocks_surcharges"]) == ("uncertified", True)
