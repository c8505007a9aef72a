"""A simulated world: a fleet's trips over some days, as devices would report them, with the truth beside them.

`simulate_month` is the path of this stage: days, routes, lines, demand, motion, truth, sensors, records, in this order.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from scoring.roads import RoadMap
from simulator.days import plan_day
from simulator.devices import held, recorded
from simulator.drivers import DEFAULT_POPULATION, Driver, Population, draw_driver
from simulator.junctions import Junctions, find_junctions
from simulator.motion import PARKED_S, SECOND_TICKS, TICK_S, Motion, drive
from simulator.network import Network, build_network
from simulator.path import Path, make_path
from simulator.routes import Places, Route, Ways, draw_places, draw_taste, plan_route
from simulator.seeds import DAY, HABIT, PLACES, POPULATION, generator
from simulator.sensors import Sky, observe
from simulator.surroundings import Surroundings
from simulator.traffic import make_demand
from simulator.truth import (
    KEPT_FROM_MPS2,
    TrueEvent,
    TrueMotion,
    Truth,
    manoeuvres,
    states,
)

type Columns = dict[str, NDArray[np.float64] | NDArray[np.int64]]

LEAST_BETWEEN_TRIPS = timedelta(minutes=20)
PHONE_FLOOR_S, PHONE_MEAN_S = 4.0, 18.0
STANDSTILL_MPS = 0.05
FIRST_STOOD_S = 8 * 3600.0
# How full the streets are over the day: two rushes, half as much between, hardly anybody at night (traffic counts).
DENSITY_HOUR = np.array([0.0, 5.0, 6.5, 8.0, 9.5, 15.0, 17.0, 18.5, 20.0, 22.0, 24.0])
DENSITY = np.array([0.08, 0.1, 0.5, 1.0, 0.6, 0.65, 1.0, 0.7, 0.4, 0.2, 0.08])


@dataclass(frozen=True, slots=True)
class World:
    """The streets, who waits where, and what stands about them."""

    network: Network
    junctions: Junctions
    surroundings: Surroundings


@dataclass(frozen=True, slots=True)
class SimulatedTrip:
    """One trip: what the device reports from a minute before `departure` to a minute after arrival, and the truth.

    `columns` has names of `Readings`, each array of shape (n,): `fix_time_us` int64, others float64 with NaN where the
    device reports nothing. `rows`, shape (n,), is each reading's second in `motion`, which has them all.
    """

    driver: int
    departure: datetime  # UTC: moving off
    columns: Columns
    rows: NDArray[np.intp]
    truth: Truth
    motion: TrueMotion

    def __len__(self) -> int:
        return len(self.columns["fix_time_us"])


@dataclass(frozen=True, slots=True)
class _Life:
    """What the days of one driver have in common."""

    driver: Driver
    places: Places
    by_map: Ways
    habit: Ways


def make_world(roads: RoadMap, surroundings: Surroundings | None = None) -> World:
    """The world of a road map; without `surroundings` what the roads alone tell. Raises MapTooSmall."""
    network = build_network(roads)
    return World(network, find_junctions(network, surroundings), surroundings or Surroundings.of_roads(roads))


def simulate_month(
    roads: RoadMap,
    *,
    drivers: int,
    first_day: date,
    days: int,
    time_zone: str,
    seed: int,
    population: Population = DEFAULT_POPULATION,
    surroundings: Surroundings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[SimulatedTrip]:
    """All trips of a fleet, by driver and then by time: the same seed gives the same bytes in every process.

    `time_zone` is an IANA name: the clock by which drivers live. A driver's day depends on the seed, the driver and the
    day alone, so more drivers or days keep what fewer gave. `progress` is called with (driver days done, all).
    Raises MapTooSmall.
    """
    world = make_world(roads, surroundings)
    trips: list[SimulatedTrip] = []
    for number in range(drivers):
        driver = draw_driver(number, generator(seed, number, POPULATION), population)
        for day, of_day in enumerate(simulate_driver(world, driver, first_day, days, time_zone, seed)):
            trips += of_day
            if progress is not None:
                progress(number * days + day + 1, drivers * days)
    return trips


def simulate_driver(
    world: World, driver: Driver, first_day: date, days: int, time_zone: str, seed: int
) -> Iterator[list[SimulatedTrip]]:
    """The trips of each day of one driver, in order."""
    network, zone = world.network, ZoneInfo(time_zone)
    in_tunnel = world.surroundings.edge_tunnel[network.edge]
    places = draw_places(network, driver.km_per_trip * 1000.0, in_tunnel, generator(seed, driver.number, PLACES))
    taste = draw_taste(network, generator(seed, driver.number, HABIT))
    life = _Life(driver, places, Ways(network, None), Ways(network, taste))
    for day in range(days):
        rng = generator(seed, driver.number, DAY, day)
        yield _simulate_day(world, life, first_day + timedelta(days=day), zone, rng)


def _simulate_day(
    world: World, life: _Life, day: date, zone: ZoneInfo, rng: np.random.Generator
) -> list[SimulatedTrip]:
    trips: list[SimulatedTrip] = []
    free_from = datetime.min.replace(tzinfo=UTC)
    stood_s = FIRST_STOOD_S
    for wish in plan_day(life.driver, life.places, day.weekday() >= 5, rng):
        ways = life.habit if rng.random() < life.driver.consistency else life.by_map
        route = plan_route(ways, wish.origin, wish.target, wish.errands, wish.distance_m, rng)
        departure = max(_departure(day, wish.hour, zone), free_from)
        if trips:
            stood_s = (departure - free_from + LEAST_BETWEEN_TRIPS).total_seconds()
        trip = simulate_trip(world, life.driver, route, departure, wish.hour % 24.0, stood_s, rng)
        free_from = departure + timedelta(seconds=len(trip.motion.time_us)) + LEAST_BETWEEN_TRIPS
        trips.append(trip)
    return trips


def _departure(day: date, hour: float, zone: ZoneInfo) -> datetime:
    """The whole second at which the clocks of `zone` show this hour of the day; over 24 is the next day."""
    local = datetime.combine(day, time()) + timedelta(seconds=round(hour * 3600.0))
    return local.replace(tzinfo=zone).astimezone(UTC)


def simulate_trip(
    world: World,
    driver: Driver,
    route: Route,
    departure: datetime,
    hour: float,
    stood_s: float,
    rng: np.random.Generator,
) -> SimulatedTrip:
    """One drive along a route. `departure` is a whole second, aware; `hour` what the clocks there show."""
    path = make_path(world.network, route)
    density = float(np.interp(hour, DENSITY_HOUR, DENSITY))
    motion = drive(path, make_demand(path, route, driver, world.junctions, density, rng), rng)
    first_us = (int(departure.timestamp()) - PARKED_S) * 1_000_000
    tick_us = first_us + np.arange(len(motion.speed_mps), dtype=np.int64) * round(TICK_S * 1e6)
    true_motion, edge = _each_second(path, route, motion, tick_us, driver.phone_uses_per_hour, rng)
    sky = Sky(world.surroundings.edge_tunnel[edge], world.surroundings.edge_canyon[edge], stood_s)
    measured = observe(true_motion, sky, driver.device_kind, rng)
    rows = recorded(measured, driver.device_kind)
    if driver.device_kind == "tracker":
        taken = held(measured, rows)
    else:
        taken = {name: values[rows] for name, values in measured.items()}
    columns: Columns = {"fix_time_us": true_motion.time_us[rows], **taken}
    truth = _truth(path, route, motion, true_motion, tick_us, driver.number)
    return SimulatedTrip(driver.number, departure, columns, rows, truth, true_motion)


def _each_second(
    path: Path,
    route: Route,
    motion: Motion,
    tick_us: NDArray[np.int64],
    phone_uses_per_hour: float,
    rng: np.random.Generator,
) -> tuple[TrueMotion, NDArray[np.intp]]:
    """The true motion at 1 Hz and the map's edge at each second."""
    second = slice(None, None, SECOND_TICKS)
    speed, along_m = motion.speed_mps[second], motion.along_m[second]
    latitude_deg, longitude_deg, heading, curvature = path.at(along_m)
    point = path.point_at(along_m)
    true_motion = TrueMotion(
        time_us=tick_us[second],
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        speed_mps=speed,
        heading_deg=heading,
        acceleration_forward_mps2=uniform_filter1d(motion.acceleration_mps2, SECOND_TICKS + 1)[second],
        acceleration_lateral_mps2=speed**2 * curvature,
        limit_mps=path.limit_mps[point],
        phone_in_use=_phone_use(len(speed), phone_uses_per_hour, rng),
    )
    return true_motion, path.network.edge[route.streets[path.route_place[point]]]


