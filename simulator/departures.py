"""A rush hour from now on: one drive of each vehicle, moved so that it begins within a stretch of time."""

from collections.abc import Callable

import numpy as np

from simulator.blocks import Plan, trips_of
from simulator.drivers import draw_driver
from simulator.frames import rows_of
from simulator.seeds import DEPARTURE, POPULATION, generator
from simulator.stream import Vehicle

DEPART_WITHIN = 0.3  # of the stretch


def departing(
    plan: Plan, began_us: int, duration_s: float, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Vehicle]:
    """Each driver's longest drive of the plan's days, cut where the stretch ends; who does not drive stays at home.

    `began_us` is the fix time at which the stretch begins. Tokens are not known here.
    """
    vehicles = []
    for number in range(plan.drivers):
        trips = trips_of(plan, [number])
        if trips:
            columns = dict(max(trips, key=len).columns)
            wait_s = DEPART_WITHIN * duration_s * float(generator(plan.seed, number, DEPARTURE).random())
            moved_us = began_us + round(wait_s) * 1_000_000 - int(columns["fix_time_us"][0])
            columns["fix_time_us"] = columns["fix_time_us"] + moved_us
            inside = np.flatnonzero(columns["fix_time_us"] <= began_us + round(duration_s * 1e6))
            driver = draw_driver(number, generator(plan.seed, number, POPULATION), plan.population)
            vehicles.append(Vehicle(number, driver.device_kind, rows_of(columns, inside), None))
        progress(number + 1, plan.drivers)
    return vehicles
