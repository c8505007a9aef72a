"""Teltonika packets of a whole fleet at once, by arrays: what a load needs thousands of a second."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingest.compiled import compiled
from ingest.decoders.avl import crc16

CODEC_8, CODEC_8E = 0x08, 0x8E
MAX_RECORDS = 255  # of one packet: its count is one byte
_STEP_MS = 1000  # between a vehicle's readings
_ELEMENTS = ((239, "u1"), (182, ">u2"), (16, ">u4"))  # ignition, HDOP in tenths, odometer in metres
_KMH_E7 = 25  # of latitude in a second at 1 km/h, in the packet's unit of 1e-7 degrees
_MEAN_KMH, _SWING_KMH, _SWING_S = 50.0, 45.0, 120.0  # faster and slower again, at most 0.66 m/s2: nothing is an event


@dataclass(frozen=True, slots=True)
class Round:
    """One packet of each of v vehicles, or one batch of our own; `records` readings in each.

    `times_ms`, `latitude_deg`, `longitude_deg` and `speed_mps` have shape (v, records).
    """

    packets: list[bytes]
    times_ms: NDArray[np.int64]
    latitude_deg: NDArray[np.float64]
    longitude_deg: NDArray[np.float64]
    speed_mps: NDArray[np.float64]


def rounds(vehicles: int, records: int, start_ms: int, rng: np.random.Generator) -> Iterator[Round]:
    """Round after round, each vehicle's readings one second apart and never repeated. Odd vehicles speak 8 Extended.

    All drive north, each from its own place and at its own point of one rhythm, so scoring has a drive to score.
    """
    latitude = 601_000_000 + rng.integers(0, 2_000_000, (vehicles, 1))
    longitude = 248_000_000 + rng.integers(0, 2_000_000, (vehicles, 1))
    odometer_m = rng.integers(1000, 200_000, (vehicles, 1))
    phase_s = rng.uniform(0.0, _SWING_S, (vehicles, 1))
    first = 0
    while True:
        step = np.arange(first, first + records)
        swing = np.sin(2 * np.pi * (step + phase_s) / _SWING_S)
        speed_kmh = np.rint(_MEAN_KMH + _SWING_KMH * swing).astype(np.int64)
        times_ms = np.broadcast_to(start_ms + step * _STEP_MS, (vehicles, records))
        north = latitude + np.cumsum(speed_kmh, axis=1) * _KMH_E7
        fields = {
            "time": times_ms,
            "longitude": np.broadcast_to(longitude, north.shape),
            "latitude": north,
            "heading": np.zeros((vehicles, records), dtype=np.int64),
            "speed": speed_kmh,
            "element 16": odometer_m + np.cumsum(speed_kmh, axis=1) * 10 // 36,
        }
        packets: list[bytes] = [b""] * vehicles
        for codec, rows in ((CODEC_8, slice(0, None, 2)), (CODEC_8E, slice(1, None, 2))):
            packets[rows] = _packets({name: values[rows] for name, values in fields.items()}, codec)
        yield Round(packets, times_ms, north / 1e7, fields["longitude"] / 1e7, speed_kmh / 3.6)
        latitude, odometer_m = north[:, -1:], fields["element 16"][:, -1:]
        first += records


def _packets(fields: dict[str, NDArray[np.int64]], codec: int) -> list[bytes]:
    vehicles, records = fields["time"].shape
    layout = np.dtype(
        [
            ("preamble", ">u4"), ("length", ">u4"), ("codec", "u1"), ("count", "u1"),
            ("records", _record(codec), (records,)), ("again", "u1"), ("crc", ">u4"),
        ]
    )  # fmt: skip
    rows = np.zeros(vehicles, dtype=layout)
    body_bytes = layout.itemsize - 12
    rows["length"], rows["codec"], rows["count"], rows["again"] = body_bytes, codec, records, records
    inner = rows["records"]
    inner["altitude"], inner["satellites"], inner["elements"] = 20, 11, len(_ELEMENTS)
    for number, _ in _ELEMENTS:
        inner[f"count {number}"], inner[f"id {number}"] = 1, number
    inner["element 239"], inner["element 182"] = 1, 7
    for name, values in fields.items():
        inner[name] = values
    view = rows.view(np.uint8).reshape(vehicles, layout.itemsize)
    checks = np.zeros(vehicles, dtype=np.int64)
    _checksums(view.reshape(-1), layout.itemsize, checks)
    rows["crc"] = checks
    return [row.tobytes() for row in view]


def _record(codec: int) -> np.dtype[np.void]:
    """A record's layout with one element of one, two and four bytes, and none of eight."""
    wide = "u1" if codec == CODEC_8 else ">u2"
    fields: list[tuple[str, str]] = [
        ("time", ">u8"), ("priority", "u1"), ("longitude", ">i4"), ("latitude", ">i4"), ("altitude", ">i2"),
        ("heading", ">u2"), ("satellites", "u1"), ("speed", ">u2"), ("event", wide), ("elements", wide),
    ]  # fmt: skip
    for number, width in _ELEMENTS:
        fields += [(f"count {number}", wide), (f"id {number}", wide), (f"element {number}", width)]
    fields.append(("count of eight bytes", wide))
    if codec == CODEC_8E:
        fields.append(("count of variable length", ">u2"))
    return np.dtype(fields)


@compiled
def _checksums(data: NDArray[np.uint8], size: int, checks: NDArray[np.int64]) -> None:
    for row in range(len(checks)):
        checks[row] = crc16(data, row * size + 8, (row + 1) * size - 4)
