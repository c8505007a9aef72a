"""The fleet of the realism report: on Curitiba's roads where they are at hand, its events graded by its truth."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from scoring.extract import demo_extract, read_road_map
from scoring.match import HiddenMarkovMatcher
from scoring.roads import RoadMap
from simulator.blocks import Plan, trips_of
from simulator.drivers import DEFAULT_POPULATION, draw_drivers
from simulator.grading import Grade, grades, scored_pairs
from simulator.realism import MAP_OF
from simulator.world import SimulatedTrip

FIRST_DAY = date(2026, 10, 5)  # a Monday
# Real drives come from devices that report each second; trackers are graded, not compared.
POPULATION = replace(DEFAULT_POPULATION, device_shares=(0.4, 0.4, 0.2))


@dataclass(frozen=True, slots=True)
class RealismFleet:
    """Simulated trips of devices at 1 Hz, the roads they were driven on, and the grades of all devices' events."""

    place: str
    roads: RoadMap
    trips: list[SimulatedTrip]
    grades: list[Grade]


def realism_fleet(
    extract: Path | None,
    data: Path,
    drivers: int,
    days: int,
    time_zone: str,
    seed: int,
    progress: Callable[[int, int], None],
) -> RealismFleet:
    """Simulates and scores; `extract` comes before Curitiba's in `data`, and that before the demo's."""
    curitiba = data / MAP_OF["Curitiba"]
    path = extract or (curitiba if curitiba.is_file() else demo_extract())
    plan = Plan(path, drivers, FIRST_DAY, days, time_zone, seed, POPULATION)
    trips: list[SimulatedTrip] = []
    for number in range(drivers):
        trips += trips_of(plan, [number])
        progress(number + 1, drivers)
    kinds = {driver.number: driver.device_kind for driver in draw_drivers(drivers, seed, POPULATION)}
    roads = read_road_map(path)
    graded = grades(scored_pairs(trips, HiddenMarkovMatcher(roads), roads), kinds)
    return RealismFleet(path.name, roads, [trip for trip in trips if kinds[trip.driver] != "tracker"], graded)
