"""Simulated driving and real driving as the same distributions, and how far apart their quantiles are.

Everything is taken from what a device reports at 1 Hz: reported speeds, accelerations as their differences over two
seconds, standing as under half a metre per second, and the way to the nearest road of the map for the receiver's error.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ingest.files.mapping import find_mapping
from ingest.files.read import read_file
from ingest.readings import Flag, Readings
from scoring.extract import read_road_map
from scoring.geodesy import local_xy_m
from scoring.roads import RoadMap
from simulator.world import SimulatedTrip

type Float64s = NDArray[np.float64]

STANDING_MPS = 0.5
LONGEST_STEP_S = 1.5  # a longer one is a gap: no acceleration across it
LEAST_DRIVE_S = 60
ROAD_SAMPLE_M, FARTHEST_ROAD_M = 2.0, 60.0
QUANTILES = (0.5, 0.9, 0.99)
ALLOWED = 0.25  # how far outside the range of real drives a quantile may lie
REAL = {"Curitiba": ("curitiba/driver_A.csv",), "Omaha": ("omaha/drives_1_9.csv.gz",), "Rabat": ("rabat/*.csv",)}
MAP_OF = {"Curitiba": "curitiba/curitiba.osm.pbf"}


@dataclass(frozen=True, slots=True)
class Drives:
    """Distributions of one source: each an array of values, empty where the source cannot tell."""

    name: str
    speed_kmh: Float64s
    acceleration_mps2: Float64s  # of either sign
    stop_s: Float64s
    drive_km: Float64s
    over_limit_kmh: Float64s  # at each second with a known limit: speed less limit
    road_error_m: Float64s

    @property
    def over_limit_share(self) -> float | None:
        """The share of the seconds with a known limit that are over it; None where no limit is known."""
        return float(np.mean(self.over_limit_kmh > 0.0)) if len(self.over_limit_kmh) else None


@dataclass(slots=True)
class _Collected:
    speeds: list[Float64s] = field(default_factory=list)
    over_mps: list[Float64s] = field(default_factory=list)
    latitude_deg: list[Float64s] = field(default_factory=list)
    longitude_deg: list[Float64s] = field(default_factory=list)

    def add(self, time_s: Float64s, speed_mps: Float64s, limit_mps: Float64s, place: tuple[Float64s, Float64s]) -> None:
        """One device's readings in order of time, cut where it is silent and where it is parked at both ends."""
        cuts = np.flatnonzero(np.diff(time_s) > LONGEST_STEP_S) + 1
        for rows in np.split(np.arange(len(time_s)), cuts):
            moving = np.flatnonzero(speed_mps[rows] > STANDING_MPS)
            if len(moving) < 2 or moving[-1] - moving[0] < LEAST_DRIVE_S:
                continue
            driven = rows[moving[0] : moving[-1] + 1]
            self.speeds.append(speed_mps[driven])
            over = (speed_mps - limit_mps)[driven]
            self.over_mps.append(over[np.isfinite(over)])
            self.latitude_deg.append(place[0][driven])
            self.longitude_deg.append(place[1][driven])

    def drives(self, name: str, roads: RoadMap | None) -> Drives:
        """The distributions of all that was added."""
        none = np.zeros(0)
        speeds = self.speeds or [none]
        return Drives(
            name=name,
            speed_kmh=3.6 * np.concatenate(speeds),
            acceleration_mps2=np.concatenate([(one[2:] - one[:-2]) / 2.0 for one in speeds]),
            stop_s=np.concatenate([_stops_s(one) for one in speeds]),
            drive_km=np.array([one.sum() / 1000.0 for one in self.speeds]),
            over_limit_kmh=3.6 * np.concatenate(self.over_mps or [none]),
            road_error_m=none
            if roads is None
            else _to_roads_m(roads, np.concatenate(self.latitude_deg), np.concatenate(self.longitude_deg)),
        )


def real_drives(data: Path) -> list[Drives]:
    """What there is of Curitiba, Omaha and Rabat in a folder; a missing one is left out."""
    found = []
    for name, patterns in REAL.items():
        collected = _Collected()
        for path in sorted(path for pattern in patterns for path in data.glob(pattern)):
            for _, decoded in read_file(path, find_mapping(name.lower()), name.lower()):
                _add_readings(collected, decoded.readings)
        if collected.speeds:
            extract = data / MAP_OF.get(name, "none")
            found.append(collected.drives(name, read_road_map(extract) if extract.is_file() else None))
    return found


