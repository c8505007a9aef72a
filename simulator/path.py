"""The line a car follows: a route's geometry as evenly spaced points, corners rounded as a car takes them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.network import Network
from simulator.routes import Route

type Float64s = NDArray[np.float64]
type Indices = NDArray[np.intp]

STEP_M = 1.0
# Two moving averages round a right-angled corner to a radius of some 6 m, under 3 m from where the map has it.
ROUNDING_POINTS = (11, 7)


@dataclass(frozen=True, slots=True)
class Path:
    """n points `STEP_M` apart along the map's line, then rounded. `along_m` runs along the rounded line."""

    network: Network
    x_m: Float64s
    y_m: Float64s
    along_m: Float64s
    curvature_per_m: Float64s  # positive: turning right
    heading_deg: Float64s
    limit_mps: Float64s  # the map's; NaN where it knows none
    free_mps: Float64s  # the limit, or what drivers take for it on a road of that class
    route_place: Indices  # index into the route's streets

    def at(self, along_m: Float64s) -> tuple[Float64s, Float64s, Float64s, Float64s]:
        """Latitude, longitude, heading and curvature at distances along the line; shapes as given."""
        x_m = np.interp(along_m, self.along_m, self.x_m)
        y_m = np.interp(along_m, self.along_m, self.y_m)
        latitude_deg, longitude_deg = self.network.degrees(x_m, y_m)
        unwound = np.interp(along_m, self.along_m, np.unwrap(self.heading_deg, period=360.0))
        curvature = np.interp(along_m, self.along_m, self.curvature_per_m)
        return latitude_deg, longitude_deg, unwound % 360.0, curvature

    def point_at(self, along_m: Float64s) -> Indices:
        """The last point not beyond each distance, shape as given."""
        return np.clip(np.searchsorted(self.along_m, along_m, side="right") - 1, 0, len(self.along_m) - 1)


def make_path(network: Network, route: Route) -> Path:
    """The line of a route of at least some ten metres."""
    x_m, y_m, place = network.line_of(route.streets)
    map_m = np.concatenate(([0.0], np.cumsum(np.hypot(np.diff(x_m), np.diff(y_m)))))
    wanted_m = np.linspace(0.0, map_m[-1], max(int(np.ceil(map_m[-1] / STEP_M)), 2 * max(ROUNDING_POINTS)) + 1)
    smooth_x = _rounded(np.interp(wanted_m, map_m, x_m))
    smooth_y = _rounded(np.interp(wanted_m, map_m, y_m))
    along_m = np.concatenate(([0.0], np.cumsum(np.hypot(np.diff(smooth_x), np.diff(smooth_y)))))
    # side="right": a point on a node already belongs to the street that begins there.
    route_place = place[np.clip(np.searchsorted(map_m, wanted_m, side="right") - 1, 0, len(place) - 1)]
    heading, curvature = _heading_and_curvature(smooth_x, smooth_y)
    return Path(
        network=network,
        x_m=smooth_x,
        y_m=smooth_y,
        along_m=along_m,
        curvature_per_m=curvature,
        heading_deg=heading,
        limit_mps=network.limit_mps[route.streets[route_place]],
        free_mps=network.free_mps[route.streets[route_place]],
        route_place=route_place,
    )


def _rounded(values: Float64s) -> Float64s:
    """Moving averages that keep both ends: beyond them the line goes on as mirrored through the end point."""
    for points in ROUNDING_POINTS:
        half = points // 2
        before = 2 * values[0] - values[half:0:-1]
        after = 2 * values[-1] - values[-2 : -half - 2 : -1]
        values = np.convolve(np.concatenate((before, values, after)), np.full(points, 1.0 / points), mode="valid")
    return values


def _heading_and_curvature(x_m: Float64s, y_m: Float64s) -> tuple[Float64s, Float64s]:
    """Heading clockwise from north in degrees, and its change per metre in radians (right is positive)."""
    east, north = np.gradient(x_m), np.gradient(y_m)
    turned = np.unwrap(np.arctan2(east, north))
    curvature = np.gradient(turned) / np.maximum(np.hypot(east, north), 0.05)
    return np.degrees(turned) % 360.0, curvature
