"""Where a driver's car goes: the places of a life, and legal drives between them with errands on the way."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.geodesy import haversine_m
from simulator.network import Network, way_to

type Floats = NDArray[np.float64]
type Indices = NDArray[np.intp]
type Bools = NDArray[np.bool_]

MAX_VIAS = 12
KEPT_VALUES = 4_000_000  # of kept searches, so that a large map does not fill memory
CANDIDATES = 12
FREE_DRIVE_SHARE = (0.9, 1.35)  # a drive may be so much shorter or longer than wished for
ERRAND_REACH = 0.4  # errands lie so far from home, through the air, in the driver's mean trips: shops are near
OWN_TASTE_SIGMA = 0.25  # how much streets seem longer or shorter to one driver: habits differ from the quickest way


@dataclass(frozen=True, slots=True)
class Places:
    """Home, work, and where errands and nights go, as streets (the car stands at a street's end)."""

    home: int
    work: int
    errands: tuple[int, ...]
    night_life: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """Streets in driving order, shape (r,). The car begins at the start of the first, where an earlier drive ended.

    `errand_after` are places in `streets` at whose end the car halts on an errand.
    """

    streets: Indices
    errand_after: tuple[int, ...]


class Ways:
    """The quickest ways as one driver sees them; searches are kept."""

    def __init__(self, network: Network, factor: Floats | None) -> None:
        self.network = network
        self._factor = factor
        self._searches: dict[int, tuple[Floats, Indices]] = {}

    def seconds(self, source: int) -> Floats:
        """How long every street takes to reach (to its end) from the end of `source`, freely driven; shape (n,)."""
        return self._search(source)[0]

    def leg(self, source: int, target: int) -> list[int]:
        """The streets after `source` up to and with `target`."""
        return way_to(self._search(source)[1], target)[1:]

    def _search(self, source: int) -> tuple[Floats, Indices]:
        found = self._searches.get(source)
        if found is None:
            if len(self._searches) >= max(16, KEPT_VALUES // len(self.network)):
                self._searches.pop(next(iter(self._searches)))
            found = self._searches[source] = self.network.times_from(source, self._factor)
        return found


def draw_taste(network: Network, rng: np.random.Generator) -> Floats:
    """How much longer each street seems to one driver, shape (n,)."""
    taste: Floats = np.exp(OWN_TASTE_SIGMA * rng.standard_normal(len(network)))
    return taste


def draw_places(network: Network, to_work_m: float, avoided: Bools, rng: np.random.Generator) -> Places:
    """Home anywhere; work as far as the commute says, or as the map allows; errands near home; nights at junctions.

    Nobody parks on the streets at the mask `avoided`, shape (n,).
    """
    home = int(rng.choice(np.flatnonzero(~avoided)))
    free_s = network.times_from(home)[0]
    wished_s = min(to_work_m / network.usual_mps, 0.8 * float(free_s.max()))
    reach_m = max(ERRAND_REACH * to_work_m, 500.0)
    elsewhere = (np.arange(len(network)) != home) & ~avoided
    work_weight = elsewhere * np.exp(-(((free_s - wished_s) / (0.2 * wished_s)) ** 2))
    near_weight = elsewhere * np.exp(-_air_m(network, home) / reach_m)
    lively_weight = near_weight * network.junction[network.head_node]
    if not lively_weight.any():
        lively_weight = near_weight
    errands = rng.choice(len(network), size=min(6, len(network) - 1), replace=False, p=near_weight / near_weight.sum())
    nights = rng.choice(len(network), size=3, p=lively_weight / lively_weight.sum())
    work = int(rng.choice(len(network), p=work_weight / work_weight.sum()))
    return Places(home, work, tuple(errands.tolist()), tuple(nights.tolist()))


def plan_route(
    ways: Ways, origin: int, target: int, errands: tuple[int, ...], wished_m: float, rng: np.random.Generator
) -> Route:
    """A drive from the end of street `origin` to the end of `target` (they may be one) of some `wished_m` metres.

    Errands and, where those are used up, other places lie on the way until the wished length is filled; on a large map
    the straight way fills it alone.
    """
    free_s = wished_m / ways.network.usual_mps
    streets: list[int] = []
    halts: list[int] = []
    here, driven_s = origin, 0.0
    for _ in range(MAX_VIAS):
        direct_s = float(ways.seconds(here)[target])
        if here != target and driven_s + direct_s >= FREE_DRIVE_SHARE[0] * free_s:
            break
        via = _next_via(ways, here, target, errands, free_s - driven_s, rng)
        if via is None:
            break
        driven_s += float(ways.seconds(here)[via])
        streets += ways.leg(here, via)
        if via in errands:
            halts.append(len(streets) - 1)
        here = via
    if here == target:  # a round trip needs somewhere to go: the farthest place there and back
        here = int(np.argmax(ways.seconds(target)))
        streets += ways.leg(target, here)
    streets += ways.leg(here, target)
    return Route(np.array(streets, dtype=np.intp), tuple(halts))


def _next_via(
    ways: Ways, here: int, target: int, errands: tuple[int, ...], left_s: float, rng: np.random.Generator
) -> int | None:
    """The first candidate that is worth the way and leaves time for the rest of it; None where there is none."""
    anywhere = rng.choice(len(ways.network), size=CANDIDATES)
    candidates = [*rng.permutation(np.array(errands)).tolist()[: 1 + int(rng.random() < 0.5)], *anywhere.tolist()]
    for candidate in candidates:
        there_s = float(ways.seconds(here)[candidate])
        if candidate in {here, target} or there_s < min(0.15 * left_s, 60.0):
            continue
        # The way on from there is taken to be as long as the way back to it: that search is made already.
        if there_s + float(ways.seconds(target)[candidate]) <= FREE_DRIVE_SHARE[1] * left_s:
            return int(candidate)
    return None


def _air_m(network: Network, street: int) -> Floats:
    """Metres through the air from a street's end to every street's end, shape (n,)."""
    latitude_deg = network.roads.node_latitude_deg[network.head_node]
    longitude_deg = network.roads.node_longitude_deg[network.head_node]
    return haversine_m(latitude_deg[street], longitude_deg[street], latitude_deg, longitude_deg)
