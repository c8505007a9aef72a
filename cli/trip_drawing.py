"""A trip drawn: one HTML page that needs nothing beside it, and one PNG for reports and print."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from markupsafe import Markup, escape

import api
from api import charts, map_drawing, wording
from api.map_drawing import Marker
from scoring.roads import RoadMap
from scoring.tracks import Track

CREDIT = "© OpenStreetMap contributors"  # on every map and every print: the ODbL asks for it
BANDS = {
    "within": ("within the limit", "#13806b"),
    "over_0_10": ("up to 10 km/h over", "#c98a00"),
    "over_10_20": ("10 to 20 km/h over", "#d9601a"),
    "over_20": ("more than 20 km/h over", "#b81e3f"),
    "unknown": ("no limit known", "#7d8a84"),
}
MOST_ROAD_POINTS = 20_000


@dataclass(frozen=True, slots=True)
class DrawnEvent:
    """An event as it is drawn, under its number."""

    name: str
    peak: str
    started_at: datetime
    latitude_deg: float | None
    longitude_deg: float | None


@dataclass(frozen=True, slots=True)
class DrawnTrip:
    """What of a trip is drawn; its times are shown by the clock of `time_zone`."""

    trip_id: str
    started_at: datetime
    time_zone: str
    distance_m: int
    duration_s: int
    grade: str
    map_version: str | None
    streets: tuple[str, ...]
    track: Track
    events: tuple[DrawnEvent, ...]

    @property
    def title(self) -> str:
        """Day and time of the start, where it began."""
        return f"Trip of {self.started_at.astimezone(ZoneInfo(self.time_zone)):%Y-%m-%d, %H:%M}"

    @property
    def facts(self) -> str:
        """The trip in one line."""
        length, lasted = wording.km(self.distance_m), wording.duration(self.duration_s)
        return f"{length} in {lasted} · quality {self.grade} · times of {self.time_zone}"


def clock(trip: DrawnTrip, at: datetime) -> str:
    """A time of day where the trip began."""
    return f"{at.astimezone(ZoneInfo(trip.time_zone)):%H:%M:%S}"


_PAGE = Markup("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head><body><main class="page">
<div class="title"><h1>{title}</h1><p class="quiet">{facts}</p></div>
<section class="card"><header><h2>The way</h2><ul class="legend">{bands}</ul></header>
<div class="map-frame">{map}<p class="map-credit">{credit}</p></div>{streets}</section>
<section class="card"><header><h2>Speed against the limit</h2>
<ul class="legend"><li><i class="speed"></i>speed</li><li><i class="limit"></i>limit by the map</li></ul></header>
<figure>{chart}<figcaption class="small quiet">Gaps in a line are times without a reading or a known limit.</figcaption>
</figure></section>
<section class="card"><header><h2>Events</h2></header>{events}</section>
<p class="small quiet">Trip {trip_id}. Road map {version}. Roads {credit}.</p>
</main></body></html>
""")


def page(trip: DrawnTrip, roads: RoadMap | None) -> str:
    """The trip as one HTML page; without `roads` the path is drawn on no streets."""
    style = Markup((Path(api.__file__).parent / "static" / "wayrate.css").read_text(encoding="utf-8"))
    marks = [
        Marker(number, event.name, f"{event.peak} at {clock(trip, event.started_at)}", *place)
        for number, event in enumerate(trip.events, 1)
        if (place := _place(event))
    ]
    at = [
        ((event.started_at - trip.started_at) / timedelta(seconds=1), number)
        for number, event in enumerate(trip.events, 1)
    ]
    track = trip.track
    bands = Markup("").join(
        Markup('<li><i class="{}"></i>{}</li>').format(code, name) for code, (name, _) in BANDS.items()
    )
    rows = Markup("").join(
        Markup(
            '<li><div class="row"><span class="main"><span class="number">{}</span>{}</span>'
            '<span class="side">{}</span><span class="under"></span><span class="side under">{}</span></div></li>'
        ).format(number, event.name, event.peak, clock(trip, event.started_at))
        for number, event in enumerate(trip.events, 1)
    )
    streets = Markup('<p class="small quiet">{}</p>').format(", ".join(trip.streets)) if trip.streets else ""
    return _PAGE.format(
        title=trip.title,
        facts=trip.facts,
        style=style,
        bands=bands,
        map=map_drawing.trip_svg(track, marks, roads),
        streets=streets,
        chart=charts.speed_chart(track.t_s, track.speed_mps * 3.6, track.limit_mps * 3.6, at),
        events=Markup('<ol class="rows">{}</ol>').format(rows) if rows else escape("None."),
        credit=CREDIT,
        trip_id=trip.trip_id,
        version=trip.map_version or "none",
    )


