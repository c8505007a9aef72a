"""Every real OsmAnd request we have, and the protocol's own oddities."""

import json
from pathlib import Path

import numpy as np
import pytest

from ingest.decoders.osmand import decode, json_credential, query_credential
from ingest.readings import Flag
from ingest.rejection import Rejection

# What each line of the file must give, in order: credential, and its reading's (time, latitude, speed m/s) or reason.
EXPECTED: list[tuple[str | None, tuple[str, float, float] | Rejection]] = [
    ("48241179", ("2025-06-15T13:45:12.862", 37.4219983, 0.0)),
    ("48241179", ("2025-06-15T13:45:12.862", 37.4219983, 0.0)),
    ("658765", ("2025-05-09T04:11:30.579", 37.785834, np.nan)),
    ("8737767034", ("2021-07-21T08:06:34.444", -6.1148096, 18.67)),
    ("123456", ("2013-08-22T13:14:27", np.nan, np.nan)),
    (None, ("2013-08-22T13:14:27", 60.0, np.nan)),
    ("902064", ("2016-01-27T18:55:47", 42.06288, 0.0)),
    ("902064", ("2015-09-12T14:38:06.579", 42.06288, 0.0)),
    ("353861053849681", Rejection.NAIVE_TIME),
    ("123456", ("2013-08-22T13:14:27", 60.0, 0.0)),
    ("123456", ("2013-08-22T13:14:27", 60.0, np.nan)),
    ("123456", Rejection.MISSING_FIELD),
    ("861001000719969", Rejection.MISSING_FIELD),
    ("123456", ("2013-08-22T13:14:27", 60.0, np.nan)),
    ("123456789012345", ("2017-09-07T05:56:50", 40.7232948571, 40 * 1852 / 3600)),
]


def test_every_real_request_gives_its_values_or_its_reason(shared_data: Path) -> None:
    lines = (shared_data / "frames" / "OsmAnd.jsonl").read_text().splitlines()
    for line, (credential, expected) in zip(lines, EXPECTED, strict=True):
        payload = json.loads(line)["payload"]
        is_json = len(payload) > 1
        frame = (payload[3] if is_json else payload[0].partition("?")[2]).encode()
        assert (json_credential(frame) if is_json else query_credential(frame)) == credential
        decoded = decode(frame, credential or "", is_json=is_json)
        if isinstance(expected, Rejection):
            assert [one.reason for one in decoded.rejected] == [expected]
            assert (credential or "").encode() not in decoded.rejected[0].raw
        else:
            readings = decoded.readings
            assert readings.fix_time_us.tolist() == [np.datetime64(expected[0], "us").astype(int)]
            np.testing.assert_allclose(readings.latitude_deg, [expected[1]])
            np.testing.assert_allclose(readings.speed_mps, [expected[2]], rtol=1e-6)


def query(text: str) -> bytes:
    return f"id=abc&lat=60&lon=24&{text}".encode()


@pytest.mark.parametrize(
    ("stamp", "time_us", "flag"),
    [
        ("2147483647", 2_147_483_647_000_000, Flag.TIME_UNIT_GUESSED),
        ("2147483648", 2_147_483_648_000, Flag.TIME_UNIT_GUESSED),
        ("2026-10-01T11:00:00Z", 1_790_852_400_000_000, 0),
    ],
)
def test_under_2_to_31_is_seconds_and_from_there_milliseconds_flagged(stamp: str, time_us: int, flag: int) -> None:
    readings = decode(query(f"timestamp={stamp}"), "abc", is_json=False).readings
    assert (readings.fix_time_us.tolist(), readings.flags.tolist()) == ([time_us], [flag])


def test_minus_one_is_unknown_for_speed_and_heading_not_for_altitude() -> None:
    readings = decode(query("timestamp=1790852400&speed=-1&bearing=-1&altitude=-1"), "abc", is_json=False).readings
    assert np.isnan(readings.speed_mps).all()
    assert np.isnan(readings.heading_deg).all()
    assert readings.altitude_m.tolist() == [-1.0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("timestamp=1790852400&speed=nan", Rejection.NOT_FINITE),
        ("timestamp=1790852400&speed=1e999", Rejection.NOT_FINITE),
        ("timestamp=1790852400&speed=fast", Rejection.TYPE),
        ("timestamp=1790852400&speed=1_0", Rejection.TYPE),
        ("timestamp=1790852400&speed=%D9%A3", Rejection.TYPE),  # an Arabic digit, which float() takes
        ("timestamp=1790852400&speed=" + "9" * 5000, Rejection.NUMBER_RANGE),
        ("timestamp=" + "9" * 60, Rejection.NUMBER_RANGE),
        ("timestamp=1790852400&speed=1&speed=2", Rejection.DUPLICATE_KEY),
        ("timestamp=1790852400&speed=%00", Rejection.NUL),
        ("timestamp=1790852400&note=%ff", Rejection.ENCODING),
        ("timestamp=2026-10-01T11:00:00", Rejection.NAIVE_TIME),
        ("timestamp=soon", Rejection.MALFORMED),
        ("speed=1", Rejection.MISSING_FIELD),
    ],
)
def test_a_bad_query_is_one_refused_frame_without_its_credential(text: str, reason: Rejection) -> None:
    decoded = decode(query(text), "abc", is_json=False)
    assert [one.reason for one in decoded.rejected] == [reason]
    assert b"abc" not in decoded.rejected[0].raw


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ('{"timestamp": "2026-10-01T11:00:00Z", "coords": {"latitude": "60", "longitude": 24}}', Rejection.TYPE),
        ('{"timestamp": "2026-10-01T11:00:00Z", "coords": {"latitude": NaN, "longitude": 24}}', Rejection.NOT_FINITE),
        ('{"timestamp": "2026-10-01T11:00:00", "coords": {"latitude": 60, "longitude": 24}}', Rejection.NAIVE_TIME),
        ('{"timestamp": "2026-10-01T11:00:00Z", "coords": {"latitude": 60, "latitude": 61, "longitude": 24}}',
         Rejection.DUPLICATE_KEY),
        ("[" * 50 + "]" * 50, Rejection.MALFORMED),
    ],
)  # fmt: skip
def test_a_bad_json_position_is_one_refused_frame_without_its_credential(location: str, reason: Rejection) -> None:
    decoded = decode(f'{{"device_id": "secret-1", "location": {location}}}'.encode(), "secret-1", is_json=True)
    assert [one.reason for one in decoded.rejected] == [reason]
    assert b"secret-1" not in decoded.rejected[0].raw


def test_a_phone_that_says_nothing_but_its_id_is_content_with_nothing() -> None:
    decoded = decode(b"id=abc", "abc", is_json=False)
    assert (decoded.received, decoded.rejected) == (0, ())
