"""Readings as the frames of real devices: Teltonika TCP packets (codec 8 and 8 Extended), OsmAnd, own batches."""

import struct
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from ingest.decoders.avl import CODEC_8, CODEC_8E, crc16
from simulator.upload import batch_json
from simulator.world import Columns

type Indices = NDArray[np.intp]

RECORDS_A_PACKET = 25
KMH_A_MPS = 3.6
MPS_PER_KNOT = 1852 / 3600
_OSMAND_NAMES = {
    "lat": "latitude_deg",
    "lon": "longitude_deg",
    "bearing": "heading_deg",
    "hdop": "hdop",
    "accuracy": "accuracy_m",
    "sat": "satellites",
}
IGNITION, ODOMETER, HDOP = 239, 16, 182  # AVL ids
# How long a device collects before it sends: phones save their radio, boxes and trackers send by the half minute.
COLLECTS_S = {"phone": 60.0, "box": 30.0, "tracker": 30.0}


def batches(columns: Columns, device_kind: str) -> list[Columns]:
    """The readings as the device sends them: collected for `COLLECTS_S`, in order."""
    times_us = columns["fix_time_us"]
    if not len(times_us):
        return []
    slot = (times_us - times_us[0]) // round(COLLECTS_S[device_kind] * 1e6)
    cuts = np.flatnonzero(np.diff(slot)) + 1
    return [rows_of(columns, rows) for rows in np.split(np.arange(len(times_us)), cuts)]


def rows_of(columns: Columns, rows: Indices) -> Columns:
    """The columns at some rows."""
    return {name: values[rows] for name, values in columns.items()}


def imei_of(number: int) -> str:
    """A valid IMEI for a simulated tracker: a test TAC, the number, the Luhn digit."""
    digits = f"35000000{number:06}"
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(digits)]
    return digits + str(-sum(value // 10 + value % 10 for value in doubled) % 10)


def teltonika_packets(columns: Columns, *, extended: bool) -> Iterator[bytes]:
    """The readings as TCP packets of up to `RECORDS_A_PACKET` records, CRC and all.

    What the protocol cannot say is lost as on a real device: speeds are whole km/h, headings whole degrees.
    """
    records = _records(columns, extended=extended)
    for first in range(0, len(records), RECORDS_A_PACKET):
        some = records[first : first + RECORDS_A_PACKET]
        count = bytes([len(some)])
        body = bytes([CODEC_8E if extended else CODEC_8]) + count + some.tobytes() + count
        crc = crc16(np.frombuffer(body, dtype=np.uint8), 0, len(body))
        yield struct.pack(">II", 0, len(body)) + body + struct.pack(">I", crc)


def _record_type(*, extended: bool) -> np.dtype[np.void]:
    ident = ">u2" if extended else "u1"
    fields = [
        ("time_ms", ">u8"), ("priority", "u1"), ("longitude_e7", ">i4"), ("latitude_e7", ">i4"), ("altitude", ">i2"),
        ("heading", ">u2"), ("satellites", "u1"), ("speed_kmh", ">u2"), ("event", ident), ("elements", ident),
        ("ones", ident), ("ignition_id", ident), ("ignition", "u1"), ("twos", ident), ("hdop_id", ident),
        ("hdop", ">u2"),        ("fours", ident), ("odometer_id", ident), ("odometer", ">u4"), ("eights", ident),
    ]  # fmt: skip
    return np.dtype(fields + ([("variable", ident)] if extended else []))


def _records(columns: Columns, *, extended: bool) -> NDArray[np.void]:
    """One packed record a reading."""
    count = len(columns["fix_time_us"])
    records = np.zeros(count, dtype=_record_type(extended=extended))

    def whole(name: str, factor: float) -> NDArray[np.float64]:
        values = columns.get(name, np.zeros(count))
        return np.nan_to_num(np.round(values * factor))

    records["time_ms"] = columns["fix_time_us"] // 1000
    records["longitude_e7"], records["latitude_e7"] = whole("longitude_deg", 1e7), whole("latitude_deg", 1e7)
    records["heading"], records["satellites"] = whole("heading_deg", 1.0) % 360, whole("satellites", 1.0)
    records["speed_kmh"] = whole("speed_mps", KMH_A_MPS)
    records["elements"] = 3
    records["ones"], records["ignition_id"], records["ignition"] = 1, IGNITION, whole("ignition", 1.0)
    records["twos"], records["hdop_id"], records["hdop"] = 1, HDOP, whole("hdop", 10.0)
    records["fours"], records["odometer_id"], records["odometer"] = 1, ODOMETER, whole("odometer_m", 1.0)
    return records


def frame_line(columns: Columns, device_kind: str) -> Iterator[str]:
    """Batches as lines that `wayrate decode` reads: hexadecimal packets of trackers, our JSON of all others."""
    for batch in batches(columns, device_kind):
        if device_kind == "tracker":
            yield from (packet.hex() for packet in teltonika_packets(batch, extended=True))
        else:
            yield batch_json(batch).decode()


def osmand_queries(columns: Columns, token: str) -> list[dict[str, str]]:
    """An OsmAnd request a reading, as its query, in the order given; what is NaN is left out."""
    queries = []
    for row, time_us in enumerate(columns["fix_time_us"].tolist()):
        query = {"id": token, "timestamp": datetime.fromtimestamp(time_us / 1e6, UTC).isoformat()}
        for short, name in _OSMAND_NAMES.items():
            if name in columns and np.isfinite(columns[name][row]):
                query[short] = repr(float(columns[name][row]))
        if np.isfinite(columns["speed_mps"][row]):
            query["speed"] = repr(float(columns["speed_mps"][row]) / MPS_PER_KNOT)
        queries.append(query)
    return queries