def simulated_drives(trips: Sequence[SimulatedTrip], roads: RoadMap) -> Drives:
    """The same of a simulated fleet's 1 Hz devices; limits are the map's."""
    collected = _Collected()
    for trip in trips:
        columns = trip.columns
        place = (columns["latitude_deg"].astype(np.float64), columns["longitude_deg"].astype(np.float64))
        limit_mps = trip.motion.limit_mps[trip.rows]
        collected.add(columns["fix_time_us"] / 1e6, columns["speed_mps"].astype(np.float64), limit_mps, place)
    return collected.drives("simulated", roads)


def _add_readings(collected: _Collected, readings: Readings) -> None:
    known = np.isfinite(readings.speed_mps) & (readings.flags & int(Flag.NO_FIX) == 0)
    order = np.flatnonzero(known)[np.argsort(readings.fix_time_us[known], kind="stable")]
    time_s = readings.fix_time_us[order] / 1e6
    order = order[np.concatenate(([True], np.diff(time_s) > 0))]
    one = readings.take(order)
    speed_mps, limit_mps = one.speed_mps.astype(np.float64), one.reported_limit_mps.astype(np.float64)
    collected.add(one.fix_time_us / 1e6, speed_mps, limit_mps, (one.latitude_deg, one.longitude_deg))


def _stops_s(speed_mps: Float64s) -> Float64s:
    stands = np.concatenate(([False], speed_mps < STANDING_MPS, [False]))
    changes = np.flatnonzero(stands[1:] != stands[:-1])
    return (changes[1::2] - changes[::2]).astype(np.float64)


def _to_roads_m(roads: RoadMap, latitude_deg: Float64s, longitude_deg: Float64s) -> Float64s:
    """Metres from each fix to the nearest road, to a metre; fixes farther than `FARTHEST_ROAD_M` are off the map."""
    origin = (float(np.median(roads.node_latitude_deg)), float(roads.node_longitude_deg[0]))
    count = np.maximum(roads.edge_length_m // ROAD_SAMPLE_M, 1).astype(np.int64) + 1
    edge = np.repeat(np.arange(len(roads), dtype=np.int32), count)
    within = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    along_m = within * (roads.edge_length_m / (count - 1))[edge]
    points = np.column_stack(local_xy_m(*roads.position_on_edge(edge, along_m), *origin))
    fixes = np.isfinite(latitude_deg)
    away_m, _ = KDTree(points).query(
        np.column_stack(local_xy_m(latitude_deg[fixes], longitude_deg[fixes], *origin)),
        distance_upper_bound=FARTHEST_ROAD_M,
    )
    near: Float64s = away_m[np.isfinite(away_m)]
    return near


@dataclass(frozen=True, slots=True)
class Compared:
    """One quantile of one measure: simulated, and at each real source that has it.

    `ratio` is simulated over the nearest end of the range of the real ones, 1 within it; `is_asked`: the stated bound
    of 25 % is asked of it.
    """

    measure: str
    quantile: str
    simulated: float
    real: dict[str, float]
    is_asked: bool

    @property
    def ratio(self) -> float | None:
        """1 within the range of the real sources, else simulated over its nearest end; None of what may be negative."""
        least, most = min(self.real.values()), max(self.real.values())
        nearest = float(np.clip(self.simulated, least, most))
        return self.simulated / nearest if least > 0 else None

    @property
    def holds(self) -> bool:
        """Whether it lies within 25 % of the range of the real sources."""
        return self.ratio is not None and 1.0 - ALLOWED <= self.ratio <= 1.0 + ALLOWED


def compare(simulated: Drives, real: Sequence[Drives]) -> list[Compared]:
    """Every measure's quantiles side by side; speed and acceleration are those that are asked to agree."""
    rows = []
    for measure, name, asked in (
        ("speed, km/h", "speed_kmh", True),
        ("|acceleration|, m/s2", "acceleration_mps2", True),
        ("length of a stop, s", "stop_s", False),
        ("length of a drive, km", "drive_km", False),
        ("over the limit, km/h", "over_limit_kmh", False),
        ("fix to nearest road, m", "road_error_m", False),
    ):
        sources = [one for one in real if len(getattr(one, name))]
        if not sources or not len(getattr(simulated, name)):
            continue
        for share in QUANTILES:
            at = {one.name: float(np.quantile(_size(one, name), share)) for one in sources}
            own = float(np.quantile(_size(simulated, name), share))
            rows.append(Compared(measure, f"{share:.0%}", own, at, asked))
    over = {one.name: one.over_limit_share for one in real}
    known = {name: value for name, value in over.items() if value is not None}
    if known and simulated.over_limit_share is not None:
        rows.append(Compared("time over the limit", "share", simulated.over_limit_share, known, is_asked=False))
    return rows


def _size(drives: Drives, name: str) -> Float64s:
    values: Float64s = getattr(drives, name)
    return np.abs(values) if name == "acceleration_mps2" else values
