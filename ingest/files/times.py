"""The time columns of a file -> microseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingest.decoders.columns import NOT_A_TIME
from ingest.files.convert import NUMBER, Faults, refuse_wrong_mapping, text_column
from ingest.files.mapping import EPOCH_MS, EPOCH_S, ISO, FileFormat, TimeColumns, zone_of
from ingest.files.table import SourceTable
from ingest.moments import MAX_EPOCH_S, microseconds, parse_iso
from ingest.readings import Int64s
from ingest.rejection import Rejection

_QUARTER_US = 15 * 60 * 1_000_000  # no zone changes its offset within a quarter of an hour
_MIN_LOCAL_US, _MAX_LOCAL_US = (microseconds(datetime(year, 1, 1, tzinfo=UTC)) for year in (1900, 9000))


def fix_times(table: SourceTable, time: TimeColumns, form: FileFormat, faults: Faults) -> Int64s:
    """Fix times in microseconds since 1970, shape (n,); 0 where the row has a fault.

    A time without offset or declared zone, and one that a declared zone's clock shows twice or never, is NAIVE_TIME.
    """
    name = ", ".join(time.columns)
    if len(time.columns) == 1 and not _is_text(table.column(time.columns[0]).type):
        return _typed(table, time, faults)
    parts = [text_column(table, column, form, faults) for column in time.columns]
    text = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, " ")
    own: Faults = {}
    known = np.asarray(pc.is_valid(text).to_numpy(zero_copy_only=False), dtype=bool)
    for row in np.flatnonzero(~known).tolist():
        own[row] = (Rejection.MISSING_FIELD, f"{name} is empty")
    read = _iso_or_epoch if time.format in {ISO, EPOCH_S, EPOCH_MS} else _by_format
    times = read(text, time, own)
    refuse_wrong_mapping(table, name, text, own, f"a time as {time.format}")
    for row, fault in own.items():
        faults.setdefault(row, fault)
    return times


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _typed(table: SourceTable, time: TimeColumns, faults: Faults) -> Int64s:
    """Times of a column that has a type: timestamps with their zone, or numbers."""
    values = table.column(time.columns[0])
    for row in np.flatnonzero(np.asarray(pc.is_null(values).to_numpy(zero_copy_only=False))).tolist():
        faults.setdefault(row, (Rejection.MISSING_FIELD, f"{time.columns[0]} is empty"))
    if pa.types.is_timestamp(values.type):
        local_us = _int64(values.cast(pa.timestamp("us", values.type.tz), safe=False).cast(pa.int64()))
        return local_us if values.type.tz else _to_utc(local_us, zone_of(time), faults)
    seconds = np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    return _from_epoch(seconds * (1e-3 if time.format == EPOCH_MS else 1.0), faults)


def _int64(values: Any) -> Int64s:
    return np.array(pc.fill_null(values, fill_value=0).to_numpy(zero_copy_only=False), dtype=np.int64)


def _from_epoch(seconds: np.ndarray[tuple[int], np.dtype[np.float64]], faults: Faults) -> Int64s:
    outside = ~(np.abs(seconds) <= MAX_EPOCH_S)  # true for NaN and infinity
    for row in np.flatnonzero(outside).tolist():
        reason = Rejection.NUMBER_RANGE if np.isfinite(seconds[row]) else Rejection.NOT_FINITE
        faults.setdefault(row, (reason, "the time is no second that can be stored"))
    return np.rint(np.where(outside, 0, seconds) * 1e6).astype(np.int64)


def _iso_or_epoch(text: Any, time: TimeColumns, faults: Faults) -> Int64s:
    is_number = pc.fill_null(pc.match_substring_regex(text, NUMBER), fill_value=False)
    numeric = np.asarray(is_number.to_numpy(zero_copy_only=False), dtype=bool)
    numbers = pc.if_else(is_number, text, "0").cast(pa.float64()).to_numpy(zero_copy_only=False)
    times = _from_epoch(np.asarray(numbers) * (1e-3 if time.format == EPOCH_MS else 1.0), faults)
    zone = zone_of(time)
    for row in np.flatnonzero(~numeric).tolist():
        cell = text[row].as_py()
        if cell is None:
            continue
        parsed = parse_iso(cell) if time.format == ISO else Rejection.MALFORMED
        if parsed is Rejection.NAIVE_TIME and zone is not None:
            parsed = _in_zone(datetime.fromisoformat(cell), zone)
        if isinstance(parsed, Rejection):
            faults.setdefault(row, (parsed, f"{cell[:40]!a} is {NOT_A_TIME[parsed]}"))
        else:
            times[row] = parsed
    return times


def _by_format(text: Any, time: TimeColumns, faults: Faults) -> Int64s:
    """Times by a strptime format; Arrow's own reading, corrected where it is more lenient than the calendar."""
    zone = zone_of(time)
    whole_seconds = "%f" not in time.format and "%z" not in time.format
    if whole_seconds:
        parsed = pc.strptime(text, format=time.format, unit="us", error_is_null=True)
        valid = np.asarray(pc.is_valid(parsed).to_numpy(zero_copy_only=False), dtype=bool)
        local_us = _int64(parsed.cast(pa.int64()))
        days = np.asarray(pc.fill_null(pc.day(parsed), fill_value=9).to_numpy(zero_copy_only=False))
        doubtful = np.flatnonzero(~valid | (days <= 3))  # 30 February comes back as 2 March
    else:
        local_us = np.zeros(len(text), dtype=np.int64)
        doubtful = np.arange(len(text))
    own_offset: dict[int, int] = {}
    for row in doubtful.tolist():
        cell = text[row].as_py()
        if cell is None:
            continue
        try:
            moment = datetime.strptime(cell, time.format)  # noqa: DTZ007 - the zone is declared
        except ValueError:
            faults.setdefault(row, (Rejection.MALFORMED, f"{cell[:40]!a} is not a time as {time.format}"))
            continue
        if moment.tzinfo is None:
            local_us[row] = microseconds(moment.replace(tzinfo=UTC))
        else:
            own_offset[row] = microseconds(moment)
    skipped = faults.keys() | own_offset.keys()
    times = _to_utc(local_us, zone, faults, skipped)
    for row, time_us in own_offset.items():
        times[row] = time_us
    return times


