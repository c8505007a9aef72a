"""The OsmAnd protocol as the Traccar Client app and others speak it: a query, a form, or JSON; one position a request.

`id` (JSON: `device_id`) is the credential and never leaves this module in a record: it is cut out of what is kept.
Speed is in knots in a query or form and in m/s in JSON; -1 says "not known". A numeric time under 2^31 is seconds, from
there on milliseconds, and flagged as guessed. A request without a time is refused: receipt is not when it happened.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus

import msgspec
import numpy as np

from ingest.decoded import Decoded, refused_frame
from ingest.decoders.columns import NOT_A_TIME
from ingest.decoders.diagnosis import MAX_FLOAT32, Kind, diagnose, says_not_a_number
from ingest.decoders.structure import check_depth
from ingest.errors import EmptyBody, TooDeep
from ingest.moments import parse_iso
from ingest.readings import Flag, make_readings
from ingest.rejection import Rejection

VERSION = "osmand/1"
MPS_PER_KNOT = 1852 / 3600
_CREDENTIALS = ("id", "deviceid")
_FIRST_MILLISECONDS = 2**31
_DECIMAL = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,4})?", re.ASCII)
_LONG_DIGITS = re.compile(r"[+-]?\d{41,}", re.ASCII)
_MAX_FIELDS = 200
_REDACTED = b"[credential]"

# The names a query may use for each column, and the factor to its unit.
_FIELDS: dict[str, tuple[str, float]] = {
    "lat": ("latitude_deg", 1.0),
    "lon": ("longitude_deg", 1.0),
    "speed": ("speed_mps", MPS_PER_KNOT),
    "bearing": ("heading_deg", 1.0),
    "heading": ("heading_deg", 1.0),
    "altitude": ("altitude_m", 1.0),
    "hdop": ("hdop", 1.0),
    "accuracy": ("accuracy_m", 1.0),
    "hacc": ("accuracy_m", 1.0),
    "sat": ("satellites", 1.0),
    "odometer": ("odometer_m", 1.0),
}
_UNKNOWN_IF_MINUS_ONE = frozenset({"speed_mps", "heading_deg"})


class _Refused(Exception):
    def __init__(self, reason: Rejection, detail: str) -> None:
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class _Fix:
    fix_time_us: int
    flags: int
    columns: dict[str, float]


def query_credential(query: bytes) -> str | None:
    """The id in a query or form, None when there is none or more than one."""
    found = {value for name, value in _pairs(query) if name in _CREDENTIALS}
    return found.pop() if len(found) == 1 else None


def json_credential(body: bytes) -> str | None:
    """The id in a JSON body, None when there is none."""
    try:
        return _ID_DECODER.decode(body).device_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def decode(frame: bytes, credential: str, *, is_json: bool) -> Decoded:
    """The readings of one request: its JSON body, or its query and form.

    Whatever the frame holds there is an answer: a phone that is refused sends the same again for ever.
    """
    try:
        return decode_json(frame, credential) if is_json else decode_query(frame)
    except EmptyBody:
        return Decoded(make_readings(0), 0, (), np.zeros(0, dtype=np.int64), lambda _: b"")
    except TooDeep as err:
        return refused_frame(frame.replace(credential.encode(), _REDACTED), Rejection.MALFORMED, str(err))


def decode_query(query: bytes) -> Decoded:
    """The one position of a query string or of a form's body. Raises `EmptyBody`."""
    pairs = [(name, value) for name, value in _pairs(query) if name not in _CREDENTIALS]
    if not pairs:
        raise EmptyBody
    raw = b"&".join(part for part in query.split(b"&") if _name_of(part) not in _CREDENTIALS)
    try:
        return _decoded([_query_fix(pairs)], raw)
    except _Refused as err:
        return refused_frame(raw, err.reason, err.detail)


def decode_json(body: bytes, credential: str) -> Decoded:
    """The position (or list of positions) of a JSON body. Raises `EmptyBody`, `TooDeep`."""
    if body.strip() in {b"", b"null", b"[]", b"{}"}:
        raise EmptyBody
    check_depth(body)
    raw = body.replace(credential.encode(), _REDACTED)
    try:
        message = _MESSAGE_DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return refused_frame(raw, *diagnose(body, _JSON_KINDS, ("location",)))
    reason, detail = diagnose(body, {}, ())
    if reason is not Rejection.MALFORMED:  # what a lenient parser lets pass: a name that stands twice, a NUL
        return refused_frame(raw, reason, detail)
    try:
        return _decoded([_json_fix(message.location)], raw)
    except _Refused as err:
        return refused_frame(raw, err.reason, err.detail)


def _decoded(fixes: list[_Fix], raw: bytes) -> Decoded:
    names = {name for fix in fixes for name in fix.columns}
    columns = {name: np.array([fix.columns.get(name, np.nan) for fix in fixes]) for name in names}
    readings = make_readings(
        len(fixes),
        fix_time_us=np.array([fix.fix_time_us for fix in fixes], dtype=np.int64),
        flags=np.array([fix.flags for fix in fixes]),
        **columns,
    )
    return Decoded(readings, len(fixes), (), np.arange(len(fixes)), lambda _: raw)


