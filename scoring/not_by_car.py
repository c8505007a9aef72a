"""Whether a trip was driven in this car at all: what excludes it, with its reason, and what only looks otherwise.

An exclusion needs evidence that no drive gives: no such speed, the contact off, the odometer still, no road under it.
A likeness (a bicycle's pace, a bus's stops) excludes nothing: the policyholder is asked.
"""

import numpy as np

from ingest.readings import Flag
from scoring.driven import Driven
from scoring.series import Bools, Floats, runs
from scoring.settings import Certificate, Cutting, Travel
from scoring.trips import Trip


def exclusion(trip: Trip, driven: Driven, cutting: Cutting, wanted: Certificate, travel: Travel) -> str | None:
    """Why this is no insured driving, or None: `too_short`, `too_long`, `not_driving` (on foot, or faster than cars),
    `towed` (moved with the contact off or the odometer still), `off_road` (on rails, water or in the air),
    `vin_mismatch` (the device was in another vehicle).
    """
    fast_mps, contact = _fast_mps(trip), _contact(trip)
    on_foot = fast_mps < travel.walk_mps and trip.t_s[-1] >= travel.walk_least_s and not trip.in_gap.any()
    contact_off = contact is not None and 1.0 - contact > travel.contact_share
    reasons = {
        "vin_mismatch": bool((trip.readings.flags & Flag.VIN_MISMATCH).any()),
        "too_short": trip.step_m.sum() + trip.gap_m < cutting.short_trip_m,
        "too_long": trip.t_s[-1] > travel.longest_trip_s,
        "not_driving": fast_mps > travel.fastest_car_mps or on_foot,
        "towed": contact_off or (contact is None and _odometer_stands(trip, travel)),
        "off_road": contact is None and off_road(trip, driven, wanted),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def off_road(trip: Trip, driven: Driven, wanted: Certificate) -> bool:
    """A train, a ferry or a plane, as a map can tell: most of the way is inside it, on none of its roads."""
    way_m = float(trip.step_m.sum())
    off_m = float(trip.step_m[(driven.inside & ~driven.matched)[:-1]].sum())
    return way_m >= wanted.off_road_least_m and off_m >= wanted.off_road_share * way_m


def likenesses(trip: Trip, travel: Travel) -> dict[str, bool]:
    """What the motion looks like beside driving, and what the car's own instruments say against it; by flag."""
    return {
        "bicycle_like": _bicycle_like(trip, travel),
        "bus_like": _bus_like(trip, travel),
        "odo_reset": _odometer_falls(trip),
        "odometer_mismatch": _odometer_disagrees(trip, travel),
        "ignition_toggling": _contact_toggles(trip, travel),
    }


def _fast_mps(trip: Trip) -> float:
    moving = trip.speed_mps[~trip.still]
    return float(np.quantile(moving, 0.95)) if len(moving) else 0.0


def _contact(trip: Trip) -> float | None:
    """The share of moving readings with the contact on; None: reported on less than half of them."""
    said = trip.readings.ignition[~trip.still].astype(np.float64)
    known = said[np.isfinite(said)]
    return float(known.mean()) if len(known) and len(known) >= len(said) / 2 else None


def _odometer(trip: Trip) -> Floats:
    said = trip.readings.odometer_m
    return said[np.isfinite(said)]


def _odometer_falls(trip: Trip) -> bool:
    return bool((np.diff(_odometer(trip)) < 0.0).any())


def _odometer_way_m(trip: Trip) -> float | None:
    """What the odometer counted from the first to the last reading; None where it is not known there, or fell."""
    said = _odometer(trip)
    whole = len(said) >= 2 and np.isfinite(trip.readings.odometer_m[[0, -1]]).all()
    return float(said[-1] - said[0]) if whole and not _odometer_falls(trip) else None


def _odometer_stands(trip: Trip, travel: Travel) -> bool:
    counted_m, way_m = _odometer_way_m(trip), float(trip.step_m.sum())
    return (
        counted_m is not None and way_m >= travel.odometer_least_m and counted_m <= travel.odometer_still_share * way_m
    )


def _odometer_disagrees(trip: Trip, travel: Travel) -> bool:
    counted_m, way_m = _odometer_way_m(trip), float(trip.step_m.sum()) + trip.gap_m
    return counted_m is not None and abs(counted_m - way_m) > travel.odometer_slack_m + travel.odometer_share * way_m


def _contact_toggles(trip: Trip, travel: Travel) -> bool:
    said = np.isfinite(trip.readings.ignition)
    changed_s = trip.t_s[said][1:][np.diff(trip.readings.ignition[said]) != 0.0]
    return bool((np.diff(changed_s) < travel.toggle_s).sum() >= travel.toggle_least)


def _bicycle_like(trip: Trip, travel: Travel) -> bool:
    """A bicycle's top speed, held most of the time: a car so slow is in a jam, where it stands as often."""
    moving = trip.speed_mps[~trip.still]
    if len(moving) < 2 or trip.step_m.sum() < travel.bicycle_least_m:
        return False
    near = np.abs(moving - np.median(moving)) <= travel.bicycle_steady * np.median(moving)
    pace = travel.walk_mps <= _fast_mps(trip) <= travel.bicycle_mps
    return pace and float(near.mean()) >= 0.6 and len(moving) >= 0.8 * len(trip.still)


def _bus_like(trip: Trip, travel: Travel) -> bool:
    """Stops alike in length and in distance, many of them: signals and jams are not so regular."""
    along_m = np.concatenate(([0.0], np.cumsum(trip.step_m)))
    stops = [(start, stop) for start, stop in runs(_inside(trip.still)) if _lasts(trip, start, stop, travel)]
    if len(stops) < travel.bus_least_stops:
        return False
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
