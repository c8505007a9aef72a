"""What frames say, as JSON objects: one a record in the frame's order, then one for the frame."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from ingest.accept import Refusal
from ingest.decoded import Decoded
from ingest.decoders import osmand, owntracks, teltonika, traccar, wayrate
from ingest.decoders.avl import Fault
from ingest.errors import BodyError
from ingest.imei import IMEI_DIGITS, parse_imei
from ingest.moments import from_microseconds
from ingest.readings import Flag, Float32s, Float64s, Readings, make_readings
from ingest.validate import NULL_ISLAND_DEG, validate

type Line = dict[str, object]

_NUMBERS = ("latitude_deg", "longitude_deg", "altitude_m", "speed_mps", "heading_deg", "satellites", "hdop")
_LIST = re.compile(r"\s*\[\s*\{")
_NO_CREDENTIAL = "no-credential"
_HANDSHAKE_BYTES = 2 + IMEI_DIGITS


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded frame with what a gateway answers when it has stored it; `codec` where records have IO elements."""

    decoded: Decoded
    ack: bytes | None
    fault: str | None = None
    codec: int | None = None


def frames_of(text: str) -> Iterator[str]:
    """The frames of a text: its lines that are not empty, or the objects of a JSON list."""
    if _LIST.match(text):
        yield from map(json.dumps, json.loads(text))
    else:
        yield from filter(None, map(str.strip, text.split("\n")))


def lines_of(protocol: str, text: str) -> Iterator[Line]:
    """A frame's records and, last, `{"ack_hex": ..., "records": ...}`: null for what is not acknowledged.

    Of a frame that is not taken, or from which something is left over, the last line also says the `fault`.
    """
    frame = DECODERS[protocol](text)
    records = list(_records(frame))
    yield from records
    answer: Line = {"ack_hex": None if frame.ack is None else frame.ack.hex(), "records": len(records)}
    yield answer if frame.fault is None else answer | {"fault": frame.fault}


def _records(frame: Frame) -> Iterator[Line]:
    decoded = frame.decoded
    checked = validate(decoded, None)
    reasons = {one.record_index: one.reason.value for one in checked.rejected}
    flags = dict(zip(decoded.record_index.tolist(), decoded.readings.flags.tolist(), strict=True))
    flags |= dict(zip(checked.record_index.tolist(), checked.readings.flags.tolist(), strict=True))
    said = {place: _values(decoded.readings, row) for row, place in enumerate(decoded.record_index.tolist())}
    whole = [None] if None in reasons and frame.codec is None else []
    for place in [*whole, *sorted({*said, *(place for place in reasons if place is not None)})]:
        elements: dict[str, int | str] = {}
        if frame.codec is not None and place is not None:
            elements = teltonika.io_elements(decoded.raw_of(place), frame.codec)
        names = [flag.name.lower() for flag in Flag(flags.get(place, 0)) if flag.name]
        yield said.get(place, _UNSAID) | {"io": elements, "flags": names, "rejection": reasons.get(place)}


_UNSAID: Line = dict.fromkeys(("fix_time", *_NUMBERS, "ignition", "odometer_m"))


def _values(readings: Readings, row: int) -> Line:
    values: Line = {"fix_time": _time(int(readings.fix_time_us[row]))}
    values |= {name: _number(getattr(readings, name), row) for name in _NUMBERS}
    if abs(readings.latitude_deg[row]) < NULL_ISLAND_DEG and abs(readings.longitude_deg[row]) < NULL_ISLAND_DEG:
        values |= {"latitude_deg": None, "longitude_deg": None}
    ignition = _number(readings.ignition, row)
    values["ignition"] = bool(ignition) if ignition in {0, 1} else ignition
    values["odometer_m"] = _number(readings.odometer_m, row)
    return values


def _number(column: Float32s | Float64s, row: int) -> float | int | None:
    """The value in as few digits as its precision has; a whole number as one."""
    value = float(str(column[row]))
    if not np.isfinite(value):
        return None
    return int(value) if value.is_integer() else value


def _time(time_us: int) -> str | None:
    try:
        moment = from_microseconds(time_us)
    except OverflowError:
        return None
    return moment.isoformat(timespec="microseconds" if time_us % 1000 else "milliseconds").replace("+00:00", "Z")


# One frame of each protocol


def _teltonika(text: str) -> Frame:
    given = json.loads(text)["hex"] if text.startswith("{") else text
    try:
        frame = bytes.fromhex(given)
    except ValueError:
        return Frame(_none(), None, "not_hexadecimal")
    if frame == bytes([teltonika.KEEPALIVE]):
        return Frame(_none(), None)
    if len(frame) == _HANDSHAKE_BYTES and frame[:2] == IMEI_DIGITS.to_bytes(2):
        known = parse_imei(frame[2:]) is not None
        return Frame(_none(), teltonika.IMEI_ACCEPTED if known else teltonika.IMEI_REFUSED, None if known else "imei")
    over_udp = any(frame[:4]) and int.from_bytes(frame[:2]) == len(frame) - 2
    packet = teltonika.decode_udp(frame) if over_udp else teltonika.decode_tcp(frame)
    fault = None if packet.fault is Fault.NONE else packet.fault.name.lower()
    for rejected in packet.decoded.rejected:
        if rejected.record_index is None:
            fault = rejected.reason.value
    return Frame(packet.decoded, packet.ack, fault, packet.body[0] if packet.body else 0)


def _osmand(text: str) -> Frame:
    url, body = _request(text)
    is_json = body.startswith("{")
    query = "&".join(part for part in (url, "" if is_json else body) if part)
    frame = (body if is_json else query).encode("utf-8", "surrogateescape")
    credential = osmand.json_credential(frame) if is_json else osmand.query_credential(frame)
    return Frame(osmand.decode(frame, credential or _NO_CREDENTIAL, is_json=is_json), b"")


def _owntracks(text: str) -> Frame:
    return Frame(owntracks.decode(_body(text)), owntracks.ANSWER)


def _traccar(text: str) -> Frame:
    return Frame(traccar.decode(_body(text), None), b"")


def _wayrate(text: str) -> Frame:
    try:
        decoded = wayrate.decode(_body(text))
    except BodyError as err:
        return Frame(_none(), None, str(err))
    refusals = tuple(Refusal(one.record_index, one.reason.value, one.detail) for one in decoded.rejected)
    receipt = {
        "accepted": len(decoded.readings),
        "duplicate": 0,
        "quarantined": len(refusals),
        "records": refusals,
    }
    return Frame(decoded, msgspec.json.encode(receipt))


DECODERS: dict[str, Callable[[str], Frame]] = {
    "teltonika": _teltonika,
    "osmand": _osmand,
    "owntracks": _owntracks,
    "traccar": _traccar,
    "wayrate": _wayrate,
}


class _Request(msgspec.Struct):
    payload: list[str]


def _none() -> Decoded:
    return Decoded(make_readings(0), 0, (), np.zeros(0, dtype=np.int64), lambda _: b"")


def _body(text: str) -> bytes:
    return _request(text)[1].encode("utf-8", "surrogateescape")


def _request(text: str) -> tuple[str, str]:
    """Query and body of a request line: `{"payload": ["/?query", ..., "body"]}`, a JSON body, or a query."""
    if not text.startswith(("{", "[")):
        return "", text.partition("?")[2] if "?" in text else text
    try:
        payload = msgspec.json.decode(text, type=_Request).payload
    except (msgspec.DecodeError, UnicodeEncodeError):
        return "", text
    return payload[0].partition("?")[2], payload[-1] if len(payload) > 1 else ""
