"""Behaviour as scored on simulated trips: what `behaviour.toml` is measured on, and what tests hold a book against."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import date

from ingest.readings import make_readings
from scoring.features import Totals
from scoring.match import Matcher
from scoring.path import score_readings
from scoring.roads import RoadMap
from simulator.upload import joined
from simulator.world import SimulatedTrip, simulate_month

type Halves = list[tuple[Sequence[Totals], Sequence[Totals]]]

FIRST_DAY = date(2026, 3, 2)
DAY_US, NOON_US = 86_400_000_000, 36_000_000_000  # noon of Helsinki: a night out and its way home are of one day


def scored_halves(
    roads: RoadMap,
    matcher: Matcher,
    *,
    drivers: int,
    days: int,
    time_zone: str,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Halves:
    """The totals of each driver's scored trips of so many days, every other day in the second half."""
    trips = simulate_month(
        roads, drivers=drivers, first_day=FIRST_DAY, days=days, time_zone=time_zone, seed=seed, progress=progress
    )
    by_driver: dict[int, list[SimulatedTrip]] = defaultdict(list)
    for trip in trips:
        by_driver[trip.driver].append(trip)
    return [_halves(driver, own, roads, matcher) for driver, own in by_driver.items()]


def _halves(
    driver: int, trips: list[SimulatedTrip], roads: RoadMap, matcher: Matcher
) -> tuple[Sequence[Totals], Sequence[Totals]]:
    columns = joined(trips)
    readings = make_readings(len(columns["fix_time_us"]), **columns)
    scored = [trip for trip in score_readings(readings, matcher, roads, device=driver) if trip.excluded is None]
    halves: tuple[list[Totals], list[Totals]] = ([], [])
    for trip in scored:
        halves[(trip.started_us - NOON_US) // DAY_US % 2].append(trip.totals)
    return halves
