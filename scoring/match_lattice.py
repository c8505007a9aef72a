"""The hidden Markov model of matching, compiled: candidates of thinned fixes, and the cheapest chain of them.

Costs are negative logarithms of likelihoods. Newson and Krumm, "Hidden Markov map matching through noise and
sparseness" (2009), with two additions: a state is an edge AND a driving direction, so turning round has a price, and a
small step back on the same edge is taken for noise of the receiver, not for a drive round the block.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled, inlined
from scoring.geodesy import METRES_PER_DEGREE
from scoring.match_network import MAX_EDGES, REACH_M, Network, Search, drive_from, keep_reach, nearby_edges

STATES = 2 * MAX_EDGES


class MatchSettings(NamedTuple):
    """What the model assumes. Metres and costs (negative log-likelihoods)."""

    sigma_m: float = 6.0  # of a fix across the road, unless its accuracy says more
    beta_m: float = 6.0  # mean of |driven - great circle| between two fixes that are close together
    beta_share: float = 0.1  # the same as a share of the great circle, for fixes far apart
    radius_m: float = 50.0  # beyond it a fix is unmatched
    thin_m: float = 15.0  # fixes nearer than this to the one before are put on the route afterwards
    thin_sigmas: float = 2.5  # the same as a multiple of sigma
    jitter_m: float = 20.0  # how far back on its edge a fix may fall by noise
    jitter_sigmas: float = 4.0  # the same as a multiple of sigma
    turn_round_cost: float = 6.0
    beam_cost: float = 25.0  # states dearer than the best by this are given up
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
    left_m: NDArray[np.float64]  # from there to where the edge is left
    distance_m: NDArray[np.float64]
    cost: NDArray[np.float64]
    parent: NDArray[np.int16]
    column_before: NDArray[np.int64]  # -1: a chain starts here
    chosen: NDArray[np.int64]  # the state, -1: left out
    reach_m: NDArray[np.float64]  # (STATES, STATES), scratch
    through: NDArray[np.float64]  # (STATES,), scratch: costs of the steps from one state before
    node: NDArray[np.int32]  # (2, STATES), scratch: where states before leave their edge, states after enter theirs


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
        left_m=np.empty(shape),
        distance_m=np.empty(shape),
        cost=np.empty(shape),
        parent=np.empty(shape, dtype=np.int16),
        column_before=np.full(fixes, -1, dtype=np.int64),
        chosen=np.full(fixes, -1, dtype=np.int64),
        reach_m=np.empty((STATES, STATES)),
        through=np.empty(STATES),
        node=np.empty((2, STATES), dtype=np.int32),
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
    sigma_m: NDArray[np.float64],
    lattice: Lattice,
) -> int:
    """Takes the fixes that are near a road and far enough from the one taken before; returns the number of columns."""
    near_edge = np.empty(MAX_EDGES, dtype=np.int32)
    near_m, near_along_m = np.empty(MAX_EDGES), np.empty(MAX_EDGES)
    column = 0
    for fix in range(len(latitude_deg)):
        if column:
            thin_m = max(settings.thin_m, settings.thin_sigmas * sigma_m[fix])
            if _apart_m(latitude_deg, longitude_deg, lattice.fix[column - 1], fix) < thin_m:
                continue
        near = nearby_edges(
            network, latitude_deg[fix], longitude_deg[fix], settings.radius_m, near_edge, near_m, near_along_m
        )
        states = 0
        nearest_m = np.min(near_m[:near]) if near else 0.0
        # What is dearer than the nearest by more than the beam would be given up at once.
        widest_m2 = nearest_m * nearest_m + 2.0 * settings.beam_cost * sigma_m[fix] * sigma_m[fix]
        for k in range(near):
            if near_m[k] * near_m[k] > widest_m2:
                continue
            edge, along_m = near_edge[k], near_along_m[k]
            for backward in (False, True):
                if network.edge_backward[edge] if backward else network.edge_forward[edge]:
                    left_m = network.edge_length_m[edge] - along_m
                    lattice.edge[column, states], lattice.backward[column, states] = edge, backward
                    lattice.at_m[column, states] = left_m if backward else along_m
                    lattice.left_m[column, states] = along_m if backward else left_m
                    lattice.distance_m[column, states] = near_m[k]
                    states += 1
        if states:
            lattice.fix[column], lattice.sigma_m[column], lattice.states[column] = fix, sigma_m[fix], states
            column += 1
    return column


@inlined
def _measure_reach(
    network: Network, search: Search, settings: MatchSettings, lattice: Lattice, before: int, after: int, bound_m: float
) -> None:
    """Driving distances from where each state before leaves its edge to where each state after enters its own."""
    left, entered, reach_m = lattice.node[0], lattice.node[1], lattice.reach_m
    states_before, states_after = lattice.states[before], lattice.states[after]
    run, distance_m = search.run, search.distance_m
    for j in range(states_after):
        edge = lattice.edge[after, j]
        entered[j] = network.edge_to_node[edge] if lattice.backward[after, j] else network.edge_from_node[edge]
    widest = np.min(lattice.cost[before, :states_before]) + settings.beam_cost
    for i in range(states_before):
        reach_m[i, :states_after] = np.inf
        left[i] = -1
        if lattice.cost[before, i] > widest:
            continue
        edge = lattice.edge[before, i]
        left[i] = network.edge_from_node[edge] if lattice.backward[before, i] else network.edge_to_node[edge]
        known = 0
        while left[known] != left[i]:
            known += 1
        if known < i:  # another edge ends at the same node
            reach_m[i, :states_after] = reach_m[known, :states_after]
            continue
        if bound_m <= REACH_M:
            if search.kept_since[left[i]] != search.runs[2] + 1:
                keep_reach(network, search, left[i])
            first = search.kept_first[left[i]]
            kept = slice(first, first + search.kept_count[left[i]])
            search.runs[0] += 1
            _look_up(
                search.reach_node[kept], search.reach_m[kept], entered[:states_after], run, distance_m, search.runs[0]
            )
        else:
            drive_from(network, search, left[i], bound_m)
        for j in range(states_after):
            if run[entered[j]] == search.runs[0]:
                reach_m[i, j] = distance_m[entered[j]]


@compiled
def _look_up(
    reach_node: NDArray[np.int32],
    reach_m: NDArray[np.float64],
    wanted: NDArray[np.int32],
    run: NDArray[np.int64],
    distance_m: NDArray[np.float64],
    mark: int,
) -> None:
    """Kept distances from a node to the wanted ones; as the kept stand nearest first it may end soon."""
    missing = 0
    for node in wanted:
        if run[node] != mark:
            run[node], distance_m[node] = mark, np.inf
            missing += 1
    for place in range(len(reach_node)):
        if run[reach_node[place]] == mark:
            distance_m[reach_node[place]] = reach_m[place]
            missing -= 1
            if missing == 0:
                return


@inlined
def _step_costs(settings: MatchSettings, lattice: Lattice, before: int, after: int, gap_m: float) -> bool:
    """The cheapest cost of each state after, and the state before that it comes from; False when none is reached."""
    beta_m = max(settings.beta_m, settings.beta_share * gap_m)
    jitter_m = max(settings.jitter_m, settings.jitter_sigmas * lattice.sigma_m[after])
    count = lattice.states[after]
    next_edge, next_backward, next_at_m = lattice.edge[after], lattice.backward[after], lattice.at_m[after]
    cheapest, parent, through = lattice.cost[after], lattice.parent[after], lattice.through
    cheapest[:count], parent[:count] = np.inf, -1
    for i in range(lattice.states[before]):
        so_far, at_m, left_m = lattice.cost[before, i], lattice.at_m[before, i], lattice.left_m[before, i]
        edge, backward = lattice.edge[before, i], lattice.backward[before, i]
        reach_m = lattice.reach_m[i]
        for j in range(count):
            through[j] = abs(left_m + reach_m[j] + next_at_m[j] - gap_m) / beta_m
        for j in range(count):
            if next_edge[j] == edge:
                if next_backward[j] != backward:
                    through[j] = settings.turn_round_cost + abs(abs(left_m - next_at_m[j]) - gap_m) / beta_m
                elif next_at_m[j] >= at_m - jitter_m:
                    back_m = max(0.0, at_m - next_at_m[j])
                    through[j] = min(through[j], (abs(abs(next_at_m[j] - at_m) - gap_m) + back_m) / beta_m)
        for j in range(count):
            cost = so_far + through[j]
            if cost < cheapest[j]:
                cheapest[j], parent[j] = cost, i
    reached = False
    for j in range(count):
        cheapest[j] += 0.5 * (lattice.distance_m[after, j] / lattice.sigma_m[after]) ** 2
        reached = reached or parent[j] >= 0
    return reached


@inlined
def _advance(
    network: Network,
    search: Search,
    settings: MatchSettings,
    lattice: Lattice,
    before: int,
    after: int,
    gap_m: float,
    bound_m: float,
) -> bool:
    """Costs of the column after from the column before; False when none of its states can be reached."""
    _measure_reach(network, search, settings, lattice, before, after, bound_m)
    reached = _step_costs(settings, lattice, before, after, gap_m)
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
            if gap_m <= settings.longest_gap_m and (
                _advance(network, search, settings, lattice, before, column, gap_m, gap_m + settings.slack_m)
                or _advance(
                    network, search, settings, lattice, before, column, gap_m, 3.0 * gap_m + 6.0 * settings.slack_m
                )
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
