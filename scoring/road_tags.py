"""What OpenStreetMap's tags mean for a car: road class, directions, speed limit. Pure.

Meanings follow the OSM wiki pages Key:highway, Key:access, Key:oneway, Key:maxspeed.
"""

import math
import re
from collections.abc import Mapping

from scoring.classes import ROAD_CLASSES
from scoring.roads import LIMIT_SOURCES

_CLASS_OF_HIGHWAY = {
    "motorway": "motorway",
    "trunk": "trunk",
    "primary": "primary",
    "secondary": "secondary",
    "tertiary": "tertiary",
    "unclassified": "residential",
    "residential": "residential",
    "living_street": "residential",
    "road": "residential",
    "service": "service",
}
SERVICE = ROAD_CLASSES.index("service")
# From the most to the least specific: the first that is present decides.
_ACCESS_KEYS = ("motorcar", "motor_vehicle", "vehicle", "access")
_NO_CARS = {"no", "agricultural", "forestry", "bus", "psv", "emergency"}
_PRIVATE = {"private", "delivery", "permit", "customers"}

UNKNOWN, TAGGED, DEFAULT = range(len(LIMIT_SOURCES))
_MPS_OF_UNIT = {"": 1 / 3.6, "km/h": 1 / 3.6, "kmh": 1 / 3.6, "kph": 1 / 3.6, "mph": 0.44704, "knots": 1852 / 3600}
_SPEED = re.compile(r"(\d+(?:\.\d+)?)\s*(km/h|kmh|kph|mph|knots)?")
_ZONE_NUMBER = re.compile(r"[A-Z]{2}(?:-[A-Z]+)?:(?:zone:?)?(\d+)")
WALK_MPS = 7 / 3.6
_FASTEST_LIMIT_MPS = 160 / 3.6
# Statutory limits in km/h of the zones that a tag names by country, such as maxspeed=FI:urban. None: no limit by law.
_STATUTORY_KMH: dict[str, dict[str, float | None]] = {
    "AT": {"urban": 50, "rural": 100, "trunk": 100, "motorway": 130, "living_street": 7},
    "BE": {"urban": 50, "trunk": 120, "motorway": 120, "living_street": 20},
    "CZ": {"urban": 50, "rural": 90, "trunk": 80, "motorway": 130, "living_street": 20},
    "DE": {"urban": 50, "rural": 100, "motorway": None, "living_street": 7},
    "DK": {"urban": 50, "rural": 80, "motorway": 130},
    "ES": {"urban": 50, "rural": 90, "trunk": 90, "motorway": 120, "living_street": 20},
    "FI": {"urban": 50, "rural": 80, "trunk": 100, "motorway": 120, "living_street": 20},
    "FR": {"urban": 50, "rural": 80, "motorway": 130, "living_street": 20},
    "GB": {"urban": 48.28032, "rural": 112.65408, "motorway": 112.65408, "nsl_dual": 112.65408, "nsl_single": 96.56064},
    "IT": {"urban": 50, "rural": 90, "trunk": 110, "motorway": 130},
    "NL": {"urban": 50, "rural": 80, "trunk": 100, "motorway": 130, "living_street": 15},
    "NO": {"urban": 50, "rural": 80},
    "PL": {"urban": 50, "rural": 90, "motorway": 140, "living_street": 20},
    "SE": {"urban": 50, "rural": 70, "motorway": 110},
}
COUNTRIES = tuple(_STATUTORY_KMH)
_ZONES_OF_HIGHWAY: dict[str, tuple[str, ...]] = {
    "motorway": ("motorway",),
    "trunk": ("rural", "trunk"),
    "residential": ("urban",),
    "living_street": ("living_street",),
    "service": (),
}


