"""The accelerometer beside the GPS: one manoeuvre is one event, a sensor against physics decides nothing."""

import numpy as np
import pytest

from ingest.readings import Readings
from scoring.path import ScoredTrip, score_readings
from tests.scoring.driving import RATES_S, Floats, drive, profile
from tests.scoring.omaha import DRIVES, agreement, scored_with

G = 9.80665
DENSE_S = (0.1, 1.0)


def score(readings: Readings) -> ScoredTrip:
    trips = score_readings(readings, None, None, device="car")
    assert len(trips) == 1
    return trips[0]


def hard_events(trip: ScoredTrip) -> list[tuple[str, str]]:
    return [(event.kind, event.source) for event in trip.events]


def flags(trip: ScoredTrip) -> set[str]:
    found = trip.quality["flags"]
    assert isinstance(found, list)
    return {str(flag) for flag in found if str(flag).startswith("imu")}


def stops_and_goes(interval_s: float = 1.0, *, hardest_g: float = 0.45, lag_s: float = 0.0) -> Readings:
    """Ten minutes with gentle changes of speed and one brake of `hardest_g` for 2 s, true forces as acceleration."""
    drop = hardest_g * G * 2
    speed = profile(
        (0, 0), (12, 18), (60, 18), (80, 8), (120, 8), (135, 20), (300, 20), (302, 20 - drop), (330, 20), (600, 20)
    )
    readings = drive(600.0, lambda t_s: speed(np.maximum(t_s - lag_s, 0.0)), interval_s=interval_s)
    t_s = (readings.fix_time_us - readings.fix_time_us[0]) / 1e6
    forward = (speed(t_s + 0.05) - speed(np.maximum(t_s - 0.05, 0.0))) / 0.1
    noise = np.random.default_rng(5).normal(0.0, 0.1, (2, len(t_s)))
    return readings.replace(
        acceleration_forward_mps2=forward + noise[0],
        acceleration_lateral_mps2=noise[1],
        acceleration_vertical_mps2=np.full(len(t_s), G),
    )


@pytest.mark.parametrize("interval_s", DENSE_S)
@pytest.mark.parametrize("lag_s", [0.0, 1.0, 2.0])
def test_one_brake_that_both_sensors_see_is_one_event_of_the_accelerometer(interval_s: float, lag_s: float) -> None:
    trip = score(stops_and_goes(interval_s, lag_s=lag_s))
    assert hard_events(trip) == [("hard_brake", "accelerometer")]
    assert trip.events[0].peak == pytest.approx(0.45 * G, rel=0.12)
    assert flags(trip) == set()


@pytest.mark.parametrize("interval_s", RATES_S)
def test_a_gentle_stop_is_no_event_at_any_rate(interval_s: float) -> None:
    assert hard_events(score(stops_and_goes(interval_s, hardest_g=0.1))) == []


def test_where_the_accelerometer_decides_a_jump_of_the_gps_speed_is_no_brake() -> None:
    readings = stops_and_goes(hardest_g=0.1)
    speed = readings.speed_mps.copy()
    speed[400:404] = (15.0, 10.0, 10.0, 15.0)
    assert hard_events(score(readings.replace(speed_mps=speed))) == []


def test_without_a_speed_field_the_accelerometer_still_measures() -> None:
    readings = stops_and_goes()
    trip = score(readings.replace(speed_mps=np.full(len(readings), np.nan)))
    assert hard_events(trip) == [("hard_brake", "accelerometer")]
    assert "hard_brake" not in trip.not_measurable


def test_a_blow_to_a_standing_car_is_no_manoeuvre() -> None:
    readings = stops_and_goes(hardest_g=0.1)
    speed, lateral = readings.speed_mps.copy(), readings.acceleration_lateral_mps2.copy()
    speed[500:530] = 0.0
    lateral[515] = 0.535 * G
    trip = score(readings.replace(speed_mps=speed, acceleration_lateral_mps2=lateral))
    assert [kind for kind, _ in hard_events(trip) if kind == "hard_corner"] == []


@pytest.mark.parametrize("rail_g", [2.0, -4.0, 8.0])
def test_a_saturated_stretch_is_flagged_and_no_brake(rail_g: float) -> None:
    readings = stops_and_goes(hardest_g=0.1)
    forward = readings.acceleration_forward_mps2.copy()
    forward[400:405] = rail_g * G
    trip = score(readings.replace(acceleration_forward_mps2=forward))
    assert hard_events(trip) == []
    assert flags(trip) == {"imu_saturated"}


