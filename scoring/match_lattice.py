"""The hidden Markov model of matching, compiled: candidates of thinned fixes, the cheapest chain, all put on it.

Costs are negative logarithms of likelihoods. Newson and Krumm, "Hidden Markov map matching through noise and
sparseness" (2009), with two additions: a state is an edge AND a driving direction, so turning round has a price, and a
small step back on the same edge is taken for noise of the receiver, not for a drive round the block.
"""
# ruff: noqa: PLR0917  compiled functions are called by position

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scoring.compiled import compiled
from scoring.geodesy import METRES_PER_DEGREE
from scoring.match_network import MAX_EDGES, Network, Search, drive_from, nearby_edges, project

STATES = 2 * MAX_EDGES


class MatchSettings(NamedTuple):
    """What the model assumes. Metres and costs (negative log-likelihoods)."""

    sigma_m: float = 6.0  # of a fix across the road, unless its accuracy says more
    beta_m: float = 6.0  # mean of |driven - great circle| between two fixes that are close together
    beta_share: float = 0.1  # the same as a share of the great circle, for fixes far apart
    radius_m: float = 50.0  # beyond it a fix is unmatched
    thin_m: float = 15.0  # fixes nearer than this to the one before are put on the route afterwards
    jitter_m: float = 20.0  # how far back on its edge a fix may fall by noise
    turn_round_cost: float = 6.0
    beam_cost: float = 40.0  # states dearer than the best by this are given up
    slack_m: float = 150.0  # how much longer than the great circle a drive between two fixes may be, first try
    longest_gap_m: float = 10_000.0  # a great circle beyond which a drive is not guessed
    skip_limit: int = 3  # fixes that may be left out as outliers before the chain is broken


class Lattice(NamedTuple):
    """One column for each fix that takes part, shape (L,) or (L, STATES). `at_m` is from where the edge is entered."""

    fix: NDArray[np.int64]
    sigma_m: NDArray[np.float64]
    states: NDArray[np.int64]
    edge: NDArray[np.int32]
    backward: NDArray[np.bool_]
    at_m: NDArray[np.float64]
    distance_m: NDArray[np.float64]
    cost: NDArray[np.float64]
    parent: NDArray[np.int16]
    column_before: NDArray[np.int64]  # -1: a chain starts here
    chosen: NDArray[np.int64]  # the state, -1: left out
    reach_m: NDArray[np.float64]  # (STATES, STATES), scratch
    gap_m: NDArray[np.float64]  # (1,), scratch


class Placed(NamedTuple):
    """What is told of each fix, shape (n,); and scratch for one route between two columns."""

    edge: NDArray[np.int32]
    distance_m: NDArray[np.float64]
    along_m: NDArray[np.float64]
    backward: NDArray[np.bool_]
    breaks: NDArray[np.bool_]
    route_edge: NDArray[np.int32]
    route_backward: NDArray[np.bool_]
    route_low_m: NDArray[np.float64]
    route_high_m: NDArray[np.float64]


def new_lattice(fixes: int) -> Lattice:
    """Room for all fixes; untouched memory costs nothing."""
    shape = (fixes, STATES)
    return Lattice(
        fix=np.empty(fixes, dtype=np.int64),
        sigma_m=np.empty(fixes),
        states=np.zeros(fixes, dtype=np.int64),
        edge=np.empty(shape, dtype=np.int32),
        backward=np.empty(shape, dtype=np.bool_),
        at_m=np.empty(shape),
        distance_m=np.empty(shape),
        cost=np.empty(shape),
        parent=np.empty(shape, dtype=np.int16),
        column_before=np.full(fixes, -1, dtype=np.int64),
        chosen=np.full(fixes, -1, dtype=np.int64),
        reach_m=np.empty((STATES, STATES)),
        gap_m=np.empty(1),
    )


def new_placed(fixes: int, nodes: int) -> Placed:
    """All fixes unmatched."""
    return Placed(
        edge=np.full(fixes, -1, dtype=np.int32),
        distance_m=np.full(fixes, np.nan),
        along_m=np.full(fixes, np.nan),
        backward=np.zeros(fixes, dtype=np.bool_),
        breaks=np.zeros(fixes, dtype=np.bool_),
        route_edge=np.empty(nodes + 2, dtype=np.int32),
        route_backward=np.empty(nodes + 2, dtype=np.bool_),
        route_low_m=np.empty(nodes + 2),
        route_high_m=np.empty(nodes + 2),
    )


