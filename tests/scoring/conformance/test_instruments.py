"""An accelerometer in the vehicle's axes: the truth of the journey, at every rate, and each way that it can lie."""

import itertools

import numpy as np
import pytest

from ingest.readings import Readings
from tests.scoring.conformance.cases import flags, kinds, only, score, worlds
from tests.scoring.conformance.physics import G, Journey, Leg, World, journey, seen

DENSE = pytest.mark.parametrize("hz", [10.0, 1.0])
RATES = pytest.mark.parametrize("hz", [10.0, 1.0, 0.5, 0.2, 0.1])
SPEEDS = pytest.mark.parametrize("with_speed", [True, False])
TOWN = [leg for _ in range(6) for leg in (Leg(10, 1.2), Leg(20), Leg(4, 0, 0.005), Leg(10, -1.2), Leg(8))]


def drive(*hard: Leg) -> Journey:
    return journey(6, [*TOWN, Leg(14, 1.0), Leg(30), *hard, Leg(40), Leg(14, -1.0), *TOWN])


CALM = drive()
BRAKE = drive(Leg(2.5, -0.45 * G))
CORNER = drive(Leg(2.5, 0, -0.45 * G / 400))


def felt(truth: Journey, world: World, noise_mps2: float = 0.15) -> Readings:
    """The journey with the forces of its samples, and gravity where it belongs."""
    readings = seen(truth, world)
    t_s = (readings.fix_time_us - world.start_us) / 1e6
    rng = np.random.default_rng((world.seed, 3))
    forward = np.interp(t_s, truth.t_s, truth.forward_mps2) + noise_mps2 * rng.standard_normal(len(t_s))
    lateral = np.interp(t_s, truth.t_s, truth.lateral_mps2) + noise_mps2 * rng.standard_normal(len(t_s))
    return readings.replace(
        acceleration_forward_mps2=forward,
        acceleration_lateral_mps2=lateral,
        acceleration_vertical_mps2=np.full(len(t_s), G),
    )


@RATES
@SPEEDS
@pytest.mark.parametrize("truth_name", ["CALM", "BRAKE", "CORNER"])
def test_what_it_feels_is_found_once_where_the_rate_resolves_it(truth_name: str, hz: float, with_speed: bool) -> None:
    truth, expected = {"CALM": (CALM, []), "BRAKE": (BRAKE, ["hard_brake"]), "CORNER": (CORNER, ["hard_corner"])}[
        truth_name
    ]
    for world in worlds(3, hz, "white", with_speed):
        trip = only(score(felt(truth, world)))
        assert kinds(trip) == (expected if hz >= 1.0 else [])
        assert ("hard_brake" in trip.not_measurable) is (hz < 1.0)
        assert [flag for flag in flags(trip) if flag.startswith("imu")] == []
        for event in trip.events:
            assert event.source == "accelerometer"
            assert event.peak == pytest.approx(0.45 * G, rel=0.15)


@DENSE
@pytest.mark.parametrize("fault", ["swapped", "reversed", "in g", "times g", "gravity forward"])
@pytest.mark.parametrize("truth_name", ["CALM", "BRAKE"])
def test_wrong_axes_or_units_make_no_event_and_the_gps_decides(fault: str, truth_name: str, hz: float) -> None:
    truth = CALM if truth_name == "CALM" else BRAKE
    for world in worlds(3, hz, "none", with_speed=True):
        right = felt(truth, world)
        axes = [f"acceleration_{axis}_mps2" for axis in ("forward", "lateral", "vertical")]
        forward, lateral, vertical = (getattr(right, axis).astype(float) for axis in axes)
        wrong = {
            "swapped": (lateral, forward, vertical),
            "reversed": (-forward, lateral, vertical),
            "in g": (forward / G, lateral / G, vertical / G),
            "times g": (forward * G, lateral * G, vertical * G),
            "gravity forward": (vertical, lateral, forward),
        }[fault]
        trip = only(score(right.replace(**dict(zip(axes, wrong, strict=True)))))
        assert {"imu_uncalibrated", "imu_stuck"} & set(flags(trip))
        assert [(event.kind, event.source) for event in trip.events] == (
            [("hard_brake", "gps_speed")] if truth_name == "BRAKE" else []
        )


