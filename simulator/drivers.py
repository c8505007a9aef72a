"""Who drives: the traits of a driver, drawn from a documented population."""

from dataclasses import dataclass

import numpy as np

# The population, chosen so that the fleet's quantiles of speed and acceleration stand near real city driving and its
# hard brakes near one to a few per 100 km with a long tail. Medians and spreads (sigma of the logarithm) or bounds.
SPEED_FACTOR_MEAN, SPEED_FACTOR_SD = 1.03, 0.08
SPEED_FACTOR_BOUNDS = (0.88, 1.32)
ACCELERATION_MEDIAN_MPS2, ACCELERATION_BOUNDS = 1.7, (1.2, 2.4)
BRAKING_MEDIAN_MPS2, BRAKING_BOUNDS = 1.8, (1.3, 2.6)
CORNERING_MEDIAN_MPS2, CORNERING_BOUNDS = 2.2, (1.5, 3.2)
STYLE_SIGMA = 0.15
HARD_BRAKES_MEDIAN_PER_100_KM, HARD_BRAKES_SIGMA = 6.0, 0.8
HARD_BRAKES_BOUNDS = (0.3, 60.0)
PHONE_MEDIAN_PER_HOUR, PHONE_SIGMA = 1.0, 1.2
PHONE_BOUNDS = (0.0, 20.0)
TRIPS_A_DAY_BOUNDS = (0.8, 1.6)
NIGHT_SHARE_BETA = (1.2, 9.0)  # mean 0.12 of the evenings


@dataclass(frozen=True, slots=True)
class Driver:
    """What stays the same about one driver; days and trips vary around it by `variation`."""

    index: int
    speed_factor: float  # the fastest this driver ever goes, as a multiple of the limit
    acceleration_mps2: float  # pulling away from standstill
    braking_mps2: float  # comfortable braking
    cornering_mps2: float  # comfortable lateral acceleration
    hard_brakes_per_100_km: float  # provoked by surprises; the events that come of them are found in the motion
    night_share: float  # share of evenings that end in a drive after 22:00
    trips_a_day: float
    phone_uses_per_hour: float
    variation: float  # 0: every trip alike; 0.15: slower by so much on many trips


def draw_driver(index: int, rng: np.random.Generator) -> Driver:
    """One driver of the population.

    One hidden taste for risk (standard normal) raises speed, style, hard brakes and phone use together, as telematics
    studies find them correlated; each keeps noise of its own.
    """
    taste = rng.standard_normal()

    def mixed() -> float:
        return float(0.7 * taste + np.sqrt(1 - 0.7**2) * rng.standard_normal())

    def lognormal(median: float, sigma: float, bounds: tuple[float, float]) -> float:
        return float(np.clip(median * np.exp(sigma * mixed()), *bounds))

    return Driver(
        index=index,
        speed_factor=float(np.clip(SPEED_FACTOR_MEAN + SPEED_FACTOR_SD * mixed(), *SPEED_FACTOR_BOUNDS)),
        acceleration_mps2=lognormal(ACCELERATION_MEDIAN_MPS2, STYLE_SIGMA, ACCELERATION_BOUNDS),
        braking_mps2=lognormal(BRAKING_MEDIAN_MPS2, STYLE_SIGMA, BRAKING_BOUNDS),
        cornering_mps2=lognormal(CORNERING_MEDIAN_MPS2, STYLE_SIGMA, CORNERING_BOUNDS),
        hard_brakes_per_100_km=lognormal(HARD_BRAKES_MEDIAN_PER_100_KM, HARD_BRAKES_SIGMA, HARD_BRAKES_BOUNDS),
        night_share=float(rng.beta(*NIGHT_SHARE_BETA)),
        trips_a_day=float(rng.uniform(*TRIPS_A_DAY_BOUNDS)),
        phone_uses_per_hour=lognormal(PHONE_MEDIAN_PER_HOUR, PHONE_SIGMA, PHONE_BOUNDS),
        variation=float(rng.uniform(0.02, 0.12)),
    )
