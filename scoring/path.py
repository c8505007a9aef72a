"""The list of the stage: readings of one device to scored trips. Pure: the same readings give the same trips."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from uuid import UUID

import numpy as np

from ingest.readings import Readings
from scoring.clean import clean_readings
from scoring.driven import Driven, along_roads, on_roads
from scoring.events import Event, findings_of
from scoring.exposure import Cell, cells_of
from scoring.features import FEATURES_VERSION, features_of
from scoring.finding import KINDS
from scoring.layers import NO_LAYERS, Layers
from scoring.match import Matcher
from scoring.measuring import Measured, measure_trips
from scoring.place_time import local_quarter, zone_at
from scoring.quality import Quality, certify
from scoring.roads import RoadMap
from scoring.score import PRIOR_MODEL, score_totals
from scoring.segments import Place, segments_of
from scoring.settings import DEFAULT_SETTINGS, Settings
from scoring.shape import shape_of
from scoring.streets import Street, streets_of
from scoring.tracks import Track, pack, track_of
from scoring.trips import Trip, cut_trips
from scoring.yardstick import measure, yardstick


@dataclass(frozen=True, slots=True)
class ScoredTrip:
    """Everything that is stored of a trip. Where nobody reported the way (`unobserved`) it has 0 m and no track."""

    trip_id: UUID
    started_us: int
    ended_us: int
    time_zone: str
    local_month: str
    distance_m: int
    gap_m: int
    duration_s: int
    sampling_interval_s: float | None
    excluded: str | None
    grade: str
    quality: dict[str, object]
    not_measurable: tuple[str, ...]
    totals: dict[str, int]
    features: dict[str, float | None]
    score: dict[str, object] | None
    versions: dict[str, str | None]
    exposure: tuple[Cell, ...]
    events: tuple[Event, ...]
    track: Track | None
    shape: tuple[int, ...] = ()  # by which a copy of the way at another time is known
    yardstick: dict[str, dict[str, object]] | None = None  # what others' formulas say; only when asked, never stored
    streets: tuple[Street, ...] = ()  # likewise

    @property
    def content_digest(self) -> bytes:
        """SHA-256 of everything but the id: two scorings that agree in it are the same trip to the last byte."""
        content = asdict(replace(self, track=None, yardstick=None, streets=()))
        del content["trip_id"], content["track"], content["yardstick"], content["streets"]
        digest = hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())
        digest.update(b"" if self.track is None else pack(self.track))
        return digest.digest()


def score_readings(
    readings: Readings,
    matcher: Matcher | None,
    roads: RoadMap | None,
    settings: Settings = DEFAULT_SETTINGS,
    *,
    device: str | int,
    previous: Place | None = None,
    layers: Layers = NO_LAYERS,
    with_yardstick: bool = False,
) -> list[ScoredTrip]:
    """The scored trips of one device's readings, in order of start.

    `readings` come in any order, with any repetition. `previous` is the last usable place before them. `device` (its
    key, or its id where there is no database) makes the trips' ids.
    """
    segments = segments_of(clean_readings(readings), previous, settings.cutting)
    trips = cut_trips(segments, settings.cutting)
    own = [trips.trip(number, settings.cutting) for number in range(len(trips))]
    driven = [on_roads(trip, matcher, roads) for trip in own]
    for trip, on_map in zip(own, driven, strict=True):
        along_roads(trip, on_map, roads)
    measured = measure_trips(trips, driven if matcher and roads else None, settings.thresholds)
    scored = [
        score_trip(
            trip,
            on_map,
            measured,
            number,
            roads,
            settings,
            device=device,
            layers=layers,
            with_yardstick=with_yardstick,
        )
        for number, (trip, on_map) in enumerate(zip(own, driven, strict=True))
    ]
    moved = set(trips.segment.tolist())
    for number in np.flatnonzero(segments.gap_m > 0.0).tolist():
        if number not in moved:
            at = _place(segments.clean.readings, int(segments.edges[number]))
            scored.append(unobserved(at, float(segments.gap_m[number]), settings, device, layers))
    return sorted(scored, key=lambda trip: trip.started_us)


def score_trip(
    trip: Trip,
    driven: Driven,
    measured: Measured,
    number: int,
    roads: RoadMap | None,
    settings: Settings,
    *,
    device: str | int,
    layers: Layers = NO_LAYERS,
    with_yardstick: bool = False,
) -> ScoredTrip:
    """One of the measured trips to its score."""
    findings = findings_of(measured, number, trip, settings.thresholds)
    laid = layers.totals(trip, driven)
    totals = measured.totals_of(number) | laid
    quality = certify(trip, driven, settings, findings.flags)
    score = None if quality.excluded else score_totals(totals, PRIOR_MODEL)
    zone = measured.times.zones[number]
    started_us, ended_us = int(trip.readings.fix_time_us[0]), int(trip.readings.fix_time_us[-1])
    return ScoredTrip(
        trip_id=trip_id(device, started_us),
        started_us=started_us,
        ended_us=ended_us,
        time_zone=zone,
        local_month=local_quarter(started_us, zone).month,
        distance_m=totals["distance_m"],
        gap_m=totals["gap_m"],
        duration_s=totals["duration_s"],
        sampling_interval_s=round(trip.sampling_interval_s, 3),
        excluded=quality.excluded,
        grade=quality.grade,
        quality=quality.as_json(),
        not_measurable=findings.not_measurable,
        totals=totals,
        features=features_of(totals) if laid else measured.features_of(number),
        score=None if score is None else score.as_json(),
        versions=_versions(settings, driven.map_version) | layers.versions,
        exposure=cells_of(measured.metres[number], measured.seconds[number]),
        events=findings.events,
        track=track_of(trip, driven),
        shape=shape_of(trip.readings),
        yardstick=yardstick(measure(trip, driven, findings, zone, settings.thresholds)) if with_yardstick else None,
        streets=streets_of(driven.found, roads) if with_yardstick and roads and driven.found else (),
    )


def unobserved(first: Place, gap_m: float, settings: Settings, device: str | int, layers: Layers) -> ScoredTrip:
    """A way that nobody reported: the device was seen elsewhere, then stood here. 0 km measured, never 0 silently."""
    zone = zone_at(first.latitude_deg, first.longitude_deg)
    quality = Quality("uncertified", 0.0, ("gap_before",), ("unobserved",), None, 0, 1, 0, 0, None, 0)
    totals = {"trips": 0, "distance_m": 0, "gap_m": round(gap_m), "duration_s": 0}
    return ScoredTrip(
        trip_id=trip_id(device, first.fix_time_us),
        started_us=first.fix_time_us,
        ended_us=first.fix_time_us,
        time_zone=zone,
        local_month=local_quarter(first.fix_time_us, zone).month,
        distance_m=0,
        gap_m=totals["gap_m"],
        duration_s=0,
        sampling_interval_s=None,
        excluded=None,
        grade=quality.grade,
        quality=quality.as_json(),
        not_measurable=KINDS,
        totals=totals,
        features=features_of(totals),
        score=None,
        versions=_versions(settings, None) | layers.versions,
        exposure=(),
        events=(),
        track=None,
    )


def trip_id(device: str | int, started_us: int) -> UUID:
    """The id of the trip that a device began at an instant: re-cutting the same readings gives the same id."""
    return UUID(bytes=hashlib.blake2b(f"{device}/{started_us}".encode(), digest_size=16).digest())


def _place(readings: Readings, row: int) -> Place:
    return Place(int(readings.fix_time_us[row]), float(readings.latitude_deg[row]), float(readings.longitude_deg[row]))


def _versions(settings: Settings, map_version: str | None) -> dict[str, str | None]:
    return {
        "map": map_version,
        "settings": settings.version,
        "thresholds": settings.thresholds.version,
        "model": PRIOR_MODEL.version,
        "features": FEATURES_VERSION,
    }
