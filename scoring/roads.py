"""`RoadMap`: a drivable road network as frozen arrays, and the views of it that matching, simulation and pages need."""

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from scoring.classes import ROAD_CLASSES
from scoring.geodesy import haversine_m, wrapped_deg

if TYPE_CHECKING:
    from scipy.sparse import csr_array

type Float64s = NDArray[np.float64]
type Int32s = NDArray[np.int32]
type Int64s = NDArray[np.int64]
type UInt8s = NDArray[np.uint8]
type Bools = NDArray[np.bool_]

LIMIT_SOURCES = ("unknown", "tagged", "default")
# Free-flow speeds assumed for travel time where the limit is unknown. Never used as a limit.
ASSUMED_SPEED_MPS = np.array([110.0, 90.0, 60.0, 50.0, 50.0, 30.0, 15.0]) / 3.6


@dataclass(frozen=True, slots=True)
class RoadMap:
    """A road network. Nodes are shape (N,), edges (E,), the points of all edges' shapes (P,).

    An edge is the stretch of road between two nodes, drawn from `edge_from_node` to `edge_to_node`; its points are
    `shape_*[shape_offset[e]:shape_offset[e + 1]]`, both ends included. `edge_forward` says it may be driven as drawn,
    `edge_backward` against it. `edge_limit_mps` is NaN where no limit is known; NaN with source "tagged" means that the
    road is tagged as having no limit. `edge_name` indexes `names`; `names[0]` is the empty name.
    """

    version: str
    node_latitude_deg: Float64s
    node_longitude_deg: Float64s
    edge_from_node: Int32s
    edge_to_node: Int32s
    edge_length_m: Float64s
    edge_class: UInt8s  # index into ROAD_CLASSES
    edge_name: Int32s
    edge_forward: Bools
    edge_backward: Bools
    edge_limit_mps: Float64s
    edge_limit_source: UInt8s  # index into LIMIT_SOURCES
    shape_offset: Int64s  # (E + 1,)
    shape_latitude_deg: Float64s
    shape_longitude_deg: Float64s
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.edge_from_node)

    def edge_shape(self, edge: int, backward: bool = False) -> tuple[Float64s, Float64s]:
        """Latitudes and longitudes of one edge's points, in driving order when `backward` is given."""
        points = slice(self.shape_offset[edge], self.shape_offset[edge + 1])
        step = -1 if backward else 1
        return self.shape_latitude_deg[points][::step], self.shape_longitude_deg[points][::step]

    def position_on_edge(self, edge: Int32s, along_m: Float64s) -> tuple[Float64s, Float64s]:
        """Latitudes and longitudes `along_m` metres from the start of each edge, clipped to it; all shapes (n,)."""
        latitude_deg, longitude_deg = self.shape_latitude_deg, self.shape_longitude_deg
        # One running distance over all points: within an edge its differences are metres along the edge.
        step_m = haversine_m(latitude_deg[:-1], longitude_deg[:-1], latitude_deg[1:], longitude_deg[1:])
        step_m[self.shape_offset[1:-1] - 1] = 0.0
        running_m = np.concatenate(([0.0], np.cumsum(step_m)))
        first, last = self.shape_offset[edge], self.shape_offset[edge + 1] - 1
        wanted_m = np.clip(running_m[first] + along_m, running_m[first], running_m[last])
        after = np.clip(np.searchsorted(running_m, wanted_m), first + 1, last)
        span_m = running_m[after] - running_m[after - 1]
        part = np.divide(wanted_m - running_m[after - 1], span_m, out=np.zeros(len(edge)), where=span_m > 0)
        east_deg = wrapped_deg(longitude_deg[after] - longitude_deg[after - 1])
        north_deg = latitude_deg[after] - latitude_deg[after - 1]
        return latitude_deg[after - 1] + part * north_deg, wrapped_deg(longitude_deg[after - 1] + part * east_deg)

    def directed_csr(self, weight: Literal["length", "time"] = "length") -> "DirectedGraph":
        """The network as a sparse matrix of metres or seconds, one entry for each drivable direction of each edge.

        Of several edges between the same two nodes the cheapest is kept; an edge from a node to itself is left out.
        """
        edges = np.arange(len(self), dtype=np.int32)
        edge = np.concatenate((edges[self.edge_forward], edges[self.edge_backward]))
        backward = np.arange(len(edge)) >= np.count_nonzero(self.edge_forward)
        tail = np.where(backward, self.edge_to_node[edge], self.edge_from_node[edge])
        head = np.where(backward, self.edge_from_node[edge], self.edge_to_node[edge])
        cost = self.edge_length_m[edge] if weight == "length" else self.travel_time_s()[edge]
        order = np.lexsort((edge, cost, head, tail))
        order = order[tail[order] != head[order]]
        is_first = np.ones(len(order), dtype=np.bool_)
        is_first[1:] = (np.diff(tail[order]) != 0) | (np.diff(head[order]) != 0)
        kept = order[is_first]
        count = len(self.node_latitude_deg)
        row_start = np.searchsorted(tail[kept], np.arange(count + 1))
        from scipy.sparse import csr_array  # noqa: PLC0415  who only scores needs no graph of the whole map

        matrix = csr_array((cost[kept], head[kept], row_start), shape=(count, count))
        return DirectedGraph(matrix, edge[kept], backward[kept])

    def travel_time_s(self) -> Float64s:
        """Seconds to drive each edge freely: at its limit, or at an assumed speed of its class, shape (E,)."""
        known = np.isfinite(self.edge_limit_mps)
        return self.edge_length_m / np.where(known, self.edge_limit_mps, ASSUMED_SPEED_MPS[self.edge_class])

    def largest_component_nodes(self) -> Int32s:
        """The nodes of the largest part in which every node can be reached from every other, by legal driving."""
        from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

        _, component = connected_components(self.directed_csr().matrix, directed=True, connection="strong")
        return np.flatnonzero(component == np.bincount(component).argmax()).astype(np.int32)

    def edges_within(self, south_deg: float, west_deg: float, north_deg: float, east_deg: float) -> Int32s:
        """The edges whose bounding box touches the given one; `west_deg > east_deg` means across the antimeridian."""
        starts = self.shape_offset[:-1]
        width_deg = (east_deg - west_deg) % 360.0 if east_deg != west_deg else 0.0
        # A place is an offset from the box's middle, so an edge over longitude 180 is not torn apart.
        offset_deg = wrapped_deg(self.shape_longitude_deg - (west_deg + width_deg / 2.0))
        touches = (
            (np.maximum.reduceat(self.shape_latitude_deg, starts) >= south_deg)
            & (np.minimum.reduceat(self.shape_latitude_deg, starts) <= north_deg)
            & (np.maximum.reduceat(offset_deg, starts) >= -width_deg / 2.0)
            & (np.minimum.reduceat(offset_deg, starts) <= width_deg / 2.0)
        )
        return np.flatnonzero(touches).astype(np.int32)


