"""Whether a trip was driven in this car at all: what excludes it, with its reason, and what only looks otherwise.

An exclusion needs evidence that no drive gives: no such speed, the contact off, the odometer still, no road under it.
A likeness (a bicycle's pace, a bus's stops) excludes nothing: the policyholder is asked.
"""

import math

import numpy as np

from ingest.readings import Flag
from scoring.series import Bools, runs
from scoring.settings import Certificate, Cutting, Travel
from scoring.survey import Survey
from scoring.trips import Trip


def exclusion(trip: Trip, seen: Survey, cutting: Cutting, wanted: Certificate, travel: Travel) -> str | None:
    """Why this is no insured driving, or None: `too_short`, `too_long`, `not_driving` (on foot, or faster than cars),
    `towed` (moved with the contact off or the odometer still), `off_road` (on rails, water or in the air),
    `vin_mismatch` (the device was in another vehicle).
    """
    on_foot = seen.fast_mps < travel.walk_mps and trip.t_s[-1] >= travel.walk_least_s and not seen.gaps
    silent = math.isnan(seen.contact)
    contact_off = not silent and 1.0 - seen.contact > travel.contact_share
    reasons = {
        "vin_mismatch": bool(seen.said & Flag.VIN_MISMATCH),
        "too_short": seen.way_m + trip.gap_m < cutting.short_trip_m,
        "too_long": trip.t_s[-1] > travel.longest_trip_s,
        "not_driving": seen.fast_mps > travel.fastest_car_mps or on_foot,
        "towed": contact_off or (silent and _odometer_stands(seen, travel)),
        "off_road": silent and off_road(seen, wanted),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def off_road(seen: Survey, wanted: Certificate) -> bool:
    """A train, a ferry or a plane, as a map can tell: most of the way is inside it, on none of its roads."""
    return seen.way_m >= wanted.off_road_least_m and seen.off_m >= wanted.off_road_share * seen.way_m


def likenesses(trip: Trip, seen: Survey, travel: Travel) -> dict[str, bool]:
    """What the motion looks like beside driving, and what the car's own instruments say against it; by flag."""
    return {
        "bicycle_like": _bicycle_like(trip, seen, travel),
        "bus_like": _bus_like(trip, travel),
        "odo_reset": seen.odometer_falls,
        "odometer_mismatch": _odometer_disagrees(trip, seen, travel),
        "ignition_toggling": seen.toggles >= travel.toggle_least,
        "too_fast_for_vehicle": seen.fast_mps > travel.fastest_of_class_mps,
        "long_stop": seen.longest_stop_s >= travel.long_stop_s,
    }


def _odometer_stands(seen: Survey, travel: Travel) -> bool:
    return seen.way_m >= travel.odometer_least_m and seen.counted_m <= travel.odometer_still_share * seen.way_m


def _odometer_disagrees(trip: Trip, seen: Survey, travel: Travel) -> bool:
    way_m = seen.way_m + trip.gap_m
    return abs(seen.counted_m - way_m) > travel.odometer_slack_m + travel.odometer_share * way_m


def _bicycle_like(trip: Trip, seen: Survey, travel: Travel) -> bool:
    """A bicycle's top speed, held most of the time: a car so slow is in a jam, where it stands as often."""
    pace = travel.walk_mps <= seen.fast_mps <= travel.bicycle_mps
    if not pace or seen.moving < max(2, 0.8 * len(trip.still)) or seen.way_m < travel.bicycle_least_m:
        return False
    moving = trip.speed_mps[~trip.still]
    near = np.abs(moving - np.median(moving)) <= travel.bicycle_steady * np.median(moving)
    return float(near.mean()) >= 0.6


def _bus_like(trip: Trip, travel: Travel) -> bool:
    """Stops alike in length and in distance, many of them: signals and jams are not so regular."""
    stops = [(start, stop) for start, stop in runs(_inside(trip.still)) if _lasts(trip, start, stop, travel)]
    if len(stops) < travel.bus_least_stops:
        return False
    along_m = np.concatenate(([0.0], np.cumsum(trip.step_m)))
    dwell_s = np.array([trip.t_s[stop] - trip.t_s[start] for start, stop in stops])
    between_m = np.diff([along_m[start] for start, _ in stops])
    alike = all(float(np.std(one) / np.mean(one)) <= travel.bus_most_spread for one in (dwell_s, between_m))
    low_m, high_m = travel.bus_between_m
    return alike and low_m <= float(np.median(between_m)) <= high_m


def _inside(still: Bools) -> Bools:
    """Without the standing at either end."""
    inner = still.copy()
    moving = np.flatnonzero(~still)
    if len(moving):
        inner[: moving[0]] = inner[moving[-1] :] = False
    return inner


def _lasts(trip: Trip, start: int, stop: int, travel: Travel) -> bool:
    low_s, high_s = travel.bus_stop_s
    return low_s <= float(trip.t_s[stop] - trip.t_s[start]) <= high_s
