"""The trips of one device at once: their events and counters, in one pass over columns. Each trip by itself."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled
from ingest.readings import Float32s, Int64s
from scoring.cutting import Steps
from scoring.driven import Driven
from scoring.exposure import CELLS, TOTALS, count_trip, event_amounts, fill_cells, severe
from scoring.features import FEATURES, STARTS, trip_features
from scoring.finding import KINDS, EventRows, Looked, find, new_event_rows
from scoring.motion import Motion
from scoring.place_time import LocalTimes, local_quarter, local_times
from scoring.series import Bools, Floats
from scoring.settings import Thresholds
from scoring.signals import Drive
from scoring.trips import Trips

_AMOUNTS = 6


class Places(NamedTuple):
    """What measuring reads of n readings, each array of shape (n,), NaN where it is not reported."""

    latitude_deg: Floats
    longitude_deg: Floats
    heading_deg: Float32s
    forward_mps2: Float32s
    lateral_mps2: Float32s
    vertical_mps2: Float32s
    phone_in_use: Float32s
    belt_fastened: Float32s
    reported_limit_mps: Float32s


class OnMap(NamedTuple):
    """What the map says of the readings of all trips, one trip after another; () where no map was asked.

    Trip k is own[k] to own[k + 1]: one reading may end a trip and begin the next, and lie elsewhere in each.
    """

    road_class: Int64s
    limit_mps: Floats
    own: Int64s


@dataclass(frozen=True, slots=True)
class Measured:
    """Events and counters of t trips. The e events of trip k are those from first_event[k] to first_event[k + 1]."""

    events: EventRows  # (e,)
    severe: Bools  # (e,)
    amounts: Int64s  # (e, 6), see `event_amounts`
    first_event: Int64s  # (t + 1,)
    looked: Looked
    totals: Int64s  # (t, TOTALS)
    metres: Int64s  # (t, CELLS)
    seconds: Int64s
    times: LocalTimes
    starts: list[str]  # the kind of day and the hour at which each trip begins
    features: Floats  # (t, FEATURES), NaN: not measurable

    def totals_of(self, number: int) -> dict[str, int]:
        """The counters of one trip by their names."""
        totals = dict(zip(TOTALS, self.totals[number].tolist(), strict=True))
        totals[f"{STARTS}{self.starts[number]}"] = 1
        return totals

    def features_of(self, number: int) -> dict[str, float | None]:
        """The features of one trip by their names, as `features.features_of` of its counters gives them."""
        values = zip(FEATURES, self.features[number].tolist(), strict=True)
        return {feature.name: None if math.isnan(value) else round(value, 6) for feature, value in values}


def measure_trips(trips: Trips, driven: Sequence[Driven] | None, limits: Thresholds) -> Measured:
    """Events and counters of all trips; `driven` is what the roads say of each, None where no map was asked."""
    at, count = trips.clean.readings, len(trips)
    times = local_times(at.fix_time_us, at.latitude_deg, at.longitude_deg, trips.first, trips.after)
    places = Places(
        at.latitude_deg,
        at.longitude_deg,
        at.heading_deg,
        at.acceleration_forward_mps2,
        at.acceleration_lateral_mps2,
        at.acceleration_vertical_mps2,
        at.phone_in_use,
        at.belt_fastened,
        at.reported_limit_mps,
    )
    rows = new_event_rows(int((trips.after - trips.first).sum()))
    first_event = np.zeros(count + 1, dtype=np.int64)
    looked = Looked(np.zeros((count, len(KINDS)), dtype=np.bool_), np.zeros((count, 3), dtype=np.bool_))
    totals = np.zeros((count, len(TOTALS)), dtype=np.int64)
    metres, seconds = np.zeros((2, count, CELLS), dtype=np.int64)
    bounds = (trips.first, trips.after, trips.sampling_interval_s, trips.gap_m)
    hours, on_map = (times.row, times.band, times.first), _on_map(driven)
    _measure(
        trips.motion, trips.way, places, on_map, bounds, hours, limits,
        rows, first_event, looked, totals, metres, seconds,
    )  # fmt: skip
    events = EventRows._make(column[: first_event[-1]] for column in rows)
    amounts, is_severe = np.zeros((len(events.kind), _AMOUNTS), dtype=np.int64), np.zeros(len(events.kind), np.bool_)
    if len(events.kind):
        _weigh(trips.motion, trips.way, places, on_map, bounds, limits, events, amounts, is_severe)
    starts = [
        local_quarter(time_us, zone).start
        for time_us, zone in zip(at.fix_time_us[trips.first].tolist(), times.zones, strict=True)
    ]
    features = trip_features(TOTALS, totals)
    return Measured(events, is_severe, amounts, first_event, looked, totals, metres, seconds, times, starts, features)


def _on_map(driven: Sequence[Driven] | None) -> OnMap:
    if not driven:
        return OnMap(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0, dtype=np.int64))
    own = np.cumsum([0, *(len(one.limit_mps) for one in driven)])
    road_class = np.concatenate([one.road_class for one in driven]).astype(np.int64, copy=False)
    return OnMap(road_class, np.concatenate([one.limit_mps for one in driven]), own)


type _Bounds = tuple[Int64s, Int64s, Floats, Floats]
type _Hours = tuple[Int64s, Int64s, Int64s]


@compiled
def _drive(motion: Motion, way: Steps, places: Places, on_map: OnMap, bounds: _Bounds, trip: int) -> Drive:
    """One trip of the columns."""
    first, after = bounds[0][trip], bounds[1][trip]
    limit_mps = on_map.limit_mps
    if len(on_map.own):
        limit_mps = limit_mps[on_map.own[trip] : on_map.own[trip + 1]]
    return Drive(
        motion.t_s[first:after] - motion.t_s[first],
        motion.speed_mps[first:after],
        motion.reported[first:after],
        motion.still[first:after],
        way.step_s[first : after - 1],
        way.step_m[first : after - 1],
        way.in_gap[first : after - 1],
        places.latitude_deg[first:after],
        places.longitude_deg[first:after],
        places.heading_deg[first:after],
        places.forward_mps2[first:after],
        places.lateral_mps2[first:after],
        places.vertical_mps2[first:after],
        places.phone_in_use[first:after],
        places.belt_fastened[first:after],
        places.reported_limit_mps[first:after],
        limit_mps,
        bounds[2][trip],
    )


@compiled
def _measure(
    motion: Motion,
    way: Steps,
    places: Places,
    on_map: OnMap,
    bounds: _Bounds,
    hours: _Hours,
    limits: Thresholds,
    rows: EventRows,
    first_event: Int64s,
    looked: Looked,
    totals: NDArray[np.int64],
    metres: NDArray[np.int64],
    seconds: NDArray[np.int64],
) -> None:
    hour_row, hour_band, first_hour = hours
    for trip in range(len(totals)):
        drive = _drive(motion, way, places, on_map, bounds, trip)
        count = find(drive, trip, limits, rows, first_event[trip], looked)
        first_event[trip + 1] = count
        road_class = on_map.road_class
        if len(on_map.own):
            road_class = road_class[on_map.own[trip] : on_map.own[trip + 1]]
        low, high = first_hour[trip], first_hour[trip + 1]
        fill_cells(drive, road_class, hour_row[low:high], hour_band[low:high], metres[trip], seconds[trip])
        count_trip(
            drive,
            bounds[3][trip],
            metres[trip],
            seconds[trip],
            looked.measurable[trip],
            rows,
            first_event[trip],
            count,
            limits,
            totals[trip],
        )


@compiled
def _weigh(
    motion: Motion,
    way: Steps,
    places: Places,
    on_map: OnMap,
    bounds: _Bounds,
    limits: Thresholds,
    events: EventRows,
    amounts: NDArray[np.int64],
    is_severe: Bools,
) -> None:
    """What each event adds to the totals of its trip, and whether it is a severe one."""
    for k in range(len(events.kind)):
        kind = events.kind[k]
        if kind <= 3:
            is_severe[k] = severe(kind, events.peak[k], limits)
        if 3 <= kind <= 5:
            drive = _drive(motion, way, places, on_map, bounds, events.trip[k])
            event_amounts(drive, kind, events.start[k], events.stop[k], limits, amounts[k])
