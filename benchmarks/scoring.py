"""Speed of scoring: readings in a second on one core, without and with matching, beside a plain pass and a peer.

Run `uv run --group benchmark python -m benchmarks.scoring [--trips N] [--seed N]`.

The trips are physics at 1 Hz: 20 minutes of speeds and turns, 2 m of noise. Rows, each over the same trips in one run:
`clean, events, features` is cleaning, cutting, events, exposure and features, without score, certificate or identity;
`whole` is `score_readings`; `whole, matched` the same over drives on the roads of central Helsinki. `plain numba pass`
reads each position once: distance, speed, acceleration, three thresholds. The peer is `insurance-telematics`, cleaning
and extracting, where it is installed (`pip install insurance-telematics`); its 12 features are fewer than ours. Set
POLARS_MAX_THREADS=1: processor time is counted, over all threads.
"""

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks.matching import known_drives, noisy
from ingest.readings import Readings, concatenate, make_readings
from scoring.clean import clean_readings
from scoring.driven import on_roads
from scoring.events import find_events
from scoring.exposure import exposure_cells, trip_totals
from scoring.extract import demo_extract, read_road_map
from scoring.features import features_of
from scoring.match import HiddenMarkovMatcher
from scoring.path import score_readings
from scoring.place_time import zone_at
from scoring.settings import DEFAULT_SETTINGS
from scoring.segments import segments_of
from scoring.trips import cut_trips
from tests.scoring.driving import drive, profile

type Floats = NDArray[np.float64]

TRIP_S = 1200.0
DISTINCT = 40  # different trips; the others repeat them at other places and times


