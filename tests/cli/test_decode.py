"""`wayrate decode`: the stated keys in frame order, and the answer a device would get, for every protocol."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ingest.conftest import SHARED_DATA
from tests.ingest.teltonika_frames import Record, body, datagram, packet

ROOT = Path(__file__).parents[2]
KEYS = {
    "fix_time", "latitude_deg", "longitude_deg", "altitude_m", "speed_mps", "heading_deg", "satellites", "hdop",
    "ignition", "odometer_m", "io", "flags", "rejection",
}  # fmt: skip
type Line = dict[str, object]


def decode(protocol: str, *words: str | Path, said: str = "") -> list[Line]:
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "decode", protocol, *map(str, words)],
        cwd=ROOT,
        input=said,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_frames_come_out_record_by_record_with_their_answers() -> None:
    frames = [
        packet(body([Record(), Record(time_ms=1_790_852_401_500, latitude_e7=0, longitude_e7=0, satellites=0)], 0x8E)),
        packet(body([Record(latitude_e7=910_000_000)], trailing=b"\0")),
        packet(body([Record()]))[:-1] + b"\0",
        packet(body([])),
        datagram("356307042441013", body([Record()], 0x10)),
        b"\x00\x0f356307042441013",
        b"\x00\x0f356307042441014",
    ]
    lines = decode("teltonika", said="\n".join(frame.hex() for frame in frames) + "\nhello\n")
    first, without_fix, outside, over_udp = (line for line in lines if "ack_hex" not in line)
    assert set(first) == KEYS
    assert first == {
        "fix_time": "2026-10-01T11:00:00.000Z", "latitude_deg": 60.1699, "longitude_deg": 24.9384, "altitude_m": 12,
        "speed_mps": 10, "heading_deg": 92, "satellites": 11, "hdop": 0.7, "ignition": True, "odometer_m": 123_456,
        "io": {"239": 1, "182": 7, "16": 123_456}, "flags": [], "rejection": None,
    }  # fmt: skip
    assert over_udp == first
    assert [without_fix[name] for name in ("fix_time", "latitude_deg", "longitude_deg", "flags")] == [
        "2026-10-01T11:00:01.500Z", None, None, ["no_fix"],
    ]  # fmt: skip
    assert (outside["latitude_deg"], outside["rejection"]) == (91, "range")
    assert [line for line in lines if "ack_hex" in line] == [
        {"ack_hex": "00000002", "records": 2},
        {"ack_hex": "00000001", "records": 1, "fault": "trailing"},
        {"ack_hex": None, "records": 0, "fault": "crc"},
        {"ack_hex": "00000000", "records": 0},
        {"ack_hex": "0005cafe010501", "records": 1},
        {"ack_hex": "01", "records": 0},
        {"ack_hex": "00", "records": 0, "fault": "imei"},
        {"ack_hex": None, "records": 0, "fault": "not_hexadecimal"},
    ]


@pytest.mark.parametrize(
    ("protocol", "name", "records", "refused"),
    [
        ("teltonika", "teltonika.json", 16, []),
        ("owntracks", "OwnTracks.jsonl", 6, []),
        ("osmand", "OsmAnd.jsonl", 15, ["naive_time", "missing_field", "missing_field"]),
    ],
)
def test_the_public_files_are_read_as_they_are(protocol: str, name: str, records: int, refused: list[str]) -> None:
    if not SHARED_DATA.is_dir():
        pytest.skip("the folder of real data (../shared/data) is not here")
    lines = decode(protocol, SHARED_DATA / "frames" / name)
    said = [line for line in lines if "ack_hex" not in line]
    assert len(said) == records
    assert all(set(line) == KEYS for line in said)
    assert [line["rejection"] for line in said if line["rejection"]] == refused


WAYRATE = (
    '{"readings": [{"fix_time": "2026-10-01T06:00:00Z", "latitude_deg": 0, "longitude_deg": 0}, '
    '{"fix_time": 1, "x": 2}]}'
)


@pytest.mark.parametrize(
    ("protocol", "request_line", "flags", "rejections", "ack"),
    [
        ("osmand", "id=x&lat=60&lon=24&timestamp=1790852400", [["time_unit_guessed"]], [None], b""),
        ("osmand", "/?id=x&lat=60&lon=24&timestamp=2026-10-01T11:00:00Z", [[]], [None], b""),
        ("osmand", '{"device_id": "x"}', [[]], ["missing_field"], b""),
        ("owntracks", '{"_type": "lwt"}', [], [], b"[]"),
        ("owntracks", '{"_type": "location", "lat": NaN}', [[]], ["not_finite"], b"[]"),
        ("traccar", '{"position": {"fixTime": 1790852400000, "latitude": 60, "longitude": 24, "valid": false}, '
         '"device": {"uniqueId": "x"}}', [["no_fix"]], [None], b""),
    ],
)  # fmt: skip
def test_a_request_is_a_line(
    protocol: str, request_line: str, flags: list[list[str]], rejections: list[str | None], ack: bytes
) -> None:
    *records, frame = decode(protocol, said=request_line)
    assert frame == {"ack_hex": ack.hex(), "records": len(rejections)}
    assert [line["flags"] for line in records] == flags
    assert [line["rejection"] for line in records] == rejections


def test_our_own_batch_shows_the_receipt_of_a_first_upload() -> None:
    first, second, frame = decode("wayrate", said=WAYRATE)
    assert (first["latitude_deg"], first["flags"], first["rejection"]) == (None, ["no_fix"], None)
    assert (second["fix_time"], second["rejection"]) == (None, "malformed")
    receipt = json.loads(bytes.fromhex(str(frame["ack_hex"])))
    assert [receipt[name] for name in ("accepted", "duplicate", "quarantined")] == [1, 0, 1]
    (empty,) = decode("wayrate", said="{}")
    assert (empty["ack_hex"], empty["records"]) == (None, 0)
