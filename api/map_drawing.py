"""A trip on its roads: as GeoJSON for the map library, and as SVG for print and where there is no WebGL or script."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from api.languages import say
from scoring.classes import OVER_LIMIT_BANDS, ROAD_CLASSES
from scoring.geodesy import wrapped_deg
from scoring.roads import RoadMap
from scoring.tracks import Track

type Floats = NDArray[np.float64]
type Bounds = tuple[float, float, float, float]  # west, south, east, north

WIDTH, HEIGHT = 480.0, 340.0
SVG_BESIDE = 0.35
MOST_SVG_POINTS = 8_000
MOST_GEOJSON_POINTS = 60_000
BAND_EDGES_KMH = np.array([0.0, 10.0, 20.0]) + 1e-3  # a stored float32 speed at the limit is not over it
GAP_S = 60.0  # between two fixes further apart the path is not drawn: nothing is known there


@dataclass(frozen=True, slots=True)
class Marker:
    """An event on the map, under its number in the list of events."""

    number: int
    title: str
    detail: str
    latitude_deg: float
    longitude_deg: float


def edges_to_draw(roads: RoadMap, bounds: Bounds, most_points: int) -> NDArray[np.intp]:
    """Edges that touch `bounds`, main roads first; past `most_points` points minor classes are left out."""
    west, south, east, north = bounds
    edges = roads.edges_within(south, west, north, east).astype(np.intp)
    edges = edges[np.argsort(roads.edge_class[edges], kind="stable")]
    points = np.cumsum(np.diff(roads.shape_offset)[edges])
    if len(points) == 0 or points[-1] <= most_points:
        return edges
    # Whole classes are dropped, never some streets of one.
    last_class = int(roads.edge_class[edges[int(np.searchsorted(points, most_points, side="right"))]])
    return edges[roads.edge_class[edges] < max(last_class, 1)]


def bounds_of(track: Track, margin: float = 0.12) -> Bounds | None:
    """The box round a track with a margin of its size, at least some 300 m wide; None when no fix has a place."""
    placed = np.isfinite(track.latitude_deg) & np.isfinite(track.longitude_deg)
    if not placed.any():
        return None
    latitude = track.latitude_deg[placed]
    first_deg = track.longitude_deg[placed][0]
    longitude = first_deg + wrapped_deg(track.longitude_deg[placed] - first_deg)  # whole across longitude 180
    narrow = max(float(np.cos(np.radians(latitude.mean()))), 0.05)
    high = max(float(np.ptp(latitude)), float(np.ptp(longitude)) * narrow * HEIGHT / WIDTH, 0.003)
    wide = high * WIDTH / HEIGHT / narrow
    half_high, half_wide = (0.5 + margin) * high, (0.5 + margin) * wide
    middle_x = (float(longitude.min()) + float(longitude.max())) / 2
    middle_y = (float(latitude.min()) + float(latitude.max())) / 2
    return middle_x - half_wide, middle_y - half_high, middle_x + half_wide, middle_y + half_high


def speed_bands(track: Track) -> NDArray[np.intp]:
    """The index into OVER_LIMIT_BANDS of each fix, shape (n,)."""
    over = (track.speed_mps - track.limit_mps) * 3.6
    with np.errstate(invalid="ignore"):
        band = np.digitize(over, BAND_EDGES_KMH, right=True)
    return np.where(np.isfinite(over), band, OVER_LIMIT_BANDS.index("unknown"))


def stretches(track: Track) -> list[tuple[str, NDArray[np.intp]]]:
    """The path as (band, rows): rows run on while the band stays, and join the next stretch; gaps cut it."""
    rows = np.flatnonzero(np.isfinite(track.latitude_deg) & np.isfinite(track.longitude_deg))
    if len(rows) < 2:
        return []
    band = speed_bands(track)[rows]
    # A place that is hidden (scoring.tracks: infinite) is not drawn across, however short the time.
    hidden = np.cumsum(np.isposinf(track.latitude_deg))[rows]
    after_gap = (np.diff(track.t_s[rows]) > GAP_S) | (np.diff(hidden) > 0)
    changes = np.flatnonzero((np.diff(band) != 0) | after_gap) + 1
    found = []
    for start, stop in zip(np.concatenate(([0], changes)), np.concatenate((changes, [len(rows)])), strict=True):
        joins = stop < len(rows) and not after_gap[stop - 1]
        stretch = rows[start : stop + (1 if joins else 0)]
        if len(stretch) >= 2:
            found.append((OVER_LIMIT_BANDS[int(band[start])], stretch))
    return found


def roads_geojson(roads: RoadMap, bounds: Bounds) -> dict[str, object]:
    """Road edges in the bounds as a FeatureCollection of class, name and limit in km/h."""
    features = []
    for edge in edges_to_draw(roads, bounds, MOST_GEOJSON_POINTS):
        latitude, longitude = roads.edge_shape(int(edge))
        limit = float(roads.edge_limit_mps[edge]) * 3.6
        properties: dict[str, object] = {
            "class": ROAD_CLASSES[int(roads.edge_class[edge])],
            "name": roads.names[int(roads.edge_name[edge])],
            "limit_kmh": round(limit) if np.isfinite(limit) else None,
        }
        features.append(_feature(_line_string(longitude, latitude), properties))
    return {"type": "FeatureCollection", "features": features}


def track_geojson(track: Track, markers: Sequence[Marker]) -> dict[str, object]:
    """The trip's path by band and its events, with the bounds to show."""
    features = [
        _feature(_line_string(track.longitude_deg[rows], track.latitude_deg[rows]), {"kind": "path", "band": band})
        for band, rows in stretches(track)
    ]
    features += [
        _feature(
            {"type": "Point", "coordinates": [round(marker.longitude_deg, 6), round(marker.latitude_deg, 6)]},
            {"kind": "event", "number": marker.number, "title": marker.title, "detail": marker.detail},
        )
        for marker in markers
    ]
    bounds = bounds_of(track)
    collection: dict[str, object] = {"type": "FeatureCollection", "features": features}
    return collection | ({"bbox": [round(edge, 6) for edge in bounds]} if bounds else {})


