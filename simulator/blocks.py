"""A large fleet in blocks of drivers, several processes at a time, into files: readings, true motion, key.

What a block holds depends on the seed and its drivers alone, so the files are the same for any number of processes.
"""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from scoring.extract import read_road_map
from simulator.drivers import DEFAULT_POPULATION, Population, draw_driver
from simulator.files import write_parquet
from simulator.seeds import POPULATION, generator
from simulator.surroundings import read_surroundings
from simulator.truth import TrueMotion, write_truth
from simulator.world import SimulatedTrip, World, make_world, simulate_driver

DRIVERS_A_BLOCK = 25


@dataclass(frozen=True, slots=True)
class Plan:
    """A fleet to simulate. `extract` is an OSM extract, `time_zone` an IANA name."""

    extract: Path
    drivers: int
    first_day: date
    days: int
    time_zone: str
    seed: int
    population: Population = DEFAULT_POPULATION


@dataclass(frozen=True, slots=True)
class Written:
    """What one block came to: counts, and the true kilometres."""

    drivers: int
    trips: int
    readings: int
    driven_s: int
    km: float


def device_id(driver: int) -> str:
    """The id of a simulated driver's device."""
    return f"sim-{driver:06}"


def simulate_to_files(plan: Plan, folder: Path, processes: int) -> Iterator[Written]:
    """Writes `readings-*.parquet`, `motion-*.parquet`, `truth-*.jsonl` into the folder; yields blocks as they end."""
    folder.mkdir(parents=True, exist_ok=True)
    blocks = [
        (plan, folder, range(first, min(first + DRIVERS_A_BLOCK, plan.drivers)))
        for first in range(0, plan.drivers, DRIVERS_A_BLOCK)
    ]
    if processes <= 1 or len(blocks) == 1:
        yield from map(_write_block, blocks)
        return
    # Not forked: a copy of a process with threads in it (of a progress bar, of a Parquet writer) may stand still.
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(blocks)), mp_context=spawning) as pool:
        yield from pool.map(_write_block, blocks)


@lru_cache(maxsize=1)
def world_of(extract: Path) -> World:
    """The world of an extract; one is kept."""
    roads = read_road_map(extract)
    return make_world(roads, read_surroundings(extract, roads))


def trips_of(plan: Plan, drivers: Sequence[int]) -> list[SimulatedTrip]:
    """All trips of some drivers of the plan, by driver and time."""
    world = world_of(plan.extract)
    trips: list[SimulatedTrip] = []
    for number in drivers:
        driver = draw_driver(number, generator(plan.seed, number, POPULATION), plan.population)
        for of_day in simulate_driver(world, driver, plan.first_day, plan.days, plan.time_zone, plan.seed):
            trips += of_day
    return trips


def _write_block(block: tuple[Plan, Path, Sequence[int]]) -> Written:
    plan, folder, drivers = block
    trips = trips_of(plan, drivers)
    name = f"{drivers[0]:06}"
    if trips:
        write_parquet(folder / f"readings-{name}.parquet", trips, {driver: device_id(driver) for driver in drivers})
        _write_motion(folder / f"motion-{name}.parquet", trips)
        write_truth(folder / f"truth-{name}.jsonl", [trip.truth for trip in trips])
    return Written(
        drivers=len(drivers),
        trips=len(trips),
        readings=sum(map(len, trips)),
        driven_s=sum(len(trip.motion.time_us) for trip in trips),
        km=sum(trip.truth.distance_m for trip in trips) / 1000.0,
    )


def _write_motion(path: Path, trips: Sequence[SimulatedTrip]) -> None:
    """The true motion of each second, with the driver's number."""
    seconds = [len(trip.motion.time_us) for trip in trips]
    columns = {"driver": pa.array(np.repeat([trip.driver for trip in trips], seconds), pa.int32())}
    for field in fields(TrueMotion):
        values = np.concatenate([getattr(trip.motion, field.name) for trip in trips])
        columns[field.name] = pa.array(values.astype(np.float32) if field.name.endswith("mps2") else values)
    pyarrow.parquet.write_table(pa.table(columns), path, compression="zstd")