@dataclass(frozen=True, slots=True)
class DirectedGraph:
    """A csr matrix of costs, shape (N, N), and for each stored entry the edge and whether it is driven backward."""

    matrix: "csr_array"
    edge: Int32s
    backward: Bools

    def path_edges(self, nodes: Int32s) -> tuple[Int32s, Bools]:
        """The edges and directions along a path of nodes, shapes (len(nodes) - 1,).

        Raises KeyError where two nodes that follow each other are not joined in that direction.
        """
        entries = np.empty(max(len(nodes) - 1, 0), dtype=np.int64)
        for place, (tail, head) in enumerate(itertools.pairwise(nodes.tolist())):
            row = slice(self.matrix.indptr[tail], self.matrix.indptr[tail + 1])
            found = np.flatnonzero(self.matrix.indices[row] == head)
            if not len(found):
                raise KeyError(f"no edge from node {tail} to node {head}")
            entries[place] = row.start + found[0]
        return self.edge[entries], self.backward[entries]


def describe(roads: RoadMap) -> dict[str, object]:
    """What a road map holds: counts, km by class and by source of the limit, shares of all km, bounds in degrees."""
    length_km = roads.edge_length_m / 1000.0
    by_class = np.bincount(roads.edge_class, weights=length_km, minlength=len(ROAD_CLASSES))
    by_source = np.bincount(roads.edge_limit_source, weights=length_km, minlength=len(LIMIT_SOURCES))
    return {
        "version": roads.version,
        "nodes": len(roads.node_latitude_deg),
        "edges": len(roads),
        "length_km": round(float(length_km.sum()), 3),
        "length_km_by_class": {name: round(float(km), 3) for name, km in zip(ROAD_CLASSES, by_class, strict=True)},
        "length_km_by_limit_source": {
            name: round(float(km), 3) for name, km in zip(LIMIT_SOURCES, by_source, strict=True)
        },
        "one_way_edges": int(np.count_nonzero(roads.edge_forward != roads.edge_backward)),
        "one_way_km_share": _share(length_km, roads.edge_forward != roads.edge_backward),
        "named_edges": int(np.count_nonzero(roads.edge_name)),
        "named_km_share": _share(length_km, roads.edge_name > 0),
        "bounds_deg": [
            float(roads.shape_latitude_deg.min()),
            float(roads.shape_longitude_deg.min()),
            float(roads.shape_latitude_deg.max()),
            float(roads.shape_longitude_deg.max()),
        ],
    }


def _share(length_km: Float64s, of: Bools) -> float:
    whole_km = float(length_km.sum())
    return round(float(length_km[of].sum()) / whole_km, 4) if whole_km > 0 else 0.0
