"""Searches in a road network, compiled: the edges near a point, and the distances from a node by driving."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled, inlined
from scoring.geodesy import METRES_PER_DEGREE, haversine_m, wrapped_deg
from scoring.roads import RoadMap

MAX_EDGES = 12  # edges kept as candidates of one fix
REACH_M = 200.0  # how far the kept distances from a node go
_KEPT_REACH = 2_000_000
_CELL_M = 60.0
_MAX_CELLS = 4_000_000


class Network(NamedTuple):
    """Arrays of one road map for search. Segments (S,) are the straight pieces of the edges, in their order.

    Compiled inner loops are given the arrays they read, not the whole: a call with a tuple of arrays copies all of it.
    """

    segment_edge: NDArray[np.int32]
    # (S, 6): latitude and longitude of its start; degrees north and east to its end; metres from the edge's start to
    # its own; its length. One row is one line of the processor's cache.
    segment: NDArray[np.float64]
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
    """Scratch of one thread's searches. A node's distance counts only where its run is the present one.

    Distances from a node up to `REACH_M` are kept once they were asked for: they are facts of the map, so what was
    searched before makes no difference to an answer. When there is no more room all are forgotten.
    """

    distance_m: NDArray[np.float64]
    run: NDArray[np.int64]
    reached_by: NDArray[np.int32]  # the way out of the node before, -1 at the source
    heap_m: NDArray[np.float64]
    heap_node: NDArray[np.int32]
    settled: NDArray[np.int32]  # the nodes of the present run whose distance is final, nearest first
    runs: NDArray[
        np.int64
    ]  # (5,): runs so far, heap size, kept distances, how often they were forgotten, settled nodes
    kept_since: NDArray[np.int64]  # a node's distances are kept when this is how often they were forgotten, plus one
    kept_first: NDArray[np.int64]
    kept_count: NDArray[np.int32]
    reach_node: NDArray[np.int32]
    reach_m: NDArray[np.float64]


def new_search(network: Network, kept_reach: int = _KEPT_REACH) -> Search:
    """Empty scratch for searches in the network; untouched memory costs nothing."""
    nodes, ways = len(network.node_first_way) - 1, len(network.way_head)
    return Search(
        distance_m=np.empty(nodes),
        run=np.zeros(nodes, dtype=np.int64),
        reached_by=np.empty(nodes, dtype=np.int32),
        heap_m=np.empty(ways + 1),
        heap_node=np.empty(ways + 1, dtype=np.int32),
        settled=np.empty(nodes, dtype=np.int32),
        runs=np.zeros(3, dtype=np.int64),
        kept_since=np.zeros(nodes, dtype=np.int64),
        kept_first=np.empty(nodes, dtype=np.int64),
        kept_count=np.empty(nodes, dtype=np.int32),
        reach_node=np.empty(max(kept_reach, nodes), dtype=np.int32),
        reach_m=np.empty(max(kept_reach, nodes)),
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
    along_m = running_m[:-1] - running_m[first_segment[edge]]
    north_deg = latitude_deg[start + 1] - latitude_deg[start]
    east_deg = wrapped_deg(longitude_deg[start + 1] - longitude_deg[start])
    grid = _grid(latitude_deg[start], longitude_deg[start], north_deg, east_deg)
    return Network(
        edge,
        np.column_stack((latitude_deg[start], longitude_deg[start], north_deg, east_deg, along_m, length_m)),
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
    segment: NDArray[np.float64],
    place: int,
    latitude_deg: float,
    longitude_deg: float,
    per_degree_east: float,
    low_m: float,
    high_m: float,
) -> tuple[float, float]:
    """Squared distance to, and place along its edge of, a segment's nearest point within [low_m, high_m], in metres.

    `segment` is the network's, `place` a row of it; `per_degree_east` is the metres in a degree of longitude here.
    """
    east_deg = segment[place, 1] - longitude_deg
    if east_deg > 180.0:
        east_deg -= 360.0
    elif east_deg < -180.0:
        east_deg += 360.0
    x_m = east_deg * per_degree_east
    y_m = (segment[place, 0] - latitude_deg) * METRES_PER_DEGREE
    span_x_m = segment[place, 3] * per_degree_east
    span_y_m = segment[place, 2] * METRES_PER_DEGREE
    square_m2 = span_x_m * span_x_m + span_y_m * span_y_m
    part, least, most = 0.0, 0.0, 1.0
    if square_m2 > 0.0:
        part = -(x_m * span_x_m + y_m * span_y_m) / square_m2
    start_m, length_m = segment[place, 4], segment[place, 5]
    if low_m > start_m and length_m > 0.0:
        least = (low_m - start_m) / length_m
    if high_m < start_m + length_m and length_m > 0.0:
        most = (high_m - start_m) / length_m
    part = max(part, least)
    part = min(part, most)
    across_m, up_m = x_m + part * span_x_m, y_m + part * span_y_m
    return across_m * across_m + up_m * up_m, start_m + part * length_m


@inlined
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
    per_degree_east = METRES_PER_DEGREE * np.cos(np.radians(latitude_deg))
    reach_deg = radius_m / METRES_PER_DEGREE
    reach_east_deg = radius_m / max(per_degree_east, 1e-6 * METRES_PER_DEGREE)
    offset_deg = (longitude_deg - network.west_deg + 180.0) % 360.0 - 180.0
    if offset_deg < -reach_east_deg:
        offset_deg += 360.0
    low_row = max(0, int(np.floor((latitude_deg - reach_deg - network.south_deg) / network.cell_north_deg)))
    high_row = min(
        network.rows - 1, int(np.floor((latitude_deg + reach_deg - network.south_deg) / network.cell_north_deg))
    )
    low_column = max(0, int(np.floor((offset_deg - reach_east_deg) / network.cell_east_deg)))
    high_column = min(network.columns - 1, int(np.floor((offset_deg + reach_east_deg) / network.cell_east_deg)))
    limit_m2 = radius_m * radius_m
    for row in range(low_row, high_row + 1):
        first = network.cell_first[row * network.columns + low_column] if low_column <= high_column else 0
        after = network.cell_first[row * network.columns + high_column + 1] if low_column <= high_column else 0
        for place in range(first, after):
            segment = network.cell_segment[place]
            found_m2, found_along_m = project(
                network.segment, segment, latitude_deg, longitude_deg, per_degree_east, -np.inf, np.inf
            )
            if found_m2 <= limit_m2:
                count = _keep_nearest(
                    network.segment_edge[segment], found_m2, found_along_m, edge, distance_m, along_m, count
                )
    for place in range(count):
        distance_m[place] = np.sqrt(distance_m[place])
    return count


@inlined
def _keep_nearest(
    found: int,
    found_m2: float,
    found_along_m: float,
    edge: NDArray[np.int32],
    distance_m2: NDArray[np.float64],
    along_m: NDArray[np.float64],
    count: int,
) -> int:
    place = count
    for k in range(count):
        if edge[k] == found:
            place = k
            break
    if place == len(edge):  # full, and not there yet
        place = int(np.argmax(distance_m2))
    if place == count or found_m2 < distance_m2[place]:
        edge[place], distance_m2[place], along_m[place] = found, found_m2, found_along_m
        return max(count, place + 1)
    return count


@compiled
def _push(heap_m: NDArray[np.float64], heap_node: NDArray[np.int32], size: int, distance_m: float, node: int) -> None:
    """Puts a node on the heap of `size` others."""
    place = size
    while place > 0:
        parent = (place - 1) // 2
        if heap_m[parent] <= distance_m:
            break
        heap_m[place], heap_node[place] = heap_m[parent], heap_node[parent]
        place = parent
    heap_m[place], heap_node[place] = distance_m, node


@compiled
def _pop(heap_m: NDArray[np.float64], heap_node: NDArray[np.int32], size: int) -> None:
    """Takes the nearest node off the heap; `size` is how many remain."""
    last_m, last = heap_m[size], heap_node[size]
    place = 0
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and heap_m[child + 1] < heap_m[child]:
            child += 1
        if heap_m[child] >= last_m:
            break
        heap_m[place], heap_node[place] = heap_m[child], heap_node[child]
        place = child
    heap_m[place], heap_node[place] = last_m, last


@compiled
def drive_from(network: Network, search: Search, source: int, bound_m: float, target: int = -1) -> int:
    """Shortest driving distances from a node, up to the bound or until the one to `target` is final.

    Dijkstra (1959) on a binary heap. Afterwards a node's distance is valid where `run` is `runs[0]`. Returns how many
    nodes are `settled`: their distance is final.
    """
    heap_m, heap_node, distance_m, run = search.heap_m, search.heap_node, search.distance_m, search.run
    first_way, way_head, way_length_m = network.node_first_way, network.way_head, network.way_length_m
    search.runs[0] += 1
    mark = search.runs[0]
    run[source], distance_m[source], search.reached_by[source] = mark, 0.0, -1
    heap_m[0], heap_node[0] = 0.0, source
    size, settled = 1, 0
    while size:
        at_m, node = heap_m[0], heap_node[0]
        size -= 1
        _pop(heap_m, heap_node, size)
        if at_m > distance_m[node]:
            continue
        search.settled[settled] = node
        settled += 1
        if node == target:
            break
        for way in range(first_way[node], first_way[node + 1]):
            head, through_m = way_head[way], at_m + way_length_m[way]
            if through_m <= bound_m and (run[head] != mark or through_m < distance_m[head]):
                run[head], distance_m[head], search.reached_by[head] = mark, through_m, way
                _push(heap_m, heap_node, size, through_m, head)
                size += 1
    return settled


@inlined
def keep_reach(network: Network, search: Search, source: int) -> None:
    """Keeps the distances from a node up to `REACH_M`, if they are not kept yet: `kept_count` from `kept_first` on."""
    if search.kept_since[source] == search.runs[2] + 1:
        return
    first = search.runs[1]
    if first + len(search.run) > len(search.reach_node):
        first = 0
        search.runs[2] += 1
    count = drive_from(network, search, source, REACH_M)
    for place in range(count):
        node = search.settled[place]
        search.reach_node[first + place], search.reach_m[first + place] = node, search.distance_m[node]
    search.kept_since[source], search.kept_first[source], search.kept_count[source] = search.runs[2] + 1, first, count
    search.runs[1] = first + count
