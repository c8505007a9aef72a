"""A small real book: drives on the roads of central Helsinki, put through front door, worker and close."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from argon2 import PasswordHasher
from numpy.typing import NDArray
from scipy.sparse.csgraph import dijkstra

from api.accounts import add_account
from ingest.accept import accept_file
from ingest.decoded import Decoded
from ingest.devices import enrol
from ingest.readings import Readings, make_readings
from pricing.close import close_period, post_adjustments
from pricing.policies import PolicyDocument, add_policy
from scoring.extract import demo_extract, read_road_map
from scoring.geodesy import haversine_m
from scoring.match import HiddenMarkovMatcher
from scoring.roads import RoadMap
from scoring.worker import work_once
from storage.pool import Database

type Floats = NDArray[np.float64]

NOW = datetime(2026, 11, 3, 17, 30, tzinfo=UTC)
PASSWORD = "a quiet road at night"
ANNA, BEN, DESK = "anna@example.org", "ben@example.org", "desk@example.org"
_QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
POLICY_OF = {ANNA: "T-1001", BEN: "T-1002"}


@dataclass(frozen=True)
class World:
    """What the tests ask for."""

    database: Database
    roads: RoadMap


def build_world(database: Database, *, trips: int = 3) -> World:
    """Two policyholders and an underwriter; October is posted, one late trip of it has posted an adjustment."""
    roads = read_road_map(demo_extract())
    matcher = HiddenMarkovMatcher(roads)
    rng = np.random.default_rng(20261103)
    for email, device in ((ANNA, "car-anna"), (BEN, "car-ben")):
        with database.role("telemetry") as conn:
            enrol(conn, device, NOW - timedelta(days=300))
        add_policy(database, policy_document(email, device), NOW)
    for number in range(trips):
        start = datetime(2026, 10, 5 + 2 * number, 5, 40, tzinfo=UTC)
        _upload(database, "car-anna", drive(roads, rng, start, haste=0.82 + 0.06 * (number % 4)))
        _upload(database, "car-ben", drive(roads, rng, start, haste=0.9, interval_s=5))
    work_once(database, matcher, roads, as_of=NOW)
    close_period(database, "2026-10", NOW - timedelta(days=1))
    _upload(database, "car-anna", drive(roads, rng, datetime(2026, 10, 30, 20, 10, tzinfo=UTC), haste=1.05))
    _upload(database, "car-anna", drive(roads, rng, datetime(2026, 11, 2, 6, 5, tzinfo=UTC), haste=0.9))
    work_once(database, matcher, roads, as_of=NOW)
    post_adjustments(database, NOW)
    with database.role("policy") as conn:
        for email, role in ((ANNA, "policyholder"), (BEN, "policyholder"), (DESK, "underwriter")):
            add_account(conn, email, PASSWORD, role, created_at=NOW)
    with database.role("owner") as conn:  # a hash names its own costs: signing in is the same, and quick
        conn.execute("update policy.account set password_hash = %s", (_QUICK.hash(PASSWORD),))
    return World(database, roads)


def drive(
    roads: RoadMap,
    rng: np.random.Generator,
    start: datetime,
    *,
    haste: float,
    interval_s: int = 1,
    least_m: float = 4000,
) -> Readings:
    """A drive along shortest ways at `haste` times the limit, with one hard brake and GPS noise of 2 m."""
    latitude, longitude, limit = _way(roads, rng, least_m)
    step_m = haversine_m(latitude[:-1], longitude[:-1], latitude[1:], longitude[1:])
    along = np.concatenate(([0.0], np.cumsum(step_m)))
    time_s, place_m, speed = _motion(along, limit, haste)
    rows = np.arange(0, len(time_s), interval_s)
    noise_deg = 2.0 / 111_000
    return make_readings(
        len(rows),
        fix_time_us=int(start.timestamp() * 1e6) + (time_s[rows] * 1e6).astype(np.int64),
        latitude_deg=np.interp(place_m[rows], along, latitude) + noise_deg * rng.standard_normal(len(rows)),
        longitude_deg=np.interp(place_m[rows], along, longitude) + 2 * noise_deg * rng.standard_normal(len(rows)),
        speed_mps=speed[rows],
        accuracy_m=4.0,
    )


def _motion(along_m: Floats, limit_mps: Floats, haste: float) -> tuple[Floats, Floats, Floats]:
    """Second by second: place and speed of a car that follows the limits within its means and brakes hard once."""
    wanted = np.maximum(limit_mps * haste * (1 + 0.15 * np.sin(along_m / 230)), 4.0)
    place, speed, places, speeds = 0.0, 0.0, [0.0], [0.0]
    braked = 0
    while place < along_m[-1] - 15 and len(places) < 3000:
        target = wanted[min(int(np.searchsorted(along_m, place + 2 * speed)), len(wanted) - 1)]
        target = min(
            target, float(np.sqrt(2 * 1.2 * max(along_m[-1] - place - 15, 1.0)))
        )  # and stops gently at the end
        rise = float(np.clip(target - speed, -1.8, 1.4))
        # Once, from a fair speed, hard enough that a line fitted over two seconds still shows it.
        if place > along_m[-1] * 0.45 and braked < 3 and (speed > 8 or braked):
            rise, braked = -4.2, braked + 1
        speed = max(speed + rise, 1.0)
        place += speed
        places.append(place)
        speeds.append(speed)
    places += [places[-1]] * 20
    speeds += [0.0] * 20
    return np.arange(len(places), dtype=np.float64), np.array(places), np.array(speeds)


def _way(roads: RoadMap, rng: np.random.Generator, least_m: float) -> tuple[Floats, Floats, Floats]:
    """Points of a way of at least that length, with the limit (m/s) at each; 40 km/h where none is known."""
    graph = roads.directed_csr("time")
    nodes = roads.largest_component_nodes()
    at = int(rng.choice(nodes))
    parts: list[tuple[Floats, Floats, Floats]] = []
    length = 0.0
    while length < least_m:
        to = int(rng.choice(nodes))
        _, before = dijkstra(graph.matrix, indices=at, return_predecessors=True)
        path = [to]
        while path[-1] != at and before[path[-1]] >= 0:
            path.append(int(before[path[-1]]))
        if path[-1] != at or len(path) < 8:
            continue
        edges, backward = graph.path_edges(np.array(path[::-1], dtype=np.int32))
        for edge, turned in zip(edges.tolist(), backward.tolist(), strict=True):
            latitude, longitude = roads.edge_shape(edge, turned)
            limit = float(roads.edge_limit_mps[edge])
            parts.append((latitude[1:], longitude[1:], np.full(len(latitude) - 1, limit if limit > 0 else 40 / 3.6)))
            length += float(roads.edge_length_m[edge])
        at = to
    latitudes, longitudes, limits = (np.concatenate(column) for column in zip(*parts, strict=True))
    return latitudes, longitudes, limits


def _upload(database: Database, device: str, readings: Readings) -> None:
    count = len(readings)
    decoded = Decoded(readings, count, (), np.arange(count), lambda _: b"")
    received_at = datetime.fromtimestamp(int(readings.fix_time_us[-1]) / 1e6, tz=UTC) + timedelta(minutes=1)
    receipt = accept_file(database, device, decoded, received_at)
    assert receipt.accepted == count


def policy_document(email: str, device: str) -> PolicyDocument:
    """The policy of one of the two, measured by this device."""
    name = email.split("@", maxsplit=1)[0].capitalize()
    fields = {
        "policy": POLICY_OF[email],
        "name": f"{name} Example",
        "email": email,
        "starts_on": date(2026, 1, 1),
        "ends_on": date(2027, 1, 1),
        "plan": "wayrate-2026",
        "pay_plan": "autograph" if email == ANNA else "per_km",
        "covers": ["liability", "collision"],
        "declared_km_per_year": 9000,
        "time_zone": "Europe/Helsinki",
        "factors": {"vehicle_class": "compact", "territory": "urban", "driver_age": 38},
        "devices": [device],
    }
    return PolicyDocument("test.toml", fields)
