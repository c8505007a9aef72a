"""Drivers: traits drawn from a stated population."""

from dataclasses import dataclass

import numpy as np

from simulator.seeds import POPULATION, generator

DEVICE_KINDS = ("phone", "box")


@dataclass(frozen=True, slots=True)
class Spread:
    """A positive trait: log-normal about its median, clipped. `haste` is its correlation with the driver's haste."""

    median: float
    log_sigma: float
    least: float
    most: float
    haste: float

    def draw(self, haste: float, rng: np.random.Generator) -> float:
        """One driver's value; `haste` is standard normal."""
        own = float(rng.standard_normal())
        mixed = self.haste * haste + np.sqrt(1.0 - self.haste**2) * own
        return float(np.clip(self.median * np.exp(self.log_sigma * mixed), self.least, self.most))


@dataclass(frozen=True, slots=True)
class Population:
    """Where the traits come from: stated assumptions, to be replaced by fits to an insurer's own readings.

    One latent haste correlates the traits of style (risky habits come together: Elander, West & French 1993).
    Comfortable braking of 1.5-2.5 m/s2 and acceleration of 1-2.5 m/s2 from a stop are what field studies of car drivers
    find (Bokare & Maurya 2017); 2-3.5 m/s2 sideways is usual in turns at 20-50 km/h (Reymond et al. 2001).
    """

    speed_factor: Spread = Spread(1.15, 0.10, 0.9, 1.5, 0.7)
    acceleration_mps2: Spread = Spread(1.9, 0.16, 1.2, 3.0, 0.6)
    braking_mps2: Spread = Spread(1.8, 0.16, 1.2, 2.8, 0.6)
    hard_brakes_per_stop: Spread = Spread(0.015, 0.9, 0.001, 0.12, 0.7)
    lateral_mps2: Spread = Spread(2.2, 0.18, 1.4, 3.8, 0.6)
    night_share: Spread = Spread(0.09, 0.7, 0.005, 0.4, 0.2)
    trips_per_week: Spread = Spread(7.3, 0.18, 4.0, 13.0, 0.0)
    phone_uses_per_hour: Spread = Spread(0.8, 1.0, 0.02, 12.0, 0.5)
    unsteadiness: Spread = Spread(0.06, 0.3, 0.02, 0.15, 0.4)
    minutes_to_work: Spread = Spread(9.5, 0.25, 5.0, 30.0, 0.0)
    commuter_share: float = 0.65
    consistency: tuple[float, float] = (4.0, 2.0)  # Beta distribution
    phone_device_share: float = 0.5


@dataclass(frozen=True, slots=True)
class Driver:
    """How one driver drives and lives. Shares are of trips, `consistency` of ways driven by habit."""

    number: int
    device_kind: str  # of DEVICE_KINDS: what the device can report
    speed_factor: float  # of the posted limit: never faster; unsteadiness and traffic hold the car under it mostly
    acceleration_mps2: float  # from a stop; it falls with speed
    braking_mps2: float  # when the stop was seen coming; the effort varies about it
    hard_brakes_per_stop: float
    lateral_mps2: float  # taken in turns
    night_share: float
    trips_per_week: float
    phone_uses_per_hour: float
    unsteadiness: float  # relative spread of the speed held on a free road
    minutes_to_work: float
    is_commuter: bool
    consistency: float


DEFAULT_POPULATION = Population()


def draw_driver(number: int, rng: np.random.Generator, population: Population = DEFAULT_POPULATION) -> Driver:
    """One driver of the population."""
    haste = float(rng.standard_normal())
    return Driver(
        number=number,
        device_kind=DEVICE_KINDS[int(rng.random() >= population.phone_device_share)],
        speed_factor=population.speed_factor.draw(haste, rng),
        acceleration_mps2=population.acceleration_mps2.draw(haste, rng),
        braking_mps2=population.braking_mps2.draw(haste, rng),
        hard_brakes_per_stop=population.hard_brakes_per_stop.draw(haste, rng),
        lateral_mps2=population.lateral_mps2.draw(haste, rng),
        night_share=population.night_share.draw(haste, rng),
        trips_per_week=population.trips_per_week.draw(haste, rng),
        phone_uses_per_hour=population.phone_uses_per_hour.draw(haste, rng),
        unsteadiness=population.unsteadiness.draw(haste, rng),
        minutes_to_work=population.minutes_to_work.draw(haste, rng),
        is_commuter=bool(rng.random() < population.commuter_share),
        consistency=float(rng.beta(*population.consistency)),
    )


def draw_drivers(count: int, seed: int, population: Population = DEFAULT_POPULATION) -> tuple[Driver, ...]:
    """The first `count` drivers of a seed; a larger count keeps those of a smaller one."""
    return tuple(draw_driver(number, generator(seed, number, POPULATION), population) for number in range(count))
