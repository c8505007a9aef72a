"""A week of a small simulated fleet on the demo's roads, and a gateway over real HTTP."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

import pytest
import uvicorn

from ingest.gateway import create_gateway
from scoring.extract import demo_extract, read_road_map
from scoring.roads import RoadMap
from simulator.drivers import CITY_CENTRE, Population
from simulator.surroundings import read_surroundings
from simulator.world import SimulatedTrip, simulate_month
from storage.pool import Database

NOW = datetime(2026, 10, 20, tzinfo=UTC)
SEED = 20261001
DRIVERS, DAYS = 6, 10


def fleet(
    roads: RoadMap, drivers: int = DRIVERS, days: int = DAYS, population: Population = CITY_CENTRE
) -> list[SimulatedTrip]:
    return simulate_month(
        roads,
        drivers=drivers,
        first_day=date(2026, 10, 1),
        days=days,
        time_zone="Europe/Helsinki",
        seed=SEED,
        population=population,
        surroundings=read_surroundings(demo_extract(), roads),
    )


@pytest.fixture(scope="session")
def roads() -> RoadMap:
    return read_road_map(demo_extract())


@pytest.fixture(scope="session")
def trips(roads: RoadMap) -> list[SimulatedTrip]:
    return fleet(roads)


@contextmanager
def serving(database: Database, port: int = 0, clock: Callable[[], datetime] = lambda: NOW) -> Iterator[str]:
    """The address of a gateway that runs until the block ends."""
    server = uvicorn.Server(uvicorn.Config(create_gateway(database, clock), log_level="warning", access_log=False))
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()  # from here on a connection waits for the server instead of being refused
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(30)
