"""A vehicle's number that comes with readings: held against what is declared."""

from datetime import timedelta

import numpy as np
import pytest

from ingest.accept import accept
from ingest.decoders.teltonika import VERSION, Packet, decode_frames, decode_tcp
from ingest.devices import declare_vin, enrol, find_device
from ingest.enrolment_store import fetch_security_events
from ingest.errors import BadVin
from ingest.readings import Flag
from ingest.vin import is_vin
from scoring.store import fetch_trips
from scoring.worker import work_once
from storage.pool import Database
from tests.ingest.conftest import NOW
from tests.ingest.teltonika_frames import Record, body, packet

AMERICAN, EUROPEAN = "1M8GDM9AXKP042788", "WVWZZZ1JZXW000001"
DEVICE = "imei-356307042441013"


def frame(vin: str | None, first_s: int = 0) -> bytes:
    """Five minutes of driving, the number with its first reading alone."""
    start_ms = int((NOW - timedelta(hours=1)).timestamp() * 1000)
    records = [
        Record(
            time_ms=start_ms + (first_s + second) * 1000,
            latitude_e7=601_699_000 + (first_s + second) * 900,
            long_elements=((256, vin.encode()),) if vin and second == 0 else (),
        )
        for second in range(100)
    ]
    return packet(body(records, 0x8E))


def decoded(vin: str) -> Packet:
    return decode_tcp(frame(vin))


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (AMERICAN, True),
        ("11111111111111111", True),
        (EUROPEAN, True),
        ("1M8GDM9A1KP042788", False),  # another check digit
        ("1M8GDM9AXKP04278O", False),
        ("1M8GDM9AXKP04278", False),
        ("wvwzzz1jzxw000001", False),
    ],
)
def test_a_number_is_what_the_standard_says(text: str, *, good: bool) -> None:
    assert is_vin(text) is good


def test_the_number_is_read_with_its_reading_and_an_empty_field_is_none() -> None:
    assert dict(decoded(AMERICAN).decoded.vins) == {0: AMERICAN}
    assert dict(decoded("\0" * 17).decoded.vins) == {}
    assert dict(decode_tcp(frame(None)).decoded.vins) == {}


def sent(database: Database, vin: str | None, first_s: int = 0) -> None:
    with database.role("telemetry") as conn:
        device = find_device(conn, DEVICE)
    content = frame(vin, first_s)
    accept(
        database, device, content, lambda one: decode_tcp(one).decoded,
        received_at=NOW, channel="teltonika-tcp", decoder_version=VERSION,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "said", "excluded"),
    [
        (EUROPEAN, AMERICAN, "vin_mismatch"),
        (None, "1M8GDM9A1KP042788", "vin_mismatch"),
        (EUROPEAN, EUROPEAN, None),
        (None, AMERICAN, None),
        (EUROPEAN, None, None),
    ],
)
def test_row_77_another_vehicles_number_is_flagged_told_and_not_counted(
    database: Database, declared: str | None, said: str | None, excluded: str | None
) -> None:
    with database.role("telemetry") as conn:
        device_key = enrol(conn, DEVICE, NOW - timedelta(days=1)).device_key
        if declared:
            declare_vin(conn, DEVICE, declared)
    sent(database, said)
    for first_s in (100, 200):
        sent(database, None, first_s)
    work_once(database, None, None, as_of=NOW)
    with database.role("telemetry") as conn:
        (trip,) = fetch_trips(conn, [device_key])
        events = fetch_security_events(conn, "vin_mismatch", None, 10)
        flagged = conn.execute("select count(*) from telemetry.reading where flags & 512 <> 0").fetchone()
    assert trip.excluded == excluded
    assert (trip.score is None) is (excluded is not None)
    assert len(events) == (excluded is not None)
    assert flagged == (int(excluded is not None),)
    assert ("vin_mismatch" in trip.quality["flags"]) is (excluded is not None)


def test_a_number_that_is_none_cannot_be_declared(database: Database) -> None:
    with database.role("telemetry") as conn:
        enrol(conn, DEVICE, NOW)
        with pytest.raises(BadVin, match="17 capital letters"):
            declare_vin(conn, DEVICE, "1M8GDM9A1KP042788")


def test_many_packets_keep_each_number_with_its_reading() -> None:
    batch = [frame(AMERICAN), frame(None), frame(EUROPEAN)]
    packets = decode_frames(batch)
    assert [dict(one.decoded.vins) for one in packets] == [{0: AMERICAN}, {}, {0: EUROPEAN}]
    assert all(np.all(one.decoded.readings.flags & Flag.VIN_MISMATCH == 0) for one in packets)
