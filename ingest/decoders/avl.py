"""Teltonika AVL packets (codecs 8, 8 Extended, 16) to arrays: many packets at once, by machine code over their bytes.

Layouts: Teltonika's "Codec" and "Data sending protocols" pages. Numbers are big-endian. Of the IO elements only those
that are columns of `Readings` are read here; `teltonika.io_elements` reads the rest where somebody asks for them.
"""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled
from ingest.readings import Flag, Float32s, Float64s, Int32s, Int64s

type Bytes = NDArray[np.uint8]


class Fault(IntEnum):
    """Why a packet as a whole is not taken. The numbers in the comments are rows of the bad-inputs contract."""

    NONE = 0
    PREAMBLE = 1  # 1: it does not begin with four zero bytes
    LENGTH = 2  # 2, 3: none, too many, or not as many bytes as it says
    TRUNCATED = 3  # 4: it ends too early
    CRC_HIGH = 4  # 6: the upper half of the CRC field is not zero
    CRC = 5  # 5
    CODEC = 6  # 11: a codec that is not known here
    COUNTS_DIFFER = 7  # 7: the number of records before them and after them
    RECORDS_SHORT = 8  # 9: fewer bytes than that number of records needs
    COMMAND = 9  # 12: no records, but a message of codec 12 to 15
    SENDER = 10  # 14, 15: a datagram whose IMEI is none


# What `read_fixes` and `read_elements` fill, in the order of their arguments.
FIX_COLUMNS = (
    "fix_time_us", "flags", "latitude_deg", "longitude_deg", "altitude_m", "speed_mps", "heading_deg", "satellites",
)  # fmt: skip
ELEMENT_COLUMNS = ("odometer_m", "hdop", "ignition")
CODEC_8, CODEC_8E, CODEC_16 = 0x08, 0x8E, 0x10
MAX_LENGTH = 65536
OVERHEAD = 12  # of a TCP packet: preamble, length, CRC
AFTER_TIME = np.iinfo(np.int64).max  # a time past the year 9999
_LAST_MS = 253_402_300_799_999
LEAST_LENGTH = 3  # codec and both counts
_IGNITION, _ODOMETER_M, _HDOP_TENTHS, _VIN = 239, 16, 182, 256  # AVL ids
_VIN_BYTES = 17
_NULL_ISLAND_E7 = 10_000  # 0.001 degrees
_KMH_A_MPS = 3.6
_NO_FIX = int(Flag.NO_FIX)
_NONE, _PREAMBLE, _LENGTH, _TRUNCATED = int(Fault.NONE), int(Fault.PREAMBLE), int(Fault.LENGTH), int(Fault.TRUNCATED)
_CRC_HIGH, _CRC, _CODEC, _COMMAND = int(Fault.CRC_HIGH), int(Fault.CRC), int(Fault.CODEC), int(Fault.COMMAND)
_COUNTS_DIFFER, _RECORDS_SHORT = int(Fault.COUNTS_DIFFER), int(Fault.RECORDS_SHORT)


def _crc_tables() -> Int32s:
    """Shape (8, 256): the CRC of each byte with 0 to 7 zero bytes behind it (polynomial 0xA001, reflected)."""
    table = np.arange(256, dtype=np.uint16)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ 0xA001, table >> 1).astype(np.uint16)
    tables = [table]
    for _ in range(7):
        tables.append((tables[-1] >> 8) ^ table[tables[-1] & 0xFF])
    return np.stack(tables).astype(np.int32)


_TABLES = _crc_tables()


@compiled
def _u8(data: Bytes, at: int) -> int:
    return int(np.int64(data[at]))


@compiled
def crc16(data: Bytes, start: int, end: int) -> int:
    """CRC-16/IBM (ARC) of data[start:end], eight bytes a step (slicing-by-8, Kounavis & Berry 2005)."""
    crc = 0
    at = start
    while at + 8 <= end:
        crc ^= _u8(data, at) | (_u8(data, at + 1) << 8)
        crc = (
            int(_TABLES[7, crc & 0xFF])
            ^ int(_TABLES[6, crc >> 8])
            ^ int(_TABLES[5, data[at + 2]])
            ^ int(_TABLES[4, data[at + 3]])
            ^ int(_TABLES[3, data[at + 4]])
            ^ int(_TABLES[2, data[at + 5]])
            ^ int(_TABLES[1, data[at + 6]])
            ^ int(_TABLES[0, data[at + 7]])
        )
        at += 8
    while at < end:
        crc = (crc >> 8) ^ int(_TABLES[0, (crc ^ _u8(data, at)) & 0xFF])
        at += 1
    return crc