@compiled
def _apart_m(latitude_deg: NDArray[np.float64], longitude_deg: NDArray[np.float64], first: int, second: int) -> float:
    north_m = (latitude_deg[second] - latitude_deg[first]) * METRES_PER_DEGREE
    east_deg = (longitude_deg[second] - longitude_deg[first] + 180.0) % 360.0 - 180.0
    middle = np.radians((latitude_deg[first] + latitude_deg[second]) / 2.0)
    apart_m: float = np.hypot(north_m, east_deg * METRES_PER_DEGREE * np.cos(middle))
    return apart_m


@compiled
def fill_lattice(
    network: Network,
    settings: MatchSettings,
    latitude_deg: NDArray[np.float64],
    longitude_deg: NDArray[np.float64],
    accuracy_m: NDArray[np.float64],
    lattice: Lattice,
) -> int:
    """Takes the fixes that are near a road and far enough from the one taken before; returns the number of columns."""
    near_edge = np.empty(MAX_EDGES, dtype=np.int32)
    near_m, near_along_m = np.empty(MAX_EDGES), np.empty(MAX_EDGES)
    column = 0
    for fix in range(len(latitude_deg)):
        if column and _apart_m(latitude_deg, longitude_deg, lattice.fix[column - 1], fix) < settings.thin_m:
            continue
        near = nearby_edges(
            network, latitude_deg[fix], longitude_deg[fix], settings.radius_m, near_edge, near_m, near_along_m
        )
        states = 0
        for k in range(near):
            edge = near_edge[k]
            if network.edge_forward[edge]:
                lattice.edge[column, states], lattice.backward[column, states] = edge, False
                lattice.at_m[column, states], lattice.distance_m[column, states] = near_along_m[k], near_m[k]
                states += 1
            if network.edge_backward[edge]:
                lattice.edge[column, states], lattice.backward[column, states] = edge, True
                lattice.at_m[column, states] = network.edge_length_m[edge] - near_along_m[k]
                lattice.distance_m[column, states] = near_m[k]
                states += 1
        if states:
            sigma_m = settings.sigma_m
            if accuracy_m[fix] > 0.0:  # false for NaN; a radius of 68 % is 1.51 sigma of one axis
                sigma_m = min(max(sigma_m, accuracy_m[fix] / 1.51), settings.radius_m)
            lattice.fix[column], lattice.sigma_m[column], lattice.states[column] = fix, sigma_m, states
            column += 1
    return column


@compiled
def _entry(network: Network, edge: int, backward: bool) -> int:
    node: int = network.edge_to_node[edge] if backward else network.edge_from_node[edge]
    return node


@compiled
def _measure_reach(
    network: Network, search: Search, settings: MatchSettings, lattice: Lattice, before: int, after: int, bound_m: float
) -> None:
    """Driving distances from where each state before leaves its edge to where each state after enters its own."""
    mark, marked = search.runs[0] + 1, 0
    for j in range(lattice.states[after]):
        node = _entry(network, lattice.edge[after, j], lattice.backward[after, j])
        if search.wanted[node] != mark:
            search.wanted[node] = mark
            marked += 1
    cheapest = np.inf
    for i in range(lattice.states[before]):
        cheapest = min(cheapest, lattice.cost[before, i])
    for i in range(lattice.states[before]):
        lattice.reach_m[i, :] = np.inf
        if lattice.cost[before, i] > cheapest + settings.beam_cost:
            continue
        source = _entry(network, lattice.edge[before, i], not lattice.backward[before, i])
        drive_from(network, search, source, bound_m, mark, marked)
        for j in range(lattice.states[after]):
            node = _entry(network, lattice.edge[after, j], lattice.backward[after, j])
            if search.run[node] == search.runs[0]:
                lattice.reach_m[i, j] = search.distance_m[node]


