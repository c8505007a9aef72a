"""Trips as columns: a trip by itself and among thousands are the same to the last bit."""

import numpy as np
import pytest

from ingest.readings import Readings, concatenate
from scoring.clean import clean_readings
from scoring.driven import on_roads
from scoring.exposure import TOTALS, cells_of
from scoring.extract import demo_extract, read_road_map
from scoring.features import FEATURES, Sameness, features_of, trip_features
from scoring.match import HiddenMarkovMatcher
from scoring.measuring import Measured, measure_trips
from scoring.path import score_readings
from scoring.segments import Place, segments_of
from scoring.settings import DEFAULT_SETTINGS
from scoring.trips import Trips, cut_trips
from tests.scoring.driving import START_US, drive, profile

DAY_US = 86_400_000_000


def different_trips() -> list[Readings]:
    """A day apart: dense and sparse, with and without a reported speed, turns, a phone, an accelerometer, a silence."""
    speed = profile((0, 0), (8, 18), (60, 18), (64, 4), (70, 4), (80, 22), (280, 22), (284, 9), (300, 0))
    turns = profile((0, 90), (60, 90), (68, 180), (150, 350), (156, 20), (300, 20))
    trips = []
    for day, interval_s in enumerate((1.0, 0.1, 5.0, 1.0, 1.0, 10.0)):
        trips.append(
            drive(
                300.0,
                speed,
                interval_s=interval_s,
                heading_deg=turns,
                noise_m=3.0,
                with_speed=day != 3,
                start_us=START_US + day * DAY_US,
                seed=day,
            )
        )
    count = len(trips[1])
    trips[0] = trips[0].replace(phone_in_use=np.where(np.arange(len(trips[0])) % 90 < 40, 1.0, 0.0))
    trips[1] = trips[1].replace(
        acceleration_forward_mps2=np.gradient(trips[1].speed_mps.astype(np.float64), 0.1),
        acceleration_lateral_mps2=np.zeros(count),
    )
    trips[4] = trips[4].take(np.flatnonzero((np.arange(301) < 100) | (np.arange(301) > 150)))
    return trips


def with_places_before(trips: list[Readings]) -> list[tuple[Readings, Place | None]]:
    """Each trip, and where the device was last seen before it."""
    last = [Place(int(one.fix_time_us[-1]), float(one.latitude_deg[-1]), float(one.longitude_deg[-1])) for one in trips]
    return list(zip(trips, [None, *last[:-1]], strict=True))


def measured(readings: Readings, previous: Place | None = None) -> tuple[Trips, Measured]:
    cutting = DEFAULT_SETTINGS.cutting
    trips = cut_trips(segments_of(clean_readings(readings), previous, cutting), cutting)
    return trips, measure_trips(trips, None, DEFAULT_SETTINGS.thresholds)


def test_a_trip_alone_and_in_a_batch_has_the_same_events_counters_and_features() -> None:
    every = different_trips()
    trips, batch = measured(concatenate(every))
    assert len(trips) == len(every)
    assert len(set(batch.events.kind.tolist())) >= 3
    for number, (readings, previous) in enumerate(with_places_before(every)):
        _, alone = measured(readings, previous)
        rows = slice(batch.first_event[number], batch.first_event[number + 1])
        for name in ("kind", "start", "stop", "peak", "sensed"):
            assert np.array_equal(getattr(batch.events, name)[rows], getattr(alone.events, name)), name
        assert np.array_equal(batch.amounts[rows], alone.amounts)
        assert np.array_equal(batch.looked.measurable[number], alone.looked.measurable[0])
        assert cells_of(batch.metres[number], batch.seconds[number]) == cells_of(alone.metres[0], alone.seconds[0])
        assert batch.totals_of(number) == alone.totals_of(0)
        features = trip_features(TOTALS, batch.totals)[number]
        assert np.array_equal(features, trip_features(TOTALS, alone.totals)[0], equal_nan=True)


@pytest.mark.parametrize("with_roads", [False, True])
def test_a_scored_trip_is_the_same_alone_and_in_a_batch(with_roads: bool) -> None:
    roads = read_road_map(demo_extract()) if with_roads else None
    matcher = HiddenMarkovMatcher(roads) if roads else None
    every = different_trips()
    batch = score_readings(concatenate(every[::-1]), matcher, roads, device="car-1")
    alone = [
        trip
        for readings, previous in with_places_before(every)
        for trip in score_readings(readings, matcher, roads, device="car-1", previous=previous)
    ]
    assert [trip.content_digest for trip in batch] == [trip.content_digest for trip in alone]
    assert len(batch) == len(every)


def test_features_of_a_table_are_those_of_each_trip() -> None:
    trips, found = measured(concatenate(different_trips()))
    table = trip_features(TOTALS, found.totals)
    for number in range(len(trips)):
        wanted = features_of(found.totals_of(number))
        for feature, value in zip(FEATURES, table[number].tolist(), strict=True):
            if not isinstance(feature, Sameness):
                assert wanted[feature.name] == (None if np.isnan(value) else round(value, 6)), feature.name


def test_what_no_map_says_is_the_same_as_no_map() -> None:
    trips, without = measured(concatenate(different_trips()))
    own = [trips.trip(number, DEFAULT_SETTINGS.cutting) for number in range(len(trips))]
    nowhere = measure_trips(trips, [on_roads(trip, None, None) for trip in own], DEFAULT_SETTINGS.thresholds)
    assert np.array_equal(nowhere.totals, without.totals)
    assert np.array_equal(nowhere.metres, without.metres)
