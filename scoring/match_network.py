"""Searches in a road network, compiled: the edges near a point, and the distances from a node by driving."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled
from scoring.geodesy import METRES_PER_DEGREE, haversine_m, wrapped_deg
from scoring.roads import RoadMap

MAX_EDGES = 12  # edges kept as candidates of one fix
_CELL_M = 60.0
_MAX_CELLS = 4_000_000


class Network(NamedTuple):
    """Arrays of one road map for search. Segments (S,) are the straight pieces of the edges, in their order."""

    segment_edge: NDArray[np.int32]
    segment_latitude_deg: NDArray[np.float64]  # of its start
    segment_longitude_deg: NDArray[np.float64]
    segment_north_deg: NDArray[np.float64]  # to its end
    segment_east_deg: NDArray[np.float64]
    segment_along_m: NDArray[np.float64]  # from the edge's start
    segment_length_m: NDArray[np.float64]
    edge_first_segment: NDArray[np.int64]  # (E + 1,)
    cell_first: NDArray[np.int64]  # (rows * columns + 1,) into cell_segment
    cell_segment: NDArray[np.int32]
    rows: int
    columns: int
    south_deg: float
    west_deg: float
    cell_north_deg: float
    cell_east_deg: float
    edge_from_node: NDArray[np.int32]
    edge_to_node: NDArray[np.int32]
    edge_length_m: NDArray[np.float64]
    edge_forward: NDArray[np.bool_]
    edge_backward: NDArray[np.bool_]
    node_first_way: NDArray[np.int64]  # (N + 1,) into way_*: the ways out of a node, one for each direction
    way_head: NDArray[np.int32]
    way_length_m: NDArray[np.float64]
    way_edge: NDArray[np.int32]
    way_backward: NDArray[np.bool_]


class Search(NamedTuple):
    """Scratch of one trip's searches. A node's distance counts only where its run is the present one."""

    distance_m: NDArray[np.float64]
    run: NDArray[np.int64]
    reached_by: NDArray[np.int32]  # the way out of the node before, -1 at the source
    wanted: NDArray[np.int64]
    heap_m: NDArray[np.float64]
    heap_node: NDArray[np.int32]
    runs: NDArray[np.int64]  # (2,): runs so far, heap size


def new_search(network: Network) -> Search:
    """Empty scratch for searches in the network; untouched memory costs nothing."""
    nodes, ways = len(network.node_first_way) - 1, len(network.way_head)
    return Search(
        distance_m=np.empty(nodes),
        run=np.zeros(nodes, dtype=np.int64),
        reached_by=np.empty(nodes, dtype=np.int32),
        wanted=np.zeros(nodes, dtype=np.int64),
        heap_m=np.empty(ways + 1),
        heap_node=np.empty(ways + 1, dtype=np.int32),
        runs=np.zeros(2, dtype=np.int64),
    )


def build_network(roads: RoadMap) -> Network:
    """The road map prepared for search."""
    point = np.arange(len(roads.shape_latitude_deg) - 1)
    start = np.delete(point, roads.shape_offset[1:-1] - 1)  # not from the end of one edge to the start of the next
    latitude_deg, longitude_deg = roads.shape_latitude_deg, roads.shape_longitude_deg
    length_m = haversine_m(latitude_deg[start], longitude_deg[start], latitude_deg[start + 1], longitude_deg[start + 1])
    first_segment = roads.shape_offset - np.arange(len(roads.shape_offset))
    edge = np.repeat(np.arange(len(roads), dtype=np.int32), np.diff(first_segment))
    running_m = np.concatenate(([0.0], np.cumsum(length_m)))
    north_deg = latitude_deg[start + 1] - latitude_deg[start]
    east_deg = wrapped_deg(longitude_deg[start + 1] - longitude_deg[start])
    grid = _grid(latitude_deg[start], longitude_deg[start], north_deg, east_deg)
    return Network(
        edge,
        latitude_deg[start],
        longitude_deg[start],
        north_deg,
        east_deg,
        running_m[:-1] - running_m[first_segment[edge]],
        length_m,
        first_segment,
        *grid,
        roads.edge_from_node,
        roads.edge_to_node,
        roads.edge_length_m,
        roads.edge_forward,
        roads.edge_backward,
        *_ways_out(roads),
    )


type _Grid = tuple[NDArray[np.int64], NDArray[np.int32], int, int, float, float, float, float]


def _grid(
    latitude_deg: NDArray[np.float64],
    longitude_deg: NDArray[np.float64],
    north_deg: NDArray[np.float64],
    east_deg: NDArray[np.float64],
) -> _Grid:
    """Every cell of a uniform grid with the segments whose bounding box touches it.

    Columns count from a west edge that is unwrapped around the first point, so a map across longitude 180 is one piece.
    """
    reference_deg = float(longitude_deg[0])
    offset_deg = wrapped_deg(longitude_deg - reference_deg)
    south, north = (
        np.minimum(latitude_deg, latitude_deg + north_deg),
        np.maximum(latitude_deg, latitude_deg + north_deg),
    )
    west, east = np.minimum(offset_deg, offset_deg + east_deg), np.maximum(offset_deg, offset_deg + east_deg)
    shrink = float(np.cos(np.radians((south.min() + north.max()) / 2.0)))
    height_m = (north.max() - south.min()) * METRES_PER_DEGREE
    width_m = (east.max() - west.min()) * METRES_PER_DEGREE * shrink
    cell_m = max(_CELL_M, float(np.sqrt(height_m * width_m / _MAX_CELLS)))
    cell_north_deg, cell_east_deg = cell_m / METRES_PER_DEGREE, cell_m / METRES_PER_DEGREE / shrink
    rows, columns = int(height_m / cell_m) + 1, int(width_m / cell_m) + 1
    low_row = ((south - south.min()) / cell_north_deg).astype(np.int64)
    low_column = ((west - west.min()) / cell_east_deg).astype(np.int64)
    tall = ((north - south.min()) / cell_north_deg).astype(np.int64) - low_row + 1
    wide = ((east - west.min()) / cell_east_deg).astype(np.int64) - low_column + 1
    segment = np.repeat(np.arange(len(latitude_deg), dtype=np.int32), tall * wide)
    place = np.arange(len(segment)) - np.repeat(np.cumsum(tall * wide) - tall * wide, tall * wide)
    row = np.minimum(low_row[segment] + place // wide[segment], rows - 1)
    column = np.minimum(low_column[segment] + place % wide[segment], columns - 1)
    cell = row * columns + column
    order = np.argsort(cell, kind="stable")
    cell_first = np.concatenate(([0], np.cumsum(np.bincount(cell, minlength=rows * columns))))
    west_deg = reference_deg + float(west.min())
    return cell_first, segment[order], rows, columns, float(south.min()), west_deg, cell_north_deg, cell_east_deg


type _Ways = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64], NDArray[np.int32], NDArray[np.bool_]]


def _ways_out(roads: RoadMap) -> _Ways:
    edges = np.arange(len(roads), dtype=np.int32)
    edge = np.concatenate((edges[roads.edge_forward], edges[roads.edge_backward]))
    backward = np.arange(len(edge)) >= np.count_nonzero(roads.edge_forward)
    tail = np.where(backward, roads.edge_to_node[edge], roads.edge_from_node[edge])
    head = np.where(backward, roads.edge_from_node[edge], roads.edge_to_node[edge])
    order = np.argsort(tail, kind="stable")
    first = np.searchsorted(tail[order], np.arange(len(roads.node_latitude_deg) + 1))
    return first.astype(np.int64), head[order], roads.edge_length_m[edge[order]], edge[order], backward[order]


@compiled
def project(
    network: Network, segment: int, latitude_deg: float, longitude_deg: float, low_m: float, high_m: float
) -> tuple[float, float]:
    """Distance to, and place along its edge of, the segment's nearest point within [low_m, high_m], in metres."""
    per_degree_east = METRES_PER_DEGREE * np.cos(np.radians(latitude_deg))
    east_deg = network.segment_longitude_deg[segment] - longitude_deg
    if east_deg > 180.0:
        east_deg -= 360.0
    elif east_deg < -180.0:
        east_deg += 360.0
    x_m = east_deg * per_degree_east
    y_m = (network.segment_latitude_deg[segment] - latitude_deg) * METRES_PER_DEGREE
    span_x_m = network.segment_east_deg[segment] * per_degree_east
    span_y_m = network.segment_north_deg[segment] * METRES_PER_DEGREE
    square_m2 = span_x_m * span_x_m + span_y_m * span_y_m
    part = 0.0
    if square_m2 > 0.0:
        part = -(x_m * span_x_m + y_m * span_y_m) / square_m2
    length_m, start_m = network.segment_length_m[segment], network.segment_along_m[segment]
    if length_m > 0.0:
        part = min(max(part, 0.0, (low_m - start_m) / length_m), 1.0, (high_m - start_m) / length_m)
    distance_m = np.hypot(x_m + part * span_x_m, y_m + part * span_y_m)
    return distance_m, start_m + part * length_m