def road_class(tags: Mapping[str, str]) -> int | None:
    """The index into ROAD_CLASSES of a way a car may drive; None for any other way. A private road is "service"."""
    name = _CLASS_OF_HIGHWAY.get(tags.get("highway", "").removesuffix("_link"))
    if name is None or tags.get("area") == "yes":
        return None
    access = next((tags[key] for key in _ACCESS_KEYS if key in tags), "yes")
    if access in _NO_CARS:
        return None
    return SERVICE if access in _PRIVATE else ROAD_CLASSES.index(name)


def directions(tags: Mapping[str, str]) -> tuple[bool, bool]:
    """Whether a way may be driven as drawn, and against it."""
    implied = "yes" if tags.get("junction") in {"roundabout", "circular"} or tags.get("highway") == "motorway" else "no"
    oneway = tags.get("oneway", implied)
    if oneway in {"yes", "true", "1"}:
        return True, False
    return (False, True) if oneway in {"-1", "reverse"} else (True, True)


def speed_limit(tags: Mapping[str, str]) -> tuple[float, int]:
    """The limit in m/s and its source. (NaN, TAGGED) is "no limit", (NaN, UNKNOWN) "not known".

    Of limits that differ by direction the higher one is taken: an uncertain limit never makes a driver a speeder.
    """
    values = [tags["maxspeed"]] if "maxspeed" in tags else []
    if not values:
        values = [tags[key] for key in ("maxspeed:forward", "maxspeed:backward") if key in tags]
    if not values:
        values = [tags[key] for key in ("zone:maxspeed", "maxspeed:type", "source:maxspeed") if key in tags][:1]
    parsed = [parse_limit(part) for value in values for part in value.split(";")]
    if any(source == TAGGED and math.isnan(limit) for limit, source in parsed):
        return math.nan, TAGGED
    known = [(limit, source) for limit, source in parsed if source != UNKNOWN]
    return max(known, default=(math.nan, UNKNOWN))


def with_default(tags: Mapping[str, str], country: str) -> tuple[float, int]:
    """As `speed_limit`; where no tag says it, the statutory limit of the way's class in `country` (two letters).

    Whether a road lies in a town is not known from its tags: where that matters the higher limit is taken, so an
    uncertain limit never makes a driver a speeder. A service road, and a class the law of that table does not name,
    stay unknown.
    """
    limit_mps, source = speed_limit(tags)
    if source != UNKNOWN:
        return limit_mps, source
    statutory = _STATUTORY_KMH[country]
    zones = _ZONES_OF_HIGHWAY.get(tags.get("highway", "").removesuffix("_link"), ("urban", "rural"))
    limits_kmh = [statutory.get(zone) for zone in zones]
    known_kmh = [kmh for kmh in limits_kmh if kmh is not None]
    return (max(known_kmh) / 3.6, DEFAULT) if known_kmh and len(known_kmh) == len(zones) else (math.nan, UNKNOWN)


def parse_limit(value: str) -> tuple[float, int]:
    """One value of a maxspeed tag as (m/s, source): `50`, `30 mph`, `none`, `walk`, `DE:zone30`, `FI:urban`."""
    text = value.strip()
    if text == "none":
        return math.nan, TAGGED
    if text == "walk":
        return WALK_MPS, TAGGED
    number = _SPEED.fullmatch(text)
    zone_number = _ZONE_NUMBER.fullmatch(text)
    if number or zone_number:
        limit_mps = float(number[1]) * _MPS_OF_UNIT[number[2] or ""] if number else float(zone_number[1]) / 3.6  # type: ignore[index]
        return (limit_mps, TAGGED) if 0 < limit_mps <= _FASTEST_LIMIT_MPS else (math.nan, UNKNOWN)
    country, _, zone = text.partition(":")
    statutory = _STATUTORY_KMH.get(country, {})
    if zone not in statutory:
        return math.nan, UNKNOWN
    limit_kmh = statutory[zone]
    return (math.nan, TAGGED) if limit_kmh is None else (limit_kmh / 3.6, DEFAULT)
