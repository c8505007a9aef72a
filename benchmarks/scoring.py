"""Speed of scoring: readings in a second on one core, without and with matching, beside a plain pass and a peer.

Run `POLARS_MAX_THREADS=1 uv run --group benchmark python -m benchmarks.scoring [--trips N] [--seed N]`.

The trips are physics at 1 Hz: 20 minutes of speeds and turns, 2 m of noise. Rows, each over the same trips in one run:
`clean, events, features` is cleaning, cutting, events, counters and features of all trips as columns, as the worker
does with the readings of a device, without score, certificate or identity; `one trip a call` the same trip by trip;
`whole` is `score_readings`; `whole, matched` the same over drives on the roads of central Helsinki. `plain numba pass`
reads each position once: distance, speed, acceleration, three thresholds. The peer is `insurance-telematics`, cleaning
and extracting, where it is installed (`pip install insurance-telematics`); its 12 features are fewer than ours. Counted
is processor time over all threads, the best of some runs taken in turns; wall time stands beside it.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from benchmarks.matching import known_drives, noisy
from ingest.readings import Readings, concatenate, make_readings
from scoring.clean import clean_readings
from scoring.extract import demo_extract, read_road_map
from scoring.match import HiddenMarkovMatcher
from scoring.measuring import measure_trips
from scoring.path import score_readings
from scoring.segments import segments_of
from scoring.settings import DEFAULT_SETTINGS
from scoring.trips import cut_trips
from scoring.worker import MOST_READINGS
from tests.scoring.driving import drive, profile

type Floats = NDArray[np.float64]

TRIP_S = 1200.0
PLAIN, OURS, PEER = "plain numba pass", "clean, events, features", "insurance-telematics"
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
    """Cleaning, cutting, events, counters and features of one device's readings; returns how many features."""
    settings = DEFAULT_SETTINGS
    trips = cut_trips(segments_of(clean_readings(readings), None, settings.cutting), settings.cutting)
    measured = measure_trips(trips, None, settings.thresholds)
    return measured.features.size


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


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: what is run over which inputs, and how many readings those hold."""

    name: str
    run: Callable[[], object]
    readings: int


def measure(rows: Sequence[Row], repeats: int) -> dict[str, tuple[float, float]]:
    """Readings in a second of processor time and of wall time, the best of `repeats` after one run that compiles.

    The rows take turns, so that what else the machine does meets all of them.
    """
    best = {row.name: (np.inf, np.inf) for row in rows}
    for turn in range(repeats + 1):
        for row in rows:
            processor_s, wall_s = time.process_time(), time.perf_counter()
            row.run()
            processor_s, wall_s = time.process_time() - processor_s, time.perf_counter() - wall_s
            if turn:
                best[row.name] = (min(best[row.name][0], processor_s), min(best[row.name][1], wall_s))
    return {row.name: (row.readings / best[row.name][0], row.readings / best[row.name][1]) for row in rows}


def each[One](run: Callable[[One], object], inputs: Sequence[One]) -> Callable[[], None]:
    """One call for each of the inputs."""

    def run_all() -> None:
        for one in inputs:
            run(one)

    return run_all


def peer(trips: list[Readings]) -> list[Row]:
    """The peer on all trips in one table; [] where it is not installed."""
    try:
        import polars  # noqa: PLC0415  optional, asked for only here
        from insurance_telematics import clean_trips, extract_trip_features  # noqa: PLC0415
    except ImportError:
        return []
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
    return [Row(PEER, lambda: extract_trip_features(clean_trips(table)), len(every))]


def devices(trips: list[Readings]) -> list[Readings]:
    """The trips as the readings of some devices, each with as many as the worker scores at once."""
    of_each = max(1, MOST_READINGS // len(trips[0]))
    return [concatenate(trips[first : first + of_each]) for first in range(0, len(trips), of_each)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trips", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
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
    rows = [
        Row(PLAIN, each(lambda one: plain_pass(*one), columns), readings),
        Row(OURS, each(events_and_features, devices(trips)), readings),
        Row("  one trip a call", each(events_and_features, trips), readings),
        *peer(trips),
        Row("whole", each(lambda one: score_readings(one, None, None, device="car"), trips), readings),
        Row("whole, matched", each(lambda one: score_readings(one, matcher, roads, device="car"), on_map), mapped),
    ]
    found = measure(rows, arguments.repeats)
    print(f"{'readings/s':26} {'processor':>14} {'wall':>14}   of the plain pass")
    for name, (processor, wall) in found.items():
        print(f"{name:26} {processor:14,.0f} {wall:14,.0f}   1/{found[PLAIN][0] / processor:.1f}")
    if PEER in found:
        by_processor, by_wall = (mine / theirs for mine, theirs in zip(found[OURS], found[PEER], strict=True))
        print(f"{OURS}: {by_processor:.2f} times the peer's by processor time, {by_wall:.2f} by wall time")
    else:
        print(f"{PEER} skipped: it is not installed")


if __name__ == "__main__":
    main()
