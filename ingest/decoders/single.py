"""What the protocols of one position a request share: the strict reading of its JSON, and its one reading."""

from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from ingest.decoded import Decoded, refused_frame
from ingest.decoders.columns import NOT_A_TIME
from ingest.decoders.diagnosis import MAX_FLOAT32, Kind, diagnose
from ingest.decoders.structure import check_depth
from ingest.errors import TooDeep
from ingest.moments import MAX_EPOCH_S, parse_iso
from ingest.readings import Flag, make_readings
from ingest.rejection import Rejection

UNKNOWN = -1.0  # what phones say of a speed or a heading that they do not know


class RefusedRecord(Exception):
    """The record breaks a rule of its protocol."""

    def __init__(self, reason: Rejection, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def nothing(raw: bytes) -> Decoded:
    """A request without a record: a greeting, or a message that is about something else."""
    return Decoded(make_readings(0), 0, (), np.zeros(0, dtype=np.int64), lambda _: raw)


def decode_single[Message](
    body: bytes,
    decoder: msgspec.json.Decoder[Message],
    kinds: Mapping[str, Kind],
    read: Callable[[Message], Decoded],
) -> Decoded:
    """The body's one JSON object through `decoder` and `read`, or why it is refused.

    Whatever it holds there is an answer: a sender that is refused sends the same again for ever.
    """
    try:
        check_depth(body)
        message = decoder.decode(body)
    except TooDeep as err:
        return refused_frame(body, Rejection.MALFORMED, str(err))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return refused_frame(body, *diagnose(body, kinds, ()))
    reason, detail = diagnose(body, kinds, ())
    if reason is not Rejection.MALFORMED:  # what a lenient parser lets pass: a name that stands twice, a NUL
        return refused_frame(body, reason, detail)
    try:
        return read(message)
    except RefusedRecord as err:
        return refused_frame(body, err.reason, err.detail)


def one_reading(raw: bytes, fix_time_us: int, flags: Flag, columns: Mapping[str, float | None]) -> Decoded:
    """A request's reading of the columns given; None is not reported. Raises `RefusedRecord`."""
    said = {name: value for name, value in columns.items() if value is not None}
    for name, value in said.items():
        if abs(value) > MAX_FLOAT32:
            raise RefusedRecord(Rejection.NUMBER_RANGE, f"{name} is a number out of range")
    readings = make_readings(1, fix_time_us=fix_time_us, flags=int(flags), **said)
    return Decoded(readings, 1, (), np.zeros(1, dtype=np.int64), lambda _: raw)


def required(name: str, value: float | None) -> float:
    """The value; raises `RefusedRecord` when there is none."""
    if value is None:
        raise RefusedRecord(Rejection.MISSING_FIELD, f"{name} is missing")
    return value


def time_of(name: str, value: str | float | None, units_a_second: float) -> int:
    """Microseconds since 1970 of an ISO text or of a number since 1970. Raises `RefusedRecord`."""
    if value is None:
        raise RefusedRecord(Rejection.MISSING_FIELD, f"{name} is missing")
    if isinstance(value, str):
        parsed = parse_iso(value)
        if isinstance(parsed, Rejection):
            raise RefusedRecord(parsed, f"{name} is {NOT_A_TIME[parsed]}")
        return parsed
    if abs(value) > MAX_EPOCH_S * units_a_second:
        raise RefusedRecord(Rejection.NUMBER_RANGE, f"{name} is a number out of range")
    return round(value * (1e6 / units_a_second))
