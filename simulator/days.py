"""What a driver does with a day: work, errands and nights out as trips wished for, each day ending at home."""

from dataclasses import dataclass

import numpy as np

from simulator.drivers import Driver
from simulator.routes import Places

COMMUTE_CHANCE_PER_WEEKLY_TRIP, COMMUTE_MOST = 0.055, 0.9
TRIPS_OF_AN_ERRAND = 1.5  # half are one round trip, half there and back
ROUND_TRIP_SHARE = 0.5
TO_WORK_H, TO_WORK_SD_H = 7.7, 0.4
FROM_WORK_H, FROM_WORK_SD_H = 16.5, 0.5
FREE_DAY_H, WORK_EVENING_H = (9.5, 20.4), (18.0, 20.4)
NIGHT_OUT_H, NIGHT_STAY_H = (21.4, 22.8), (1.2, 3.2)
# Of the driver's mean trip: the way to work is the longest regular one, errands are nearer.
TO_WORK_SHARE, ERRAND_SHARE, NIGHT_OUT_SHARE = 1.25, 0.85, 1.0
MOST_OUTINGS = (2, 5)  # after work, on a free day
LENGTH_SIGMA, LENGTH_BOUNDS_KM = 0.25, (1.0, 150.0)
NIGHT_BEGINS_H, NIGHT_ENDS_H = 22.0, 5.0


@dataclass(frozen=True, slots=True)
class Wish:
    """A trip as intended: local hour of the day (over 24: after midnight), streets, errands on the way, length."""

    hour: float
    origin: int
    target: int
    errands: tuple[int, ...]
    distance_m: float

    @property
    def is_night(self) -> bool:
        """Between 22 and 5 o'clock local time."""
        return self.hour % 24 >= NIGHT_BEGINS_H or self.hour % 24 < NIGHT_ENDS_H


def plan_day(driver: Driver, places: Places, is_weekend: bool, rng: np.random.Generator) -> list[Wish]:
    """The wishes of one day in order of time; the first starts at home and the last ends there.

    Over a week they come to the driver's `trips_per_week`, of which `night_share` are nights out.
    """
    commute_chance = 0.0
    if driver.is_commuter:
        commute_chance = min(COMMUTE_CHANCE_PER_WEEKLY_TRIP * driver.trips_per_week, COMMUTE_MOST)
    by_night = driver.night_share * driver.trips_per_week
    errands_a_day = max(driver.trips_per_week - by_night - 10 * commute_chance, 0.0) / 7 / TRIPS_OF_AN_ERRAND
    works = not is_weekend and bool(rng.random() < commute_chance)
    wishes = _commute(driver, places, rng) if works else []
    outings = int(min(rng.poisson(errands_a_day), MOST_OUTINGS[0] if works else MOST_OUTINGS[1]))
    from_h, to_h = WORK_EVENING_H if works else FREE_DAY_H
    for outing in range(outings):
        slot_h = (to_h - from_h) / outings
        wishes += _errand(driver, places, from_h + outing * slot_h, slot_h, rng)
    if rng.random() < by_night / 2 / 7:
        wishes += _night_out(driver, places, rng)
    return wishes


def _commute(driver: Driver, places: Places, rng: np.random.Generator) -> list[Wish]:
    there_h = TO_WORK_H + TO_WORK_SD_H * float(np.clip(rng.standard_normal(), -2.5, 2.5))
    back_h = FROM_WORK_H + FROM_WORK_SD_H * float(np.clip(rng.standard_normal(), -2.5, 2.5))
    way_m = TO_WORK_SHARE * driver.km_per_trip * 1000.0 * np.exp(0.1 * rng.standard_normal(2))
    return [
        Wish(there_h, places.home, places.work, places.errands[:1], float(way_m[0])),
        Wish(back_h, places.work, places.home, places.errands, float(way_m[1])),
    ]


def _errand(driver: Driver, places: Places, from_h: float, slot_h: float, rng: np.random.Generator) -> list[Wish]:
    leaves_h = from_h + float(rng.uniform(0.0, 0.3)) * slot_h
    if rng.random() < ROUND_TRIP_SHARE:
        return [Wish(leaves_h, places.home, places.home, places.errands, _length_m(ERRAND_SHARE, driver, rng))]
    shop = int(rng.choice(np.array(places.errands)))
    returns_h = leaves_h + 0.4 * slot_h
    return [
        Wish(leaves_h, places.home, shop, places.errands, _length_m(ERRAND_SHARE, driver, rng)),
        Wish(returns_h, shop, places.home, (), _length_m(ERRAND_SHARE, driver, rng)),
    ]


def _night_out(driver: Driver, places: Places, rng: np.random.Generator) -> list[Wish]:
    out = int(rng.choice(np.array(places.night_life)))
    leaves_h = float(rng.uniform(*NIGHT_OUT_H))
    returns_h = leaves_h + float(rng.uniform(*NIGHT_STAY_H))
    if out == places.home:
        return []
    return [
        Wish(leaves_h, places.home, out, (), _length_m(NIGHT_OUT_SHARE, driver, rng)),
        Wish(returns_h, out, places.home, (), _length_m(NIGHT_OUT_SHARE, driver, rng)),
    ]


def _length_m(share: float, driver: Driver, rng: np.random.Generator) -> float:
    wished_km = share * driver.km_per_trip * np.exp(LENGTH_SIGMA * rng.standard_normal())
    return 1000.0 * float(np.clip(wished_km, *LENGTH_BOUNDS_KM))
