"""A file of readings, of any kind we know, to decoded columns: one `Decoded` a device."""

import gzip
import logging
import re
import zlib
from pathlib import Path

import numpy as np

from ingest.decoded import Decoded, Rejected
from ingest.errors import UnreadableFile
from ingest.files.convert import Faults, text_column, value_column
from ingest.files.csv_table import read_csv
from ingest.files.gpx import read_gpx
from ingest.files.mapping import POSITION_VALID, FileFormat, Mapping, factor, own_names_mapping
from ingest.files.parquet import read_parquet
from ingest.files.table import SourceTable
from ingest.files.times import fix_times
from ingest.readings import Bools, Flag, Float64s, Readings, make_readings
from ingest.rejection import Rejection

_LOG = logging.getLogger(__name__)
_DEVICE_ID = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)


def read_file(
    path: Path, mapping: Mapping | None = None, device_id: str | None = None
) -> list[tuple[str | None, Decoded]]:
    """The readings of a CSV, GPX or Parquet file (also .gz) by device id, in the order of the devices' first rows.

    `device_id` overrides what the file says; None in the answer: nothing says. Without a mapping, columns have names
    of Readings. Bad rows are refused one by one. Raises a `FileError`, and reads nothing, when the file as a whole is
    not to be understood. Validation is a later step.
    """
    table = _read_table(path, mapping)
    if mapping is None or path.name.lower().removesuffix(".gz").endswith(".gpx"):
        mapping = own_names_mapping(tuple(table.columns))
        _warn_of_unread(table, mapping)
    faults: Faults = {}
    readings = _readings(table, mapping, faults)
    devices = _devices(table, mapping, device_id, faults)
    return _by_device(table, readings, devices, faults)


def _read_table(path: Path, mapping: Mapping | None) -> SourceTable:
    file = str(path)
    name = path.name.lower()
    try:
        content = path.read_bytes()
        if name.endswith(".gz"):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as err:
        raise UnreadableFile(file, str(err)) from err
    match name.removesuffix(".gz").rpartition(".")[2]:
        case "gpx":
            return read_gpx(file, content)
        case "parquet":
            return read_parquet(file, content)
        case "csv" | "txt" | "tsv":
            return read_csv(file, content, mapping.file if mapping else FileFormat())
        case _:
            raise UnreadableFile(file, "its name ends neither in .csv, .gpx nor .parquet (nor these with .gz)")


def _warn_of_unread(table: SourceTable, mapping: Mapping) -> None:
    read = {*mapping.time.columns, *(value.column for value in mapping.columns.values()), "device_id"}
    unread = [name for name in table.columns if name not in read and not name.startswith("x_")]
    if unread:
        _LOG.warning("%s: these columns are not names of readings and are not read: %s", table.file, ", ".join(unread))


def _readings(table: SourceTable, mapping: Mapping, faults: Faults) -> Readings:
    fix_time_us = fix_times(table, mapping.time, mapping.file, faults)
    columns: dict[str, Float64s] = {}
    flags = np.zeros(len(table), dtype=np.int32)
    for target, value in mapping.columns.items():
        numbers = value_column(table, value, mapping.file, faults)
        if target == POSITION_VALID:
            flags[numbers == 0] |= Flag.NO_FIX
        else:
            columns[target] = numbers * factor(target, value)
    if mapping.file.held_position:
        held = _held(columns["latitude_deg"], columns["longitude_deg"])
        flags[held] |= Flag.IMPUTED_RECEIVER_POSITION
        for name in ("latitude_deg", "longitude_deg", "altitude_m"):
            if name in columns:
                columns[name] = np.where(held, np.nan, columns[name])
    return make_readings(len(table), fix_time_us=fix_time_us, flags=flags, **columns)


def _held(latitude_deg: Float64s, longitude_deg: Float64s) -> Bools:
    same = (np.diff(latitude_deg) == 0) & (np.diff(longitude_deg) == 0)
    return np.concatenate((np.zeros(min(len(latitude_deg), 1), dtype=bool), same))


def _devices(table: SourceTable, mapping: Mapping, device_id: str | None, faults: Faults) -> list[str] | str | None:
    """The device of each row, or the one of all."""
    device = mapping.device
    if device_id is not None or device is None:
        return device_id
    if device.column is None:
        return device.prefix + (device.constant or "")
    ids: list[str] = []
    for row, cell in enumerate(text_column(table, device.column, mapping.file, faults).to_pylist()):
        text = "" if cell is None else cell
        one = device.prefix + text.lower() if device.prefix else text
        if not _DEVICE_ID.fullmatch(one):
            faults.setdefault(row, (Rejection.BAD_ID, f"{device.column} {text[:40]!a} is no device id"))
        ids.append(one)
    return ids


def _by_device(
    table: SourceTable, readings: Readings, devices: list[str] | str | None, faults: Faults
) -> list[tuple[str | None, Decoded]]:
    """A frame for each device. Rows whose device is not known are refused with the first device's."""
    if not isinstance(devices, list):
        return [(devices, _decoded(table, readings, np.ones(len(table), dtype=bool), faults, table.broken))]
    known = {one for row, one in enumerate(devices) if faults.get(row, (None,))[0] is not Rejection.BAD_ID}
    frames: list[tuple[str | None, Decoded]] = []
    for one in dict.fromkeys(device for device in devices if device in known):
        own = np.array([device == one or (not frames and device not in known) for device in devices], dtype=bool)
        frames.append((one, _decoded(table, readings, own, faults, () if frames else table.broken)))
    if not frames:
        return [(None, _decoded(table, readings, np.ones(len(table), dtype=bool), faults, table.broken))]
    return frames


def _decoded(
    table: SourceTable, readings: Readings, own: Bools, faults: Faults, broken: tuple[Rejected, ...]
) -> Decoded:
    """The frame of the rows at the mask `own`, shape (n,)."""
    good = own.copy()
    good[list(faults)] = False
    refused = [
        Rejected(place, *faults[row], table.raw_of(place))
        for row, place in enumerate(table.place.tolist())
        if own[row] and row in faults
    ]
    rejected = tuple(sorted([*refused, *broken], key=lambda one: one.record_index or 0))
    kept = readings.take(good)
    return Decoded(kept, len(kept) + len(rejected), rejected, table.place[good], table.raw_of)