@compiled
def _step_cost(
    network: Network, settings: MatchSettings, lattice: Lattice, before: int, i: int, after: int, j: int
) -> float:
    """Cost of driving from one state to the next; infinite when there is no way."""
    gap_m = lattice.gap_m[0]
    beta_m = max(settings.beta_m, settings.beta_share * gap_m)
    edge = lattice.edge[before, i]
    at_m, next_at_m = lattice.at_m[before, i], lattice.at_m[after, j]
    remaining_m = network.edge_length_m[edge] - at_m
    cost: float = abs(remaining_m + lattice.reach_m[i, j] + next_at_m - gap_m) / beta_m
    if edge != lattice.edge[after, j]:
        return cost
    if lattice.backward[before, i] != lattice.backward[after, j]:
        driven_m = abs(remaining_m - next_at_m)
        cost = settings.turn_round_cost + abs(driven_m - gap_m) / beta_m
        return cost
    if next_at_m >= at_m - settings.jitter_m:
        back_m = max(0.0, at_m - next_at_m)
        cost = min(cost, (abs(abs(next_at_m - at_m) - gap_m) + back_m) / beta_m)
    return cost


@compiled
def _advance(
    network: Network, search: Search, settings: MatchSettings, lattice: Lattice, before: int, after: int, bound_m: float
) -> bool:
    """Costs of the column after from the column before; False when none of its states can be reached."""
    _measure_reach(network, search, settings, lattice, before, after, bound_m)
    reached = False
    for j in range(lattice.states[after]):
        cheapest, parent = np.inf, -1
        for i in range(lattice.states[before]):
            cost = lattice.cost[before, i] + _step_cost(network, settings, lattice, before, i, after, j)
            if cost < cheapest:
                cheapest, parent = cost, i
        emission = 0.5 * (lattice.distance_m[after, j] / lattice.sigma_m[after]) ** 2
        lattice.cost[after, j], lattice.parent[after, j] = cheapest + emission, parent
        reached = reached or parent >= 0
    if reached:
        lattice.column_before[after] = before
    return reached


@compiled
def _start_chain(lattice: Lattice, column: int) -> None:
    lattice.column_before[column] = -1
    for j in range(lattice.states[column]):
        lattice.cost[column, j] = 0.5 * (lattice.distance_m[column, j] / lattice.sigma_m[column]) ** 2
        lattice.parent[column, j] = -1


@compiled
def _choose(lattice: Lattice, column: int) -> None:
    """Follows the cheapest chain that ends in this column back to its start."""
    state = 0
    for j in range(lattice.states[column]):
        if lattice.cost[column, j] < lattice.cost[column, state]:
            state = j
    while column >= 0:
        lattice.chosen[column] = state
        state = lattice.parent[column, state]
        column = lattice.column_before[column]


@compiled
def choose_chains(
    network: Network,
    search: Search,
    settings: MatchSettings,
    latitude_deg: NDArray[np.float64],
    longitude_deg: NDArray[np.float64],
    lattice: Lattice,
    columns: int,
) -> None:
    """Viterbi's cheapest states. Where no drive joins two columns, a few are left out, else the chain breaks."""
    if columns == 0:
        return
    _start_chain(lattice, 0)
    before, column = 0, 1
    while True:
        if column < columns:
            gap_m = _apart_m(latitude_deg, longitude_deg, lattice.fix[before], lattice.fix[column])
            lattice.gap_m[0] = gap_m
            if gap_m <= settings.longest_gap_m and (
                _advance(network, search, settings, lattice, before, column, gap_m + settings.slack_m)
                or _advance(network, search, settings, lattice, before, column, 3.0 * gap_m + 6.0 * settings.slack_m)
            ):
                before, column = column, column + 1
                continue
        if column < columns and column - before <= settings.skip_limit:
            column += 1
            continue
        _choose(lattice, before)
        if before == columns - 1:
            return
        before += 1  # the first column that could not be joined starts its own chain
        _start_chain(lattice, before)
        column = before + 1


