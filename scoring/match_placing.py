"""Puts every fix of a trip on the route that the matching model chose, compiled."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled, inlined
from scoring.geodesy import METRES_PER_DEGREE
from scoring.match_lattice import Lattice, MatchSettings
from scoring.match_network import Network, Search, drive_from, project


class Stretches(NamedTuple):
    """Scratch for one route between two columns, as long as the network has nodes, and its two ends."""

    edge: NDArray[np.int32]
    backward: NDArray[np.bool_]
    low_m: NDArray[np.float64]
    high_m: NDArray[np.float64]


class Placed(NamedTuple):
    """What is told of each fix, shape (n,)."""

    edge: NDArray[np.int32]
    distance_m: NDArray[np.float64]
    along_m: NDArray[np.float64]
    backward: NDArray[np.bool_]
    breaks: NDArray[np.bool_]
    route: Stretches


def new_stretches(network: Network) -> Stretches:
    """Room for the longest route."""
    size = len(network.node_first_way) + 1
    return Stretches(np.empty(size, dtype=np.int32), np.empty(size, dtype=np.bool_), np.empty(size), np.empty(size))


def new_placed(fixes: int, route: Stretches) -> Placed:
    """All fixes unmatched."""
    return Placed(
        edge=np.full(fixes, -1, dtype=np.int32),
        distance_m=np.full(fixes, np.nan),
        along_m=np.full(fixes, np.nan),
        backward=np.zeros(fixes, dtype=np.bool_),
        breaks=np.zeros(fixes, dtype=np.bool_),
        route=route,
    )


@inlined
def _entry_node(network: Network, edge: int, backward: bool) -> int:
    """The node where an edge is entered; with the other direction, where it is left."""
    node: int = network.edge_to_node[edge] if backward else network.edge_from_node[edge]
    return node


@inlined
def _route(
    network: Network, search: Search, settings: MatchSettings, lattice: Lattice, before: int, after: int, placed: Placed
) -> int:
    """Writes the stretches driven between the chosen states of two joined columns, in order; returns how many."""
    i, j = lattice.chosen[before], lattice.chosen[after]
    edge, backward, at_m = lattice.edge[before, i], lattice.backward[before, i], lattice.at_m[before, i]
    next_edge, next_backward = lattice.edge[after, j], lattice.backward[after, j]
    next_at_m = lattice.at_m[after, j]
    jitter_m = max(settings.jitter_m, settings.jitter_sigmas * lattice.sigma_m[after])
    same = edge == next_edge and backward == next_backward
    if edge == next_edge and (not same or next_at_m >= at_m - jitter_m):
        first_m = network.edge_length_m[edge] - at_m if not same else at_m
        _stretch(network, placed, 0, edge, next_backward, min(first_m, next_at_m), max(first_m, next_at_m))
        return 1
    source = _entry_node(network, edge, not backward)
    target = _entry_node(network, next_edge, next_backward)
    drive_from(network, search, source, np.inf, target)
    count = 2
    node = target
    while node != source:
        way = search.reached_by[node]
        node = _entry_node(network, network.way_edge[way], network.way_backward[way])
        count += 1
    _stretch(network, placed, 0, edge, backward, at_m, network.edge_length_m[edge])
    _stretch(network, placed, count - 1, next_edge, next_backward, 0.0, next_at_m)
    node = target
    for place in range(count - 2, 0, -1):
        way = search.reached_by[node]
        through, through_backward = network.way_edge[way], network.way_backward[way]
        _stretch(network, placed, place, through, through_backward, 0.0, network.edge_length_m[through])
        node = _entry_node(network, through, through_backward)
    return count


@inlined
def _stretch(
    network: Network, placed: Placed, place: int, edge: int, backward: bool, from_m: float, to_m: float
) -> None:
    """One stretch of a route, from and to as driven, kept as low and high along the edge as drawn."""
    length_m = network.edge_length_m[edge]
    placed.route.edge[place], placed.route.backward[place] = edge, backward
    placed.route.low_m[place] = length_m - to_m if backward else from_m
    placed.route.high_m[place] = length_m - from_m if backward else to_m


@compiled
def _place(
    segments: NDArray[np.float64],
    edge_first_segment: NDArray[np.int64],
    radius_m: float,
    latitude_deg: NDArray[np.float64],
    longitude_deg: NDArray[np.float64],
    first: int,
    after: int,
    stretches: int,
    placed: Placed,
) -> None:
    """Puts fixes on the nearest point of the route, where that is near enough and nearer than their present place."""
    route = placed.route
    for fix in range(first, after):
        nearest_m2 = placed.distance_m[fix] ** 2 if placed.edge[fix] >= 0 else radius_m**2
        per_degree_east = METRES_PER_DEGREE * np.cos(np.radians(latitude_deg[fix]))
        for place in range(stretches):
            edge, low_m, high_m = route.edge[place], route.low_m[place], route.high_m[place]
            for segment in range(edge_first_segment[edge], edge_first_segment[edge + 1]):
                start_m = segments[segment, 4]
                if start_m > high_m or start_m + segments[segment, 5] < low_m:
                    continue
                distance_m2, along_m = project(
                    segments, segment, latitude_deg[fix], longitude_deg[fix], per_degree_east, low_m, high_m
                )
                if distance_m2 < nearest_m2:
                    nearest_m2 = distance_m2
                    placed.edge[fix], placed.backward[fix] = edge, route.backward[place]
                    placed.distance_m[fix], placed.along_m[fix] = np.sqrt(distance_m2), along_m


@inlined
def _place_between(
    network: Network,
    settings: MatchSettings,
    latitude_deg: NDArray[np.float64],
    longitude_deg: NDArray[np.float64],
    lattice: Lattice,
    before: int,
    after: int,
    stretches: int,
    placed: Placed,
) -> None:
    """Puts the fixes between two chosen columns on the route; without one, on the edges of these columns."""
    segments, offsets, radius_m = network.segment, network.edge_first_segment, settings.radius_m
    first = lattice.fix[before] + 1
    last = lattice.fix[after] if after < len(lattice.fix) and lattice.chosen[after] >= 0 else len(latitude_deg)
    if first >= last:
        return
    if stretches:
        _place(segments, offsets, radius_m, latitude_deg, longitude_deg, first, last, stretches, placed)
        return
    for side in (before, after):
        if side < len(lattice.fix) and lattice.chosen[side] >= 0:
            edge, backward = lattice.edge[side, lattice.chosen[side]], lattice.backward[side, lattice.chosen[side]]
            _stretch(network, placed, 0, edge, backward, 0.0, network.edge_length_m[edge])
            _place(segments, offsets, radius_m, latitude_deg, longitude_deg, first, last, 1, placed)


@compiled
def place_fixes(
    network: Network,
    search: Search,
    settings: MatchSettings,
    latitude_deg: NDArray[np.float64],
    longitude_deg: NDArray[np.float64],
    lattice: Lattice,
    columns: int,
    placed: Placed,
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Puts the chosen fixes where their states are, and all others on the route between the chosen ones around them.

    Returns the edges driven over and their directions, in order, with those that carry no fix.
    """
    driven, driven_backward, count = np.empty(256, dtype=np.int32), np.empty(256, dtype=np.bool_), 0
    segments, offsets = network.segment, network.edge_first_segment
    before = -1
    for column in range(columns):
        if lattice.chosen[column] < 0:
            continue
        stretches = 0
        if lattice.column_before[column] >= 0:
            stretches = _route(network, search, settings, lattice, before, column, placed)
        if before >= 0:
            _place_between(network, settings, latitude_deg, longitude_deg, lattice, before, column, stretches, placed)
            placed.breaks[lattice.fix[column]] = stretches == 0
        edge, backward = lattice.edge[column, lattice.chosen[column]], lattice.backward[column, lattice.chosen[column]]
        if stretches == 0:
            _stretch(network, placed, 0, edge, backward, 0.0, network.edge_length_m[edge])
        # The first stretch of a route goes on along the edge where the route before it ended.
        begin = 1 if stretches and driven_backward[count - 1] == placed.route.backward[0] else 0
        end = max(stretches, 1)
        while count + end > len(driven):
            driven = np.concatenate((driven, np.empty_like(driven)))
            driven_backward = np.concatenate((driven_backward, np.empty_like(driven_backward)))
        driven[count : count + end - begin] = placed.route.edge[begin:end]
        driven_backward[count : count + end - begin] = placed.route.backward[begin:end]
        count += end - begin
        _stretch(network, placed, 0, edge, backward, 0.0, network.edge_length_m[edge])
        fix = lattice.fix[column]
        _place(segments, offsets, settings.radius_m, latitude_deg, longitude_deg, fix, fix + 1, 1, placed)
        before = column
    if before >= 0:
        _place_between(network, settings, latitude_deg, longitude_deg, lattice, before, len(lattice.fix), 0, placed)
    return driven[:count], driven_backward[:count]
