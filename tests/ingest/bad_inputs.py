"""The corpus of bad inputs, by row of the contract: what is sent on each channel that can carry it, and its answer.

Values are pieces of JSON as they are written, so that a row can hold what no JSON writer writes. In a query they are
the values' texts.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

NOON_S = 1790848800  # 2026-10-01 10:00 UTC, two hours before the tests' clock
HTTP, OSMAND, OSMAND_JSON, OWNTRACKS, TRACCAR = CHANNELS = ("http", "osmand", "osmand-json", "owntracks", "traccar")
JSON_CHANNELS = (HTTP, OSMAND_JSON, OWNTRACKS, TRACCAR)
DEVICE = "@device@"  # stands for the sender's id


@dataclass(frozen=True, slots=True)
class Case:
    """One bad record of a row, with its answer: quarantined for a reason, or stored with a flag (None: nothing to say).

    `said` has values by canonical name; `channels` can carry it; `instead` has other answers of some channels.
    """

    row: int
    name: str
    said: dict[str, str]
    reason: str | None = None
    flag: str | None = None
    channels: tuple[str, ...] = CHANNELS
    instead: dict[str, str | None] = field(default_factory=dict)
    null: tuple[str, ...] = ()


_NAMES = {
    HTTP: {"time": "fix_time", "lat": "latitude_deg", "lon": "longitude_deg", "speed": "speed_mps", "alt": "altitude_m",
           "sat": "satellites", "acc": "accuracy_m", "odo": "odometer_m", "text": "fix_time"},
    OSMAND: {"time": "timestamp", "lat": "lat", "lon": "lon", "speed": "speed", "alt": "altitude", "sat": "sat",
             "acc": "accuracy", "odo": "odometer", "text": "driverUniqueId"},
    OSMAND_JSON: {"time": "timestamp", "lat": "latitude", "lon": "longitude", "speed": "speed", "alt": "altitude",
                  "acc": "accuracy", "odo": "odometer", "text": "event"},
    OWNTRACKS: {"time": "tst", "lat": "lat", "lon": "lon", "speed": "vel", "alt": "alt", "acc": "acc", "text": "tid"},
    TRACCAR: {"time": "fixTime", "lat": "latitude", "lon": "longitude", "speed": "speed", "alt": "altitude",
              "acc": "accuracy", "sat": "sat", "odo": "odometer", "text": "address"},
}  # fmt: skip
_ISO_TIME = '"2026-10-01T10:00:00Z"'
_TIMES = {HTTP: str(NOON_S), OSMAND: _ISO_TIME, OSMAND_JSON: _ISO_TIME, OWNTRACKS: str(NOON_S), TRACCAR: f"{NOON_S}000"}
_OF_LOCATION = ("timestamp", "odometer", "event")
_OF_ATTRIBUTES = ("sat", "odometer")


def carries(channel: str, case: Case) -> bool:
    """Whether the channel has a field for everything the case says."""
    return channel in case.channels and all(name in _NAMES[channel] for name in case.said)


def message(channel: str, said: dict[str, str]) -> bytes:
    """One record of the channel that says this beside a good time and place. A name may stand twice: `lat`, `lat 2`."""
    default_time = _TIMES[channel]
    values = {"time": default_time, "lat": "60.17", "lon": "24.94"} | said
    pairs = [(_NAMES[channel][name.split()[0]], value) for name, value in values.items()]
    if channel == HTTP and "text" in said:
        pairs = [pair for pair in pairs if pair[1] != default_time]
    if channel == OSMAND:
        return "&".join(f"{name}={_plain(value)}" for name, value in pairs).encode("utf-8", "surrogateescape")
    return _JSON_FORMS[channel](pairs).encode("utf-8", "surrogateescape")


def _plain(value: str) -> str:
    text = value[1:-1].replace("\\u0000", "\0") if value.startswith('"') else value
    return quote(text.encode("utf-8", "surrogateescape"), safe="")


def _object(pairs: list[tuple[str, str]]) -> str:
    return "{" + ", ".join(f'"{name}": {value}' for name, value in pairs) + "}"


def _osmand_json(pairs: list[tuple[str, str]]) -> str:
    coordinates = _object([pair for pair in pairs if pair[0] not in _OF_LOCATION])
    return _object(
        [("location", _object([*(one for one in pairs if one[0] in _OF_LOCATION), ("coords", coordinates)]))]
    )


def _traccar(pairs: list[tuple[str, str]]) -> str:
    attributes = _object([pair for pair in pairs if pair[0] in _OF_ATTRIBUTES])
    position = [*(pair for pair in pairs if pair[0] not in _OF_ATTRIBUTES), ("attributes", attributes)]
    return _object([("position", _object(position)), ("device", _object([("uniqueId", f'"{DEVICE}"')]))])


_JSON_FORMS: dict[str, Callable[[list[tuple[str, str]]], str]] = {
    HTTP: _object,
    OSMAND_JSON: _osmand_json,
    OWNTRACKS: lambda pairs: _object([("_type", '"location"'), *pairs]),
    TRACCAR: _traccar,
}
_ISO = (HTTP, OSMAND, OSMAND_JSON, TRACCAR)


CASES = [
    Case(28, "a key twice", {"lat": "60.17", "lat 2": "61"}, "duplicate_key"),
    Case(29, "NaN", {"lat": "NaN"}, "not_finite"),
    Case(29, "Infinity", {"speed": "Infinity"}, "not_finite"),
    Case(29, "1e999", {"lon": "1e999"}, "not_finite"),
    Case(29, "nan as text", {"lat": '"nan"'}, "not_finite"),
    Case(30, "a number as text", {"lat": '"60.17"'}, "type", channels=JSON_CHANNELS),
    Case(30, "a boolean as number", {"speed": "true"}, "type"),
    Case(31, "5,000 digits", {"speed": "9" * 5000}, "number_range"),
    Case(33, "no UTF-8", {"text": '"\udcff\udcfe"'}, "encoding"),
    Case(33, "a lone surrogate", {"text": '"\\ud800"'}, "encoding", channels=JSON_CHANNELS),
    Case(34, "NUL in a text", {"text": '"a\\u0000b"'}, "nul"),
    Case(43, "latitude 91", {"lat": "91"}, "range"),
    Case(43, "longitude 181", {"lon": "-181"}, "range"),
    Case(43, "the greatest integer", {"lat": "214.7483647", "lon": "214.7483647"}, "range"),
    Case(44, "latitude and longitude swapped", {"lat": "124.94", "lon": "60.17"}, "range"),
    Case(45, "0,0", {"lat": "0", "lon": "0.0005"}, flag="NO_FIX", null=("latitude_deg", "longitude_deg")),
    Case(46, "no satellites", {"sat": "0"}, flag="NO_FIX", null=("latitude_deg", "longitude_deg")),
    Case(47, "accuracy 0", {"acc": "0"}, flag="LOW_ACCURACY", channels=(HTTP, OSMAND, OSMAND_JSON, OWNTRACKS)),
    Case(47, "accuracy negative", {"acc": "-5"}, flag="LOW_ACCURACY"),
    Case(47, "accuracy 150 m", {"acc": "150"}, flag="LOW_ACCURACY"),
    Case(53, "speed not known", {"speed": "-1"}, null=("speed_mps",), channels=(HTTP, OSMAND, OSMAND_JSON, OWNTRACKS)),
    Case(53, "altitude below the sea", {"alt": "-400"}),
    Case(54, "odometer negative", {"odo": "-1"}, "range"),
    Case(56, "1980-01-06", {"time": '"1980-01-06T00:00:00Z"'}, "unsynced_clock", channels=_ISO),
    Case(56, "1970", {"time": "0"}, "unsynced_clock", channels=(HTTP, OSMAND, OWNTRACKS, TRACCAR)),
    Case(56, "2000-01-01", {"time": '"2000-01-01T00:00:00Z"'}, "unsynced_clock", channels=_ISO),
    Case(57, "an hour ahead", {"time": '"2026-10-01T13:00:00Z"'}, flag="CLOCK_AHEAD", channels=_ISO),
    Case(57, "2099", {"time": '"2099-01-01T00:00:00Z"'}, "future", channels=_ISO),
    Case(58, "1,024 weeks old", {"time": '"2007-02-15T10:00:00Z"'}, "too_late", channels=_ISO),
    Case(59, "milliseconds to our own", {"time": f"{NOON_S}000"}, "future", channels=(HTTP, OWNTRACKS)),
    Case(59, "milliseconds of a phone", {"time": f"{NOON_S}000"}, flag="TIME_UNIT_GUESSED", channels=(OSMAND,)),
    Case(60, "a local time", {"time": '"2026-10-01T10:00:00"'}, "naive_time", channels=_ISO),
    Case(60, "in the hour that clocks skip", {"time": '"2026-03-29T02:30:00"'}, "naive_time", channels=_ISO),
    Case(61, "a leap second", {"time": '"2026-09-30T23:59:60Z"'}, channels=_ISO),
    Case(63, "older than is kept", {"time": '"2026-06-01T00:00:00Z"'}, "too_late", channels=_ISO),
]  # fmt: skip