@compiled
def _route(
    network: Network, search: Search, settings: MatchSettings, lattice: Lattice, before: int, after: int, placed: Placed
) -> int:
    """Writes the stretches driven between the chosen states of two joined columns, in order; returns how many."""
    i, j = lattice.chosen[before], lattice.chosen[after]
    edge, backward, at_m = lattice.edge[before, i], lattice.backward[before, i], lattice.at_m[before, i]
    next_edge, next_backward = lattice.edge[after, j], lattice.backward[after, j]
    next_at_m = lattice.at_m[after, j]
    same = edge == next_edge and backward == next_backward
    if edge == next_edge and (not same or next_at_m >= at_m - settings.jitter_m):
        first_m = network.edge_length_m[edge] - at_m if not same else at_m
        _stretch(network, placed, 0, edge, next_backward, min(first_m, next_at_m), max(first_m, next_at_m))
        return 1
    source = _entry(network, edge, not backward)
    target = _entry(network, next_edge, next_backward)
    mark = search.runs[0] + 1
    search.wanted[target] = mark
    drive_from(network, search, source, np.inf, mark, 1)
    count = 2
    node = target
    while node != source:
        way = search.reached_by[node]
        node = _entry(network, network.way_edge[way], network.way_backward[way])
        count += 1
    _stretch(network, placed, 0, edge, backward, at_m, network.edge_length_m[edge])
    _stretch(network, placed, count - 1, next_edge, next_backward, 0.0, next_at_m)
    node = target
    for place in range(count - 2, 0, -1):
        way = search.reached_by[node]
        through, through_backward = network.way_edge[way], network.way_backward[way]
        _stretch(network, placed, place, through, through_backward, 0.0, network.edge_length_m[through])
        node = _entry(network, through, through_backward)
    return count


@compiled
def _stretch(
    network: Network, placed: Placed, place: int, edge: int, backward: bool, from_m: float, to_m: float
) -> None:
    """One stretch of a route, from and to as driven, kept as low and high along the edge as drawn."""
    length_m = network.edge_length_m[edge]
    placed.route_edge[place], placed.route_backward[place] = edge, backward
    placed.route_low_m[place] = length_m - to_m if backward else from_m
    placed.route_high_m[place] = length_m - from_m if backward else to_m


@compiled
def _place(
    network: Network,
    settings: MatchSettings,
    latitude_deg: NDArray[np.float64],
    longitude_deg: NDArray[np.float64],
    fix: int,
    stretches: int,
    placed: Placed,
) -> None:
    """Puts a fix on the nearest point of the route, when that is near enough and nearer than its present place."""
    nearest_m = settings.radius_m
    if placed.edge[fix] >= 0:
        nearest_m = placed.distance_m[fix]
    for place in range(stretches):
        edge, low_m, high_m = placed.route_edge[place], placed.route_low_m[place], placed.route_high_m[place]
        for segment in range(network.edge_first_segment[edge], network.edge_first_segment[edge + 1]):
            start_m = network.segment_along_m[segment]
            if start_m > high_m or start_m + network.segment_length_m[segment] < low_m:
                continue
            distance_m, along_m = project(network, segment, latitude_deg[fix], longitude_deg[fix], low_m, high_m)
            if distance_m < nearest_m:
                nearest_m = distance_m
                placed.edge[fix], placed.backward[fix] = edge, placed.route_backward[place]
                placed.distance_m[fix], placed.along_m[fix] = distance_m, along_m


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
) -> None:
    """Puts the chosen fixes where their states are, and all others on the route between the chosen ones around them."""
    before = -1
    for column in range(columns + 1):
        if column < columns and lattice.chosen[column] < 0:
            continue
        last = lattice.fix[column] if column < columns else len(latitude_deg)
        joined = before >= 0 and column < columns and lattice.column_before[column] == before
        if joined:
            stretches = _route(network, search, settings, lattice, before, column, placed)
            for fix in range(lattice.fix[before] + 1, last):
                _place(network, settings, latitude_deg, longitude_deg, fix, stretches, placed)
        else:  # fixes at a loose end stay on the edges of the chosen fixes beside them
            for side in (before, column):
                if 0 <= side < columns and before >= 0:
                    state = lattice.chosen[side]
                    edge, backward = lattice.edge[side, state], lattice.backward[side, state]
                    _stretch(network, placed, 0, edge, backward, 0.0, network.edge_length_m[edge])
                    for fix in range(lattice.fix[before] + 1, last):
                        _place(network, settings, latitude_deg, longitude_deg, fix, 1, placed)
        if column < columns:
            state = lattice.chosen[column]
            edge, backward, fix = lattice.edge[column, state], lattice.backward[column, state], lattice.fix[column]
            placed.edge[fix], placed.backward[fix] = edge, backward
            placed.distance_m[fix] = lattice.distance_m[column, state]
            at_m = lattice.at_m[column, state]
            placed.along_m[fix] = network.edge_length_m[edge] - at_m if backward else at_m
            placed.breaks[fix] = before >= 0 and not joined
            before = column
