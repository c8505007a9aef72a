"""Manoeuvres as physics has them: counted once where the rate resolves them, not measurable below, never invented."""

import numpy as np
import pytest

from ingest.readings import Readings, concatenate
from scoring.match import HiddenMarkovMatcher
from scoring.path import score_readings
from tests.scoring.conformance.cases import MANOEUVRES, WORLDS, kinds, metres, only, sampled_way_m, score, worlds
from tests.scoring.conformance.physics import RATES_HZ, G, Journey, Leg, World, journey, seen
from tests.scoring.test_events import straight_road

STEADY = Leg(120)


def brake(share_of_g: float, drop_mps: float) -> Leg:
    return Leg(drop_mps / (share_of_g * G), -share_of_g * G)


CALM = {
    "gentle stop": journey(15, [STEADY, brake(0.1, 15), Leg(10), Leg(15, 1.0), STEADY]),
    "gentle trip from rest to rest": journey(0, [Leg(20), Leg(15, 1.0), STEADY, STEADY, brake(0.1, 15), Leg(20)]),
    "steady": journey(11, [Leg(600)]),
}
HARD = {
    "brake to a stop": (journey(15, [STEADY, brake(0.45, 15), Leg(5), Leg(20, 0.75), STEADY]), ["hard_brake"], 0.45),
    "brake for 2.3 s": (journey(20, [STEADY, brake(0.45, 10), STEADY]), ["hard_brake"], 0.45),
    "two brakes 5 s apart": (
        journey(27, [STEADY, Leg(2, -0.45 * G), Leg(5), Leg(2, -0.45 * G), STEADY]),
        ["hard_brake", "hard_brake"],
        0.45,
    ),
    "acceleration": (journey(8, [STEADY, Leg(4, 0.4 * G), STEADY]), ["hard_acceleration"], 0.4),
    "corner": (journey(12, [STEADY, Leg(3, 0, 0.45 * G / 144), STEADY]), ["hard_corner"], 0.45),
    "corner to the left": (journey(12, [STEADY, Leg(4, 0, -0.5 * G / 144), STEADY]), ["hard_corner"], 0.5),
}


def assert_calm(truth: Journey, world: World) -> None:
    trip = only(score(seen(truth, world)))
    assert (kinds(trip), trip.excluded) == ([], None)
    for kind in MANOEUVRES:
        measured = world.with_speed and world.hz >= 1.0
        assert (kind in trip.not_measurable) is not measured


def assert_hard(truth: Journey, expected: list[str], share_of_g: float, world: World) -> None:
    trip = only(score(seen(truth, world)))
    measured = world.with_speed and world.hz >= 1.0
    assert kinds(trip) == (expected if measured else [])
    assert [kind in trip.not_measurable for kind in MANOEUVRES] == [not measured] * 3
    for event in trip.events:
        # At 1 Hz a brake of 2 s may have only one second whole between samples: its peak is short by a quarter.
        assert 0.72 * share_of_g * G <= event.peak <= 1.06 * share_of_g * G
        assert (event.source, event.peak_unit) == (
            "gps_heading" if event.kind == "hard_corner" else "gps_speed",
            "mps2",
        )
        assert event.sampling_interval_s == pytest.approx(1 / world.hz, abs=1e-3)
        assert event.thresholds_version.startswith("thresholds-")


@WORLDS
@pytest.mark.parametrize("name", CALM)
def test_what_is_calm_is_no_event(name: str, hz: float, noise: str, with_speed: bool) -> None:
    for world in worlds(1, hz, noise, with_speed):
        assert_calm(CALM[name], world)


@WORLDS
@pytest.mark.parametrize("name", HARD)
def test_what_is_hard_is_found_once_or_said_to_be_not_measurable(
    name: str, hz: float, noise: str, with_speed: bool
) -> None:
    for world in worlds(1, hz, noise, with_speed):
        assert_hard(*HARD[name], world)


@pytest.mark.long
@WORLDS
def test_fifty_worlds_agree(hz: float, noise: str, with_speed: bool) -> None:
    for world in worlds(50, hz, noise, with_speed):
        for truth in CALM.values():
            assert_calm(truth, world)
        for truth, expected, share_of_g in HARD.values():
            assert_hard(truth, expected, share_of_g, world)


@pytest.mark.parametrize("hz", [10.0, 1.0])
@pytest.mark.parametrize("share_of_g", [0.15, 0.2, 0.25, 0.35, 0.45, 0.6, 0.8])
def test_a_brake_counts_from_its_threshold_on(hz: float, share_of_g: float) -> None:
    truth = journey(25, [STEADY, Leg(2.5, -share_of_g * G), STEADY])
    for world in worlds(4, hz, "white", with_speed=True):
        assert kinds(only(score(seen(truth, world)))) == ["hard_brake"] * (share_of_g > 0.31)