def _to_utc(
    local_us: Int64s, zone: tzinfo | None, faults: Faults, skipped: set[int] | frozenset[int] = frozenset()
) -> Int64s:
    """Local times as UTC; those that the zone's clock shows twice or never are faults."""
    if zone is None:
        for row in set(range(len(local_us))) - skipped:
            faults.setdefault(row, (Rejection.NAIVE_TIME, "a local time, and the mapping declares no zone"))
        return local_us
    if isinstance(zone, timezone):
        return local_us - zone.utcoffset(None) // timedelta(microseconds=1)
    quarters, quarter_of_row = np.unique(
        np.clip(local_us, _MIN_LOCAL_US, _MAX_LOCAL_US) // _QUARTER_US, return_inverse=True
    )
    offsets = np.array([_offsets_us(quarter, zone) for quarter in quarters.tolist()], dtype=np.int64).reshape(-1, 2)
    unclear = (offsets[:, 0] != offsets[:, 1])[quarter_of_row]
    for row in np.flatnonzero(unclear).tolist():
        if row not in skipped:
            faults.setdefault(row, (Rejection.NAIVE_TIME, "the clock of the zone shows this time twice or never"))
    utc_us: Int64s = local_us - offsets[quarter_of_row, 0]
    return utc_us


def _offsets_us(quarter: int, zone: tzinfo) -> tuple[int, int]:
    """The offsets from UTC that a local quarter of an hour may have: equal but where clocks change."""
    local = datetime(1970, 1, 1, tzinfo=zone) + timedelta(microseconds=quarter * _QUARTER_US)
    early, late = (
        (local.replace(fold=fold).utcoffset() or timedelta()) // timedelta(microseconds=1) for fold in (0, 1)
    )
    return early, late


def _in_zone(local: datetime, zone: tzinfo) -> int | Rejection:
    moment = local.replace(tzinfo=zone)
    if moment.utcoffset() != moment.replace(fold=1).utcoffset():
        return Rejection.NAIVE_TIME
    return microseconds(moment)
