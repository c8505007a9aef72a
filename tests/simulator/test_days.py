"""Days add up to the weeks a driver leads: trips a week, and each day a chain from home to home."""

from itertools import pairwise

import numpy as np
import pytest

from simulator.days import plan_day
from simulator.drivers import Driver, draw_drivers
from simulator.routes import Places

PLACES = Places(home=0, work=1, errands=(2, 3, 4, 5, 6, 7), night_life=(8, 9, 10))
WEEKS = 150


@pytest.mark.parametrize("driver", draw_drivers(6, seed=1), ids=lambda driver: f"driver-{driver.number}")
def test_a_driver_makes_the_trips_a_week_of_the_trait(driver: Driver) -> None:
    rng = np.random.default_rng(driver.number)
    count = sum(len(plan_day(driver, PLACES, day % 7 >= 5, rng)) for day in range(WEEKS * 7))
    assert count / WEEKS == pytest.approx(driver.trips_per_week, rel=0.15)


def test_each_day_is_a_chain_in_order_of_time_from_home_to_home() -> None:
    rng = np.random.default_rng(7)
    for driver in draw_drivers(20, seed=2):
        for day in range(60):
            wishes = plan_day(driver, PLACES, day % 7 >= 5, rng)
            for earlier, later in pairwise(wishes):
                assert earlier.hour < later.hour
                assert earlier.target == later.origin
            if wishes:
                assert (wishes[0].origin, wishes[-1].target) == (PLACES.home, PLACES.home)
                assert wishes[-1].hour < 28.0  # before the next day's first trip