# Query and form


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="surrogateescape",
            max_num_fields=_MAX_FIELDS,
        )  # fmt: skip
    except ValueError:
        return []


def _name_of(part: bytes) -> str:
    return unquote_plus(part.split(b"=", 1)[0].decode("latin-1"))


def _query_fix(pairs: list[tuple[str, str]]) -> _Fix:
    fields = _fields(pairs)
    columns: dict[str, float] = {}
    for name, text in fields.items():
        if name in _FIELDS and text:
            column, factor = _FIELDS[name]
            value = _number(name, text)
            if not (value == -1 and column in _UNKNOWN_IF_MINUS_ONE):
                columns[column] = value * factor
    if "location" in fields:
        columns |= _location(fields["location"])
    if "ignition" in fields:
        columns["ignition"] = _boolean("ignition", fields["ignition"])
    flags = Flag.NO_FIX if "valid" in fields and not _boolean("valid", fields["valid"]) else Flag(0)
    fix_time_us, time_flags = _query_time(fields.get("timestamp", ""))
    return _Fix(fix_time_us, flags | time_flags, columns)


def _fields(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """The fields that are read, each once; a phone's other attributes may stand as often as it likes."""
    fields: dict[str, str] = {}
    read = {*_FIELDS, "location", "ignition", "valid", "timestamp"}
    for name, value in pairs:
        if "\0" in name or "\0" in value:
            raise _Refused(Rejection.NUL, "a NUL in text")
        if any("\ud800" <= letter <= "\udfff" for letter in name + value):
            raise _Refused(Rejection.ENCODING, "the text is not UTF-8")
        if name in read:
            if name in fields:
                raise _Refused(Rejection.DUPLICATE_KEY, f"{name} stands twice")
            fields[name] = value.strip()
    return fields


def _query_time(text: str) -> tuple[int, int]:
    if not text:
        raise _Refused(Rejection.MISSING_FIELD, "timestamp is missing")
    if _DECIMAL.fullmatch(text) or _LONG_DIGITS.fullmatch(text):
        value = _number("timestamp", text)
        return round(value * (1e6 if value < _FIRST_MILLISECONDS else 1e3)), Flag.TIME_UNIT_GUESSED
    return _iso("timestamp", text), 0


def _iso(name: str, text: str) -> int:
    parsed = parse_iso(text)
    if isinstance(parsed, Rejection):
        raise _Refused(parsed, f"{name} is {NOT_A_TIME[parsed]}")
    return parsed


def _number(name: str, text: str) -> float:
    if _DECIMAL.fullmatch(text):
        value = float(text)
        if np.isinf(value):
            raise _Refused(Rejection.NOT_FINITE, f"{name} is {text[:40]}")
        if abs(value) <= (1e15 if name == "timestamp" else MAX_FLOAT32):
            return value
    elif says_not_a_number(text):
        raise _Refused(Rejection.NOT_FINITE, f"{name} is {text[:20]!a}")
    elif not _LONG_DIGITS.fullmatch(text):
        raise _Refused(Rejection.TYPE, f"{name} is not a number")
    raise _Refused(Rejection.NUMBER_RANGE, f"{name} is a number out of range")


def _boolean(name: str, text: str) -> float:
    if text.lower() in {"true", "1"}:
        return 1.0
    if text.lower() in {"false", "0"}:
        return 0.0
    raise _Refused(Rejection.TYPE, f"{name} is neither true nor false")


def _location(text: str) -> dict[str, float]:
    latitude, comma, longitude = text.partition(",")
    if not comma:
        raise _Refused(Rejection.MALFORMED, "location is not latitude,longitude")
    return {"latitude_deg": _number("location", latitude), "longitude_deg": _number("location", longitude)}


# JSON


class _Coords(msgspec.Struct, gc=False):
    latitude: float
    longitude: float
    accuracy: float | None = None
    speed: float | None = None
    heading: float | None = None
    altitude: float | None = None


class _Location(msgspec.Struct, gc=False):
    timestamp: str
    coords: _Coords
    odometer: float | None = None


class _Message(msgspec.Struct, gc=False):
    location: _Location


class _Id(msgspec.Struct):
    device_id: str


_MESSAGE_DECODER = msgspec.json.Decoder(_Message)
_ID_DECODER = msgspec.json.Decoder(_Id)
_JSON_KINDS: dict[str, Kind] = {"timestamp": "text", "odometer": "number"}
_JSON_KINDS |= {name: "number" for name in _Coords.__struct_fields__}  # noqa: C420 - keeps the literal type


def _json_fix(location: _Location) -> _Fix:
    coords = location.coords
    said = {
        "latitude_deg": coords.latitude,
        "longitude_deg": coords.longitude,
        "accuracy_m": coords.accuracy,
        "speed_mps": coords.speed,
        "heading_deg": coords.heading,
        "altitude_m": coords.altitude,
        "odometer_m": location.odometer,
    }
    columns = {
        name: value
        for name, value in said.items()
        if value is not None and not (value == -1 and name in _UNKNOWN_IF_MINUS_ONE)
    }
    for name, value in columns.items():
        if abs(value) > MAX_FLOAT32:
            raise _Refused(Rejection.NUMBER_RANGE, f"{name} is a number out of range")
    return _Fix(_iso("timestamp", location.timestamp), 0, columns)
