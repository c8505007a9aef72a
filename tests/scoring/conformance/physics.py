"""Constructed journeys: exact paths of straights and arcs at exact speeds, sampled at any rate with any noise.

Nothing of the simulator and nothing of scoring is used: positions are laid on a sphere by spherical trigonometry.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.readings import Readings, make_readings

type Floats = NDArray[np.float64]

G = 9.80665
EARTH_M = 6_371_008.8
START_US = 1_790_000_000_000_000  # 2026-09-21T14:13:20Z
RATES_HZ = (10.0, 1.0, 0.5, 0.2, 0.1)
NOISES = ("none", "white", "correlated")
FINE_S = 0.01


@dataclass(frozen=True, slots=True)
class Leg:
    """A stretch of constant forward acceleration and constant turn rate (of the path, radians a metre: 1 / radius)."""

    duration_s: float
    acceleration_mps2: float = 0.0
    curvature_per_m: float = 0.0  # positive to the right


@dataclass(frozen=True, slots=True)
class World:
    """Where, when and how a journey is driven and seen."""

    hz: float = 1.0
    noise: str = "none"
    noise_m: float = 3.0
    seed: int = 0
    bearing_deg: float = 90.0
    latitude_deg: float = 60.17
    longitude_deg: float = 24.94
    start_us: int = START_US
    with_speed: bool = True
    with_heading: bool = True
    speed_noise_mps: float = 0.0
    phase_s: float = 0.0  # of the first sample after the journey's begin


@dataclass(frozen=True, slots=True)
class Journey:
    """The truth at 100 Hz, each array of shape (m,)."""

    t_s: Floats
    speed_mps: Floats
    along_m: Floats
    heading_rad: Floats  # relative to the bearing at the start
    x_m: Floats  # along the first bearing, and to its right
    y_m: Floats
    forward_mps2: Floats
    lateral_mps2: Floats

    @property
    def way_m(self) -> float:
        return float(self.along_m[-1])

    def way_between_m(self, from_s: float, to_s: float) -> float:
        first, last = np.interp([from_s, to_s], self.t_s, self.along_m)
        return float(last - first)


def journey(first_mps: float, legs: Sequence[Leg]) -> Journey:
    """Legs one after another; a speed never falls below 0."""
    edges_s = np.concatenate(([0.0], np.cumsum([leg.duration_s for leg in legs])))
    t_s = np.arange(0.0, edges_s[-1] + FINE_S / 2, FINE_S)
    leg = np.clip(np.searchsorted(edges_s, t_s + FINE_S / 2, side="right") - 1, 0, len(legs) - 1)
    starts_mps = [first_mps]
    for one in legs:
        starts_mps.append(max(starts_mps[-1] + one.acceleration_mps2 * one.duration_s, 0.0))
    wanted = np.array([one.acceleration_mps2 for one in legs])[leg]
    speed = np.maximum(np.array(starts_mps)[leg] + wanted * (t_s - edges_s[leg]), 0.0)
    along = np.concatenate(([0.0], np.cumsum((speed[1:] + speed[:-1]) / 2 * FINE_S)))
    curvature = np.array([one.curvature_per_m for one in legs])[leg]
    turn = np.concatenate(([0.0], np.cumsum(curvature[:-1] * np.diff(along))))
    middle = (turn[1:] + turn[:-1]) / 2
    return Journey(
        t_s=t_s,
        speed_mps=speed,
        along_m=along,
        heading_rad=turn,
        x_m=np.concatenate(([0.0], np.cumsum(np.diff(along) * np.cos(middle)))),
        y_m=np.concatenate(([0.0], np.cumsum(np.diff(along) * np.sin(middle)))),
        forward_mps2=np.gradient(speed, FINE_S),
        lateral_mps2=curvature * speed**2,
    )


def on_sphere(x_m: Floats, y_m: Floats, world: World) -> tuple[Floats, Floats]:
    """Points `x_m` along a bearing and `y_m` to its right of the start, each by its own great circle from there."""
    distance = np.hypot(x_m, y_m) / EARTH_M
    bearing = np.radians(world.bearing_deg) + np.arctan2(y_m, x_m)
    latitude = np.radians(world.latitude_deg)
    sine = np.sin(latitude) * np.cos(distance) + np.cos(latitude) * np.sin(distance) * np.cos(bearing)
    east = np.arctan2(np.sin(bearing) * np.sin(distance) * np.cos(latitude), np.cos(distance) - np.sin(latitude) * sine)
    longitude = np.degrees(east) + world.longitude_deg
    return np.degrees(np.arcsin(sine)), np.mod(longitude + 180.0, 360.0) - 180.0


def seen(truth: Journey, world: World) -> Readings:
    """The journey as a device of this world reports it."""
    rng = np.random.default_rng(world.seed)
    t_s = np.arange(world.phase_s, truth.t_s[-1] + 1e-9, 1.0 / world.hz)
    x_m, y_m = np.interp(t_s, truth.t_s, truth.x_m), np.interp(t_s, truth.t_s, truth.y_m)
    turned = np.interp(t_s, truth.t_s, truth.heading_rad)
    heading = _north_heading_deg(x_m, y_m, turned, world)
    x_m, y_m = x_m + _noise(rng, t_s, world), y_m + _noise(rng, t_s, world)
    latitude, longitude = on_sphere(x_m, y_m, world)
    speed = np.interp(t_s, truth.t_s, truth.speed_mps)
    speed = np.maximum(speed + world.speed_noise_mps * rng.standard_normal(len(t_s)), 0.0)
    return make_readings(
        len(t_s),
        fix_time_us=world.start_us + np.round(t_s * 1e6).astype(np.int64),
        latitude_deg=latitude,
        longitude_deg=longitude,
        speed_mps=speed if world.with_speed else np.nan,
        heading_deg=np.mod(heading, 360.0) if world.with_heading else np.nan,
    )


def _north_heading_deg(x_m: Floats, y_m: Floats, turned_rad: Floats, world: World) -> Floats:
    """Headings against north where the car is: near a pole north itself turns as a straight road goes on."""
    angle, distance = np.arctan2(y_m, x_m), np.hypot(x_m, y_m) / EARTH_M
    bearing, latitude = np.radians(world.bearing_deg) + angle, np.radians(world.latitude_deg)
    onward = np.arctan2(
        np.sin(bearing) * np.cos(latitude),
        np.cos(bearing) * np.cos(latitude) * np.cos(distance) - np.sin(latitude) * np.sin(distance),
    )
    return np.degrees(onward + turned_rad - angle)


def _noise(rng: np.random.Generator, t_s: Floats, world: World) -> Floats:
    """Metres in one axis: none, white from fix to fix, or wandering over a minute, both of the same size."""
    if world.noise == "none":
        return np.zeros(len(t_s))
    white = rng.standard_normal(len(t_s))
    if world.noise == "white":
        return world.noise_m * white
    keep = np.exp(-np.diff(t_s, prepend=t_s[0]) / 60.0)
    wander = np.empty(len(t_s))
    at = white[0]
    for row in range(len(t_s)):
        at = keep[row] * at + np.sqrt(1.0 - keep[row] ** 2) * white[row] if row else white[0]
        wander[row] = at
    return world.noise_m * wander
