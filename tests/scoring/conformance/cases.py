"""What every conformance test shares: worlds to see a journey in, and what scoring says of it."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from ingest.readings import Readings
from scoring.path import ScoredTrip, score_readings
from tests.scoring.conformance.physics import NOISES, RATES_HZ, START_US, Journey, World

MANOEUVRES = ("hard_brake", "hard_acceleration", "hard_corner")
WORLDS = pytest.mark.parametrize(
    ("hz", "noise", "with_speed"),
    [
        pytest.param(hz, noise, with_speed, id=f"{hz:g}Hz-{noise}-{'speed' if with_speed else 'positions'}")
        for hz, noise, with_speed in itertools.product(RATES_HZ, NOISES, (True, False))
    ],
)


def worlds(count: int, hz: float, noise: str, with_speed: bool) -> Iterator[World]:
    """`count` of them by seed: anywhere on Earth, in any direction, at any moment, the samples at any phase."""
    for seed in range(count):
        rng = np.random.default_rng((seed, 20))
        yield World(
            hz=hz,
            noise=noise,
            seed=seed,
            bearing_deg=float(rng.uniform(0, 360)),
            latitude_deg=float(rng.uniform(-70, 70)),
            longitude_deg=float(rng.uniform(-180, 180)),
            start_us=START_US + int(rng.integers(0, 10**10)) * 1000,
            with_speed=with_speed,
            phase_s=float(rng.uniform(0, 1 / hz)),
        )


def score(readings: Readings, device: str = "car-1") -> list[ScoredTrip]:
    return score_readings(readings, None, None, device=device)


def only(trips: list[ScoredTrip]) -> ScoredTrip:
    assert len(trips) == 1
    return trips[0]


def kinds(trip: ScoredTrip) -> list[str]:
    return [event.kind for event in trip.events]


def flags(trip: ScoredTrip) -> list[str]:
    found = trip.quality["flags"]
    assert isinstance(found, list)
    return [str(flag) for flag in found]


def metres(trips: list[ScoredTrip]) -> int:
    """Measured and estimated."""
    return sum(trip.distance_m + trip.gap_m for trip in trips)


def sampled_way_m(truth: Journey, world: World) -> float:
    """The true way between the first and the last sample: beyond them nothing was seen."""
    last_s = world.phase_s + np.floor((truth.t_s[-1] - world.phase_s) * world.hz + 1e-9) / world.hz
    return truth.way_between_m(world.phase_s, float(last_s))