@compiled
def nearby_edges(
    network: Network,
    latitude_deg: float,
    longitude_deg: float,
    radius_m: float,
    edge: NDArray[np.int32],
    distance_m: NDArray[np.float64],
    along_m: NDArray[np.float64],
) -> int:
    """Fills the nearest edges within the radius, each at its nearest point; returns how many."""
    count = 0
    if not (abs(latitude_deg) <= 90.0 and abs(longitude_deg) <= 180.0):
        return count
    reach_deg = radius_m / METRES_PER_DEGREE
    reach_east_deg = reach_deg / max(np.cos(np.radians(latitude_deg)), 1e-6)
    offset_deg = (longitude_deg - network.west_deg + 180.0) % 360.0 - 180.0
    if offset_deg < -reach_east_deg:
        offset_deg += 360.0
    low_row = max(0, int(np.floor((latitude_deg - reach_deg - network.south_deg) / network.cell_north_deg)))
    high_row = min(
        network.rows - 1, int(np.floor((latitude_deg + reach_deg - network.south_deg) / network.cell_north_deg))
    )
    low_column = max(0, int(np.floor((offset_deg - reach_east_deg) / network.cell_east_deg)))
    high_column = min(network.columns - 1, int(np.floor((offset_deg + reach_east_deg) / network.cell_east_deg)))
    for row in range(low_row, high_row + 1):
        for column in range(low_column, high_column + 1):
            cell = row * network.columns + column
            for place in range(network.cell_first[cell], network.cell_first[cell + 1]):
                segment = network.cell_segment[place]
                found_m, found_along_m = project(network, segment, latitude_deg, longitude_deg, -np.inf, np.inf)
                if found_m <= radius_m:
                    count = _keep_nearest(
                        network.segment_edge[segment], found_m, found_along_m, edge, distance_m, along_m, count
                    )
    return count


