"""Distances and local plane coordinates on the sphere, safe across the antimeridian."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ingest.compiled import compiled

type Float64s = NDArray[np.float64]

EARTH_RADIUS_M = 6_371_008.8  # mean radius of WGS 84 (IUGG R1)
NEAR_DEG = 0.05  # so near that a few terms of a series give sines and cosines
METRES_PER_DEGREE = EARTH_RADIUS_M * np.pi / 180.0


def wrapped_deg(difference_deg: ArrayLike) -> Float64s:
    """A difference of longitudes or headings as the shortest turn, in [-180, 180)."""
    return np.mod(np.asarray(difference_deg, dtype=np.float64) + 180.0, 360.0) - 180.0


@compiled
def cosine_near(sine: float, cosine: float, further_deg: float) -> float:
    """The cosine of an angle up to `NEAR_DEG` further than one of which both are known, by a series."""
    turn = np.radians(further_deg)
    near: float = cosine * (1.0 - turn * turn / 2.0 + turn**4 / 24.0) - sine * (turn - turn**3 / 6.0)
    return near


@compiled
def sine_near(sine: float, cosine: float, further_deg: float) -> float:
    """Likewise the sine."""
    turn = np.radians(further_deg)
    near: float = sine * (1.0 - turn * turn / 2.0 + turn**4 / 24.0) + cosine * (turn - turn**3 / 6.0)
    return near


@compiled
def wrapped_turn_deg(difference_deg: float) -> float:
    """`wrapped_deg` of one difference, for kernels."""
    turned_deg = difference_deg + 180.0
    if not 0.0 <= turned_deg < 360.0:
        turned_deg %= 360.0
    return turned_deg - 180.0


def haversine_m(
    from_latitude_deg: ArrayLike, from_longitude_deg: ArrayLike, to_latitude_deg: ArrayLike, to_longitude_deg: ArrayLike
) -> Float64s:
    """Great-circle distances in metres by the haversine formula (Sinnott 1984); arguments broadcast, NaN stays NaN."""
    from_latitude = np.radians(np.asarray(from_latitude_deg, dtype=np.float64))
    to_latitude = np.radians(np.asarray(to_latitude_deg, dtype=np.float64))
    from_longitude = np.asarray(from_longitude_deg, dtype=np.float64)
    half_turn = np.radians(np.asarray(to_longitude_deg, dtype=np.float64) - from_longitude) / 2.0
    chord = (
        np.sin((to_latitude - from_latitude) / 2.0) ** 2
        + np.cos(from_latitude) * np.cos(to_latitude) * np.sin(half_turn) ** 2
    )
    distance_m: Float64s = 2.0 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0)))
    return distance_m


def local_xy_m(
    latitude_deg: ArrayLike, longitude_deg: ArrayLike, origin_latitude_deg: ArrayLike, origin_longitude_deg: ArrayLike
) -> tuple[Float64s, Float64s]:
    """East and north of the origin in metres (equirectangular), for some 10 km, also across longitude 180."""
    origin_latitude = np.asarray(origin_latitude_deg, dtype=np.float64)
    east_deg = wrapped_deg(np.asarray(longitude_deg, dtype=np.float64) - np.asarray(origin_longitude_deg))
    x_m: Float64s = east_deg * METRES_PER_DEGREE * np.cos(np.radians(origin_latitude))
    y_m: Float64s = (np.asarray(latitude_deg, dtype=np.float64) - origin_latitude) * METRES_PER_DEGREE
    return x_m, y_m


def from_local_xy_m(
    x_m: ArrayLike, y_m: ArrayLike, origin_latitude_deg: ArrayLike, origin_longitude_deg: ArrayLike
) -> tuple[Float64s, Float64s]:
    """Latitude and longitude of points given in metres east and north of the origin: the inverse of `local_xy_m`."""
    origin_latitude = np.asarray(origin_latitude_deg, dtype=np.float64)
    latitude_deg: Float64s = origin_latitude + np.asarray(y_m, dtype=np.float64) / METRES_PER_DEGREE
    metres_per_degree_east = METRES_PER_DEGREE * np.cos(np.radians(origin_latitude))
    longitude_deg = np.asarray(origin_longitude_deg) + np.asarray(x_m, dtype=np.float64) / metres_per_degree_east
    return latitude_deg, wrapped_deg(longitude_deg)


@compiled
def great_circle_m(
    from_latitude_deg: float, from_longitude_deg: float, to_latitude_deg: float, to_longitude_deg: float
) -> float:
    """`haversine_m` of two places, for kernels."""
    from_latitude, to_latitude = np.radians(from_latitude_deg), np.radians(to_latitude_deg)
    half_turn = np.radians(to_longitude_deg - from_longitude_deg) / 2.0
    up, across = np.sin((to_latitude - from_latitude) / 2.0), np.sin(half_turn)
    chord = up * up + np.cos(from_latitude) * np.cos(to_latitude) * across * across
    way_m: float = 2.0 * EARTH_RADIUS_M * np.arcsin(np.sqrt(min(chord, 1.0)))
    return way_m