@compiled
def _u16(data: Bytes, at: int) -> int:
    return (_u8(data, at) << 8) | _u8(data, at + 1)


@compiled
def _u32(data: Bytes, at: int) -> int:
    return (_u16(data, at) << 16) | _u16(data, at + 2)


@compiled
def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


@compiled
def check_packets(data: Bytes, starts: Int64s, ends: Int64s, faults: Int64s) -> None:
    """The fault of the envelope of each TCP packet data[start:end] into `faults`; shapes (m,)."""
    for packet in range(len(starts)):
        faults[packet] = _envelope_fault(data, starts[packet], ends[packet])


@compiled
def _envelope_fault(data: Bytes, start: int, end: int) -> int:
    if data[start : min(start + 4, end)].any():
        return _PREAMBLE
    if end - start < 8:
        return _TRUNCATED
    length = _u32(data, start + 4)
    if length < LEAST_LENGTH or length > MAX_LENGTH:
        return _LENGTH
    if end - start != length + OVERHEAD:
        return _TRUNCATED if end - start < length + OVERHEAD else _LENGTH
    if _u16(data, end - 4) != 0:
        return _CRC_HIGH
    return _NONE if crc16(data, start + 8, end - 4) == _u16(data, end - 2) else _CRC


@compiled
def check_bodies(data: Bytes, starts: Int64s, ends: Int64s, faults: Int64s) -> int:
    """The fault of codec and counts of each sound body data[start:end] into `faults`; how many records all announce."""
    announced = 0
    for packet in range(len(starts)):
        if faults[packet] != _NONE:
            continue
        start, last = starts[packet], ends[packet] - 1
        codec = _u8(data, start)
        if codec in (CODEC_8, CODEC_8E, CODEC_16):
            if data[start + 1] != data[last]:
                faults[packet] = _COUNTS_DIFFER
            else:
                announced += _u8(data, last)
        else:
            faults[packet] = _COMMAND if 12 <= codec <= 15 else _CODEC
    return announced


@compiled
def find_records(
    data: Bytes, starts: Int64s, ends: Int64s, faults: Int64s, trailing: Int64s, packet: Int64s, begins_at: Int64s
) -> int:
    """Where the records of all sound bodies begin, and how many. None of a body too short for its own number.

    `trailing`, shape (m,), gets how many bytes stand between the last record and the second count.
    """
    row = 0
    for number in range(len(starts)):
        if faults[number] != _NONE:
            continue
        at, end = starts[number] + 2, ends[number] - 1
        codec, first = _u8(data, starts[number]), row
        for _ in range(_u8(data, starts[number] + 1)):
            packet[row] = number
            begins_at[row] = at
            at = _record_end(data, at, end, codec)
            if at < 0:
                break
            row += 1
        if at < 0:
            faults[number] = _RECORDS_SHORT
            row = first
        else:
            trailing[number] = end - at
    return row


@compiled
def _record_end(data: Bytes, at: int, end: int, codec: int) -> int:
    """Where the record at `at` ends, -1 when it is past `end`."""
    at += 26 if codec == CODEC_8 else 28
    id_bytes = 1 if codec == CODEC_8 else 2
    count_bytes = 2 if codec == CODEC_8E else 1
    width = 1
    while width <= 8:
        if at + count_bytes > end:
            return -1
        count = _u16(data, at) if count_bytes == 2 else _u8(data, at)
        at += count_bytes + count * (id_bytes + width)
        width *= 2
    if codec == CODEC_8E and at + 2 <= end:
        at = _long_elements_end(data, at, end)
    elif codec == CODEC_8E:
        return -1
    return at if at <= end else -1


