"""Map matching: a trip's fixes onto the edges of a road map. The fixes themselves are never changed."""

import threading
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled
from scoring.geodesy import from_local_xy_m, local_xy_m
from scoring.match_lattice import MatchSettings, choose_chains, fill_lattice, new_lattice
from scoring.match_network import Search, build_network, new_search
from scoring.match_placing import Placed, new_placed, new_stretches, place_fixes
from scoring.roads import RoadMap
from scoring.series import median

__all__ = ["HiddenMarkovMatcher", "MatchSettings", "Matched", "Matcher", "unmatched"]

ACCURACY_SIGMAS = 1.51  # a reported accuracy is a radius of 68 %: so many sigma of one axis (Rayleigh distribution)
MEDIAN_SIGMAS = 0.6745  # the median distance to the road as a share of sigma (half-normal distribution)
NOISE_MIN_FIXES = 20
AVERAGED_M = 3.5  # white noise over this is averaged
UNEXPECTED = 1.5  # a distance to the route over so many times the expected one is matched again

type Float64s = NDArray[np.float64]
type Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Matched:
    """Where each fix of one trip lies on the map, all shape (n,); an unmatched fix has edge -1 and NaN distances."""

    edge: NDArray[np.int32]  # index into the RoadMap's edges
    distance_m: Float64s  # from the fix to its place on the edge
    along_m: Float64s  # of that place, from the drawn start of the edge
    backward: Bools  # driven against the drawn direction
    breaks: Bools  # no drive was found to this fix from the matched ones before it
    map_version: str
    # Every edge driven over and its direction, in order, shape (r,): also those so short that they carry no fix.
    route_edge: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    route_backward: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))

    def __len__(self) -> int:
        return len(self.edge)


class Matcher(Protocol):
    """Anything that puts a trip on a road map."""

    def match(
        self, fix_time_us: NDArray[np.int64], latitude_deg: Float64s, longitude_deg: Float64s, accuracy_m: Float64s
    ) -> Matched:
        """The fixes of one trip in the order of their times, shapes (n,)."""
        ...


def unmatched(count: int, map_version: str) -> Matched:
    """`count` fixes of which none is on the map."""
    nowhere = np.full(count, np.nan)
    no, off = np.zeros(count, dtype=np.bool_), np.full(count, -1, dtype=np.int32)
    return Matched(off, nowhere, nowhere.copy(), no, no.copy(), map_version)


def white_noise_m(fix_time_us: NDArray[np.int64], latitude_deg: Float64s, longitude_deg: Float64s) -> float:
    """Sigma in one axis of noise that is independent from fix to fix, estimated from a trip at about 1 Hz; else 0.

    The second difference of such noise has variance 6 sigma^2, and its length in the plane is Rayleigh distributed with
    median 1.177 times that sigma; the car's own acceleration adds under 1 m. Only fixes of a moving car count.
    """
    if len(fix_time_us) < NOISE_MIN_FIXES:
        return 0.0
    x_m, y_m = local_xy_m(latitude_deg, longitude_deg, latitude_deg[0], longitude_deg[0])
    kink_m = _kinks_m(fix_time_us, x_m, y_m)
    return float(median(kink_m) / np.sqrt(6.0 * 2.0 * np.log(2.0))) if len(kink_m) >= NOISE_MIN_FIXES else 0.0


@compiled
def _kinks_m(fix_time_us: NDArray[np.int64], x_m: Float64s, y_m: Float64s) -> Float64s:
    """How far each fix lies off between the two around it, times two, where these are a moving car's within 3 s."""
    kink_m, count = np.empty(len(x_m)), 0
    for i in range(1, len(x_m) - 1):
        near = fix_time_us[i + 1] - fix_time_us[i - 1] <= 3_000_000
        if near and np.hypot(x_m[i + 1] - x_m[i - 1], y_m[i + 1] - y_m[i - 1]) > 4.0:
            east_m, north_m = (
                (x_m[i + 1] - x_m[i]) - (x_m[i] - x_m[i - 1]),
                (y_m[i + 1] - y_m[i]) - (y_m[i] - y_m[i - 1]),
            )
            kink_m[count] = np.hypot(east_m, north_m)
            count += 1
    return kink_m[:count]


def _means_of_five(latitude_deg: Float64s, longitude_deg: Float64s) -> tuple[Float64s, Float64s]:
    """Each position replaced by the mean of it and two on each side; the two at either end stay. At least 5 fixes."""
    x_m, y_m = local_xy_m(latitude_deg, longitude_deg, latitude_deg[0], longitude_deg[0])
    window = np.full(5, 0.2)
    x_m[2:-2], y_m[2:-2] = np.convolve(x_m, window, "valid"), np.convolve(y_m, window, "valid")
    return from_local_xy_m(x_m, y_m, latitude_deg[0], longitude_deg[0])


