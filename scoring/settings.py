"""Every number that scoring decides by, in frozen values whose content hash is their version.

What kernels read is a named tuple: compiled functions take it as it is.
"""

import hashlib
import json
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple


@lru_cache(maxsize=64)
def version_of(settings: Any, name: str) -> str:
    """`name-` and 12 hex digits of the SHA-256 of the content of settings: equal numbers, equal version."""
    content = json.dumps(_content(settings), sort_keys=True, separators=(",", ":"))
    return f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def _content(value: Any) -> Any:
    """Settings as a JSON value: the names and numbers of all that is in them."""
    if is_dataclass(value):
        return {one.name: _content(getattr(value, one.name)) for one in fields(value)}
    if hasattr(value, "_asdict"):
        return {name: _content(one) for name, one in value._asdict().items()}
    return [_content(one) for one in value] if isinstance(value, tuple) else value


class Cutting(NamedTuple):
    """How readings become trips.

    A stop of five minutes ends a trip: signals, level crossings and school runs are shorter, an errand is longer; it is
    also what a large open tracking server uses for parking. A silence of five minutes ends it too, because what the car
    did meanwhile is not known: it is a gap, and shorter silences (tunnels) are gaps inside a trip.
    """

    max_gap_s: float = 300.0
    stop_limit_s: float = 300.0
    stop_box_m: float = 120.0  # a car that stays in such a square for the stop limit stands: wider than 30 m of jitter
    stop_most_moving: float = 0.5  # share of its readings with a speed: more is circling a block, not standing
    stop_near_m: float = 30.0  # arrival is the first still reading this near to the middle of the stop
    still_reported_mps: float = 1.0
    still_derived_mps: float = 0.7  # of positions over 10 s: above the noise of 3 m fixes
    creep_m: float = 12.0  # further apart, two fixes of standing seconds apart are a way: four sigma of 3 m fixes
    ignition_off_s: float = 30.0  # shorter is a toggling contact
    teleport_mps: float = 70.0  # 252 km/h
    teleport_slack_m: float = 50.0  # two noisy fixes 0.1 s apart are no teleport
    spike_limit_s: float = 10.0  # an excursion this short that comes back is a bad fix, not a journey
    least_extent_m: float = 100.0  # what never leaves such a square is no trip
    least_round_trip_m: float = 300.0  # the same, where it ends at the stop it left and only positions say it moved
    gap_floor_s: float = 20.0  # inside a trip, a silence over this and over `gap_factor` intervals is a gap
    gap_factor: float = 3.0
    least_gap_m: float = 300.0  # a shorter way between two segments is drift and walking out of a garage
    short_trip_m: float = 200.0


class Accelerometry(NamedTuple):
    """When an accelerometer in the vehicle's axes is believed, and what it needs for an event."""

    known_share: float = 0.9  # of a trip's readings
    mean_half_window_s: float = 0.5  # a manoeuvre is a mean over a second, whatever the rate
    slope_mps2: float = 0.8  # a climb of 8 % feels like so much acceleration: added to that threshold alone
    least_speed_mps: float = 1.0  # within the lag: a standing car makes no manoeuvre, whatever shakes it
    lag_s: float = 2.0  # a GPS speed follows the motion by up to so much
    most_mps2: float = 12.0  # tyres give no more: such a reading is a shock, left out of every mean
    rails_g: tuple[float, ...] = (2.0, 4.0, 8.0, 16.0)
    rail_tolerance: float = 0.005
    rail_least_s: float = 0.05
    zero_least_s: float = 60.0
    stuck_least_repeats: int = 10
    stuck_least_s: float = 5.0
    stuck_least_change_mps2: float = 1.5
    most_rest_mps2: float = 2.5  # median of a horizontal axis: more is gravity in it
    gravity_removed_mps2: float = 0.4
    gravity_off: float = 1.5  # m/s2 from standard gravity; 1.0 would be a reading in g
    slope_range: tuple[float, float] = (
        0.4,
        2.5,
    )  # forward axis over GPS: a wrong axis is near 0, a wrong unit 0.1 or 10
    slope_half_s: float = 2.05
    slope_least_readings: int = 60
    slope_least_mps2: float = 0.5  # of a mean over four seconds: below, noise and climbs decide
    slope_least_energy: float = 8.0  # m2/s3: two seconds of hard braking, seen through that mean
    crash_least_mps2: float = 20.0  # 2 g: twice what tyres can do, and the rail of the smallest range
    crash_least_loss_mps: float = 4.0  # of GPS speed, from 2 s before to 4 s after
    crash_still_s: float = 10.0  # then it stands so long, or to the end of the trip
    crash_longest_interval_s: float = 0.2  # an impact lasts a tenth of a second: slower sampling misses it


