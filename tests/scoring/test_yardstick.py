"""Others' public formulas give the numbers that their publishers' examples give, and None where we cannot know."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from scoring.files import score_file_readings
from scoring.match import HiddenMarkovMatcher
from scoring.path import score_readings
from scoring.series import Floats
from scoring.settings import DEFAULT_SETTINGS
from scoring.yardstick import (
    METRES_PER_MILE,
    VENDORS,
    damoov_phone_penalty,
    motive_score,
    samsara_score,
    tesla_v1_pcf,
    tesla_v1_score,
    tesla_v2_pcf,
    tesla_v2_score,
)
from tests.scoring.driving import drive, profile
from tests.scoring.test_events import straight_road

CLEAN = {"hb": 0.0, "at": 0.0, "ln": 0.0, "es": 0.0, "ub": 0.0}
G = 9.80665


def test_samsara_five_events_in_247_miles_with_69_of_520_minutes_speeding_is_67() -> None:
    assert samsara_score(5, 247 * METRES_PER_MILE, 69 * 60, 520 * 60) == 67


def test_damoov_60_s_at_50_and_30_s_at_120_is_28_695() -> None:
    assert damoov_phone_penalty(((50.0, 60.0), (120.0, 30.0))) == pytest.approx(28.695, abs=1e-9)
    assert damoov_phone_penalty(((39.9, 10.0), (40.0, 10.0), (105.0, 10.0))) == pytest.approx(
        0.434 + 2.372 + 4.821, abs=1e-9
    )


def test_tesla_a_clean_driver_has_99_9999999() -> None:
    pcf = tesla_v2_pcf(**CLEAN, uf=0.0, fad=0)
    assert pcf == 0.57198191
    assert tesla_v2_score(pcf, sensors=True) == pytest.approx(99.9999999, abs=2e-7)
    assert tesla_v1_score(tesla_v1_pcf(fcw=0, hb=0, at=0, uf=0, fad=0)) == pytest.approx(100.0, abs=1e-4)


def test_tesla_a_clean_driver_without_sensors_has_100_too() -> None:
    assert tesla_v2_score(tesla_v2_pcf(**CLEAN, uf=21.8, fad=0), sensors=False) == pytest.approx(100.0, abs=2e-3)


def test_tesla_the_score_reaches_0_at_a_frequency_of_3_154_and_stays_there() -> None:
    assert tesla_v2_score(3.153, sensors=True) == pytest.approx(0.0393, abs=1e-3)
    assert tesla_v2_score(3.1541, sensors=True) == 0.0
    assert tesla_v2_score(5.0, sensors=True) == 0.0


def test_tesla_by_hand() -> None:
    # 0.682854 x 1.127294^2 x 1.019630^10 x 1.317958 = 1.389, and 115.382324 - 22.526504 x 1.389 = 84.09
    pcf = tesla_v1_pcf(fcw=0, hb=2.0, at=10.0, uf=0, fad=1)
    assert pcf == pytest.approx(0.682854 * 1.2707917 * 1.2145798 * 1.317958, rel=1e-5)
    assert tesla_v1_score(pcf) == pytest.approx(84.09, abs=0.01)
    # Caps: what is over one counts as the cap.
    assert tesla_v2_pcf(**(CLEAN | {"hb": 50.0}), uf=0, fad=0) == pytest.approx(0.57198191 * 1.2359911**5.2)
    assert tesla_v1_pcf(fcw=500, hb=0, at=0, uf=0, fad=0) == pytest.approx(0.682854 * 1.014495**101.9)


def test_motive_by_hand() -> None:
    # One of each in 1000 miles: 100 - (1 + 4 + 2 + 6 + 10).
    each = {"hard_acceleration": 1, "hard_brake": 1, "hard_corner": 1, "speeding": 1, "phone_use": 1}
    assert motive_score(each, 1000 * METRES_PER_MILE) == pytest.approx(77.0)
    assert motive_score(each, 100 * METRES_PER_MILE) == 50.0


def test_vendors_draw_the_line_at_different_places() -> None:
    assert VENDORS["geotab_passenger_car"].brake_mps2 == pytest.approx(2.942, abs=1e-3)
    assert VENDORS["gps_insight_class_1"].brake_mps2 == pytest.approx(3.727, abs=1e-3)
    drop = 0.34 * G * 3
    speed = profile((0, 20), (100, 20), (103, 20 - drop), (130, 20), (600, 20))
    trip = score_readings(drive(600.0, speed), None, None, device="car", with_yardstick=True)[0]
    assert trip.yardstick is not None
    counts = {name: trip.yardstick[name]["counts"]["hard_brake"] for name in VENDORS}  # type: ignore[index]
    assert counts == {
        "geotab_passenger_car": 1,
        "geotab_light_truck": 1,
        "geotab_heavy": 1,
        "gps_insight_class_1": 0,
        "sentiance": 1,
        "teltonika_fmm00a": 1,
    }


def test_a_trip_with_phone_belt_and_limit_has_every_value_that_can_be_known() -> None:
    steady = profile((0, 60 / 3.6), (1, 60 / 3.6))
    readings = drive(600.0, steady)
    t_s = np.arange(len(readings))
    readings = readings.replace(
        phone_in_use=((t_s >= 100) & (t_s < 130)).astype(float), belt_fastened=(t_s >= 60).astype(float)
    )
    roads = straight_road(50.0)
    trip = next(
        score_file_readings(
            readings, HiddenMarkovMatcher(roads), roads, DEFAULT_SETTINGS, device_id="car", quarantined=0
        )
    )
    found = trip["yardstick"]
    assert isinstance(found, dict)
    assert found["samsara"]["value"] == 0  # all of the time over the limit
    assert found["damoov_phone_penalty"]["value"] == pytest.approx(30 * 0.2929, abs=1e-3)
    # 10 % of the time unbelted: 123.50230309 - 38.72920381 x 0.57198191 x 1.00271921^21.8 x 1.01151237^10
    assert found["tesla_v2_2"]["inputs"]["ub"] == pytest.approx(10.0, abs=1e-3)
    assert found["tesla_v2_2"]["value"] == pytest.approx(97.145, abs=0.01)
    assert found["geotab_passenger_car"]["counts"]["speeding"] == 0  # 60 is not over 50 + 20 %
    json.dumps(found)


def test_what_cannot_be_measured_is_none_with_a_reason() -> None:
    readings = drive(600.0, profile((0, 15), (1, 15)), interval_s=5.0)
    trip = score_readings(readings, None, None, device="car", with_yardstick=True)[0]
    assert trip.yardstick is not None
    for name in ("tesla_v1_0", "tesla_v2_2", "samsara", "motive", "damoov_phone_penalty"):
        assert trip.yardstick[name]["value"] is None
        assert str(trip.yardstick[name]["reason"]).startswith("not measurable: ")
    assert trip.yardstick["sentiance"]["counts"] == {
        "hard_brake": None,
        "hard_acceleration": None,
        "hard_corner": None,
        "speeding": None,
    }


def test_the_yardstick_is_no_part_of_a_trips_content() -> None:
    readings = drive(600.0, profile((0, 15), (1, 15)))
    with_it, without = (
        score_readings(readings, None, None, device="car", with_yardstick=asked)[0] for asked in (True, False)
    )
    assert with_it.content_digest == without.content_digest
    assert without.yardstick is None


def zendrive(
    speed: Callable[[Floats], Floats], heading: Callable[[Floats], Floats] | None = None, *, phone_s: int = 0
) -> object:
    """What Zendrive's class of apps counts on 300 s of a road with a limit of 50 km/h."""
    readings = drive(300.0, speed, heading_deg=heading)
    second = np.arange(len(readings))
    if phone_s:
        readings = readings.replace(phone_in_use=((second >= 100) & (second < 100 + phone_s)).astype(float))
    roads = straight_road(50.0)
    (trip,) = score_readings(readings, HiddenMarkovMatcher(roads), roads, device="car", with_yardstick=True)
    assert trip.yardstick is not None
    return trip.yardstick["zendrive_class"]["counts"]


