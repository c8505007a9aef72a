"""A mapping: how the columns of one family of files become readings. Declared in TOML; there is no code per family.

```toml
[file]                       # optional
separator = ";"              # default ","
decimal = ","                # default "."
encoding = "latin-1"         # default "utf-8"
unknown = ["NPI"]            # what stands where nothing is known; an empty cell always does
held_position = true         # a position equal to the row before's is that one held, not a new fix

[device]                     # optional: --device names the device otherwise
column = "DRIVER"            # or constant = "..."
prefix = "curitiba-"

[time]
columns = ["DAY", "TIME"]    # joined by one space
format = "%d/%m/%Y %H:%M:%S" # or "iso8601" (default: ISO 8601, or seconds since 1970), "epoch_s", "epoch_ms"
zone = "-03:00"              # fixed offset, "UTC" or IANA name; without it each time must have its own offset

[columns]                    # names of Readings, or position_valid (0: the receiver had no fix)
latitude_deg = { column = "LAT" }
speed_mps = { column = "SPD_KMH", unit = "km/h" }
phone_in_use = { column = "UMP_YN", values = { Yes = 1, No = 0 } }
altitude_m = { column = "ALT", unit = "ft", scale = 0.001 }
```
"""

import codecs
import re
import tomllib
from datetime import timedelta, timezone, tzinfo
from importlib import resources
from importlib.resources.abc import Traversable
from math import pi
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from ingest.errors import BadMapping
from ingest.readings import CONTENT_COLUMNS

POSITION_VALID = "position_valid"
ISO, EPOCH_S, EPOCH_MS = "iso8601", "epoch_s", "epoch_ms"
_SPEEDS = {"m/s": 1.0, "km/h": 1 / 3.6, "mph": 0.44704, "knots": 1852 / 3600}
_ACCELERATIONS = {"m/s2": 1.0, "g": 9.80665}
_LENGTHS = {"m": 1.0, "km": 1000.0, "ft": 0.3048, "mi": 1609.344}
_ANGLES = {"deg": 1.0, "rad": 180 / pi}
# The record's columns and ours. `speed_obd_mps` is another sensor's, and gyroscope and magnetometer have no column.
_TELEMACHUS_CORE = {"ts", "lat", "lon", "speed_mps"}
_TELEMACHUS = {
    "lat": "latitude_deg",
    "lon": "longitude_deg",
    "speed_mps": "speed_mps",
    "heading_deg": "heading_deg",
    "altitude_gps_m": "altitude_m",
    "hdop": "hdop",
    "h_accuracy_m": "accuracy_m",
    "n_satellites": "satellites",
    "ax_mps2": "acceleration_forward_mps2",
    "ay_mps2": "acceleration_lateral_mps2",
    "az_mps2": "acceleration_vertical_mps2",
    "odometer_m": "odometer_m",
    "ignition": "ignition",
}
_TO_THE_LEFT = "ay_mps2"  # positive there to the left, here to the right
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)", re.ASCII)
_NAME = re.compile(r"[a-z0-9_-]{1,64}", re.ASCII)


class FileFormat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the file's text is written."""

    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    unknown: tuple[str, ...] = ()
    held_position: bool = False


class DeviceColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the device's id comes from: a column (lower-cased behind the prefix) or a constant."""

    column: str | None = None
    constant: str | None = None
    prefix: str = ""