@DENSE
@pytest.mark.parametrize("side", [1, -1])
def test_swapped_axes_of_a_drive_that_only_turns_are_found_by_its_turns(hz: float, side: int) -> None:
    truth = journey(
        13, [Leg(120), Leg(3, 0, side * 0.45 * G / 169), Leg(120), Leg(3, 0, side * 0.3 * G / 169), Leg(60)]
    )
    for world in worlds(3, hz, "none", with_speed=True):
        right = felt(truth, world)
        swapped = right.replace(
            acceleration_forward_mps2=right.acceleration_lateral_mps2,
            acceleration_lateral_mps2=right.acceleration_forward_mps2,
        )
        assert [(event.kind, event.source) for event in only(score(right)).events] == [("hard_corner", "accelerometer")]
        assert [(event.kind, event.source) for event in only(score(swapped)).events] == [("hard_corner", "gps_heading")]
        assert "imu_uncalibrated" in flags(only(score(swapped)))


@pytest.mark.parametrize(("hz", "rail_g"), list(itertools.product([10.0, 1.0], [2.0, -2.0, 4.0, -8.0, 16.0])))
def test_a_saturated_stretch_is_flagged_and_no_brake(hz: float, rail_g: float) -> None:
    for world in worlds(3, hz, "none", with_speed=True):
        readings = felt(CALM, world)
        forward = readings.acceleration_forward_mps2.copy()
        middle = len(forward) // 2
        forward[middle : middle + max(2, round(0.6 * hz))] = rail_g * G
        trip = only(score(readings.replace(acceleration_forward_mps2=forward)))
        assert "imu_saturated" in flags(trip)
        assert kinds(trip) == []


@DENSE
@pytest.mark.parametrize("value", [0.0, 3.9, -5.0])
def test_a_stuck_axis_makes_no_event_and_hides_none(hz: float, value: float) -> None:
    for world in worlds(3, hz, "none", with_speed=True):
        readings = felt(BRAKE, world)
        stuck = np.full(len(readings), value)
        both = {"acceleration_forward_mps2": stuck, "acceleration_lateral_mps2": stuck}
        for columns in ({"acceleration_forward_mps2": stuck}, both):
            trip = only(score(readings.replace(**columns)))
            assert {"imu_stuck", "imu_uncalibrated"} & set(flags(trip))
            assert [(event.kind, event.source) for event in trip.events] == [("hard_brake", "gps_speed")]


@DENSE
def test_phone_and_belt_are_counted_where_reported_and_else_not_measurable(hz: float) -> None:
    for world in worlds(3, hz, "white", with_speed=True):
        readings = seen(journey(12, [Leg(600)]), world)
        t_s = (readings.fix_time_us - readings.fix_time_us[0]) / 1e6
        said = readings.replace(
            phone_in_use=((t_s >= 100) & (t_s < 130)).astype(float), belt_fastened=(t_s >= 20).astype(float)
        )
        trip = only(score(said))
        assert kinds(trip) == ["seat_belt_off", "phone_use"]
        assert [event.peak for event in trip.events] == [
            pytest.approx(20, abs=1.1 / hz),
            pytest.approx(30, abs=1.1 / hz),
        ]
        assert {"phone_use", "seat_belt_off"} <= set(only(score(readings)).not_measurable)


@pytest.mark.parametrize("hz", [10.0, 20.0])
@pytest.mark.parametrize("crashed", [True, False])
def test_a_crash_is_an_impact_that_ends_the_drive(hz: float, crashed: bool) -> None:
    for world in worlds(4, hz, "none", with_speed=True):
        legs = [Leg(300), Leg(0.2, -75.0), Leg(40)] if crashed else [Leg(600)]
        readings = seen(journey(15, legs), world)
        t_s = (readings.fix_time_us - world.start_us) / 1e6
        forward = np.where((t_s >= 300) & (t_s < 300.2), -6.5 * G, 0.0)
        forward += 0.1 * np.random.default_rng(world.seed).standard_normal(len(t_s))
        trip = only(
            score(readings.replace(acceleration_forward_mps2=forward, acceleration_lateral_mps2=forward * 0.05))
        )
        assert "suspected_crash" not in trip.not_measurable
        assert kinds(trip).count("suspected_crash") == int(crashed)