def made_trips(count: int, rng: np.random.Generator) -> list[Readings]:
    """Trips of 20 minutes at 1 Hz, each begins somewhere else and two hours after the one before."""
    distinct = [_made_trip(int(rng.integers(1 << 31))) for _ in range(min(count, DISTINCT))]
    trips = []
    for number in range(count):
        trip = distinct[number % len(distinct)]
        moved = trip.latitude_deg + 0.01 * (number // len(distinct))
        later = trip.fix_time_us + np.int64(7_200_000_000) * number
        trips.append(trip.replace(latitude_deg=moved, fix_time_us=later))
    return trips


def _made_trip(seed: int) -> Readings:
    rng = np.random.default_rng(seed)
    points, at_s = [(0.0, 0.0)], 0.0
    while at_s < TRIP_S - 60.0:
        speed_mps = rng.uniform(6.0, 25.0)
        for lasts_s, then_mps in ((rng.uniform(4, 12), speed_mps), (rng.uniform(10, 60), speed_mps)):
            at_s += lasts_s
            points.append((at_s, then_mps))
        if rng.random() < 0.5:
            for lasts_s in (rng.uniform(3, 8), rng.uniform(5, 40)):
                at_s += lasts_s
                points.append((at_s, 0.0))
    turns = [(float(at), float(rng.uniform(0, 360))) for at in range(0, int(TRIP_S) + 60, 60)]
    return drive(TRIP_S, profile(*points), heading_deg=profile(*turns), noise_m=2.0, seed=seed)


def events_and_features(readings: Readings) -> int:
    """Cleaning, cutting, events, exposure and features of one trip's readings; returns how many features."""
    settings, found = DEFAULT_SETTINGS, 0
    trips = cut_trips(segments_of(clean_readings(readings), None, settings.cutting), settings.cutting)
    for trip in [trips.trip(number, settings.cutting) for number in range(len(trips))]:
        driven = on_roads(trip, None, None)
        findings = find_events(trip, driven, settings.thresholds)
        cells = exposure_cells(trip, driven)
        zone = zone_at(float(trip.readings.latitude_deg[0]), float(trip.readings.longitude_deg[0]))
        found += len(features_of(trip_totals(trip, driven, findings, cells, settings.thresholds, zone)))
    return found


@njit
def plain_pass(t_s: Floats, latitude_deg: Floats, longitude_deg: Floats, speed_mps: Floats) -> tuple[float, int]:  # type: ignore[misc]
    """The least that touches every position: great-circle steps, and three thresholds on the raw derivative."""
    way_m, events = 0.0, 0
    for i in range(1, len(t_s)):
        middle = np.radians((latitude_deg[i] + latitude_deg[i - 1]) / 2.0)
        north_m = (latitude_deg[i] - latitude_deg[i - 1]) * 111_195.0
        east_m = (longitude_deg[i] - longitude_deg[i - 1]) * 111_195.0 * np.cos(middle)
        step_s = t_s[i] - t_s[i - 1]
        if 0.0 < step_s < 20.0:
            way_m += np.sqrt(north_m * north_m + east_m * east_m)
            change = (speed_mps[i] - speed_mps[i - 1]) / step_s
            events += (change < -3.0) + (change > 2.6) + (speed_mps[i] > 36.0)
    return way_m, events


def matched_trips(seed: int) -> list[Readings]:
    """Drives over central Helsinki with 5 m of noise that lasts, and their speeds."""
    rng = np.random.default_rng(seed)
    trips = []
    for known in known_drives(read_road_map(demo_extract()), 60, rng, legs=8):
        latitude_deg, longitude_deg = noisy(known, 5.0, True, rng)
        trips.append(
            make_readings(
                len(known.edge), fix_time_us=known.fix_time_us, latitude_deg=latitude_deg, longitude_deg=longitude_deg
            )
        )
    return trips


def rate[One](run: Callable[[One], object], trips: Sequence[One], readings: int, repeats: int = 3) -> float:
    """Readings in a second of processor time, the best of some runs after one that compiles."""
    run(trips[0])
    best_s = np.inf
    for _ in range(repeats):
        begin = time.process_time()
        for trip in trips:
            run(trip)
        best_s = min(best_s, time.process_time() - begin)
    return readings / best_s


def peer_rate(trips: list[Readings]) -> float | None:
    """The peer on all trips in one table, or None where it is not installed."""
    try:
        import polars  # noqa: PLC0415  optional, asked for only here
        from insurance_telematics import clean_trips, extract_trip_features  # noqa: PLC0415
    except ImportError:
        return None
    every = concatenate(trips)
    lengths = [len(trip) for trip in trips]
    table = polars.DataFrame(
        {
            "trip_id": np.repeat([f"trip-{number}" for number in range(len(trips))], lengths),
            "timestamp": every.fix_time_us.astype("datetime64[us]"),
            "latitude": every.latitude_deg,
            "longitude": every.longitude_deg,
            "speed_kmh": every.speed_mps.astype(np.float64) * 3.6,
        }
    )
    return rate(lambda one: extract_trip_features(clean_trips(one)), [table], len(every))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trips", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    trips = made_trips(arguments.trips, np.random.default_rng(arguments.seed))
    readings = sum(len(trip) for trip in trips)
    columns = [
        (trip.fix_time_us / 1e6, trip.latitude_deg, trip.longitude_deg, trip.speed_mps.astype(np.float64))
        for trip in trips
    ]
    matcher, on_map = HiddenMarkovMatcher(roads := read_road_map(demo_extract())), matched_trips(arguments.seed)
    mapped = sum(len(trip) for trip in on_map)
    print(f"{len(trips)} trips of 20 min, {readings:,} readings; {len(on_map)} on roads, {mapped:,} readings")
    plain = rate(lambda one: plain_pass(*one), columns, readings)
    rows = {
        "plain numba pass": plain,
        "clean, events, features": rate(events_and_features, trips, readings),
        "whole": rate(lambda one: score_readings(one, None, None, device="car"), trips, readings),
        "whole, matched": rate(lambda one: score_readings(one, matcher, roads, device="car"), on_map, mapped),
    }
    theirs = peer_rate(trips)
    for name, found in (rows if theirs is None else rows | {"insurance-telematics": theirs}).items():
        print(f"{name:26} {found:12,.0f} readings/s   1/{plain / found:.1f} of the plain pass")
    if theirs is None:
        print("insurance-telematics skipped: it is not installed")


if __name__ == "__main__":
    main()