def _truth(
    path: Path, route: Route, motion: Motion, seconds: TrueMotion, tick_us: NDArray[np.int64], driver: int
) -> Truth:
    moves = seconds.speed_mps > STANDSTILL_MPS
    moving = np.flatnonzero(moves)
    return Truth(
        driver=driver,
        departure_us=int(seconds.time_us[moving[0]]),
        arrival_us=int(seconds.time_us[moving[-1]]),
        distance_m=float(path.along_m[-1]),
        standing_s=int(moving[-1] - moving[0] + 1 - len(moving)),
        speeding_s=int(np.count_nonzero(seconds.speed_mps > seconds.limit_mps)),
        phone_s=int(np.count_nonzero(seconds.phone_in_use & moves)),
        events=_events(path, motion, seconds, tick_us),
        route_edges=tuple(path.network.edge[route.streets].tolist()),
        route_backward=tuple(path.network.backward[route.streets].tolist()),
    )


def _events(path: Path, motion: Motion, seconds: TrueMotion, tick_us: NDArray[np.int64]) -> tuple[TrueEvent, ...]:
    speed, forward = motion.speed_mps, motion.acceleration_mps2
    lateral = np.abs(np.interp(motion.along_m, path.along_m, path.curvature_per_m)) * speed**2
    found = list(states(seconds))
    for kind, strength in (("hard_brake", -forward), ("hard_acceleration", forward), ("hard_corner", lateral)):
        found += manoeuvres(kind, tick_us, strength, speed, KEPT_FROM_MPS2[kind])
    return tuple(sorted(found, key=lambda event: (event.started_us, event.kind)))


def _phone_use(count: int, uses_per_hour: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Seconds of phone use at 1 Hz, shape (count,): uses come at random, standing or driving."""
    in_use = np.zeros(count, dtype=np.bool_)
    for _ in range(int(rng.poisson(uses_per_hour * count / 3600.0))):
        begins = int(rng.integers(count))
        in_use[begins : begins + int(PHONE_FLOOR_S + rng.exponential(PHONE_MEAN_S))] = True
    return in_use
