"""Features against hand-computed cases: cells, long driving, regularity, severity."""

from datetime import UTC, datetime

import pytest

from scoring.classes import EXPOSURE_CLASSES, HOUR_BANDS, OVER_LIMIT_BANDS
from scoring.exposure import cell_totals
from scoring.features import CELL_FEATURES, FEATURES, Sameness, features_of, sum_totals
from scoring.match import HiddenMarkovMatcher
from scoring.path import ScoredTrip, score_readings
from tests.scoring.driving import drive, profile
from tests.scoring.test_events import straight_road


def scored(end_s: float, speed: object, *, at: str = "2026-09-02T05:30:00+00:00") -> ScoredTrip:
    """One trip on a straight residential road with a limit of 50, near Helsinki."""
    roads = straight_road(50.0)
    start_us = int(datetime.fromisoformat(at).astimezone(UTC).timestamp() * 1e6)
    readings = drive(end_s, speed, start_us=start_us)  # type: ignore[arg-type]
    (trip,) = score_readings(readings, HiddenMarkovMatcher(roads), roads, device="car-1")
    return trip


def test_cells_name_every_combination_once_and_their_kilometres_and_minutes_are_the_trips() -> None:
    names = [feature.name for feature in CELL_FEATURES]
    assert len(set(names)) == len(names) == 2 * len(EXPOSURE_CLASSES) * len(HOUR_BANDS) * len(OVER_LIMIT_BANDS)
    trip = scored(600.0, profile((0, 0), (10, 15), (200, 21), (400, 13), (590, 16), (600, 0)))
    totals = cell_totals(trip.exposure)
    values = {feature.name: feature.of(totals) or 0.0 for feature in CELL_FEATURES}
    km, minutes = (sum(value for name, value in values.items() if name.endswith(end)) for end in ("_km", "_min"))
    assert km == pytest.approx(trip.distance_m / 1000)
    assert minutes == pytest.approx(trip.totals["measured_s"] / 60)
    cell = next(cell for cell in trip.exposure if cell.over_limit_band == "over_20")
    assert values[f"{cell.road_class}_{cell.hour_band}_over_20_km"] == cell.distance_m / 1000
    assert cell_totals([*trip.exposure, *trip.exposure]) == {name: 2 * count for name, count in totals.items()}


def test_shares_of_time_and_km_by_hour_and_class_sum_to_one() -> None:
    features = scored(600.0, profile((0, 0), (10, 15), (590, 15), (600, 0))).features
    for names, unit in ((HOUR_BANDS, "km"), (HOUR_BANDS, "time"), (EXPOSURE_CLASSES, "km"), (EXPOSURE_CLASSES, "time")):
        shares = [features[f"{name}_{unit}_share"] for name in names]
        assert sum(share for share in shares if share is not None) == pytest.approx(1.0, abs=1e-5)
    assert features["morning_time_share"] == 1.0  # 08:30 in Helsinki


def test_long_driving_begins_after_two_hours_without_a_stop() -> None:
    short = scored(7100.0, profile((0, 0), (10, 12), (7090, 12), (7100, 0)))
    long = scored(9000.0, profile((0, 0), (10, 12), (8990, 12), (9000, 0)))
    assert (short.totals["long_drives"], short.totals["long_drive_s"]) == (0, 0)
    assert (long.totals["long_drives"], long.totals["long_drive_s"]) == (1, 1800)
    both = features_of(sum_totals([short.totals, long.totals]))
    assert both["long_drive_trip_share"] == 0.5
    assert both["long_drive_time_share"] == pytest.approx(1800 / 16_100, abs=1e-4)


def test_regularity_is_the_chance_that_two_trips_begin_in_the_same_hour() -> None:
    regularity = next(feature for feature in FEATURES if isinstance(feature, Sameness))
    assert regularity.of({"starts_workday_07": 10}) == 1.0
    assert regularity.of({f"starts_workday_{hour:02}": 1 for hour in range(10)}) == 0.0
    assert regularity.of({"starts_workday_07": 5, "starts_workday_16": 5}) == pytest.approx(40 / 90)
    assert regularity.of({"starts_workday_07": 1}) is None
    # Wednesday 07:30 and Saturday 07:30 of the place, not of UTC.
    speed = profile((0, 0), (10, 15), (290, 15), (300, 0))
    keys = [
        [name for name in scored(300.0, speed, at=at).totals if name.startswith("starts_")]
        for at in ("2026-09-02T04:30:00+00:00", "2026-09-05T04:30:00+00:00")
    ]
    assert keys == [["starts_workday_07"], ["starts_weekend_07"]]


def test_a_severe_manoeuvre_reaches_one_and_a_half_thresholds() -> None:
    speed = profile((0, 0), (10, 15), (100, 15), (104, 0.6), (120, 15), (300, 15), (302.5, 0.5), (320, 15), (590, 15))
    trip = scored(600.0, speed)
    peaks = sorted(event.peak for event in trip.events if event.kind == "hard_brake")
    assert len(peaks) == 2
    assert peaks[0] < 4.5 <= peaks[1]
    assert (trip.totals["hard_brake_events"], trip.totals["severe_hard_brake_events"]) == (2, 1)
    assert trip.features["severe_hard_brakes_per_100km"] == pytest.approx(100_000 / trip.distance_m)


def test_speeding_is_severe_from_20_km_h_over() -> None:
    trip = scored(600.0, profile((0, 0), (10, 13), (200, 13), (210, 16), (300, 16), (310, 13), (400, 13), (410, 21)))
    peaks = sorted(event.peak for event in trip.events if event.kind == "speeding")
    assert [peak >= 20 for peak in peaks] == [False, True]
    assert (trip.totals["speeding_events"], trip.totals["severe_speeding_events"]) == (2, 1)
