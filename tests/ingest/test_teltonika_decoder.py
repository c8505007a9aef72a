"""Teltonika: every public frame with its values or its fault, and packets made from the specification."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.decoders.avl import Fault, crc16
from ingest.decoders.teltonika import decode_packets, decode_tcp, decode_udp, io_elements, join
from ingest.imei import parse_imei
from ingest.readings import Flag
from ingest.rejection import Rejection
from tests.ingest import teltonika_frames as made
from tests.ingest.teltonika_frames import Record, body, datagram, packet

IMEI = "356307042441013"  # of the protocol's own page
# What each public frame is, in order.
FAULTS = [
    *[Fault.COMMAND] * 4,
    *[Fault.NONE] * 8,
    *[Fault.CRC] * 9,
    *[Fault.COMMAND] * 4,
    *[Fault.NONE] * 2,
]


def public_frames(shared_data: Path) -> list[dict[str, object]]:
    frames: list[dict[str, object]] = json.loads((shared_data / "frames" / "teltonika.json").read_text())
    return frames


def test_every_public_frame_is_taken_or_has_its_fault(shared_data: Path) -> None:
    packets = [decode_tcp(bytes.fromhex(str(one["hex"]))) for one in public_frames(shared_data)]
    assert [one.fault for one in packets] == FAULTS
    for one in packets:
        taken = one.fault is Fault.NONE
        assert one.ack == (one.records.to_bytes(4) if taken else None)
        assert len(one.decoded.readings) == one.records


def test_the_values_of_public_frames_are_those_of_the_public_decoders(shared_data: Path) -> None:
    compared = 0
    for frame in public_frames(shared_data):
        if "decoded_by_public_decoder" not in frame:
            continue
        records = frame["decoded_by_public_decoder"]["records"]  # type: ignore[index]
        taken = decode_tcp(bytes.fromhex(str(frame["hex"])))
        readings = taken.decoded.readings
        assert readings.fix_time_us.tolist() == [
            np.datetime64(one["t"].removesuffix("Z"), "us").astype(int) for one in records
        ]
        for name, key in (("latitude_deg", "lat"), ("longitude_deg", "lon")):
            said = [one[key] if one["lat"] or one["lon"] else np.nan for one in records]
            np.testing.assert_allclose(getattr(readings, name), said, atol=6e-8)
        for name, key in (("altitude_m", "alt"), ("heading_deg", "ang"), ("satellites", "sat")):
            assert getattr(readings, name).tolist() == [one[key] for one in records]
        np.testing.assert_allclose(readings.speed_mps, [one["spd"] / 3.6 for one in records], rtol=1e-6)
        for place, one in enumerate(records):
            elements = io_elements(taken.decoded.raw_of(place), taken.body[0])
            assert len(elements) == one["ioN"]
            assert {ident: as_number(value) for ident, value in elements.items()} == {
                ident: int(value) for ident, value in one["io"].items()
            }
            compared += len(elements)
    assert compared > 100


def as_number(value: int | str) -> int:
    return int(value, 16) if isinstance(value, str) else value


elements = st.lists(
    st.sampled_from([1, 2, 4, 8]).flatmap(
        lambda width: st.tuples(st.integers(0, 255), st.just(width), st.integers(0, 256**width - 1))
    ),
    max_size=12,
).map(tuple)
records = st.builds(
    Record,
    time_ms=st.integers(0, 253_402_300_799_999),
    longitude_e7=st.integers(-(2**31), 2**31 - 1),
    latitude_e7=st.integers(-(2**31), 2**31 - 1),
    altitude_m=st.integers(-(2**15), 2**15 - 1),
    heading_deg=st.integers(0, 65535),
    satellites=st.integers(0, 255),
    speed_kmh=st.integers(0, 65535),
    elements=elements,
    long_elements=st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=40)), max_size=2).map(tuple),
)


@settings(deadline=None)
@given(batch=st.lists(records, max_size=4), codec=st.sampled_from([0x08, 0x8E, 0x10]))
def test_what_is_encoded_is_decoded(batch: list[Record], codec: int) -> None:
    over_tcp, over_udp = decode_tcp(packet(body(batch, codec))), decode_udp(datagram(IMEI, body(batch, codec)))
    assert over_tcp.ack == struct.pack(">I", len(batch))
    assert over_udp.ack == bytes.fromhex("0005cafe0105") + bytes([len(batch)])
    assert over_udp.imei == IMEI
    for taken in (over_tcp, over_udp):
        readings = taken.decoded.readings
        assert taken.fault is Fault.NONE
        assert readings.fix_time_us.tolist() == [one.time_ms * 1000 for one in batch]
        for place, one in enumerate(batch):
            nowhere = abs(one.latitude_e7) < 10_000 and abs(one.longitude_e7) < 10_000
            position = (readings.latitude_deg[place] * 1e7, readings.longitude_deg[place] * 1e7)
            expected = (np.nan, np.nan) if nowhere else (one.latitude_e7, one.longitude_e7)
            np.testing.assert_allclose(position, expected, atol=1e-3)
            assert bool(readings.flags[place] & Flag.NO_FIX) == (nowhere or one.satellites == 0)
            said = {ident: value for ident, width, value in sorted(one.elements, key=lambda element: element[1])}
            np.testing.assert_allclose(readings.odometer_m[place], said.get(16, np.nan))
            np.testing.assert_allclose(readings.hdop[place], said.get(182, np.nan) / 10, rtol=1e-6)
            np.testing.assert_allclose(readings.ignition[place], said.get(239, np.nan), rtol=1e-6)
            assert taken.decoded.raw_of(place) == made.record_bytes(one, codec)


@given(content=st.binary(max_size=100))
def test_the_checksum_is_the_one_computed_bit_by_bit(content: bytes) -> None:
    assert crc16(np.frombuffer(content, dtype=np.uint8), 0, len(content)) == made.crc16(content)


ONE = body([Record()])
FAULTY: list[tuple[str, bytes, Fault]] = [
    ("1 preamble", b"\x01" + packet(ONE)[1:], Fault.PREAMBLE),
    ("2 length 0", bytes(12), Fault.LENGTH),
    ("2 length over 64 KiB", bytes(4) + struct.pack(">I", 65537) + bytes(65541), Fault.LENGTH),
    ("2 length 0xFFFFFFFF", bytes(4) + b"\xff" * 4, Fault.LENGTH),
    ("3 shorter than its content", packet(ONE) + b"\0", Fault.LENGTH),
    ("4 truncated", packet(ONE)[:-1], Fault.TRUNCATED),
    ("4 nothing", b"", Fault.TRUNCATED),
    ("5 one bit", packet(ONE)[:20] + bytes([packet(ONE)[20] ^ 1]) + packet(ONE)[21:], Fault.CRC),
    ("6 upper half of the CRC", packet(ONE)[:-4] + b"\0\1" + packet(ONE)[-2:], Fault.CRC_HIGH),
    ("7 counts differ", packet(ONE[:-1] + b"\2"), Fault.COUNTS_DIFFER),
    ("9 255 announced, 3 there", packet(body([Record()] * 3, count=255)), Fault.RECORDS_SHORT),
    ("11 unknown codec", packet(b"\x77" + ONE[1:]), Fault.CODEC),
]


@pytest.mark.parametrize(("frame", "fault"), [case[1:] for case in FAULTY], ids=[case[0] for case in FAULTY])
def test_a_faulty_packet_is_not_acknowledged_and_has_no_reading(frame: bytes, fault: Fault) -> None:
    taken = decode_tcp(frame)
    assert (taken.fault, taken.ack, taken.records, len(taken.decoded.readings)) == (fault, None, 0, 0)


def test_no_record_is_acknowledged_as_none() -> None:
    taken = decode_tcp(packet(body([])))
    assert (taken.fault, taken.ack, taken.decoded.received) == (Fault.NONE, bytes(4), 0)


def test_bytes_left_over_are_refused_and_the_records_before_them_stay() -> None:
    taken = decode_tcp(packet(body([Record()] * 2, trailing=b"\xab\xcd")))
    assert taken.ack == b"\0\0\0\2"
    assert len(taken.decoded.readings) == 2
    assert [(one.record_index, one.reason) for one in taken.decoded.rejected] == [(None, Rejection.TRAILING)]


def test_an_answer_to_no_command_is_unsolicited() -> None:
    taken = decode_tcp(packet(b"\x0c\x01\x06" + struct.pack(">I", 5) + b"hello" + b"\x01"))
    assert (taken.fault, taken.ack, taken.message) == (Fault.COMMAND, None, "hello")
    assert [one.reason for one in taken.decoded.rejected] == [Rejection.UNSOLICITED]


def test_a_time_that_no_calendar_has_is_refused_alone() -> None:
    taken = decode_tcp(packet(body([Record(), Record(time_ms=2**64 - 1)])))
    assert [(one.record_index, one.reason) for one in taken.decoded.rejected] == [(1, Rejection.FUTURE)]
    assert taken.decoded.record_index.tolist() == [0]


def test_a_long_element_is_kept_and_one_that_overruns_is_no_record() -> None:
    sound = body([Record(elements=(), long_elements=((9999, b"\xaa" * 300),))], 0x8E)
    taken = decode_tcp(packet(sound))
    assert io_elements(taken.decoded.raw_of(0), 0x8E) == {"9999": "aa" * 300}
    at = sound.index(struct.pack(">HH", 9999, 300)) + 2
    overrun = sound[:at] + b"\xff\xff" + sound[at + 2 :]
    assert decode_tcp(packet(overrun)).fault is Fault.RECORDS_SHORT


@pytest.mark.parametrize("cut", range(1, 70))
def test_a_body_cut_anywhere_is_faulty(cut: int) -> None:
    whole = body([Record(long_elements=((7, b"abc"),))], 0x8E)
    assert decode_tcp(packet(whole[: -cut - 1] + whole[-1:])).fault is not Fault.NONE


def test_many_packets_decode_as_each_alone_and_a_faulty_one_spoils_only_itself() -> None:
    frames = [packet(body([Record(time_ms=k * 1000 + n) for n in range(k)], (8, 0x8E, 0x10)[k % 3])) for k in range(9)]
    frames[4] = frames[4][:-1] + bytes([frames[4][-1] ^ 1])
    packets = decode_packets(*join(frames))
    assert packets.faults.tolist() == [Fault.CRC if k == 4 else Fault.NONE for k in range(9)]
    assert packets.packet.tolist() == [k for k in range(9) if k != 4 for _ in range(k)]
    assert packets.readings.fix_time_us.tolist() == [
        (k * 1000 + n) * 1000 for k in range(9) if k != 4 for n in range(k)
    ]


@pytest.mark.parametrize(
    ("digits", "valid"),
    [
        (IMEI.encode(), True),
        (b"356307042441014", False),  # Luhn
        (IMEI[:-1].encode(), False),
        (IMEI.encode() + b"0", False),
        (b"35630704244101a", False),
        ("３５６３０７０４２４４１０１３".encode(), False),
        ("٣".encode() * 7 + b"3", False),
    ],
)
def test_an_imei_is_fifteen_ascii_digits_with_their_check_digit(digits: bytes, *, valid: bool) -> None:
    assert parse_imei(digits) == (digits.decode() if valid else None)


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        (datagram(IMEI, ONE)[:-1], Fault.LENGTH),
        (datagram(IMEI, ONE)[:20], Fault.TRUNCATED),
        (datagram("356307042441014", ONE), Fault.SENDER),
        (datagram(IMEI, ONE[:-1] + b"\2"), Fault.COUNTS_DIFFER),
        (datagram(IMEI, b"\x77" + ONE[1:]), Fault.CODEC),
    ],
)
def test_a_faulty_datagram_is_not_acknowledged(frame: bytes, fault: Fault) -> None:
    taken = decode_udp(frame)
    assert (taken.fault, taken.ack) == (fault, None)
