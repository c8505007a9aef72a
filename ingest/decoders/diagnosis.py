"""Why strict decoding refused a JSON record: read again, leniently and slowly, for the one reason to give."""

import json
import math
import re
from collections.abc import Mapping
from typing import Literal

from ingest.moments import MAX_EPOCH_S
from ingest.rejection import Rejection

type Kind = Literal["number", "count", "flag", "text", "time"]
type Reason = tuple[Rejection, str]

_NOT_NUMBERS = frozenset({"nan", "+nan", "-nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"})
_MAX_DIGITS = 400  # past the range of any float
MAX_FLOAT32 = 3.4e38
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Refused(Exception):
    def __init__(self, reason: Rejection, detail: str) -> None:
        self.reason = (reason, detail)


def says_not_a_number(text: str) -> bool:
    """Whether a text is one of the spellings of NaN or infinity."""
    return text.strip().lower() in _NOT_NUMBERS


def diagnose(raw: bytes, kinds: Mapping[str, Kind], required: tuple[str, ...], *, closed: bool = False) -> Reason:
    """The first reason why the record `raw` is refused; `kinds` are the fields it may have, `closed` the only ones.

    A field is found by its name wherever it stands in the record, so nested records need no description.
    """
    if b"\0" in raw:
        return Rejection.NUL, "a NUL byte"
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as err:
        return Rejection.ENCODING, f"byte {err.start} is not UTF-8"
    try:
        record = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_decimal
        )
    except _Refused as err:
        return err.reason
    except (ValueError, RecursionError):
        return Rejection.MALFORMED, "it is not JSON"
    if not isinstance(record, dict):
        return Rejection.MALFORMED, "a record is a JSON object"
    unknown = [name for name in record if closed and name not in kinds]
    return (
        _first_fault(record, kinds)
        or _missing(record, required)
        or (Rejection.MALFORMED, f"unknown field {unknown[0][:40]!a}" if unknown else "fields are not as documented")
    )


def _missing(record: dict[str, object], required: tuple[str, ...]) -> Reason | None:
    for name in required:
        if record.get(name) is None:
            return Rejection.MISSING_FIELD, f"{name} is missing"
    return None


def _first_fault(record: dict[str, object], kinds: Mapping[str, Kind]) -> Reason | None:
    for name, value in record.items():
        fault = _text_fault(name) or (_text_fault(value) if isinstance(value, str) else None)
        if fault is None and isinstance(value, dict):
            fault = _first_fault(value, kinds)
        elif fault is None and name in kinds:
            fault = _field_fault(name, value, kinds[name])
        if fault is not None:
            return fault
    return None


def _text_fault(text: str) -> Reason | None:
    if "\0" in text:
        return Rejection.NUL, "a NUL in text"
    if _SURROGATE.search(text):
        return Rejection.ENCODING, "half a surrogate pair"
    return None


def _field_fault(name: str, value: object, kind: Kind) -> Reason | None:
    if (
        value is None
        or (kind == "flag" and isinstance(value, bool))
        or (kind in {"text", "time"} and isinstance(value, str))
    ):
        return None
    if isinstance(value, str) and says_not_a_number(value):
        return Rejection.NOT_FINITE, f"{name} is {value[:20]!a}"
    if kind == "text" or isinstance(value, bool) or not isinstance(value, int | float):
        return Rejection.TYPE, f"{name} is of the wrong type"
    if abs(value) > (MAX_EPOCH_S if kind == "time" else MAX_FLOAT32):
        return Rejection.NUMBER_RANGE, f"{name} is a number out of range"
    return None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    record: dict[str, object] = {}
    for name, value in pairs:
        if name in record:
            raise _Refused(Rejection.DUPLICATE_KEY, f"{name[:40]!a} stands twice")
        record[name] = value
    return record


def _constant(text: str) -> object:
    raise _Refused(Rejection.NOT_FINITE, text)


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise _Refused(Rejection.NUMBER_RANGE, f"an integer of {len(text)} digits")
    return int(text)


def _decimal(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Refused(Rejection.NOT_FINITE, text[:40])
    return value