@compiled
def _long_elements_end(data: Bytes, at: int, end: int) -> int:
    """Past the elements of variable length, or past `end`."""
    count = _u16(data, at)
    at += 2
    for _ in range(count):
        if at + 4 > end:
            return end + 1
        at += 4 + _u16(data, at + 2)
    return at


# Flat loops over arrays that are arguments: a tuple of arrays handed down to a function costs ten times the reading.


@compiled
def read_fixes(
    data: Bytes, begins_at: Int64s, fix_time_us: Int64s, flags: Int32s, latitude_deg: Float64s,
    longitude_deg: Float64s, altitude_m: Float32s, speed_mps: Float32s, heading_deg: Float32s, satellites: Float32s,
) -> None:  # fmt: skip
    """Time and GNSS element of each record that begins at data[begins_at]; shapes (n,)."""
    for row in range(len(begins_at)):
        at = begins_at[row]
        time_ms = (_u16(data, at + 2) << 32) | _u32(data, at + 4)
        readable = _u16(data, at) == 0 and time_ms <= _LAST_MS
        longitude_e7 = _signed(_u32(data, at + 9), 32)
        latitude_e7 = _signed(_u32(data, at + 13), 32)
        nowhere = abs(longitude_e7) < _NULL_ISLAND_E7 and abs(latitude_e7) < _NULL_ISLAND_E7
        count = _u8(data, at + 21)
        fix_time_us[row] = time_ms * 1000 if readable else AFTER_TIME
        longitude_deg[row] = np.nan if nowhere else longitude_e7 / 1e7
        latitude_deg[row] = np.nan if nowhere else latitude_e7 / 1e7
        altitude_m[row] = _signed(_u16(data, at + 17), 16)
        heading_deg[row] = _u16(data, at + 19)
        satellites[row] = count
        speed_mps[row] = _u16(data, at + 22) / _KMH_A_MPS
        flags[row] = _NO_FIX if nowhere or count == 0 else 0


@compiled
def read_elements(
    data: Bytes, starts: Int64s, packet: Int64s, begins_at: Int64s, vin_at: Int64s, odometer_m: Float64s,
    hdop: Float32s, ignition: Float32s,
) -> bool:  # fmt: skip
    """The IO elements that are columns, NaN where a record has none; `starts` are the bodies'.

    `vin_at` gets where a vehicle's number stands in the bytes, -1 where none does; whether any does.
    """
    found = False
    for row in range(len(begins_at)):
        odometer_m[row], hdop[row], ignition[row] = np.nan, np.nan, np.nan
        codec = _u8(data, starts[packet[row]])
        at = begins_at[row] + (26 if codec == CODEC_8 else 28)
        id_bytes = 1 if codec == CODEC_8 else 2
        width = 1
        while width <= 8:
            count = _u16(data, at) if codec == CODEC_8E else _u8(data, at)
            at += 2 if codec == CODEC_8E else 1
            for _ in range(count):
                element = _u16(data, at) if id_bytes == 2 else _u8(data, at)
                at += id_bytes
                if element == _IGNITION:
                    ignition[row] = _unsigned(data, at, width)
                elif element == _ODOMETER_M:
                    odometer_m[row] = _unsigned(data, at, width)
                elif element == _HDOP_TENTHS:
                    hdop[row] = _unsigned(data, at, width) / 10.0
                at += width
            width *= 2
        vin_at[row] = -1
        if codec == CODEC_8E and _u16(data, at) > 0:  # only there elements are long enough
            vin_at[row] = _vin_at(data, at)
            found |= vin_at[row] >= 0
    return found


@compiled
def _vin_at(data: Bytes, at: int) -> int:
    """Where the vehicle's number stands among the elements of variable length, -1 where it does not."""
    count = _u16(data, at)
    at += 2
    for _ in range(count):
        size = _u16(data, at + 2)
        if _u16(data, at) == _VIN and size == _VIN_BYTES:
            return at + 4
        at += 4 + size
    return -1


@compiled
def _unsigned(data: Bytes, at: int, width: int) -> float:
    value = 0.0
    for place in range(at, at + width):
        value = value * 256.0 + float(data[place])
    return value