def test_zendrives_class_by_hand() -> None:
    steady = profile((0, 12), (300, 12))
    # 3.5 m/s2 for three seconds is over 3.13, 2.9 is under; so much for both directions.
    braked = zendrive(
        profile((0, 14), (100, 14), (103, 3.5), (120, 14), (200, 14), (203, 5.3), (220, 14), (300, 14)), phone_s=4
    )
    assert braked == {"hard_brake": 1, "hard_acceleration": 0, "hard_corner": 0, "speeding": 0, "phone_use": 1}
    # 12 m/s x 20 deg/s = 4.19 m/s2 sideways, over 3.58: for 60 degrees a corner, for 20 degrees none.
    wide = zendrive(steady, profile((0, 90), (100, 90), (103, 150), (300, 150)))
    narrow = zendrive(steady, profile((0, 90), (100, 90), (101, 110), (300, 110)))
    assert [one["hard_corner"] for one in (wide, narrow)] == [1, 0]  # type: ignore[index]
    assert [one["phone_use"] for one in (wide, narrow)] == [None, None]  # type: ignore[index]
    # 60 km/h is more than 5 mph over 50, 57 is not; nine seconds are too short.
    at_60, at_57 = 60 / 3.6, 57 / 3.6
    fast = profile(
        (0, 12), (50, 12), (51, at_60), (71, at_60), (72, 12), (150, 12), (151, at_57), (180, at_57), (181, 12),
        (240, 12), (241, at_60), (247, at_60), (248, 12),
    )  # fmt: skip
    assert zendrive(fast)["speeding"] == 1  # type: ignore[index]


def test_damoov_tolerates_15_up_to_a_limit_of_85_and_20_above() -> None:
    for limit_kmh, tolerated, counted in ((50, 64, 66), (85, 99, 101), (90, 109, 111)):
        roads = straight_road(limit_kmh)
        seconds = []
        for kmh in (tolerated, counted):
            readings = drive(300.0, profile((0, kmh / 3.6), (300, kmh / 3.6)))
            (trip,) = score_readings(readings, HiddenMarkovMatcher(roads), roads, device="car", with_yardstick=True)
            assert trip.yardstick is not None
            seconds.append(trip.yardstick["damoov_speeding"]["value"])
        assert seconds == [0.0, pytest.approx(300.0, abs=2)], limit_kmh
