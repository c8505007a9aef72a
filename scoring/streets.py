"""The streets of a matched trip, in the order in which they were first driven."""

from dataclasses import asdict, dataclass

import numpy as np

from scoring.match import Matched
from scoring.roads import RoadMap


@dataclass(frozen=True, slots=True)
class Street:
    """A street and the kilometres of the matched route on it, by the map; `name` is None for all roads without one."""

    name: str | None
    km: float

    def as_json(self) -> dict[str, object]:
        """A JSON object."""
        return asdict(self)


def streets_of(found: Matched, roads: RoadMap) -> tuple[Street, ...]:
    """The streets of a route, also those so short that they carry no fix; its first and last edge count from the first
    fix and to the last. () when nothing is matched.
    """
    route = found.route_edge
    if not len(route):
        return ()
    driven_m = roads.edge_length_m[route].copy()
    fixes = np.flatnonzero(found.edge >= 0)
    first, last = int(fixes[0]), int(fixes[-1])
    if found.edge[first] == route[0]:
        driven_m[0] -= _entered_m(found, roads, first)
    if found.edge[last] == route[-1]:
        driven_m[-1] -= roads.edge_length_m[route[-1]] - _entered_m(found, roads, last)
    name = roads.edge_name[route]
    named, first_seen, street = np.unique(name, return_index=True, return_inverse=True)
    way_m = np.bincount(street, weights=np.maximum(driven_m, 0.0))
    order = np.argsort(first_seen)
    return tuple(Street(roads.names[named[k]] or None, round(float(way_m[k]) / 1000.0, 3)) for k in order)


def _entered_m(found: Matched, roads: RoadMap, fix: int) -> float:
    """How far from where its edge is entered a fix lies."""
    along_m = float(found.along_m[fix])
    return float(roads.edge_length_m[found.edge[fix]]) - along_m if found.backward[fix] else along_m