class HiddenMarkovMatcher:
    """Matches by the hidden Markov model of Newson and Krumm (2009) on one road map.

    The same fixes give the same places, whatever was matched before. One matcher may be used from several threads;
    each keeps scratch of its own.
    """

    def __init__(self, roads: RoadMap, settings: MatchSettings | None = None) -> None:
        self._network = build_network(roads)
        self._settings = settings or MatchSettings()
        self._map_version = roads.version
        self._scratch = threading.local()

    def match(
        self, fix_time_us: NDArray[np.int64], latitude_deg: Float64s, longitude_deg: Float64s, accuracy_m: Float64s
    ) -> Matched:
        """The fixes of one trip in the order of `fix_time_us`, shapes (n,), degrees and metres.

        A fix without position (NaN), or farther than `settings.radius_m` from every road, is unmatched; so is a whole
        trip outside the map. `accuracy_m` (NaN: not reported) widens the error that a fix is allowed. Times give the
        order only: positions decide. Raises ValueError when the shapes differ or the times fall.
        """
        columns = (latitude_deg, longitude_deg, accuracy_m)
        if any(column.shape != fix_time_us.shape for column in columns) or fix_time_us.ndim != 1:
            raise ValueError("times, positions and accuracies of a trip must have one shape (n,)")
        if np.any(np.diff(fix_time_us) < 0):
            raise ValueError("the fixes of a trip must be in the order of their times")
        latitude, longitude, accuracy = (np.ascontiguousarray(column, dtype=np.float64) for column in columns)
        known = np.flatnonzero(np.isfinite(latitude) & np.isfinite(longitude))
        matched = unmatched(len(fix_time_us), self._map_version)
        placed, route_edge, route_backward = self._place(
            fix_time_us[known], latitude[known], longitude[known], accuracy[known]
        )
        matched.edge[known] = placed.edge
        matched.distance_m[known] = placed.distance_m
        matched.along_m[known] = placed.along_m
        matched.backward[known] = placed.backward
        matched.breaks[known] = placed.breaks
        return replace(matched, route_edge=route_edge, route_backward=route_backward)

    def _place(
        self, fix_time_us: NDArray[np.int64], latitude_deg: Float64s, longitude_deg: Float64s, accuracy_m: Float64s
    ) -> tuple[Placed, NDArray[np.int32], Bools]:
        """Matched once; and again where the fixes lie farther from the found route than their error was taken for.

        Noise that lasts from fix to fix cannot be seen in the fixes alone, only beside the roads.
        """
        settings = self._settings
        white_m = white_noise_m(fix_time_us, latitude_deg, longitude_deg)
        sigma_m = np.fmax(accuracy_m / ACCURACY_SIGMAS, max(settings.sigma_m, white_m))
        found = self._place_once(latitude_deg, longitude_deg, sigma_m, white_m)
        seen_m = found[0].distance_m[np.isfinite(found[0].distance_m)]
        if len(seen_m) < NOISE_MIN_FIXES:
            return found
        seen_sigma_m = median(seen_m) / MEDIAN_SIGMAS
        if seen_sigma_m <= UNEXPECTED * median(sigma_m):
            return found
        return self._place_once(latitude_deg, longitude_deg, np.maximum(sigma_m, seen_sigma_m), white_m)

    def _place_once(
        self, latitude_deg: Float64s, longitude_deg: Float64s, sigma_m: Float64s, white_m: float
    ) -> tuple[Placed, NDArray[np.int32], Bools]:
        network, settings, count = self._network, self._settings, len(latitude_deg)
        if not hasattr(self._scratch, "search"):
            self._scratch.search, self._scratch.stretches = new_search(network), new_stretches(network)
        search: Search = self._scratch.search
        lattice, placed = new_lattice(count), new_placed(count, self._scratch.stretches)
        sigma_m = np.minimum(sigma_m, settings.radius_m)
        steady_latitude_deg, steady_longitude_deg = latitude_deg, longitude_deg
        if white_m > AVERAGED_M:  # independent errors average out; the route is chosen on the means
            steady_latitude_deg, steady_longitude_deg = _means_of_five(latitude_deg, longitude_deg)
            sigma_m = np.maximum(sigma_m / np.sqrt(5.0), settings.sigma_m)
        columns = fill_lattice(network, settings, steady_latitude_deg, steady_longitude_deg, sigma_m, lattice)
        choose_chains(network, search, settings, steady_latitude_deg, steady_longitude_deg, lattice, columns)
        route = place_fixes(network, search, settings, latitude_deg, longitude_deg, lattice, columns, placed)
        return placed, *route
