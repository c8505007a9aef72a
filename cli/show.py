"""`wayrate show`: one trip drawn as a page and a picture."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from cli.errors import CannotWrite, NotFound
from cli.options import AsOf, DataDir, Mapping, Roads, database_of, messages, moment

if TYPE_CHECKING:
    from cli.trip_drawing import DrawnTrip
    from scoring.roads import RoadMap


def show(
    trip: Annotated[
        str, typer.Argument(metavar="TRIP", help="A file of readings, or the id of a trip in the database.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write NAME.html and NAME.png. Default: trip-ID, here.")
    ] = None,
    number: Annotated[int, typer.Option("--number", min=1, help="Which trip of a file, from 1.")] = 1,
    mapping: Mapping = None,
    roads: Roads = None,
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Draw a trip: a map with its events, and speed against the limit over time, as an HTML page and a PNG."""
    from cli.trip_drawing import page, write_png
    from scoring.extract import read_road_map

    road_map = read_road_map(roads) if roads else None
    source = Path(trip)
    drawn = (
        _file_trip(source, number, mapping, road_map, moment(as_of))
        if source.is_file()
        else _stored_trip(trip, data_dir)
    )
    if road_map is None:
        messages.print("No --roads: the path is drawn on no streets, and a file's speed has no limit beside it.")
    target = out or Path(f"trip-{drawn.trip_id[:8]}")
    written = [target.with_name(target.name + ending) for ending in (".html", ".png")]
    try:
        written[0].write_text(page(drawn, road_map), encoding="utf-8")
        write_png(drawn, road_map, written[1])
    except OSError as error:
        raise CannotWrite(written[0], error.strerror or str(error)) from error
    messages.print(f"{drawn.title}: wrote {written[0]} and {written[1]}.", markup=False)


def _file_trip(path: Path, number: int, mapping: str | None, roads: "RoadMap | None", as_of: datetime) -> "DrawnTrip":
    """The trip of a file, scored here."""
    from api import wording
    from cli.trip_drawing import DrawnEvent, DrawnTrip
    from ingest.files.mapping import find_mapping
    from scoring.files import device_readings
    from scoring.match import HiddenMarkovMatcher
    from scoring.path import score_readings

    columns = find_mapping(mapping) if mapping else None
    matcher = HiddenMarkovMatcher(roads) if roads else None
    devices = device_readings([path], columns, as_of=as_of, on_refused=lambda _path, _row: None)
    trips = [
        one
        for name, (readings, _) in devices.items()
        for one in score_readings(readings, matcher, roads, device=name, with_yardstick=True)
        if one.track is not None
    ]
    if number > len(trips):
        raise NotFound("trip", f"number {number}", f"{path} holds {len(trips)} trip(s) that can be drawn")
    if len(trips) > 1:
        messages.print(f"{path} holds {len(trips)} trips; this is number {number} (--number).", markup=False)
    found = trips[number - 1]
    assert found.track is not None
    return DrawnTrip(
        trip_id=str(found.trip_id),
        started_at=_instant(found.started_us),
        time_zone=found.time_zone,
        distance_m=found.distance_m,
        duration_s=found.duration_s,
        grade=found.grade,
        map_version=found.versions["map"],
        streets=tuple(f"{street.name} {street.km:.1f} km" for street in found.streets if street.name),
        track=found.track,
        events=tuple(
            DrawnEvent(
                wording.event_name(event.kind),
                wording.peak(event.peak, event.peak_unit),
                _instant(event.started_us),
                event.latitude_deg,
                event.longitude_deg,
            )
            for event in found.events
        ),
    )


def _stored_trip(trip: str, data_dir: Path | None) -> "DrawnTrip":
    """The trip of this id as it was scored."""
    from api import wording
    from cli.trip_drawing import DrawnEvent, DrawnTrip
    from scoring.store import fetch_events, fetch_track, fetch_trip

    hint = "give a file of readings, or the id of a trip as its page and wayrate score tell it"
    try:
        trip_id = UUID(trip)
    except ValueError:
        raise NotFound("file or trip", trip, hint) from None
    with database_of(data_dir) as database, database.role("telemetry") as conn:
        found, events, track = fetch_trip(conn, trip_id), fetch_events(conn, trip_id), fetch_track(conn, trip_id)
    if found is None:
        raise NotFound("trip", trip, hint)
    if track is None:
        raise NotFound("path of trip", trip, "raw positions are deleted after the dispute window; its numbers are kept")
    return DrawnTrip(
        trip_id=trip,
        started_at=found.started_at,
        time_zone=found.time_zone,
        distance_m=found.distance_m,
        duration_s=found.duration_s,
        grade=found.grade,
        map_version=found.versions.get("map"),
        streets=(),
        track=track,
        events=tuple(
            DrawnEvent(
                wording.event_name(event.kind),
                wording.peak(event.peak, event.peak_unit),
                event.started_at,
                event.latitude_deg,
                event.longitude_deg,
            )
            for event in events
        ),
    )


def _instant(time_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