@pytest.mark.parametrize("value", [0.0, -4.0])
def test_a_stuck_axis_is_flagged_and_the_gps_decides(value: float) -> None:
    readings = stops_and_goes()
    stuck = readings.replace(acceleration_forward_mps2=np.full(len(readings), value))
    trip = score(stuck)
    assert flags(trip) == {"imu_stuck"}
    assert hard_events(trip) == [("hard_brake", "gps_speed")]


def test_all_zero_is_flagged() -> None:
    readings = stops_and_goes()
    zero = np.zeros(len(readings))
    trip = score(readings.replace(acceleration_forward_mps2=zero, acceleration_lateral_mps2=zero))
    assert flags(trip) == {"imu_stuck"}


def swapped(readings: Readings) -> Readings:
    return readings.replace(
        acceleration_forward_mps2=readings.acceleration_lateral_mps2,
        acceleration_lateral_mps2=readings.acceleration_forward_mps2,
    )


def scaled(readings: Readings, factor: float) -> Readings:
    def times(values: Floats) -> Floats:
        return factor * values

    return readings.replace(
        acceleration_forward_mps2=times(readings.acceleration_forward_mps2.astype(np.float64)),
        acceleration_lateral_mps2=times(readings.acceleration_lateral_mps2.astype(np.float64)),
        acceleration_vertical_mps2=times(readings.acceleration_vertical_mps2.astype(np.float64)),
    )


def without_vertical(readings: Readings) -> Readings:
    return readings.replace(acceleration_vertical_mps2=np.full(len(readings), np.nan))


@pytest.mark.parametrize("interval_s", DENSE_S)
@pytest.mark.parametrize("fault", ["swapped", "reversed", "in_g", "times_g"])
@pytest.mark.parametrize("vertical", [True, False])
def test_wrong_axes_and_units_are_flagged_and_the_gps_decides(interval_s: float, fault: str, vertical: bool) -> None:
    readings = stops_and_goes(interval_s)
    wrong = {
        "swapped": swapped(readings),
        "reversed": scaled(readings, -1.0),
        "in_g": scaled(readings, 1 / G),
        "times_g": scaled(readings, G),
    }[fault]
    trip = score(wrong if vertical else without_vertical(wrong))
    assert "imu_uncalibrated" in flags(trip)
    assert hard_events(trip) == [("hard_brake", "gps_speed")]


def crash(*, stands: bool) -> Readings:
    """From 15 m/s into a wall in 0.15 s at 10 Hz; or a blow as hard to a car that drives on."""
    speed = profile((0, 15), (300, 15), (300.15, 0.0), (600, 0.0)) if stands else profile((0, 15), (600, 15))
    readings = drive(330.0 if stands else 600.0, speed, interval_s=0.1)
    forward = np.random.default_rng(5).normal(0.0, 0.1, len(readings))
    forward[3001] = -60.0
    return readings.replace(
        acceleration_forward_mps2=forward, acceleration_lateral_mps2=np.full(len(readings), 0.0) + forward / 10
    )


def test_a_crash_is_an_impact_that_leaves_the_car_standing() -> None:
    trip = score(crash(stands=True))
    assert "suspected_crash" in [event.kind for event in trip.events]
    assert "suspected_crash" not in trip.not_measurable


def test_a_blow_after_which_the_car_drives_on_is_no_crash() -> None:
    trip = score(crash(stands=False))
    assert hard_events(trip) == []
    assert "suspected_crash" not in trip.not_measurable


def test_at_1_hz_a_crash_is_not_measurable() -> None:
    assert "suspected_crash" in score(stops_and_goes(1.0)).not_measurable


@pytest.mark.skipif(not DRIVES.exists(), reason="the real drives of Omaha are not on this machine")
def test_omaha_with_the_accelerometer_agrees_with_the_graded_events() -> None:
    alone, fused = agreement(scored_with(accelerometer=False)), agreement(scored_with(accelerometer=True))
    print(f"GPS alone: recall {alone.recall:.2f}, precision {alone.precision:.2f} ({alone})")
    print(f"with the accelerometer: recall {fused.recall:.2f}, precision {fused.precision:.2f} ({fused})")
    assert fused.graded == 20
    assert fused.recall >= 0.9
    assert fused.precision >= 0.8
    assert alone.recall <= 0.1  # a GPS speed that lags and is smoothed sees next to none of them
