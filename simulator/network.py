"""Streets as one drives them: every direction of every edge is a node, every permitted turn has its time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

from scoring.geodesy import from_local_xy_m, local_xy_m, wrapped_deg
from scoring.roads import ASSUMED_SPEED_MPS, RoadMap
from simulator.errors import MapTooSmall

type Floats = NDArray[np.float64]
type Indices = NDArray[np.intp]
type Bools = NDArray[np.bool_]

TURN_S = 2.0  # lost at a right angle, by slowing down and looking
HAIRPIN_DEG = 150.0
HAIRPIN_S = 60.0  # nobody does it who can help it
LEAST_STREETS = 8
LOWEST_THROUGH_CLASS = 4  # tertiary
NO_PREDECESSOR = -9999


@dataclass(frozen=True, slots=True)
class Network:
    """n directed streets: those of a road map from each of which each can be reached without turning around.

    `turns` holds the seconds of the street entered and of the turn into it, shape (n, n).
    """

    roads: RoadMap
    edge: Indices
    backward: Bools
    head_node: Indices
    length_m: Floats
    time_s: Floats
    limit_mps: Floats  # NaN: not known
    free_mps: Floats  # the limit, or an assumed speed of the class
    turns: csr_array
    junction: Bools  # of nodes, shape (N,): where at least three edges meet
    origin_deg: tuple[float, float]  # of the plane coordinates
    shape_x_m: Floats  # of the road map's points, metres east and north of `origin_deg`
    shape_y_m: Floats

    def __len__(self) -> int:
        return len(self.edge)

    @property
    def usual_mps(self) -> float:
        """Metres of a free drive over its seconds, turns with it: mostly on the map's through streets."""
        through = self.roads.edge_class[self.edge] <= LOWEST_THROUGH_CLASS
        length_m = np.where(through, self.length_m, 0.2 * self.length_m)
        return float(length_m.sum() / ((length_m / self.free_mps).sum() + TURN_S * len(self) / 8.0))

    def times_from(self, street: int, factor: Floats | None = None) -> tuple[Floats, Indices]:
        """Seconds of the quickest ways from a street to all others, and each one's street before; both (n,).

        `factor`, shape (n,), is how much slower each street seems to the driver.
        """
        turns = self.turns
        if factor is not None:
            turns = csr_array((turns.data * factor[turns.indices], turns.indices, turns.indptr), shape=turns.shape)
        times_s, before = dijkstra(turns, indices=street, return_predecessors=True)
        return times_s, before

    def line_of(self, streets: Indices) -> tuple[Floats, Floats, Indices]:
        """The streets' points one behind the other in driving order: metres east, north, and the place in `streets`."""
        edge, backward = self.edge[streets], self.backward[streets]
        first = self.roads.shape_offset[edge]
        count = self.roads.shape_offset[edge + 1] - first
        place = np.repeat(np.arange(len(streets)), count)
        within = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
        point = np.where(backward[place], (first + count - 1)[place] - within, first[place] + within)
        return self.shape_x_m[point], self.shape_y_m[point], place

    def degrees(self, x_m: Floats, y_m: Floats) -> tuple[Floats, Floats]:
        """Latitude and longitude of plane coordinates."""
        return from_local_xy_m(x_m, y_m, *self.origin_deg)


