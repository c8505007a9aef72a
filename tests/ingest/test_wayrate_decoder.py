"""Rows 27 to 35, 59 to 61 of the bad-inputs contract, on our own batch: each its reason, beside records that stay."""

from collections.abc import Callable

import numpy as np
import pytest

from ingest.decoders.wayrate import decode
from ingest.errors import EmptyBody, TooDeep, TooManyRecords
from ingest.rejection import Rejection

GOOD = b'{"fix_time": "2026-10-01T11:00:00Z", "latitude_deg": 60.17, "longitude_deg": 24.94}'


def with_bad(record: bytes) -> bytes:
    return b'{"readings": [' + GOOD + b", " + record + b", " + GOOD.replace(b"00Z", b"01Z") + b"]}"


TIMED = b'{"fix_time": "2026-10-01T11:00:00Z", '
BAD: list[tuple[str, bytes, Rejection]] = [
    ("duplicate key", TIMED + b'"speed_mps": 1, "speed_mps": 2}', Rejection.DUPLICATE_KEY),
    ("duplicate key by escape", TIMED + b'"hdop": 1, "\\u0068dop": 2}', Rejection.DUPLICATE_KEY),
    ("NaN", TIMED + b'"speed_mps": NaN}', Rejection.NOT_FINITE),
    ("Infinity", TIMED + b'"speed_mps": -Infinity}', Rejection.NOT_FINITE),
    ("1e999", TIMED + b'"speed_mps": 1e999}', Rejection.NOT_FINITE),
    ("text nan", TIMED + b'"speed_mps": "nan"}', Rejection.NOT_FINITE),
    ("number as text", TIMED + b'"speed_mps": "12.5"}', Rejection.TYPE),
    ("boolean as number", TIMED + b'"speed_mps": true}', Rejection.TYPE),
    ("array as number", TIMED + b'"speed_mps": [1]}', Rejection.TYPE),
    ("5000 digits", TIMED + b'"speed_mps": ' + b"9" * 5000 + b"}", Rejection.NUMBER_RANGE),
    ("over float32", TIMED + b'"speed_mps": 1e300}', Rejection.NUMBER_RANGE),
    ("time over int64", b'{"fix_time": 1e300}', Rejection.NUMBER_RANGE),
    ("bad UTF-8", b'{"fix_time": "2026-10-01T11:00:00Z\xff"}', Rejection.ENCODING),
    ("lone surrogate", b'{"fix_time": "\\ud800"}', Rejection.ENCODING),
    ("NUL escape", b'{"fix_time": "2026\\u0000"}', Rejection.NUL),
    ("NUL byte", b'{"fix_time": "2026\0"}', Rejection.NUL),
    ("naive time", b'{"fix_time": "2026-10-01T11:00:00"}', Rejection.NAIVE_TIME),
    ("no time", b'{"latitude_deg": 60, "longitude_deg": 24}', Rejection.MISSING_FIELD),
    ("not a time", b'{"fix_time": "yesterday"}', Rejection.MALFORMED),
    ("time as numpy's now", b'{"fix_time": "now"}', Rejection.MALFORMED),
    ("misspelt field", TIMED + b'"sped_mps": 3}', Rejection.MALFORMED),
    ("not an object", b"17", Rejection.MALFORMED),
    ("nothing", b"", Rejection.MALFORMED),
    ("mismatched brackets", TIMED + b'"hdop": [}', Rejection.MALFORMED),
]


@pytest.mark.parametrize(("record", "reason"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_bad_record_is_refused_alone_and_kept_whole(record: bytes, reason: Rejection) -> None:
    decoded = decode(with_bad(record))
    assert [(one.record_index, one.reason, one.raw) for one in decoded.rejected] == [(1, reason, record)] or (
        record.count(b"[") != record.count(b"]") and decoded.received == 1 and decoded.rejected[0].reason is reason
    )
    if decoded.received == 3:
        assert decoded.record_index.tolist() == [0, 2]
        assert np.diff(decoded.readings.fix_time_us).tolist() == [1_000_000]


def test_values_null_and_absent_are_told_apart_from_zero() -> None:
    body = b'{"readings":[' + TIMED + b'"speed_mps":0,"hdop":null,"ignition":true,"belt_fastened":0}]}'
    readings = decode(body).readings
    assert readings.speed_mps.tolist() == [0.0]
    assert np.isnan(readings.hdop).tolist() == [True]
    assert np.isnan(readings.latitude_deg).tolist() == [True]
    assert (readings.ignition.tolist(), readings.belt_fastened.tolist()) == ([1.0], [0.0])


@pytest.mark.parametrize(
    ("time", "expected_us"),
    [
        (b'"2026-10-01T11:00:00Z"', 1_790_852_400_000_000),
        (b'"2026-10-01T14:00:00.250+03:00"', 1_790_852_400_250_000),
        (b"1790852400", 1_790_852_400_000_000),
        (b"1790852400.25", 1_790_852_400_250_000),
        (b'"2016-12-31T23:59:60Z"', 1_483_228_800_000_000),  # a leap second becomes the next
    ],
)
def test_fix_time_is_iso_with_offset_or_epoch_seconds(time: bytes, expected_us: int) -> None:
    assert decode(b'{"readings": [{"fix_time": ' + time + b"}]}").readings.fix_time_us.tolist() == [expected_us]


def test_one_bad_record_changes_nothing_about_the_others(batch: Callable[..., bytes]) -> None:
    good, bad = decode(batch(100)), decode(batch(100, hdop="x"))
    others = np.delete(np.arange(100), 1)
    for name in ("fix_time_us", "latitude_deg", "speed_mps"):
        np.testing.assert_array_equal(getattr(good.readings, name)[others], getattr(bad.readings, name))


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"  \n", b" [ ] "])
def test_an_empty_body_is_no_batch(body: bytes) -> None:
    with pytest.raises(EmptyBody):
        decode(body)


def test_a_batch_of_no_readings_is_zero_of_everything() -> None:
    decoded = decode(b'{"readings": []}')
    assert (decoded.received, len(decoded.readings), decoded.rejected) == (0, 0, ())


@pytest.mark.parametrize("depth", [33, 100_000])
def test_deep_json_is_refused_before_a_parser_follows_it(depth: int) -> None:
    with pytest.raises(TooDeep):
        decode(b'{"readings": [' + b"[" * depth + b"]" * depth + b"]}")


def test_brackets_and_quotes_in_texts_are_not_structure() -> None:
    decoded = decode(b'{"readings": [{"fix_time": "]}\\"' + b"[{" * 50 + b'"}, ' + GOOD + b"]}")
    assert [one.reason for one in decoded.rejected] == [Rejection.MALFORMED]
    assert decoded.record_index.tolist() == [1]


@pytest.mark.parametrize(
    "body",
    [b'{"readings": [', b'{"readings": {}}', b'{"other": [1]}', b"[1, 2]", b"not json", b'{"readings": [1], "x": [2]}'],
)
def test_what_is_no_batch_at_all_counts_as_one_malformed_frame(body: bytes) -> None:
    decoded = decode(body)
    assert [(one.record_index, one.reason, one.raw) for one in decoded.rejected] == [(None, Rejection.MALFORMED, body)]


def test_a_batch_holds_5000_readings_and_not_one_more(batch: Callable[..., bytes]) -> None:
    assert len(decode(batch(5000)).readings) == 5000
    with pytest.raises(TooManyRecords):
        decode(batch(5001))
