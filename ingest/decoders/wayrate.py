"""Our own batch: `{"readings": [{"fix_time": ..., "latitude_deg": ..., ...}]}`, one object a reading, strict types.

`fix_time` is an ISO 8601 text with its offset, or seconds since 1970; other names and units are those of `Readings`.
A field left out or null is not reported. An unknown name is refused: a misspelt field must not be lost in silence.
"""

from typing import Annotated

import msgspec
import numpy as np
from msgspec import UNSET, Meta, UnsetType

from ingest.body import MAX_RECORDS
from ingest.decoded import Decoded, Rejected, refused_frame
from ingest.decoders.columns import NOT_A_TIME, float_column, time_column
from ingest.decoders.diagnosis import MAX_FLOAT32, Kind, diagnose
from ingest.decoders.structure import Records, find_records
from ingest.errors import TooManyRecords
from ingest.moments import MAX_EPOCH_S
from ingest.readings import CONTENT_COLUMNS, Float64s, make_readings
from ingest.rejection import Rejection

VERSION = "wayrate-json/1"

type _Number = Annotated[float, Meta(ge=-MAX_FLOAT32, le=MAX_FLOAT32)] | UnsetType | None
type _Flag = bool | Annotated[float, Meta(ge=0, le=1)] | UnsetType | None


class _Record(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One object of the list, for as long as decoding takes; the columns are what leaves."""

    fix_time: Annotated[float, Meta(ge=-MAX_EPOCH_S, le=MAX_EPOCH_S)] | str
    latitude_deg: _Number = UNSET
    longitude_deg: _Number = UNSET
    odometer_m: _Number = UNSET
    altitude_m: _Number = UNSET
    speed_mps: _Number = UNSET
    heading_deg: _Number = UNSET
    hdop: _Number = UNSET
    accuracy_m: _Number = UNSET
    acceleration_forward_mps2: _Number = UNSET
    acceleration_lateral_mps2: _Number = UNSET
    acceleration_vertical_mps2: _Number = UNSET
    reported_limit_mps: _Number = UNSET
    satellites: _Number = UNSET
    ignition: _Flag = UNSET
    phone_in_use: _Flag = UNSET
    belt_fastened: _Flag = UNSET


class _Batch(msgspec.Struct, gc=False):
    readings: list[_Record]


_FLAGS = ("ignition", "phone_in_use", "belt_fastened")
_KINDS: dict[str, Kind] = {name: "flag" if name in _FLAGS else "number" for name in CONTENT_COLUMNS} | {
    "fix_time": "time"
}
_BATCH_DECODER = msgspec.json.Decoder(_Batch)
_RECORD_DECODER = msgspec.json.Decoder(_Record)
_BATCH_KEYS = 1  # "readings"


def decode(body: bytes) -> Decoded:
    """The readings of one batch. A bad record is refused alone.

    Raises `EmptyBody`, `TooDeep`, `TooManyRecords`: then nothing of the batch counts as received.
    """
    records = find_records(body)
    if records is None:
        return refused_frame(body, Rejection.MALFORMED, 'the body is not JSON of the form {"readings": [...]}')
    if len(records) > MAX_RECORDS:
        raise TooManyRecords(len(records), MAX_RECORDS)
    try:
        rows = _BATCH_DECODER.decode(body).readings
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _decode_one_by_one(records)
    columns, keys = _columns(rows)
    if records.keys != _BATCH_KEYS + keys:  # more keys than fields: one stands twice somewhere
        return _decode_one_by_one(records)
    return _decoded(records, rows, columns, np.arange(len(rows)), [])


def _decode_one_by_one(records: Records) -> Decoded:
    rows: list[_Record] = []
    places: list[int] = []
    rejected: list[Rejected] = []
    for place in range(len(records)):
        raw = records.raw_of(place)
        try:
            row = _RECORD_DECODER.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            reason, detail = diagnose(raw, _KINDS, ("fix_time",), closed=True)
            rejected.append(Rejected(place, reason, detail, raw))
            continue
        if raw.count(b":") > _least_colons(row):
            reason, detail = diagnose(raw, _KINDS, ("fix_time",), closed=True)
            if reason is Rejection.DUPLICATE_KEY:
                rejected.append(Rejected(place, reason, detail, raw))
                continue
        rows.append(row)
        places.append(place)
    return _decoded(records, rows, _columns(rows)[0], np.array(places, dtype=np.int64), rejected)


def _least_colons(row: _Record) -> int:
    """How many colons the record's text has if every field stands once and its time is a number."""
    return sum(getattr(row, name) is not UNSET for name in row.__struct_fields__)


def _columns(rows: list[_Record]) -> tuple[dict[str, Float64s], int]:
    """The content columns that any row has, each of shape (n,), and how many fields were given altogether."""
    columns: dict[str, Float64s] = {}
    keys = len(rows)  # each has its fix_time
    for name in CONTENT_COLUMNS:
        values = [getattr(row, name) for row in rows]
        given = len(rows) - values.count(UNSET)
        if given:
            columns[name] = float_column(values, UNSET)
            keys += given
    return columns, keys


def _decoded(
    records: Records, rows: list[_Record], columns: dict[str, Float64s], places: np.ndarray, rejected: list[Rejected]
) -> Decoded:
    fix_time_us, faults = time_column([row.fix_time for row in rows])
    for row, reason in faults.items():
        place = int(places[row])
        rejected.append(Rejected(place, reason, f"fix_time is {NOT_A_TIME[reason]}", records.raw_of(place)))
    timed = np.ones(len(rows), dtype=bool)
    timed[list(faults)] = False
    readings = make_readings(len(rows), fix_time_us=fix_time_us, **columns).take(timed)
    rejected.sort(key=lambda one: one.record_index or 0)
    return Decoded(readings, len(records), tuple(rejected), places[timed].astype(np.int64), records.raw_of)
