"""Teltonika packets to columns, CRC checked: records a second on one core, for mixed codec 8 and 8E packets.

uv run python benchmarks/decoding.py [PACKETS]
"""

import struct
import sys
from time import process_time

import numpy as np

from ingest.decoders.avl import crc16
from ingest.decoders.teltonika import decode_packets, decode_tcp, join

ROUNDS = 7
RECORDS_A_PACKET = 20
# AVL id, width: ignition, movement, GSM, sleep, GNSS status; PDOP, HDOP, external voltage, speed; odometer; ICCID.
ELEMENTS = ((239, 1), (240, 1), (21, 1), (200, 1), (69, 1), (181, 2), (182, 2), (66, 2), (24, 2), (16, 4), (11, 8))


def record(rng: np.random.Generator, time_ms: int, *, extended: bool) -> bytes:
    """One record with eleven IO elements: 69 bytes in codec 8, 88 in 8E."""
    number, count = (">H", ">H") if extended else (">B", ">B")
    fix = struct.pack(
        ">QBiihHBH", time_ms, 0, 249_384_000 + int(rng.integers(100_000)), 601_699_000, 12, int(rng.integers(360)), 11,
        int(rng.integers(120)),
    )  # fmt: skip
    parts = [fix, struct.pack(number, 0), struct.pack(count, len(ELEMENTS))]
    for width in (1, 2, 4, 8):
        chosen = [ident for ident, size in ELEMENTS if size == width]
        parts.append(struct.pack(count, len(chosen)))
        parts += [struct.pack(number, ident) + int(rng.integers(2)).to_bytes(width) for ident in chosen]
    return b"".join([*parts, b"\0\0" if extended else b""])


def packet(rng: np.random.Generator, time_ms: int, *, extended: bool) -> bytes:
    """A TCP packet of RECORDS_A_PACKET records, one a second."""
    inner = b"".join(record(rng, time_ms + 1000 * n, extended=extended) for n in range(RECORDS_A_PACKET))
    count = bytes([RECORDS_A_PACKET])
    body = (b"\x8e" if extended else b"\x08") + count + inner + count
    crc = crc16(np.frombuffer(body, dtype=np.uint8), 0, len(body))
    return bytes(4) + struct.pack(">I", len(body)) + body + struct.pack(">I", crc)


def main(count: int) -> None:
    """Print one line a way of decoding."""
    rng = np.random.default_rng(1)
    frames = [packet(rng, 1_790_852_400_000 + 20_000 * n, extended=n % 2 == 1) for n in range(count)]
    data, starts, ends = join(frames)
    records = count * RECORDS_A_PACKET
    print(f"{count:,} packets, half codec 8, half 8E; {records:,} records; {len(data) / records:.0f} bytes a record")
    assert len(decode_packets(data, starts, ends).readings) == records
    report("one batch", records, len(data), lambda: decode_packets(data, starts, ends))
    report("packet by packet", records, len(data), lambda: [decode_tcp(frame) for frame in frames])


def report(name: str, records: int, size: int, run: object) -> None:
    """The best of some rounds, in processor time: one core's."""
    assert callable(run)
    seconds = []
    for _ in range(ROUNDS):
        began = process_time()
        run()
        seconds.append(process_time() - began)
    best = min(seconds)
    print(f"{name:<18} {records / best / 1e6:6.2f} million records/s  {size / best / 1e6:6.0f} MB/s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2500)
