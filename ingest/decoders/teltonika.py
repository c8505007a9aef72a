"""Teltonika's protocol over TCP and UDP: AVL packets of codec 8, 8 Extended and 16, messages of codec 12 to 15.

A position without a fix is the last valid one, or zeros; the decoder says what the packet says and flags it. Not
columns: AVL id 24, the receiver's speed once more; 181, PDOP; and 17 to 19, whose axes are the device's, not the
vehicle's, with gravity in them: a brake read from them could be a bump or a tilted mounting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ingest.decoded import Decoded, Rejected
from ingest.decoders.avl import (
    AFTER_TIME,
    CODEC_8,
    CODEC_8E,
    CODEC_16,
    ELEMENT_COLUMNS,
    FIX_COLUMNS,
    OVERHEAD,
    Bytes,
    Fault,
    check_bodies,
    check_packets,
    find_records,
    read_elements,
    read_fixes,
)
from ingest.imei import IMEI_DIGITS, parse_imei
from ingest.readings import COLUMN_DTYPES, Int64s, Readings, make_readings
from ingest.rejection import Rejection
from ingest.vin import VIN_LENGTH

VERSION = "teltonika/1"
IMEI_ACCEPTED, IMEI_REFUSED = b"\x01", b"\x00"
KEEPALIVE = 0xFF
_UDP_LENGTH_BYTES = 2
_UDP_IMEI_AT = 8
_HEADER = 8  # of a TCP packet: preamble and length
_HEAD_BYTES = {CODEC_8: 26, CODEC_8E: 28, CODEC_16: 28}
_SOUND = int(Fault.NONE)
_MESSAGE_TEXT_AT = 7  # after codec, count, type and the text's length


@dataclass(frozen=True, slots=True)
class Packet:
    """One TCP packet or UDP datagram.

    `ack` is what a server answers once every record is durable; None: it says nothing. `body` is the codec's part, from
    codec id to second count. `imei` is what a datagram claims, `message` the text of a codec 12 to 15.
    """

    fault: Fault
    ack: bytes | None
    decoded: Decoded
    body: bytes
    imei: str | None = None
    message: str | None = None

    @property
    def records(self) -> int:
        """How many records the packet holds."""
        return 0 if self.fault is not Fault.NONE else self.body[-1]


@dataclass(frozen=True, slots=True)
class Packets:
    """The n readings of m packets, in order.

    `packet`, shape (n,), says which packet a reading is of, `begins_at` where in the bytes; `faults` and `trailing`,
    shape (m,), are each packet's `Fault` and how many bytes follow its last record. An AFTER_TIME is not storable.
    `vins` are the vehicle numbers that readings came with, by row.
    """

    readings: Readings
    packet: Int64s
    begins_at: Int64s
    faults: Int64s
    trailing: Int64s
    vins: dict[int, str]


def decode_packets(data: bytes, starts: Int64s, ends: Int64s) -> Packets:
    """All records of the TCP packets data[start:end], arrays of shape (m,): the path of a fleet."""
    view = np.frombuffer(data, dtype=np.uint8)
    faults = np.zeros(len(starts), dtype=np.int64)
    check_packets(view, starts, ends, faults)
    return _parse(view, starts + _HEADER, ends - (OVERHEAD - _HEADER), faults)


def decode_tcp(frame: bytes) -> Packet:
    """One TCP packet, from preamble to CRC. Wrong in any way it is not acknowledged, and has no records."""
    return decode_frames([frame])[0]


def decode_frames(frames: Sequence[bytes]) -> list[Packet]:
    """TCP packets, each on its own, by one pass over the bytes of all."""
    data, starts, ends = join(frames)
    packets = decode_packets(data, starts, ends)
    bounds = np.searchsorted(packets.packet, np.arange(len(frames) + 1)).tolist()
    faults, offsets = packets.faults.tolist(), starts.tolist()
    return [
        _tcp_packet(frame, packets, number, slice(bounds[number], bounds[number + 1]), offsets[number], faults[number])
        for number, frame in enumerate(frames)
    ]


def _tcp_packet(frame: bytes, packets: Packets, number: int, rows: slice, offset: int, code: int) -> Packet:
    if code == _SOUND:
        decoded = _decoded(frame, packets, number, rows, offset, len(frame) - 4)
        return Packet(Fault.NONE, frame[-5].to_bytes(4), decoded, frame[_HEADER:-4])
    fault = Fault(code)
    if fault is Fault.COMMAND:
        body = frame[_HEADER:-4]
        return Packet(fault, None, _nothing(frame, Rejection.UNSOLICITED), body, message=_message(body))
    return Packet(fault, None, _decoded(frame, packets, number, rows, offset, len(frame) - 4), b"")


def decode_udp(datagram: bytes) -> Packet:
    """One UDP datagram: length, packet id, type, AVL packet id, IMEI, body."""
    header = _UDP_IMEI_AT + IMEI_DIGITS
    fault, imei = _datagram_fault(datagram)
    starts, ends = np.array([header]), np.array([len(datagram)])
    packets = _parse(np.frombuffer(datagram, dtype=np.uint8), starts, ends, np.array([int(fault)]))
    fault = Fault(int(packets.faults[0]))
    body = datagram[header:] if fault in {Fault.NONE, Fault.COMMAND} else b""
    if fault is Fault.COMMAND:
        return Packet(fault, None, _nothing(datagram, Rejection.UNSOLICITED), body, imei, _message(body))
    ack = None
    if fault is Fault.NONE:
        ack = b"\x00\x05" + datagram[2:4] + b"\x01" + datagram[5:6] + body[-1:]
    decoded = _decoded(datagram, packets, 0, slice(None), 0, len(datagram))
    return Packet(fault, ack, decoded, body, imei)


def io_elements(record: bytes, codec: int) -> dict[str, int | str]:
    """The IO elements of one record by AVL id: unsigned integers, and hexadecimal text for those of variable length."""
    elements: dict[str, int | str] = {}
    id_bytes = 1 if codec == CODEC_8 else 2
    count_bytes = 2 if codec == CODEC_8E else 1
    at = _HEAD_BYTES[codec]
    for width in (1, 2, 4, 8):
        count, at = int.from_bytes(record[at : at + count_bytes]), at + count_bytes
        for _ in range(count):
            value_at = at + id_bytes
            elements[str(int.from_bytes(record[at:value_at]))] = int.from_bytes(record[value_at : value_at + width])
            at = value_at + width
    if codec == CODEC_8E:
        count, at = int.from_bytes(record[at : at + 2]), at + 2
        for _ in range(count):
            length = int.from_bytes(record[at + 2 : at + 4])
            elements[str(int.from_bytes(record[at : at + 2]))] = record[at + 4 : at + 4 + length].hex()
            at += 4 + length
    return elements


def join(frames: Sequence[bytes]) -> tuple[bytes, Int64s, Int64s]:
    """Packets one behind the other, with where each begins and ends: what `decode_packets` takes."""
    ends = np.cumsum([len(frame) for frame in frames], dtype=np.int64)
    return b"".join(frames), np.concatenate((np.zeros(1, dtype=np.int64), ends[:-1])), ends


def _parse(view: Bytes, starts: Int64s, ends: Int64s, faults: Int64s) -> Packets:
    announced = check_bodies(view, starts, ends, faults)
    trailing = np.zeros(len(starts), dtype=np.int64)
    packet, begins_at = np.empty((2, announced), dtype=np.int64)
    count = find_records(view, starts, ends, faults, trailing, packet, begins_at)
    packet, begins_at = packet[:count], begins_at[:count]
    columns = {name: np.empty(count, dtype=COLUMN_DTYPES[name]) for name in (*FIX_COLUMNS, *ELEMENT_COLUMNS)}
    read_fixes(view, begins_at, *(columns[name] for name in FIX_COLUMNS))
    vin_at = np.empty(count, dtype=np.int64)
    found = read_elements(view, starts, packet, begins_at, vin_at, *(columns[name] for name in ELEMENT_COLUMNS))
    vins = _vins(view, vin_at) if found else {}
    return Packets(make_readings(count, **columns), packet, begins_at, faults, trailing, vins)


def _vins(view: Bytes, vin_at: Int64s) -> dict[int, str]:
    """The texts at these places by row; a field that the car left empty is none."""
    rows = np.flatnonzero(vin_at >= 0).tolist()
    texts = ((row, view[vin_at[row] : vin_at[row] + VIN_LENGTH].tobytes()) for row in rows)
    return {row: text.decode("ascii", "replace") for row, text in texts if text.strip(b"\0 0")}


def _decoded(frame: bytes, packets: Packets, number: int, rows: slice, offset: int, end: int) -> Decoded:
    """The readings at `rows`, of packet `number`, which begins at `offset`.

    Bytes left over are refused by themselves, and the records stay.
    """
    readings, begins_at = packets.readings.take(rows), packets.begins_at[rows]
    trailing = int(packets.trailing[number])
    raw_of = partial(_raw_of, frame, begins_at, offset, end - 1 - trailing)
    places = np.arange(len(readings))
    first = rows.indices(len(packets.readings))[0]
    vins = {row - first: vin for row, vin in packets.vins.items() if first <= row < first + len(readings)}
    readable = readings.fix_time_us != AFTER_TIME
    if not trailing and readable.all():
        return Decoded(readings, len(readings), (), places, raw_of, vins)
    rejected = [
        Rejected(place, Rejection.FUTURE, "the time is past the year 9999", raw_of(place))
        for place in places[~readable].tolist()
    ]
    if trailing:
        rejected.append(Rejected(None, Rejection.TRAILING, f"{trailing} bytes are left after the last record", frame))
    readings = readings.take(readable)
    return Decoded(readings, len(readings) + len(rejected), tuple(rejected), places[readable], raw_of, vins)


def _raw_of(frame: bytes, begins_at: Int64s, offset: int, end: int, place: int) -> bytes:
    following = end if place + 1 == len(begins_at) else int(begins_at[place + 1]) - offset
    return frame[int(begins_at[place]) - offset : following]


def _nothing(frame: bytes, reason: Rejection) -> Decoded:
    rejected = Rejected(None, reason, "a message that answers no command of ours", frame)
    return Decoded(make_readings(0), 1, (rejected,), np.zeros(0, dtype=np.int64), lambda _: frame)


def _datagram_fault(datagram: bytes) -> tuple[Fault, str | None]:
    header = _UDP_IMEI_AT + IMEI_DIGITS
    if len(datagram) < header + 3:
        return Fault.TRUNCATED, None
    if int.from_bytes(datagram[:2]) != len(datagram) - _UDP_LENGTH_BYTES:
        return Fault.LENGTH, None
    imei = parse_imei(datagram[_UDP_IMEI_AT:header])
    if int.from_bytes(datagram[6:8]) != IMEI_DIGITS or imei is None:
        return Fault.SENDER, None
    return Fault.NONE, imei


def _message(body: bytes) -> str:
    """The text of a codec 12 to 15, as far as it is readable."""
    size = int.from_bytes(body[3:7])
    return body[_MESSAGE_TEXT_AT:-1][:size].decode("ascii", "backslashreplace")