@pytest.mark.parametrize("hz", [10.0, 1.0])
@pytest.mark.parametrize("apart_s", [3.5, 5.0, 8.0])
def test_brakes_seconds_apart_are_as_many(hz: float, apart_s: float) -> None:
    truth = journey(30, [STEADY, *([Leg(2, -0.45 * G), Leg(apart_s)] * 3), STEADY])
    for world in worlds(4, hz, "correlated", with_speed=True):
        assert kinds(only(score(seen(truth, world)))) == ["hard_brake"] * 3


@pytest.mark.parametrize("hz", [10.0, 1.0])
def test_a_noisy_speed_neither_makes_nor_splits_a_brake(hz: float) -> None:
    truth = journey(15, [STEADY, brake(0.45, 15), Leg(5), Leg(20, 0.75), STEADY])
    for world in worlds(4, hz, "white", with_speed=True):
        readings = seen(truth, World(**{**_fields(world), "speed_noise_mps": 0.2}))
        rounded = readings.replace(speed_mps=np.round(readings.speed_mps * 3.6) / 3.6)
        assert kinds(only(score(readings))) == ["hard_brake"]
        assert kinds(only(score(rounded))) == ["hard_brake"]


def _fields(world: World) -> dict[str, object]:
    return {name: getattr(world, name) for name in World.__slots__}


@WORLDS
@pytest.mark.parametrize("speed_mps", [10.0, 35.0])
def test_heading_through_north_is_no_corner(speed_mps: float, hz: float, noise: str, with_speed: bool) -> None:
    weave = [Leg(10, 0, side * np.radians(4) / (10 * speed_mps)) for side in [1, -1] * 10]
    for world in worlds(1, hz, noise, with_speed):
        north = World(**{**_fields(world), "bearing_deg": 358.0})
        trip = only(score(seen(journey(speed_mps, weave), north)))
        assert kinds(trip) == []
        assert ("hard_corner" in trip.not_measurable) is not (with_speed and hz >= 1.0)


@pytest.mark.parametrize("hz", RATES_HZ)
@pytest.mark.parametrize("noise", ["none", "white", "correlated"])
@pytest.mark.parametrize(("speed_kmh", "over_share"), [(40.0, 0.0), (50.0, 0.0), (60.0, 1.0)])
def test_a_steady_speed_is_below_at_or_over_the_limit(
    hz: float, noise: str, speed_kmh: float, over_share: float
) -> None:
    roads = straight_road(50.0)
    readings = seen(journey(speed_kmh / 3.6, [Leg(600)]), World(hz=hz, noise=noise))
    trip = only(score_readings(readings, HiddenMarkovMatcher(roads), roads, device="car"))
    assert trip.features["over_limit_time_share"] == pytest.approx(over_share, abs=0.01)
    assert kinds(trip) == ["speeding"] * int(over_share)
    assert "speeding" not in trip.not_measurable
    if over_share:
        assert trip.events[0].peak == pytest.approx(10.0, abs=0.1)
        assert trip.events[0].ended_us - trip.events[0].started_us == pytest.approx(600e6, abs=2e6 / hz)


def test_a_trip_alone_and_among_a_thousand_others_is_the_same_to_the_bit() -> None:
    """Scoring takes one device; batches of many are cut by it before. What others drove cannot enter."""
    truth, expected, _ = HARD["two brakes 5 s apart"]
    alone = seen(truth, World(noise="white", seed=1))
    digest = [trip.content_digest for trip in score(alone)]
    others = [seen(truth, world) for world in worlds(20, 1.0, "white", with_speed=True)]
    batch = concatenate([one.replace(device_key=np.full(len(one), key + 2)) for key, one in enumerate(others)])
    mixed = _shuffled(concatenate([alone, batch]))
    taken = mixed.take(mixed.device_key == 0)
    for one in others:
        score(one)
    assert [trip.content_digest for trip in score(taken)] == digest
    assert kinds(only(score(taken))) == expected


def _shuffled(readings: Readings) -> Readings:
    return readings.take(np.random.default_rng(5).permutation(len(readings)))


@pytest.mark.parametrize("hz", [10.0, 1.0])
@pytest.mark.parametrize("noise", ["none", "white", "correlated"])
@pytest.mark.parametrize("with_speed", [True, False])
def test_the_way_of_a_manoeuvre_is_true_wherever_it_is_seen_often_enough(
    hz: float, noise: str, with_speed: bool
) -> None:
    for world in worlds(1, hz, noise, with_speed):
        for truth in (*CALM.values(), *(truth for truth, _, _ in HARD.values())):
            assert metres(score(seen(truth, world))) == pytest.approx(sampled_way_m(truth, world), rel=0.01)