class TimeColumns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The columns that make the fix time, and how they are read."""

    columns: tuple[str, ...]
    format: str = ISO
    zone: str | None = None


class ValueColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column of numbers: SI value = value x scale x unit. `values` reads words instead.

    `unknown` are cells that say nothing in this column, beside those of the whole file.
    """

    column: str
    unit: str | None = None
    scale: float = 1.0
    values: dict[str, float] | None = None
    unknown: tuple[str, ...] = ()


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping file, checked."""

    time: TimeColumns
    columns: dict[str, ValueColumn]
    file: FileFormat = FileFormat()
    device: DeviceColumn | None = None
    source: str = ""


def find_mapping(name_or_path: str | Path) -> Mapping:
    """The mapping in a TOML file, or by a bare name the one that comes with the package. Raises `BadMapping`."""
    place = _find(name_or_path)
    try:
        mapping = msgspec.convert(tomllib.loads(place.read_text(encoding="utf-8")), Mapping)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, OSError, UnicodeDecodeError) as err:
        raise BadMapping(str(name_or_path), str(err)) from err
    fault = _fault(mapping)
    if fault:
        raise BadMapping(str(name_or_path), fault)
    return mapping


def own_names_mapping(names: tuple[str, ...]) -> Mapping:
    """The mapping of a file that names its columns as Readings or as Telemachus does; others are not read."""
    if set(names) >= _TELEMACHUS_CORE:
        return _telemachus_mapping(names)
    columns = {name: ValueColumn(name) for name in CONTENT_COLUMNS if name in names}
    device = DeviceColumn(column="device_id") if "device_id" in names else None
    return Mapping(TimeColumns(("fix_time",)), columns, device=device)


def _telemachus_mapping(names: tuple[str, ...]) -> Mapping:
    """Telemachus records (SPEC-01, version 0.8): SI units, UTC; without a position between two fixes."""
    columns = {
        name: ValueColumn(source, scale=-1.0 if source == _TO_THE_LEFT else 1.0)
        for source, name in _TELEMACHUS.items()
        if source in names
    }
    device = DeviceColumn(column="device_id") if "device_id" in names else None
    return Mapping(TimeColumns(("ts",)), columns, device=device)


def factor(target: str, value: ValueColumn) -> float:
    """What a number of the column is multiplied by to be the target's. The unit must be one of `units_of(target)`."""
    return value.scale * (units_of(target)[value.unit] if value.unit else 1.0)


def units_of(target: str) -> dict[str, float]:
    """The units that a column of Readings may be given in, with their factors."""
    for suffix, units in (("_mps2", _ACCELERATIONS), ("_mps", _SPEEDS), ("_m", _LENGTHS), ("_deg", _ANGLES)):
        if target.endswith(suffix):
            return units
    return {}


def zone_of(time: TimeColumns) -> tzinfo | None:
    """The zone of the local times, None when each carries its own offset. Raises ValueError for no zone."""
    if time.zone is None:
        return None
    offset = _OFFSET.fullmatch(time.zone)
    if offset:
        minutes = int(offset[2]) * 60 + int(offset[3])
        return timezone(timedelta(minutes=-minutes if offset[1] == "-" else minutes))
    try:
        return ZoneInfo(time.zone)
    except (ZoneInfoNotFoundError, OSError) as err:
        raise ValueError(f"{time.zone!r} is neither an offset such as -03:00 nor an IANA zone") from err


def _find(name_or_path: str | Path) -> Path | Traversable:
    path = Path(name_or_path)
    if path.exists() or not _NAME.fullmatch(str(name_or_path)):
        return path
    within = resources.files("ingest") / "mappings" / f"{name_or_path}.toml"
    if not within.is_file():
        known = sorted(one.name.removesuffix(".toml") for one in (resources.files("ingest") / "mappings").iterdir())
        raise BadMapping(str(name_or_path), f"there is no such file; by name there are {', '.join(known)}")
    return within


def _fault(mapping: Mapping) -> str | None:
    """What is wrong in a mapping that is well-formed."""
    if len(mapping.file.separator) != 1 or mapping.file.decimal not in {".", ","}:
        return 'separator is one character, decimal "." or ","'
    try:
        codecs.lookup(mapping.file.encoding)
        zone_of(mapping.time)
    except (LookupError, ValueError) as err:
        return str(err)
    if not mapping.time.columns:
        return "[time] names no column"
    if mapping.device and (mapping.device.column is None) == (mapping.device.constant is None):
        return "[device] needs either column or constant"
    if mapping.file.held_position and not {"latitude_deg", "longitude_deg"} <= mapping.columns.keys():
        return "held_position needs latitude_deg and longitude_deg"
    faults = (_column_fault(target, value) for target, value in mapping.columns.items())
    return next((fault for fault in faults if fault), None)


def _column_fault(target: str, value: ValueColumn) -> str | None:
    if target not in CONTENT_COLUMNS and target != POSITION_VALID:
        return f"columns.{target}: there is no such column; there are {', '.join(CONTENT_COLUMNS)}, {POSITION_VALID}"
    if value.unit and value.unit not in units_of(target):
        return f"columns.{target}: unit {value.unit!r} is not one of {', '.join(units_of(target)) or 'none'}"
    return None
