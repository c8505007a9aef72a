"""Who waits where: which junctions have lights and which streets give way, from the map's tags or from its classes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.network import Network
from simulator.surroundings import Surroundings

type Indices = NDArray[np.intp]
type Bools = NDArray[np.bool_]

LOWEST_SIGNALLED_CLASS = 4  # tertiary: where two streets of this class or higher cross, lights are likely
LEAST_ARMS = 3


@dataclass(frozen=True, slots=True)
class Junctions:
    """At the end of each of the n directed streets of a network, shapes (n,). `is_major`: it has the longer green."""

    has_signal: Bools
    gives_way: Bools
    is_major: Bools
    is_open: Bools  # a junction without lights where nobody is asked to give way by his street's class: equal streets


def find_junctions(network: Network, surroundings: Surroundings | None) -> Junctions:
    """The control at each street's end.

    Lights stand where the map has `highway=traffic_signals` nearby; on a map without any, where at least three arms of
    tertiary class or more meet (a proxy). A street gives way where a higher class meets it.
    """
    roads = network.roads
    nodes = len(roads.node_latitude_deg)
    classes = roads.edge_class.astype(np.intp)
    best = np.full(nodes, 99, dtype=np.intp)
    arms = np.zeros(nodes, dtype=np.intp)
    big_arms = np.zeros(nodes, dtype=np.intp)
    for end in (roads.edge_from_node, roads.edge_to_node):
        np.minimum.at(best, end, classes)
        np.add.at(arms, end, 1)
        np.add.at(big_arms, end[classes <= LOWEST_SIGNALLED_CLASS], 1)
    tagged = surroundings is not None and surroundings.node_has_signal.any()
    signal = surroundings.node_has_signal if surroundings is not None and tagged else big_arms >= LEAST_ARMS
    head, own = network.head_node, classes[network.edge]
    is_junction = arms[head] >= LEAST_ARMS
    has_signal = signal[head]
    gives_way = is_junction & ~has_signal & (own > best[head])
    is_open = is_junction & ~has_signal & ~gives_way & (own == best[head]) & (own >= 5)
    return Junctions(has_signal, gives_way, own <= np.minimum(best[head], LOWEST_SIGNALLED_CLASS - 1), is_open)