def trip_svg(track: Track, markers: Sequence[Marker], roads: RoadMap | None) -> Markup:
    """Roads, path by band, start, end and numbered events; "" when no fix has a place."""
    bounds = bounds_of(track)
    if bounds is None:
        return Markup("")
    title = say("Map of the trip: its path coloured by speed against the limit, and its events by number")
    parts = [
        f'<svg class="trip-map" role="img" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" preserveAspectRatio="xMidYMid meet" '
        f'aria-label="{escape(title)}">'
    ]
    if roads is not None:
        parts.append(_road_paths(roads, bounds))
    for band, rows in stretches(track):
        kept = rows[_thinned_rows(len(rows), 400)]
        path = _path(*_to_svg(track.longitude_deg[kept], track.latitude_deg[kept], bounds))
        parts.append(f'<path class="path {band}" d="{path}"/>')
    placed = np.flatnonzero(np.isfinite(track.latitude_deg) & np.isfinite(track.longitude_deg))
    ends = (("start", say("Where it began"), placed[0]), ("end", say("Where it ended"), placed[-1]))
    for name, said, row in ends:
        x, y = _to_svg(track.longitude_deg[row : row + 1], track.latitude_deg[row : row + 1], bounds)
        parts.append(
            f'<circle class="{name}" cx="{x[0]:.1f}" cy="{y[0]:.1f}" r="5"><title>{escape(said)}</title></circle>'
        )
    for marker in markers:
        x, y = _to_svg(np.array([marker.longitude_deg]), np.array([marker.latitude_deg]), bounds)
        parts.append(
            f'<g class="event"><title>{escape(marker.title)}: {escape(marker.detail)}</title>'
            f'<circle cx="{x[0]:.1f}" cy="{y[0]:.1f}" r="8"/>'
            f'<text x="{x[0]:.1f}" y="{y[0] + 3.4:.1f}" text-anchor="middle">{marker.number}</text></g>'
        )
    return Markup("".join(parts) + "</svg>")


def squares_svg(
    squares: Sequence[tuple[Bounds, int, str]], bounds: Bounds, roads: RoadMap | None, title: str
) -> Markup:
    """Squares of (bounds, level 1-4, what they say) over the roads in `bounds`."""
    parts = [
        f'<svg class="trip-map squares" role="img" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" '
        f'preserveAspectRatio="xMidYMid meet" aria-label="{escape(title)}">'
    ]
    for (west, south, east, north), level, said in squares:
        x, y = _to_svg(np.array([west, east]), np.array([north, south]), bounds)
        parts.append(
            f'<rect class="square level-{level}" x="{x[0]:.1f}" y="{y[0]:.1f}" width="{x[1] - x[0]:.1f}" '
            f'height="{y[1] - y[0]:.1f}"><title>{escape(said)}</title></rect>'
        )
    if roads is not None:
        parts.append(_road_paths(roads, bounds))
    return Markup("".join(parts) + "</svg>")


def framed(west: float, south: float, east: float, north: float, margin: float = 0.06) -> Bounds:
    """The box of the drawing's shape round a box, with a margin of its size."""
    middle_x, middle_y = (west + east) / 2, (south + north) / 2
    narrow = max(float(np.cos(np.radians(middle_y))), 0.05)
    high = max(north - south, (east - west) * narrow * HEIGHT / WIDTH) * (1 + 2 * margin)
    wide = high * WIDTH / HEIGHT / narrow
    return middle_x - wide / 2, middle_y - high / 2, middle_x + wide / 2, middle_y + high / 2


def _road_paths(roads: RoadMap, bounds: Bounds) -> str:
    """One path element a road class, least important first, so that main roads lie on top."""
    by_class: dict[int, list[str]] = {}
    west, south, east, north = bounds
    beside = SVG_BESIDE * (east - west)  # a frame wider than the drawing shows roads there too
    for edge in edges_to_draw(roads, (west - beside, south, east + beside, north), MOST_SVG_POINTS):
        latitude, longitude = roads.edge_shape(int(edge))
        path = _path(*_to_svg(longitude, latitude, bounds))
        by_class.setdefault(int(roads.edge_class[edge]), []).append(path)
    return "".join(
        f'<path class="road {ROAD_CLASSES[number]}" d="{"".join(by_class[number])}"/>'
        for number in sorted(by_class, reverse=True)
    )


def _to_svg(longitude: Floats, latitude: Floats, bounds: Bounds) -> tuple[Floats, Floats]:
    west, south, east, north = bounds
    from_middle_deg = wrapped_deg(longitude - (west + east) / 2)
    return (from_middle_deg / (east - west) + 0.5) * WIDTH, (north - latitude) / (north - south) * HEIGHT


def _path(x: Floats, y: Floats) -> str:
    return "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in zip(x, y, strict=True))


def _thinned_rows(count: int, most: int) -> NDArray[np.intp]:
    if count <= most:
        return np.arange(count, dtype=np.intp)
    return np.unique(np.linspace(0, count - 1, most).round().astype(np.intp))


def _line_string(longitude: Floats, latitude: Floats) -> dict[str, object]:
    return {"type": "LineString", "coordinates": np.round(np.column_stack((longitude, latitude)), 6).tolist()}


def _feature(geometry: dict[str, object], properties: dict[str, object]) -> dict[str, object]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}