def write_png(trip: DrawnTrip, roads: RoadMap | None, path: Path) -> None:
    """The trip as a picture of 1600 x 1000. Raises OSError."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415  takes a second, and only this needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(16, 10), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{trip.title}\n{trip.facts}", fontsize=14)
    on_map, over_time = figure.subplots(2, 1, height_ratios=(3, 1))
    _draw_map(on_map, trip, roads)
    _draw_speed(over_time, trip)
    figure.savefig(path)


def _draw_map(axes, trip: DrawnTrip, roads: RoadMap | None) -> None:  # type: ignore[no-untyped-def]
    """Streets, path by band, start, end and events; a degree of longitude as wide as it is at this latitude."""
    track = trip.track
    bounds = map_drawing.bounds_of(track)
    if bounds is None:
        axes.text(0.5, 0.5, "No reading of this trip has a place", ha="center", transform=axes.transAxes)
        return
    west, south, east, north = bounds
    if roads is not None:
        for edge in map_drawing.edges_to_draw(roads, bounds, MOST_ROAD_POINTS).tolist():
            latitude_deg, longitude_deg = roads.edge_shape(edge)
            axes.plot(longitude_deg, latitude_deg, color="#c3cbc0", linewidth=1.2, zorder=1)
    for band, rows in map_drawing.stretches(track):
        axes.plot(track.longitude_deg[rows], track.latitude_deg[rows], color=BANDS[band][1], linewidth=3, zorder=2)
    placed = np.flatnonzero(np.isfinite(track.latitude_deg) & np.isfinite(track.longitude_deg))
    for row, name in ((placed[0], "start"), (placed[-1], "end")):
        axes.annotate(name, (track.longitude_deg[row], track.latitude_deg[row]), fontsize=11, weight="bold", zorder=4)
    for number, event in enumerate(trip.events, 1):
        if place := _place(event):
            axes.plot(place[1], place[0], "o", color="#16211d", markersize=14, zorder=5)
            axes.annotate(
                str(number), (place[1], place[0]), color="white", ha="center", va="center", fontsize=9, zorder=6
            )
    axes.set(xlim=(west, east), ylim=(south, north), xticks=[], yticks=[], facecolor="#f4f5f1")
    axes.set_aspect(1.0 / max(float(np.cos(np.radians((south + north) / 2))), 0.05))
    axes.text(0.995, 0.01, CREDIT, ha="right", va="bottom", transform=axes.transAxes, fontsize=10, zorder=7)
    handles = [axes.plot([], [], color=colour, linewidth=3, label=name)[0] for name, colour in BANDS.values()]
    axes.legend(handles=handles, loc="upper left", fontsize=9)


def _draw_speed(axes, trip: DrawnTrip) -> None:  # type: ignore[no-untyped-def]
    minutes = trip.track.t_s / 60.0
    limit_kmh, speed_kmh = trip.track.limit_mps * 3.6, trip.track.speed_mps * 3.6
    axes.fill_between(minutes, limit_kmh, speed_kmh, where=speed_kmh > limit_kmh, color="#b81e3f", alpha=0.3)
    axes.plot(
        minutes,
        limit_kmh,
        color="#53625c",
        linewidth=1.5,
        linestyle="--",
        drawstyle="steps-post",
        label="limit by the map",
    )
    axes.plot(minutes, speed_kmh, color="#0c6253", linewidth=1.5, label="speed")
    for number, event in enumerate(trip.events, 1):
        at = (event.started_at - trip.started_at) / timedelta(minutes=1)
        axes.axvline(at, color="#16211d", linewidth=0.8)
        axes.annotate(str(number), (at, 1.0), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=9)
    axes.set(xlabel="minutes since the start", ylabel="km/h", ylim=(0, None), xlim=(0, None))
    axes.legend(loc="upper right", fontsize=9)


def _place(event: DrawnEvent) -> tuple[float, float] | None:
    if event.latitude_deg is None or event.longitude_deg is None:
        return None
    return event.latitude_deg, event.longitude_deg
