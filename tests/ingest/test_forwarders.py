"""OwnTracks and Traccar's forwarder: real requests, what each field becomes, and their routes over real HTTP."""

import base64
import json
from pathlib import Path

import httpx
import numpy as np
import pytest

from ingest.decoders import owntracks, traccar
from ingest.devices import enrol
from ingest.readings import Flag
from ingest.rejection import Rejection
from ingest.store import fetch_device, fetch_readings
from storage.pool import Database
from tests.ingest.conftest import NOW
from tests.ingest.test_gateway import count, serving

# Of each public request, in order: time, latitude, longitude, m/s, heading, accuracy, altitude.
OWNTRACKS = [
    ("2019-03-06T12:21:18", 46.0681247, 11.1512805, 0.0, np.nan, 15, 440),
    ("2017-06-13T10:21:56", 48.85833, 2.29513, np.nan, np.nan, np.nan, np.nan),
    ("2017-06-13T10:21:56", 48.85833, 2.29513, 61 / 3.6, 271, 5, 167),
    ("2017-06-14T21:40:56", 48.85, 2.295, np.nan, np.nan, np.nan, np.nan),
    ("2025-01-06T10:59:29", 37.0, -122.0, np.nan, np.nan, 5, 0),
    ("2025-01-10T14:26:07", 47.420051, 13.654704, 0.0, 113, 10, 1113),
]
COLUMNS = ("latitude_deg", "longitude_deg", "speed_mps", "heading_deg", "accuracy_m", "altitude_m")


def test_every_public_owntracks_request_gives_its_values(shared_data: Path) -> None:
    lines = (shared_data / "frames" / "OwnTracks.jsonl").read_text().splitlines()
    for line, (time, *values) in zip(lines, OWNTRACKS, strict=True):
        readings = owntracks.decode(json.loads(line)["payload"][1].encode()).readings
        assert readings.fix_time_us.tolist() == [np.datetime64(time, "us").astype(int)]
        np.testing.assert_allclose([getattr(readings, name)[0] for name in COLUMNS], values, rtol=1e-6)


def location(**changes: object) -> bytes:
    message = {"_type": "location", "tst": 1_790_852_400, "lat": 60.17, "lon": 24.94, "vel": 36, "cog": 92}
    return json.dumps({name: value for name, value in (message | changes).items() if value != "absent"}).encode()


@pytest.mark.parametrize("body", [b"", b" null ", b"[]", b"{}", location(_type="lwt"), location(_type="waypoints")])
def test_what_holds_no_position_is_no_record(body: bytes) -> None:
    assert owntracks.decode(body).received == 0


REFUSED: list[tuple[bytes, Rejection]] = [
    (location(_type="encrypted"), Rejection.MALFORMED),
    (location(_type="absent"), Rejection.MALFORMED),
    (location(tst="absent"), Rejection.MISSING_FIELD),
    (location(lat="absent"), Rejection.MISSING_FIELD),
    (location(lat="60.17"), Rejection.TYPE),
    (location(lat=True), Rejection.TYPE),
    (location(lat="nan"), Rejection.NOT_FINITE),
    (location(vel=float("inf")), Rejection.NOT_FINITE),
    (location(acc=1e300), Rejection.NUMBER_RANGE),
    (location(tst=1e300), Rejection.NUMBER_RANGE),
    (location(tid="a\0b"), Rejection.NUL),
    (location()[:-1] + b', "lat": 1}', Rejection.DUPLICATE_KEY),
    (location(tid="\udcff"), Rejection.ENCODING),
    (location()[:-1] + b', "tid": "\xff"}', Rejection.ENCODING),
    (b"[" * 100_000, Rejection.MALFORMED),
    (b"hello", Rejection.MALFORMED),
]


@pytest.mark.parametrize(("body", "reason"), REFUSED)
def test_a_bad_owntracks_message_is_kept_with_its_reason(body: bytes, reason: Rejection) -> None:
    decoded = owntracks.decode(body)
    assert [(one.reason, one.raw) for one in decoded.rejected] == [(reason, body)]


def test_minus_one_is_not_known() -> None:
    readings = owntracks.decode(location(vel=-1, cog=-1)).readings
    assert np.isnan([readings.speed_mps[0], readings.heading_deg[0]]).all()


