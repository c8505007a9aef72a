"""Two cars' autumn as their devices report it: the fixed set of records that every chaotic history must end with.

Constructed physics on both sides of a month's end: hard brakes, a trip over local midnight, silences inside and between
trips, a way that nobody reported, a teleport and back, clashes of content at one fix time, readings without a fix,
and records that are always refused. A record goes by one protocol; some are told by two, which is a clash.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal

import numpy as np

from ingest.decoded import Decoded
from ingest.decoders import osmand, wayrate
from ingest.decoders.teltonika import decode_tcp
from ingest.readings import Readings
from tests.ingest.teltonika_frames import Record, body, packet
from tests.scoring.driving import drive, profile

type Protocol = Literal["wayrate", "teltonika", "osmand"]

DEVICES = ("imei-356307042441013", "imei-352093081452251")
POLICY_OF = {DEVICES[0]: "P-1", DEVICES[1]: "P-2"}
PERIODS = ("2026-09", "2026-10")
MOST_A_FRAME: dict[Protocol, int] = {"wayrate": 5000, "teltonika": 255, "osmand": 1}


@dataclass(frozen=True, slots=True)
class Sent:
    """One record as one protocol says it."""

    protocol: Protocol
    fields: tuple[tuple[str, float], ...]  # names of `Readings`, and fix_time_us


@dataclass(frozen=True, slots=True)
class Frame:
    """Bytes for the front door, and how they are read."""

    protocol: Protocol
    rows: tuple[int, ...]  # places in the world
    body: bytes
    decode: Callable[[bytes], Decoded]


def _at(day: datetime) -> int:
    return round(day.timestamp()) * 1_000_000


def _drives(number: int) -> list[tuple[Protocol, Readings]]:
    """The drives of car `number`, each with the protocol that reports it."""
    city = profile((0, 0), (8, 13), (60, 13), (63, 3), (75, 14), (120, 14), (123, 3), (135, 12), (190, 12), (200, 0))
    trunk = profile((0, 0), (15, 22), (560, 22), (600, 0))
    north = 60.17 + number / 10
    start = partial(datetime, 2026, tzinfo=UTC)
    seconds = np.arange(201)
    first = drive(
        200, city, start_us=_at(start(month=9, day=28, hour=6)), origin=(north, 24.94), noise_m=2, seed=number
    )
    # Seen at home only hours later and kilometres away: a way that nobody reported.
    home = drive(
        1, profile((0, 0), (1, 0)), start_us=_at(start(month=9, day=28, hour=15)), origin=(north + 0.05, 24.99)
    )
    # Local midnight of the month's end (UTC+3) lies in this one; 200 s in it are silent, and 150 s more come as phone.
    midnight = drive(
        600, trunk, interval_s=5.0, start_us=_at(start(month=9, day=30, hour=20, minute=55)), origin=(north, 24.7)
    )
    at_s = np.arange(len(midnight)) * 5
    october = drive(200, city, start_us=_at(start(month=10, day=5, hour=7)), origin=(north, 25.0), noise_m=2, seed=9)
    thrown = october.replace(latitude_deg=october.latitude_deg + np.where((seconds > 90) & (seconds < 96), 4.0, 0.0))
    far = drive(200, city, start_us=_at(start(month=10, day=5, hour=9)), origin=(north - 1, 25.0), noise_m=2, seed=3)
    moved = far.replace(latitude_deg=far.latitude_deg + np.where(seconds > 120, 3.0, 0.0))
    clash = far.take(slice(20, 40))
    night = drive(600, trunk, interval_s=10.0, start_us=_at(start(month=10, day=19, hour=22)), origin=(north, 24.8))
    return [
        ("wayrate", first),
        ("teltonika", home.take(slice(0, 1))),
        ("teltonika", midnight.take((at_s < 100) | (at_s >= 450))),
        ("osmand", midnight.take((at_s >= 300) & (at_s < 330))),
        ("wayrate", midnight.take((at_s >= 330) & (at_s < 450))),
        ("wayrate", thrown),
        ("teltonika", moved),
        ("wayrate", clash.replace(latitude_deg=clash.latitude_deg + 0.0002, satellites=np.full(20, 12.0))),
        ("teltonika", night),
        ("osmand", night.take(slice(10, 13))),
    ]


def records(number: int) -> list[Sent]:
    """All records of car `number`, in order of fix time, those that are always refused among them."""
    found = [
        _sent(protocol, _fields(readings, row))
        for protocol, readings in _drives(number)
        for row in range(len(readings))
    ]
    place = {"latitude_deg": 60.0, "longitude_deg": 25.0, "heading_deg": 0.0}
    lost_us = _at(datetime(2026, 10, 5, 8, tzinfo=UTC))
    nowhere = {"latitude_deg": 0.0, "longitude_deg": 0.0}
    found += [_sent("teltonika", nowhere | {"fix_time_us": lost_us + second * 10**6}) for second in range(5)]
    found += [
        _sent("wayrate", place | {"fix_time_us": lost_us, "speed_mps": 900.0}),
        _sent("wayrate", place | {"fix_time_us": _at(datetime(2031, 1, 1, tzinfo=UTC))}),
        _sent("teltonika", place | {"fix_time_us": _at(datetime(2000, 1, 1, tzinfo=UTC))}),
    ]
    return sorted(found, key=lambda sent: (dict(sent.fields)["fix_time_us"], sent.protocol, sent.fields))


def _sent(protocol: Protocol, fields: dict[str, float]) -> Sent:
    return Sent(protocol, tuple(sorted(fields.items())))


def _fields(readings: Readings, row: int) -> dict[str, float]:
    names = ("latitude_deg", "longitude_deg", "speed_mps", "heading_deg", "satellites")
    values = {name: round(float(getattr(readings, name)[row]), 7) for name in names}
    return {name: value for name, value in values.items() if not np.isnan(value)} | {
        "fix_time_us": int(readings.fix_time_us[row])
    }


def frames(sent: Mapping[int, Sent]) -> list[Frame]:
    """The records by their place in the world, in the order given, packed as each protocol packs them."""
    rows: dict[Protocol, list[int]] = {"wayrate": [], "teltonika": [], "osmand": []}
    for row, one in sent.items():
        rows[one.protocol].append(row)
    made = []
    for protocol, most in MOST_A_FRAME.items():
        for start in range(0, len(rows[protocol]), most):
            part = rows[protocol][start : start + most]
            fields = [dict(sent[row].fields) for row in part]
            made.append(Frame(protocol, tuple(part), ENCODERS[protocol](fields), DECODERS[protocol]))
    return made


def _json(rows: list[dict[str, float]]) -> bytes:
    readings = [{"fix_time" if name == "fix_time_us" else name: value for name, value in row.items()} for row in rows]
    return json.dumps({"readings": [one | {"fix_time": one["fix_time"] / 1e6} for one in readings]}).encode()


def _packet(rows: list[dict[str, float]]) -> bytes:
    return packet(body([_avl(row) for row in rows], 0x8E))


def _avl(row: dict[str, float]) -> Record:
    return Record(
        time_ms=int(row["fix_time_us"]) // 1000,
        longitude_e7=round(row["longitude_deg"] * 1e7),
        latitude_e7=round(row["latitude_deg"] * 1e7),
        heading_deg=round(row.get("heading_deg", 0.0)) % 360,
        satellites=9 if row["latitude_deg"] else 0,
        speed_kmh=round(row.get("speed_mps", 0.0) * 3.6),
        elements=((239, 1, 1),),
    )


def _query(rows: list[dict[str, float]]) -> bytes:
    (row,) = rows
    knots = row["speed_mps"] * 3600 / 1852
    return (
        f"id=x&timestamp={int(row['fix_time_us']) // 10**6}&lat={row['latitude_deg']}&lon={row['longitude_deg']}"
        f"&speed={knots:.6f}&bearing={row['heading_deg']}"
    ).encode()


ENCODERS: dict[Protocol, Callable[[list[dict[str, float]]], bytes]] = {
    "wayrate": _json,
    "teltonika": _packet,
    "osmand": _query,
}
DECODERS: dict[Protocol, Callable[[bytes], Decoded]] = {
    "wayrate": wayrate.decode,
    "teltonika": lambda frame: decode_tcp(frame).decoded,
    "osmand": partial(osmand.decode, credential="", is_json=False),
}
