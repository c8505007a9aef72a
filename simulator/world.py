"""A simulated world: a fleet's trips over some days, as devices would report them, with the truth beside them.

`simulate_month` is the path of this stage: days, routes, lines, demand, motion, truth, noise, in this order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from scoring.roads import RoadMap
from simulator.days import plan_day
from simulator.drivers import Driver, draw_drivers
from simulator.motion import PARKED_S, SECOND_TICKS, TICK_S, Motion, drive
from simulator.network import Network, build_network
from simulator.noise import observe
from simulator.path import Path, make_path
from simulator.routes import Places, Route, Ways, draw_places, draw_taste, plan_route
from simulator.seeds import DAY, HABIT, PLACES, generator
from simulator.traffic import make_demand
from simulator.truth import TrueEvent, TrueMotion, Truth, hard_brakes

type Columns = dict[str, NDArray[np.float64] | NDArray[np.int64]]

LEAST_BETWEEN_TRIPS = timedelta(minutes=20)
PHONE_FLOOR_S, PHONE_MEAN_S = 4.0, 18.0
STANDSTILL_MPS = 0.05


@dataclass(frozen=True, slots=True)
class SimulatedTrip:
    """One trip: what the device reports at 1 Hz, from a minute before `departure` to a minute after arrival; the truth.

    `columns` has names of `Readings`, each array of shape (n,): `fix_time_us` int64, others float64 with NaN where the
    device reports nothing.
    """

    driver: int
    departure: datetime  # UTC: moving off
    columns: Columns
    truth: Truth
    motion: TrueMotion

    def __len__(self) -> int:
        return len(self.columns["fix_time_us"])


@dataclass(frozen=True, slots=True)
class _Life:
    """What the days of one driver have in common."""

    driver: Driver
    places: Places
    habit: Ways


def simulate_month(
    roads: RoadMap,
    *,
    drivers: int,
    first_day: date,
    days: int,
    time_zone: str,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[SimulatedTrip]:
    """All trips of a fleet, by driver and then by time: the same seed gives the same bytes in every process.

    `time_zone` is an IANA name: the clock by which drivers live. A driver's day depends on the seed, the driver and the
    day alone, so more drivers or days keep what fewer gave. `progress` is called with (driver days done, all).
    Raises MapTooSmall.
    """
    network = build_network(roads)
    by_map = Ways(network, None)
    zone = ZoneInfo(time_zone)
    trips: list[SimulatedTrip] = []
    for driver in draw_drivers(drivers, seed):
        places = draw_places(network, driver.minutes_to_work, generator(seed, driver.number, PLACES))
        habit = Ways(network, draw_taste(network, generator(seed, driver.number, HABIT)))
        life = _Life(driver, places, habit)
        for day in range(days):
            rng = generator(seed, driver.number, DAY, day)
            trips += _simulate_day(network, by_map, life, first_day + timedelta(days=day), zone, rng)
            if progress is not None:
                progress(driver.number * days + day + 1, drivers * days)
    return trips


def _simulate_day(
    network: Network, by_map: Ways, life: _Life, day: date, zone: ZoneInfo, rng: np.random.Generator
) -> list[SimulatedTrip]:
    trips: list[SimulatedTrip] = []
    free_from = datetime.min.replace(tzinfo=UTC)
    for wish in plan_day(life.driver, life.places, day.weekday() >= 5, rng):
        ways = life.habit if rng.random() < life.driver.consistency else by_map
        route = plan_route(ways, wish.origin, wish.target, wish.errands, wish.duration_s, rng)
        departure = max(_departure(day, wish.hour, zone), free_from)
        trip = simulate_trip(network, life.driver, route, departure, wish.is_night, rng)
        free_from = departure + timedelta(seconds=len(trip)) + LEAST_BETWEEN_TRIPS
        trips.append(trip)
    return trips


def _departure(day: date, hour: float, zone: ZoneInfo) -> datetime:
    """The whole second at which the clocks of `zone` show this hour of the day; over 24 is the next day."""
    local = datetime.combine(day, time()) + timedelta(seconds=round(hour * 3600.0))
    return local.replace(tzinfo=zone).astimezone(UTC)


def simulate_trip(
    network: Network, driver: Driver, route: Route, departure: datetime, is_night: bool, rng: np.random.Generator
) -> SimulatedTrip:
    """One drive along a route. `departure` is a whole second, aware."""
    path = make_path(network, route)
    motion = drive(path, make_demand(path, route, driver, is_night, rng))
    first_us = (int(departure.timestamp()) - PARKED_S) * 1_000_000
    tick_us = first_us + np.arange(len(motion.speed_mps), dtype=np.int64) * round(TICK_S * 1e6)
    true_motion = _each_second(path, motion, tick_us, driver.phone_uses_per_hour, rng)
    columns: Columns = {"fix_time_us": true_motion.time_us, **observe(true_motion, driver.device_kind, rng)}
    truth = _truth(path, route, true_motion, hard_brakes(tick_us, motion.acceleration_mps2), driver.number)
    return SimulatedTrip(driver.number, departure, columns, truth, true_motion)


def _each_second(
    path: Path, motion: Motion, tick_us: NDArray[np.int64], phone_uses_per_hour: float, rng: np.random.Generator
) -> TrueMotion:
    second = slice(None, None, SECOND_TICKS)
    speed, along_m = motion.speed_mps[second], motion.along_m[second]
    latitude_deg, longitude_deg, heading, curvature = path.at(along_m)
    return TrueMotion(
        time_us=tick_us[second],
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        speed_mps=speed,
        heading_deg=heading,
        acceleration_forward_mps2=motion.acceleration_mps2[second],
        acceleration_lateral_mps2=speed**2 * curvature,
        limit_mps=path.limit_at(along_m),
        phone_in_use=_phone_use(len(speed), phone_uses_per_hour, rng),
    )


def _truth(path: Path, route: Route, motion: TrueMotion, brakes: tuple[TrueEvent, ...], driver: int) -> Truth:
    moves = motion.speed_mps > STANDSTILL_MPS
    moving = np.flatnonzero(moves)
    return Truth(
        driver=driver,
        departure_us=int(motion.time_us[moving[0]]),
        arrival_us=int(motion.time_us[moving[-1]]),
        distance_m=float(path.along_m[-1]),
        standing_s=int(moving[-1] - moving[0] + 1 - len(moving)),
        speeding_s=int(np.count_nonzero(motion.speed_mps > motion.limit_mps)),
        phone_s=int(np.count_nonzero(motion.phone_in_use & moves)),
        hard_brakes=brakes,
        route_edges=tuple(path.network.edge[route.streets].tolist()),
        route_backward=tuple(path.network.backward[route.streets].tolist()),
    )


def _phone_use(count: int, uses_per_hour: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Seconds of phone use at 1 Hz, shape (count,): uses come at random, standing or driving."""
    in_use = np.zeros(count, dtype=np.bool_)
    for _ in range(int(rng.poisson(uses_per_hour * count / 3600.0))):
        begins = int(rng.integers(count))
        in_use[begins : begins + int(PHONE_FLOOR_S + rng.exponential(PHONE_MEAN_S))] = True
    return in_use
