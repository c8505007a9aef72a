"""Traccar's position forwarder (`forward.type = json`): one position with its device, of any protocol Traccar reads.

Speed is in knots. In its model 0 stands for an accuracy that is not known, and `outdated` for a position repeated
from an earlier message. The device must be the credential's own.
"""

import msgspec

from ingest.decoded import Decoded
from ingest.decoders.diagnosis import Kind
from ingest.decoders.single import RefusedRecord, decode_single, nothing, one_reading, required, time_of
from ingest.readings import Flag
from ingest.rejection import Rejection

VERSION = "traccar/1"
MPS_PER_KNOT = 1852 / 3600
_MILLISECONDS = 1000
_EMPTY = frozenset({b"", b"null", b"[]", b"{}"})


class _Attributes(msgspec.Struct, gc=False):
    ignition: bool | None = None
    odometer: float | None = None
    sat: float | None = None
    hdop: float | None = None


class _Position(msgspec.Struct, gc=False, rename="camel"):
    fix_time: str | float | None = None
    valid: bool = True
    outdated: bool = False
    latitude: float | None = None
    longitude: float | None = None
    altitude: float | None = None
    speed: float | None = None
    course: float | None = None
    accuracy: float | None = None
    attributes: _Attributes | None = None


class _Device(msgspec.Struct, gc=False, rename="camel"):
    unique_id: str


class _Message(msgspec.Struct, gc=False):
    position: _Position
    device: _Device


class _Named(msgspec.Struct, gc=False):
    device: _Device


_NAMED_DECODER = msgspec.json.Decoder(_Named)
_DECODER = msgspec.json.Decoder(_Message)
_KINDS: dict[str, Kind] = {
    "uniqueId": "text",
    "fixTime": "time",
    "ignition": "flag",
    **dict.fromkeys(("latitude", "longitude", "altitude", "speed", "course", "accuracy"), "number"),
    **dict.fromkeys(("odometer", "sat", "hdop"), "number"),
}


def named_device(body: bytes) -> str | None:
    """The device that a position says it is of; None when it does not say. A claim, until a list of ours has it."""
    try:
        return _NAMED_DECODER.decode(body).device.unique_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def decode(body: bytes, device_id: str | None) -> Decoded:
    """The position of one request if it is of `device_id` (None: of whichever); else it is refused as `bad_id`."""
    if body.strip() in _EMPTY:
        return nothing(body)
    return decode_single(body, _DECODER, _KINDS, lambda message: _decoded(body, message, device_id))


def _decoded(body: bytes, message: _Message, device_id: str | None) -> Decoded:
    if device_id is not None and message.device.unique_id != device_id:
        raise RefusedRecord(Rejection.BAD_ID, "the position is of a device that is not this credential's")
    position = message.position
    attributes = position.attributes or _Attributes()
    columns = {
        "latitude_deg": required("latitude", position.latitude),
        "longitude_deg": required("longitude", position.longitude),
        "altitude_m": position.altitude,
        "speed_mps": None if position.speed is None else position.speed * MPS_PER_KNOT,
        "heading_deg": position.course,
        "accuracy_m": position.accuracy or None,
        "odometer_m": attributes.odometer,
        "satellites": attributes.sat,
        "hdop": attributes.hdop,
        "ignition": None if attributes.ignition is None else float(attributes.ignition),
    }
    flags = Flag(0) if position.valid and not position.outdated else Flag.NO_FIX
    return one_reading(body, time_of("fixTime", position.fix_time, _MILLISECONDS), flags, columns)
