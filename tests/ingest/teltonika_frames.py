"""Teltonika packets written from the protocol's pages, byte by byte and slowly: what the decoder is held against."""

import struct
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Record:
    time_ms: int = 1_790_852_400_000  # 2026-10-01T11:00:00Z
    longitude_e7: int = 249_384_000
    latitude_e7: int = 601_699_000
    altitude_m: int = 12
    heading_deg: int = 92
    satellites: int = 11
    speed_kmh: int = 36
    # (AVL id, width in bytes, value)
    elements: tuple[tuple[int, int, int], ...] = ((239, 1, 1), (182, 2, 7), (16, 4, 123_456))
    long_elements: tuple[tuple[int, bytes], ...] = field(default=())


def crc16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return crc


def record_bytes(record: Record, codec: int) -> bytes:
    small, wide = (">B", ">B") if codec == 0x08 else (">H", ">H" if codec == 0x8E else ">B")
    fix = struct.pack(
        ">QBiihHBH", record.time_ms, 1, record.longitude_e7, record.latitude_e7, record.altitude_m, record.heading_deg,
        record.satellites, record.speed_kmh,
    )  # fmt: skip
    extra = record.long_elements if codec == 0x8E else ()
    head = struct.pack(small, 0) + (b"\x05" if codec == 0x10 else b"")
    head += struct.pack(wide, len(record.elements) + len(extra))
    sections = b""
    for width in (1, 2, 4, 8):
        chosen = [one for one in record.elements if one[1] == width]
        sections += struct.pack(wide, len(chosen))
        sections += b"".join(struct.pack(small, ident) + value.to_bytes(width) for ident, _, value in chosen)
    if codec == 0x8E:
        sections += struct.pack(">H", len(extra))
        sections += b"".join(struct.pack(">HH", ident, len(value)) + value for ident, value in extra)
    return fix + head + sections


def body(records: list[Record], codec: int = 0x08, *, count: int | None = None, trailing: bytes = b"") -> bytes:
    announced = bytes([len(records) if count is None else count])
    inner = b"".join(record_bytes(record, codec) for record in records)
    return bytes([codec]) + announced + inner + trailing + announced


def packet(content: bytes) -> bytes:
    """A TCP packet around the body, or around any bytes."""
    return bytes(4) + struct.pack(">I", len(content)) + content + struct.pack(">I", crc16(content))


def datagram(imei: str, content: bytes, packet_id: int = 0xCAFE, avl_packet_id: int = 5) -> bytes:
    inner = struct.pack(">HBBH", packet_id, 1, avl_packet_id, len(imei)) + imei.encode() + content
    return struct.pack(">H", len(inner)) + inner