def build_network(roads: RoadMap) -> Network:
    """The part of a road map that trips are driven on. Raises MapTooSmall."""
    edges = np.arange(len(roads))
    edge = np.concatenate((edges[roads.edge_forward], edges[roads.edge_backward]))
    backward = np.arange(len(edge)) >= np.count_nonzero(roads.edge_forward)
    tail = np.where(backward, roads.edge_to_node[edge], roads.edge_from_node[edge])
    head = np.where(backward, roads.edge_from_node[edge], roads.edge_to_node[edge])
    leaving, entering = _turns(edge, tail, head)
    joined = csr_array((np.ones(len(leaving)), (leaving, entering)), shape=(len(edge), len(edge)))
    _, part = connected_components(joined, directed=True, connection="strong")
    kept = np.flatnonzero(part == np.bincount(part).argmax())
    if len(kept) < LEAST_STREETS:
        raise MapTooSmall(roads.version, len(kept))

    limit_mps = roads.edge_limit_mps[edge[kept]]
    free_mps = np.where(np.isfinite(limit_mps), limit_mps, ASSUMED_SPEED_MPS[roads.edge_class[edge[kept]]])
    time_s = roads.edge_length_m[edge[kept]] / free_mps
    place = np.full(len(edge), -1)
    place[kept] = np.arange(len(kept))
    inside = (place[leaving] >= 0) & (place[entering] >= 0)
    rows, columns = place[leaving[inside]], place[entering[inside]]
    first_deg, last_deg = _headings(roads, edge[kept], backward[kept])
    turn_deg = np.abs(wrapped_deg(first_deg[columns] - last_deg[rows]))
    lost_s = np.where(turn_deg > HAIRPIN_DEG, HAIRPIN_S, TURN_S * turn_deg / 90.0)
    meeting = np.bincount(np.concatenate((roads.edge_from_node, roads.edge_to_node)))
    origin_deg = (float(np.median(roads.node_latitude_deg)), float(roads.node_longitude_deg[0]))
    shape_x_m, shape_y_m = local_xy_m(roads.shape_latitude_deg, roads.shape_longitude_deg, *origin_deg)
    return Network(
        roads=roads,
        edge=edge[kept],
        backward=backward[kept],
        head_node=head[kept].astype(np.intp),
        length_m=roads.edge_length_m[edge[kept]],
        time_s=time_s,
        limit_mps=limit_mps,
        free_mps=free_mps,
        turns=csr_array((time_s[columns] + lost_s, (rows, columns)), shape=(len(kept), len(kept))),
        junction=meeting >= 3,
        origin_deg=origin_deg,
        shape_x_m=shape_x_m,
        shape_y_m=shape_y_m,
    )


def way_to(before: Indices, target: int) -> list[int]:
    """The streets of the quickest way that ends with `target`, from the predecessors of `Network.times_from`."""
    way = [target]
    while (previous := int(before[way[-1]])) != NO_PREDECESSOR:
        way.append(previous)
    return way[::-1]


def _turns(edge: Indices, tail: Indices, head: Indices) -> tuple[Indices, Indices]:
    """All pairs (street left, street entered) that meet at a node, but for turning around on one edge."""
    order = np.argsort(tail, kind="stable")
    first = np.searchsorted(tail[order], head)
    count = np.searchsorted(tail[order], head, side="right") - first
    leaving = np.repeat(np.arange(len(edge)), count)
    within = np.arange(len(leaving)) - np.repeat(np.cumsum(count) - count, count)
    entering = order[np.repeat(first, count) + within]
    onward = edge[leaving] != edge[entering]
    return leaving[onward], entering[onward]


def _headings(roads: RoadMap, edge: Indices, backward: Bools) -> tuple[Floats, Floats]:
    """The headings in which each street begins and ends, degrees clockwise from north."""
    first, last = roads.shape_offset[edge], roads.shape_offset[edge + 1] - 1
    begin = np.where(backward, last, first)
    end = np.where(backward, first, last)
    step = np.where(backward, -1, 1)
    return _heading_deg(roads, begin, begin + step), _heading_deg(roads, end - step, end)


def _heading_deg(roads: RoadMap, point: Indices, after: Indices) -> Floats:
    latitude_deg, longitude_deg = roads.shape_latitude_deg, roads.shape_longitude_deg
    x_m, y_m = local_xy_m(latitude_deg[after], longitude_deg[after], latitude_deg[point], longitude_deg[point])
    heading: Floats = np.degrees(np.arctan2(x_m, y_m))
    return heading