class Thresholds(NamedTuple):
    """What counts as an event for one vehicle class. Public practice spans 0.28 to 0.68 g for a car's hard brake."""

    brake_mps2: float = 3.0
    acceleration_mps2: float = 2.6
    corner_mps2: float = 3.5
    leave_share: float = 0.6  # hysteresis: a manoeuvre lasts until it falls under this share of the threshold
    derivative_half_window_s: float = 1.05
    merge_s: float = 1.05  # two exceedances this close are one manoeuvre
    longest_interval_s: float = 1.1  # at longer sampling intervals a manoeuvre of some 3 s is not resolved
    corner_least_turn_deg: float = 15.0
    corner_least_speed_mps: float = 4.0
    speeding_tolerance_mps: float = 5.0 / 3.6
    speeding_least_s: float = 5.0
    speeding_longest_interval_s: float = 30.0
    phone_least_s: float = 3.0
    phone_least_speed_mps: float = 3.0
    belt_least_s: float = 10.0
    accelerometer: Accelerometry = Accelerometry()

    @property
    def version(self) -> str:
        """The content hash that every event carries."""
        return version_of(self, "thresholds")


CAR = Thresholds()
# Geotab's classes scale about so: heavier vehicles brake, accelerate and corner less hard for the same alarm.
THRESHOLDS: dict[str, Thresholds] = {
    "car": CAR,
    "light_truck": Thresholds(brake_mps2=2.8, acceleration_mps2=2.4, corner_mps2=2.7),
    "heavy_truck": Thresholds(brake_mps2=2.0, acceleration_mps2=1.8, corner_mps2=2.0),
}


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the grades of the data-quality certificate ask for. A grade needs all of its lower bounds."""

    coverage: tuple[float, float, float] = (0.95, 0.80, 0.50)  # A, B, C: share of the trip's time without gaps
    longest_interval_s: tuple[float, float, float] = (2.5, 15.0, 60.0)
    most_conflicts: tuple[float, float, float] = (0.01, 0.05, 0.20)
    most_dropped_fixes: tuple[float, float, float] = (0.01, 0.05, 0.20)  # spikes over all fixes
    off_road_share: float = 0.8  # of a trip's way, inside the map and on none of its roads: rails, water or air
    off_road_least_m: float = 1000.0


@dataclass(frozen=True, slots=True)
class Travel:
    """What tells a drive in this car from other travel. Likenesses (bicycle, bus) only flag a trip."""

    longest_trip_s: float = 86_400.0  # nobody drives a day without a stop of five minutes
    walk_mps: float = 3.5
    walk_least_s: float = 180.0
    fastest_car_mps: float = 65.0  # 234 km/h held for a twentieth of a trip is no car on a road
    fastest_of_class_mps: float = 65.0  # likewise: more is not a vehicle of the class that is declared
    long_stop_s: float = (
        180.0  # inside a trip: longer than signals, it may be the end of one trip and the start of another
    )
    contact_share: float = 0.8  # of the moving readings with the contact off
    odometer_least_m: float = 1000.0
    odometer_still_share: float = 0.05
    odometer_share: float = 0.2
    odometer_slack_m: float = 500.0
    toggle_s: float = 10.0
    toggle_least: int = 5
    bicycle_mps: float = 8.0
    bicycle_least_m: float = 1000.0
    bicycle_steady: float = 0.35
    bus_least_stops: int = 8
    bus_stop_s: tuple[float, float] = (8.0, 60.0)
    bus_between_m: tuple[float, float] = (200.0, 900.0)
    bus_most_spread: float = 0.3  # standard deviation over mean, of dwell times and of distances


@dataclass(frozen=True, slots=True)
class Settings:
    """All of the stage's settings but the score model."""

    cutting: Cutting = field(default_factory=Cutting)
    thresholds: Thresholds = field(default_factory=Thresholds)
    certificate: Certificate = field(default_factory=Certificate)
    travel: Travel = field(default_factory=Travel)

    @property
    def version(self) -> str:
        """The content hash of cutting, thresholds, certificate and travel together."""
        return version_of(self, "settings")


DEFAULT_SETTINGS = Settings()


# Vans are sold to some 160 km/h; a lorry over 3.5 t has a limiter in most countries (90 km/h in the European Union).
FASTEST_MPS: dict[str, float] = {"car": 65.0, "light_truck": 47.0, "heavy_truck": 36.0}


def settings_for(vehicle_class: str, settings: Settings = DEFAULT_SETTINGS) -> Settings:
    """The settings of a vehicle class; an unknown class raises `KeyError`, so the caller must check `THRESHOLDS`."""
    travel = replace(settings.travel, fastest_of_class_mps=FASTEST_MPS[vehicle_class])
    return replace(settings, thresholds=THRESHOLDS[vehicle_class], travel=travel)
