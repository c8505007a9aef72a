"""What stands about the roads, from an OSM extract: lights at nodes, tunnels, and walls that hide the sky."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import osmium
from numpy.typing import NDArray
from scipy.spatial import KDTree

from scoring.geodesy import local_xy_m
from scoring.roads import RoadMap

type Float64s = NDArray[np.float64]
type Bools = NDArray[np.bool_]

SIGNAL_REACH_M = 25.0  # lights are tagged at the stop line, not in the middle of the junction
WALL_REACH_M = 18.0  # from the middle of the street to the corner of a house: streets with houses on the pavement
WALLS_FOR_CANYON = 6.0  # corners of houses within that reach, on the mean of the street's points: both sides built
# Without buildings in the extract: a dense mesh of short streets is the old middle of a town.
MESH_STREET_M, MESH_SHARE = 90.0, 0.35


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Beside a road map of N nodes and E edges."""

    node_has_signal: Bools  # (N,)
    edge_tunnel: Bools  # (E,)
    edge_canyon: Float64s  # (E,) 0: open sky, 1: walls on both sides

    @classmethod
    def of_roads(cls, roads: RoadMap) -> "Surroundings":
        """What the roads alone tell: no tunnels, no lights, and a proxy for walls by short streets."""
        low = (roads.edge_class >= 2) & (roads.edge_class <= 5)
        canyon = np.where(low & (roads.edge_length_m < MESH_STREET_M), MESH_SHARE, 0.0)
        return cls(np.zeros(len(roads.node_latitude_deg), dtype=np.bool_), np.zeros(len(roads), dtype=np.bool_), canyon)


def read_surroundings(path: Path, roads: RoadMap) -> Surroundings:
    """The surroundings of a road map from the `.osm.pbf` (or `.osm`) extract it was read from."""
    signals: list[tuple[float, float]] = []
    tunnel_points: set[tuple[float, float]] = set()
    corners: list[tuple[float, float]] = []
    keys = osmium.filter.KeyFilter("highway", "building")
    for item in osmium.FileProcessor(str(path)).with_locations().with_filter(keys):
        if item.is_node() and item.tags.get("highway") == "traffic_signals":
            signals.append((item.location.lat, item.location.lon))
        elif item.is_way():
            points = [(node.location.lat, node.location.lon) for node in item.nodes if node.location.valid()]
            if "highway" in item.tags and item.tags.get("tunnel", "no") not in {"no", "building_passage"}:
                tunnel_points.update((round(lat, 7), round(lon, 7)) for lat, lon in points)
            elif "building" in item.tags:
                corners += points
    by_roads = Surroundings.of_roads(roads)
    return Surroundings(
        _near_signal(roads, signals),
        _inside(roads, tunnel_points),
        _walled(roads, corners) if corners else by_roads.edge_canyon,
    )


def _near_signal(roads: RoadMap, signals: list[tuple[float, float]]) -> Bools:
    """The junctions nearest to lights, within reach."""
    near = np.zeros(len(roads.node_latitude_deg), dtype=np.bool_)
    if not signals:
        return near
    origin = (float(np.median(roads.node_latitude_deg)), float(roads.node_longitude_deg[0]))
    arms = np.bincount(np.concatenate((roads.edge_from_node, roads.edge_to_node)), minlength=len(near))
    junction = np.flatnonzero(arms >= 3)
    x_m, y_m = local_xy_m(roads.node_latitude_deg[junction], roads.node_longitude_deg[junction], *origin)
    at = np.array(signals)
    signal_x_m, signal_y_m = local_xy_m(at[:, 0], at[:, 1], *origin)
    away_m, nearest = KDTree(np.column_stack((x_m, y_m))).query(np.column_stack((signal_x_m, signal_y_m)))
    near[junction[nearest[away_m <= SIGNAL_REACH_M]]] = True
    return near


def _inside(roads: RoadMap, tunnel_points: set[tuple[float, float]]) -> Bools:
    """The edges all of whose points are points of tunnels."""
    if not tunnel_points:
        return np.zeros(len(roads), dtype=np.bool_)
    points = zip(
        np.round(roads.shape_latitude_deg, 7).tolist(), np.round(roads.shape_longitude_deg, 7).tolist(), strict=True
    )
    inside = np.array([point in tunnel_points for point in points])
    return np.logical_and.reduceat(inside, roads.shape_offset[:-1])


def _walled(roads: RoadMap, corners: list[tuple[float, float]]) -> Float64s:
    """How built-up each edge is, by the corners of houses near its points and middles."""
    origin = (float(np.median(roads.node_latitude_deg)), float(roads.node_longitude_deg[0]))
    at = np.array(corners)
    tree = KDTree(np.column_stack(local_xy_m(at[:, 0], at[:, 1], *origin)))
    edges = np.repeat(np.arange(len(roads), dtype=np.int32), 5)
    part = np.tile(np.array([0.1, 0.3, 0.5, 0.7, 0.9]), len(roads))
    latitude_deg, longitude_deg = roads.position_on_edge(edges, part * roads.edge_length_m[edges])
    x_m, y_m = local_xy_m(latitude_deg, longitude_deg, *origin)
    walls = tree.query_ball_point(np.column_stack((x_m, y_m)), WALL_REACH_M, return_length=True)
    canyon: Float64s = np.clip(walls.reshape(-1, 5).mean(axis=1) / WALLS_FOR_CANYON, 0.0, 1.0)
    return canyon
