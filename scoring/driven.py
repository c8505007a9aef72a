"""A trip on the roads: for each reading the edge, its class and its posted limit, from fixes that the matcher saw."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.classes import UNMATCHED
from scoring.match import Matched, Matcher
from scoring.motion import DENSE_S
from scoring.roads import RoadMap
from scoring.series import Bools, Floats
from scoring.trips import Trip

ROUTE_SLACK_M = 15.0  # a way along the roads differs from the straight step by at most so much, and this share of it
ROUTE_SLACK = 0.5
FURTHEST_EDGES = 2000  # between two fixes
CARRY_S = 15.0  # how long a matched fix speaks for readings without a fix of their own


@dataclass(frozen=True, slots=True)
class Driven:
    """What the roads say of a trip's n readings, arrays of shape (n,)."""

    road_class: NDArray[np.intp]  # index into EXPOSURE_CLASSES
    limit_mps: Floats  # posted limit of the map; NaN unknown
    matched: Bools
    edge: NDArray[np.intp]  # of the road map; -1: on none of its roads
    map_version: str | None  # None: no map was asked
    discontinuities: int
    inside: Bools  # within the bounds of the map: where it has no road, there is none
    swapped: bool = False  # none is, and most would be if latitude and longitude changed places
    found: Matched | None = None  # the matcher's own words, of the fixes that are not held


def on_roads(trip: Trip, matcher: Matcher | None, roads: RoadMap | None) -> Driven:
    """The trip matched fix by fix. Without a matcher nothing is matched and no limit is known."""
    count = len(trip.t_s)
    if matcher is None or roads is None:
        nothing = np.full(count, UNMATCHED, dtype=np.intp)
        nowhere = np.zeros(count, dtype=np.bool_)
        return Driven(nothing, np.full(count, np.nan), nowhere, np.full(count, -1), None, 0, nowhere)
    fixes = np.flatnonzero(~trip.held)
    all_new = len(fixes) == count
    readings = trip.readings if all_new else trip.readings.take(fixes)
    found = matcher.match(
        readings.fix_time_us, readings.latitude_deg, readings.longitude_deg, readings.accuracy_m.astype(np.float64)
    )
    edge = found.edge
    if not all_new:
        nearest = _nearest(trip.t_s[fixes], trip.t_s)
        edge = np.where(np.abs(trip.t_s[fixes][nearest] - trip.t_s) <= CARRY_S, edge[nearest], -1)
    matched = edge >= 0
    latitude_deg, longitude_deg = trip.readings.latitude_deg, trip.readings.longitude_deg
    inside = _within(latitude_deg, longitude_deg, roads)
    safe = np.where(matched, edge, 0)
    return Driven(
        road_class=np.where(matched, roads.edge_class[safe], UNMATCHED).astype(np.intp),
        limit_mps=np.where(matched, roads.edge_limit_mps[safe], np.nan),
        matched=matched,
        edge=edge.astype(np.intp),
        map_version=found.map_version,
        discontinuities=int(np.count_nonzero(found.breaks[1:])),
        inside=inside,
        swapped=not inside.any() and bool(_within(longitude_deg, latitude_deg, roads).mean() > 0.5),
        found=found,
    )


def _within(latitude_deg: Floats, longitude_deg: Floats, roads: RoadMap) -> Bools:
    """Which places lie in the box of the map's nodes, by which a map may not cross longitude 180."""
    inside: Bools = (
        (latitude_deg >= roads.node_latitude_deg.min())
        & (latitude_deg <= roads.node_latitude_deg.max())
        & (longitude_deg >= roads.node_longitude_deg.min())
        & (longitude_deg <= roads.node_longitude_deg.max())
    )
    return inside


def _nearest(known_s: Floats, wanted_s: Floats) -> NDArray[np.intp]:
    """The index of the known time nearest to each wanted one; the earlier of two as near."""
    after = np.clip(np.searchsorted(known_s, wanted_s), 0, len(known_s) - 1)
    before = np.maximum(after - 1, 0)
    nearest: NDArray[np.intp] = np.where(wanted_s - known_s[before] <= known_s[after] - wanted_s, before, after)
    return nearest


def along_roads(trip: Trip, driven: Driven, roads: RoadMap | None) -> None:
    """Measures the trip's steps between far readings along the matched route instead of straight across bends.

    Only where the route is whole and near to as long as the step: a detour that nobody drove is no way.
    """
    found = driven.found
    if roads is None or found is None or trip.sampling_interval_s <= DENSE_S or len(found) != len(trip.t_s):
        return
    way_m = np.diff(_route_places_m(found, roads))
    whole = np.isfinite(way_m) & ~found.breaks[1:] & ~trip.in_gap & (trip.step_s > DENSE_S) & (trip.step_m > 0)
    near = np.abs(way_m - trip.step_m) <= ROUTE_SLACK_M + ROUTE_SLACK * trip.step_m
    np.copyto(trip.step_m, way_m, where=whole & near)


def _route_places_m(found: Matched, roads: RoadMap) -> Floats:
    """How far along the matched route each fix lies, shape (n,); NaN where it is not on it."""
    starts_m = np.concatenate(([0.0], np.cumsum(roads.edge_length_m[found.route_edge]))).tolist()
    route = list(zip(found.route_edge.tolist(), found.route_backward.tolist(), strict=True))
    places_m = np.full(len(found), np.nan)
    at = 0
    for fix, on in enumerate(zip(found.edge.tolist(), found.backward.tolist(), strict=True)):
        ahead = range(at, min(at + FURTHEST_EDGES, len(route)) if on[0] >= 0 else at)
        place = next((place for place in ahead if route[place] == on), None)
        if place is None:
            continue
        at = place
        along_m = float(found.along_m[fix])
        places_m[fix] = starts_m[at] + (float(roads.edge_length_m[on[0]]) - along_m if on[1] else along_m)
    return places_m
