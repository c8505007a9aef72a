"""Files of readings straight to scored trips, without any database: one JSON object a trip."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ingest.decoded import Rejected
from ingest.files.mapping import Mapping
from ingest.files.read import read_file
from ingest.readings import Readings, concatenate
from ingest.validate import validate
from scoring.coaching import coach
from scoring.errors import ScoringError
from scoring.events import Event
from scoring.extract import read_road_map
from scoring.layers import NO_LAYERS, Layers
from scoring.match import HiddenMarkovMatcher, Matcher
from scoring.path import ScoredTrip, score_readings
from scoring.roads import RoadMap
from scoring.score import PRIOR_MODEL, ScoreModel, score_totals
from scoring.settings import THRESHOLDS, Settings, settings_for


@dataclass(eq=False)
class UnknownVehicleClass(ScoringError):
    """There are no thresholds for this class."""

    vehicle_class: str

    def __str__(self) -> str:
        return f"no thresholds for vehicle class {self.vehicle_class!r}: use one of {', '.join(sorted(THRESHOLDS))}"


def score_files(
    paths: Sequence[Path],
    mapping: Mapping | None,
    roads_path: Path | None,
    vehicle_class: str = "car",
    *,
    as_of: datetime,
    on_refused: Callable[[Path, Rejected], None],
    layers_on: Callable[[RoadMap | None], Layers] = lambda _: NO_LAYERS,
    model: ScoreModel = PRIOR_MODEL,
) -> Iterator[dict[str, object]]:
    """The trips of each device in the files, in order of start, as JSON-able objects.

    A device's readings of all files are scored together. `on_refused` is told of each row that is not: the rules are
    those of ingest, but that nothing is too old. `layers_on` makes what is laid over the road map; `model` is a rate
    plan's. Raises `UnknownVehicleClass`, errors of the files, of the road extract and of the layers. Without
    `roads_path` nothing is matched and speeding is not measurable.
    """
    if vehicle_class not in THRESHOLDS:
        raise UnknownVehicleClass(vehicle_class)
    roads = read_road_map(roads_path) if roads_path else None
    matcher = HiddenMarkovMatcher(roads) if roads else None
    layers = layers_on(roads)
    settings = settings_for(vehicle_class)
    for name, (readings, refused) in device_readings(paths, mapping, as_of=as_of, on_refused=on_refused).items():
        yield from score_file_readings(
            readings, matcher, roads, settings, device_id=name, quarantined=refused, layers=layers, model=model
        )


def device_readings(
    paths: Sequence[Path],
    mapping: Mapping | None,
    *,
    as_of: datetime,
    on_refused: Callable[[Path, Rejected], None],
) -> dict[str, tuple[Readings, int]]:
    """The valid readings of each device in the files, and how many others were refused. Raises errors of the files."""
    batches: dict[str, list[Readings]] = {}
    refused: dict[str, int] = {}
    for path in paths:
        for device_id, decoded in read_file(path, mapping):
            name = device_id or path.name.split(".")[0]
            valid = validate(decoded, as_of, retention=None)
            for one in valid.rejected:
                on_refused(path, one)
            batches.setdefault(name, []).append(valid.readings)
            refused[name] = refused.get(name, 0) + len(valid.rejected)
    return {name: (concatenate(parts), refused[name]) for name, parts in batches.items()}


def score_file_readings(
    readings: Readings,
    matcher: Matcher | None,
    roads: RoadMap | None,
    settings: Settings,
    *,
    device_id: str,
    quarantined: int,
    layers: Layers = NO_LAYERS,
    model: ScoreModel = PRIOR_MODEL,
) -> Iterator[dict[str, object]]:
    """The trips of one device as JSON-able objects; `quarantined` of its records were refused."""
    for trip in score_readings(
        readings, matcher, roads, settings, device=device_id, layers=layers, with_yardstick=True
    ):
        yield {"device_id": device_id, **trip_json(trip, model), "quarantined": quarantined}


def trip_json(trip: ScoredTrip, model: ScoreModel) -> dict[str, object]:
    """A scored trip for people and programs; `distance_km` is measured, `gap_km` is estimated beside it."""
    return {
        "trip_id": str(trip.trip_id),
        "started_at": _iso(trip.started_us),
        "ended_at": _iso(trip.ended_us),
        "time_zone": trip.time_zone,
        "distance_km": trip.distance_m / 1000,
        "gap_km": trip.gap_m / 1000,
        "duration_s": trip.duration_s,
        "sampling_interval_s": trip.sampling_interval_s,
        "excluded": trip.excluded,
        "quality": trip.quality,
        "streets": [street.as_json() for street in trip.streets],
        "events": [_event_json(event) for event in trip.events],
        "not_measurable": list(trip.not_measurable),
        "features": trip.features,
        "exposure": [asdict(cell) for cell in trip.exposure],
        "totals": trip.totals,
        "score": score_totals(trip.totals, model).as_json() if trip.score else None,
        "coaching": [change.as_json() for change in coach(trip.totals, model)] if trip.score else [],
        "yardstick": trip.yardstick,
        "versions": trip.versions | {"model": model.version},
    }


def _event_json(event: Event) -> dict[str, object]:
    """An event; its peak stands under a name with its unit."""
    peak_name = {"mps2": "peak_mps2", "kmh_over": "over_limit_kmh", "s": "duration_s"}[event.peak_unit]
    return {
        "kind": event.kind,
        "started_at": _iso(event.started_us),
        "ended_at": _iso(event.ended_us),
        peak_name: event.peak,
        "latitude_deg": event.latitude_deg,
        "longitude_deg": event.longitude_deg,
        "source": event.source,
        "sampling_interval_s": event.sampling_interval_s,
        "thresholds_version": event.thresholds_version,
    }


def _iso(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat().replace("+00:00", "Z")
