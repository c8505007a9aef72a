"""Drivers: traits drawn from a stated population."""

from dataclasses import dataclass

import numpy as np

from simulator.seeds import POPULATION, generator

DEVICE_KINDS = ("phone", "box", "tracker")


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
    find (Bokare & Maurya 2017); 2-3.5 m/s2 sideways is usual in turns at 20-50 km/h (Reymond et al. 2001). Time gaps of
    1 to 2 s are what traffic counts find. A European car drives some 12,000 km a year in some 17 trips a week.
    """

    speed_factor: Spread = Spread(1.15, 0.10, 0.9, 1.5, 0.7)
    acceleration_mps2: Spread = Spread(2.1, 0.16, 1.3, 3.2, 0.6)
    braking_mps2: Spread = Spread(1.9, 0.16, 1.2, 2.9, 0.6)
    hard_brakes_per_stop: Spread = Spread(0.015, 0.9, 0.001, 0.12, 0.7)
    lateral_mps2: Spread = Spread(2.2, 0.18, 1.4, 3.8, 0.6)
    following_gap_s: Spread = Spread(1.5, 0.25, 0.7, 2.8, -0.6)
    night_share: Spread = Spread(0.09, 0.7, 0.005, 0.4, 0.2)
    trips_per_week: Spread = Spread(17.0, 0.3, 5.0, 35.0, 0.0)
    km_per_year: Spread = Spread(12_000.0, 0.45, 2_000.0, 45_000.0, 0.1)
    phone_uses_per_hour: Spread = Spread(0.8, 1.0, 0.02, 12.0, 0.5)
    unsteadiness: Spread = Spread(0.06, 0.3, 0.02, 0.15, 0.4)
    commuter_share: float = 0.65
    consistency: tuple[float, float] = (4.0, 2.0)  # Beta distribution
    device_shares: tuple[float, ...] = (0.4, 0.35, 0.25)  # of DEVICE_KINDS
    vehicle_shares: tuple[tuple[str, float], ...] = (("car", 0.9), ("light_truck", 0.1))
    manual_share: float = 0.6


@dataclass(frozen=True, slots=True)
class Driver:
    """How one driver drives and lives. Shares are of trips, `consistency` of ways driven by habit."""

    number: int
    device_kind: str  # of DEVICE_KINDS: what the device can report
    vehicle_class: str  # of VEHICLES
    is_manual: bool
    speed_factor: float  # of the posted limit: never faster; unsteadiness and traffic hold the car under it mostly
    acceleration_mps2: float  # from a stop; it falls with speed
    braking_mps2: float  # when the stop was seen coming; the effort varies about it
    hard_brakes_per_stop: float
    lateral_mps2: float  # taken in turns
    following_gap_s: float
    night_share: float
    trips_per_week: float
    km_per_year: float
    phone_uses_per_hour: float
    unsteadiness: float  # relative spread of the speed held on a free road
    is_commuter: bool
    consistency: float

    @property
    def km_per_trip(self) -> float:
        """The mean length of a trip that makes the year's kilometres."""
        return self.km_per_year / (self.trips_per_week * 52.0)


DEFAULT_POPULATION = Population()
# Cars of people who live in the middle of a small map: a few short trips, all in cars.
CITY_CENTRE = Population(
    trips_per_week=Spread(7.3, 0.18, 4.0, 13.0, 0.0),
    km_per_year=Spread(900.0, 0.25, 450.0, 2_000.0, 0.0),
    device_shares=(0.5, 0.5, 0.0),
    vehicle_shares=(("car", 1.0),),
)


def draw_driver(number: int, rng: np.random.Generator, population: Population = DEFAULT_POPULATION) -> Driver:
    """One driver of the population."""
    haste = float(rng.standard_normal())
    classes, class_shares = zip(*population.vehicle_shares, strict=True)
    return Driver(
        number=number,
        device_kind=DEVICE_KINDS[_one_of(population.device_shares, rng)],
        vehicle_class=classes[_one_of(class_shares, rng)],
        is_manual=bool(rng.random() < population.manual_share),
        speed_factor=population.speed_factor.draw(haste, rng),
        acceleration_mps2=population.acceleration_mps2.draw(haste, rng),
        braking_mps2=population.braking_mps2.draw(haste, rng),
        hard_brakes_per_stop=population.hard_brakes_per_stop.draw(haste, rng),
        lateral_mps2=population.lateral_mps2.draw(haste, rng),
        following_gap_s=population.following_gap_s.draw(haste, rng),
        night_share=population.night_share.draw(haste, rng),
        trips_per_week=population.trips_per_week.draw(haste, rng),
        km_per_year=population.km_per_year.draw(haste, rng),
        phone_uses_per_hour=population.phone_uses_per_hour.draw(haste, rng),
        unsteadiness=population.unsteadiness.draw(haste, rng),
        is_commuter=bool(rng.random() < population.commuter_share),
        consistency=float(rng.beta(*population.consistency)),
    )


def _one_of(shares: tuple[float, ...], rng: np.random.Generator) -> int:
    return int(np.searchsorted(np.cumsum(shares), rng.random() * sum(shares), side="right"))


def draw_drivers(count: int, seed: int, population: Population = DEFAULT_POPULATION) -> tuple[Driver, ...]:
    """The first `count` drivers of a seed; a larger count keeps those of a smaller one."""
    return tuple(draw_driver(number, generator(seed, number, POPULATION), population) for number in range(count))