def forwarded(device_id: str = "car-1", *, attributes: dict[str, object] | None = None, **changes: object) -> bytes:
    """A position as Traccar 6 writes it."""
    position = {
        "id": 0, "deviceId": 3, "protocol": "gt06", "serverTime": "2026-10-01T11:00:03.000+00:00",
        "deviceTime": "2026-10-01T11:00:00.000+00:00", "fixTime": "2026-10-01T11:00:00.000+00:00", "outdated": False,
        "valid": True, "latitude": 60.17, "longitude": 24.94, "altitude": 12.0, "speed": 20.0, "course": 92.0,
        "address": None, "accuracy": 0.0, "network": None, "geofenceIds": None,
        "attributes": {"sat": 9, "hdop": 0.8, "ignition": True, "odometer": 123456.0, "motion": True, "event": 35}
        if attributes is None else attributes,
    }  # fmt: skip
    device = {"id": 3, "attributes": {}, "name": "Car", "uniqueId": device_id, "status": "online"}
    return json.dumps({"position": position | changes, "device": device}).encode()


def test_a_forwarded_position_gives_its_values() -> None:
    readings = traccar.decode(forwarded(), "car-1").readings
    assert readings.fix_time_us.tolist() == [np.datetime64("2026-10-01T11:00:00", "us").astype(int)]
    assert readings.flags.tolist() == [0]
    names = (*COLUMNS, "satellites", "hdop", "ignition", "odometer_m")
    values = [60.17, 24.94, 20 * 1852 / 3600, 92, np.nan, 12, 9, 0.8, 1, 123_456]
    np.testing.assert_allclose([getattr(readings, name)[0] for name in names], values, rtol=1e-6)


@pytest.mark.parametrize("changes", [{"valid": False}, {"outdated": True}])
def test_a_position_without_a_fix_is_flagged(changes: dict[str, object]) -> None:
    assert traccar.decode(forwarded(**changes), "car-1").readings.flags.tolist() == [Flag.NO_FIX]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (forwarded("car-2"), Rejection.BAD_ID),
        (forwarded("CAR-1"), Rejection.BAD_ID),
        (forwarded(fixTime="2026-10-01T11:00:00"), Rejection.NAIVE_TIME),
        (forwarded(fixTime=None), Rejection.MISSING_FIELD),
        (forwarded(speed="20"), Rejection.TYPE),
        (forwarded(latitude=None), Rejection.MISSING_FIELD),
        (forwarded(attributes={"ignition": "on"}), Rejection.TYPE),
        (b'{"position": {}}', Rejection.MALFORMED),
    ],
)
def test_a_bad_forwarded_position_is_kept_with_its_reason(body: bytes, reason: Rejection) -> None:
    assert [one.reason for one in traccar.decode(body, "car-1").rejected] == [reason]


def test_both_are_stored_and_answered_and_nobody_else_is(database: Database, token: str) -> None:
    with database.role("telemetry") as conn:
        other = enrol(conn, "car-2", NOW).token
        device = fetch_device(conn, "car-1")
    assert device is not None
    basic = {"Authorization": "Basic " + base64.b64encode(f"anyone:{token}".encode()).decode()}
    with serving(database) as address, httpx.Client(base_url=address, timeout=30) as http:
        for body in (location(), b"", location(lat="60")):
            answer = http.post("/owntracks", content=body, headers=basic | {"X-Limit-U": "u", "X-Limit-D": "d"})
            assert (answer.status_code, answer.json()) == (200, [])
        for sender, held in ((token, 1), (other, 2)):
            answer = http.post("/traccar", content=forwarded(), headers={"Authorization": f"Bearer {sender}"})
            assert (answer.status_code, answer.content, count(database, "quarantine")) == (200, b"", held)
        for path, scheme in (("/owntracks", "Basic"), ("/traccar", "Bearer")):
            for value in ("", f"{scheme} x", f"{scheme} eDp5", "Digest x"):
                answer = http.post(path, content=location(), headers={"Authorization": value})
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"].startswith(scheme)
    with database.role("telemetry") as conn:
        readings = fetch_readings(conn, device.device_key, 0, 2 * 10**15)
    np.testing.assert_allclose(np.sort(readings.speed_mps), [10.0, 20 * 1852 / 3600], rtol=1e-6)