@compiled
def _keep_nearest(
    found: int,
    found_m: float,
    found_along_m: float,
    edge: NDArray[np.int32],
    distance_m: NDArray[np.float64],
    along_m: NDArray[np.float64],
    count: int,
) -> int:
    place = count
    farthest = 0
    for k in range(count):
        if edge[k] == found:
            place = k
        if distance_m[k] > distance_m[farthest]:
            farthest = k
    if place == len(edge):  # full, and not there yet
        place = farthest
    if place == count or found_m < distance_m[place]:
        edge[place], distance_m[place], along_m[place] = found, found_m, found_along_m
        return max(count, place + 1)
    return count


@compiled
def _push(search: Search, distance_m: float, node: int) -> None:
    place = search.runs[1]
    search.runs[1] += 1
    while place > 0:
        parent = (place - 1) // 2
        if search.heap_m[parent] <= distance_m:
            break
        search.heap_m[place], search.heap_node[place] = search.heap_m[parent], search.heap_node[parent]
        place = parent
    search.heap_m[place], search.heap_node[place] = distance_m, node


@compiled
def _pop(search: Search) -> tuple[float, int]:
    top_m, top = search.heap_m[0], search.heap_node[0]
    search.runs[1] -= 1
    size = search.runs[1]
    last_m, last = search.heap_m[size], search.heap_node[size]
    place = 0
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and search.heap_m[child + 1] < search.heap_m[child]:
            child += 1
        if search.heap_m[child] >= last_m:
            break
        search.heap_m[place], search.heap_node[place] = search.heap_m[child], search.heap_node[child]
        place = child
    search.heap_m[place], search.heap_node[place] = last_m, last
    return top_m, top


@compiled
def drive_from(network: Network, search: Search, source: int, bound_m: float, mark: int, marked: int) -> None:
    """Shortest driving distances from a node, until the `marked` nodes with `wanted == mark` are final.

    Dijkstra (1959) on a binary heap. Afterwards a node's distance is valid where `run` is `runs[0]` and it is within
    the bound; the search ends when all wanted nodes are final or the bound is passed.
    """
    search.runs[0] += 1
    search.runs[1] = 0
    run = search.runs[0]
    search.run[source], search.distance_m[source], search.reached_by[source] = run, 0.0, -1
    _push(search, 0.0, source)
    while search.runs[1] > 0:
        at_m, node = _pop(search)
        if at_m > search.distance_m[node]:
            continue
        if search.wanted[node] == mark:
            marked -= 1
            if marked == 0:
                return
        for way in range(network.node_first_way[node], network.node_first_way[node + 1]):
            head, through_m = network.way_head[way], at_m + network.way_length_m[way]
            if through_m <= bound_m and (search.run[head] != run or through_m < search.distance_m[head]):
                search.run[head], search.distance_m[head], search.reached_by[head] = run, through_m, way
                _push(search, through_m, head)
