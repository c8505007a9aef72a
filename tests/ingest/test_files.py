"""Files to readings: our own column names, declared mappings, bad rows beside good ones, files refused as a whole."""

import gzip
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.accept import accept_file
from ingest.decoded import Decoded
from ingest.devices import enrol
from ingest.errors import (
    BadMapping,
    DeviceNotNamed,
    FileError,
    MissingColumn,
    UnknownDevice,
    UnreadableFile,
    WrongMapping,
)
from ingest.files.mapping import find_mapping
from ingest.files.read import read_file
from ingest.moments import microseconds
from ingest.readings import Flag
from ingest.rejection import Rejection
from storage.pool import Database
from tests.ingest.conftest import NOW

HEADER = b"fix_time,latitude_deg,longitude_deg"
ROW = b"2026-10-01T10:00:00Z,60.1,24.9"
TEN_US = microseconds(datetime(2026, 10, 1, 10, tzinfo=UTC))


def one(path: Path, mapping: str | Path | None = None) -> Decoded:
    ((_, decoded),) = read_file(path, find_mapping(mapping) if mapping else None)
    assert decoded.received == len(decoded.readings) + len(decoded.rejected)
    return decoded


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_own_names_need_no_mapping(tmp_path: Path) -> None:
    path = written(
        tmp_path, "own.csv",
        "device_id,fix_time,latitude_deg,longitude_deg,speed_mps,satellites\n"
        "car-2,2026-10-01T10:00:00Z,60.17,24.94,,7\r\n"
        "\n"
        "car-1,2026-10-01T13:00:01.5+03:00,60.18,24.95,0,\n"
        "car-2,1790848802,60.19,24.96,11.5,8\n",
    )  # fmt: skip
    (first, two), (second, single) = read_file(path)
    assert (first, second) == ("car-2", "car-1")
    assert two.readings.fix_time_us.tolist() == [TEN_US, TEN_US + 2_000_000]
    assert single.readings.fix_time_us.tolist() == [TEN_US + 1_500_000]
    np.testing.assert_array_equal(two.readings.speed_mps, np.float32([np.nan, 11.5]))
    assert single.readings.speed_mps.tolist() == [0.0]  # 0 is said, an empty cell is not
    assert two.record_index.tolist() == [0, 2]
    assert read_file(path, None, "car-9")[0][0] == "car-9"
    assert len(read_file(path, None, "car-9")[0][1].readings) == 3


BAD_ROWS = [
    ("2026-10-01T10:00:00,60,24,1", Rejection.NAIVE_TIME),
    ("2026-10-01T10:00:00Z,nan,24,1", Rejection.NOT_FINITE),
    ("2026-10-01T10:00:00Z,60,24,Infinity", Rejection.NOT_FINITE),
    ("2026-10-01T10:00:00Z,60,24,1e999", Rejection.NOT_FINITE),
    ("2026-10-01T10:00:00Z,60,24,fast", Rejection.TYPE),
    ("2026-10-01T10:00:00Z,60,24," + "9" * 5000, Rejection.NUMBER_RANGE),
    ("2026-10-01T10:00:00Z,60,24,1e300", Rejection.NUMBER_RANGE),
    (",60,24,1", Rejection.MISSING_FIELD),
    ("2026-10-32T10:00:00Z,60,24,1", Rejection.MALFORMED),
    ("2026-10-01T10:00:00Z,60,24", Rejection.MALFORMED),
    ("2026-10-01T10:00:00Z,60,24,1,9", Rejection.MALFORMED),
    ("1e300,60,24,1", Rejection.NUMBER_RANGE),
]


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS, ids=[row[:40] for row, _ in BAD_ROWS])
def test_a_bad_row_is_refused_alone_and_kept_as_written(tmp_path: Path, row: str, reason: Rejection) -> None:
    good = ["2026-10-01T10:00:00Z,60,24,1", "2026-10-01T10:00:01Z,60,24,1"]
    text = "\n".join(["fix_time,latitude_deg,longitude_deg,speed_mps", good[0], row, good[1]])
    decoded = one(written(tmp_path, "bad.csv", text))
    assert [(each.record_index, each.reason, each.raw) for each in decoded.rejected] == [(1, reason, row.encode())]
    assert decoded.record_index.tolist() == [0, 2]
    assert decoded.raw_of(2) == good[1].encode()


def test_a_cell_that_is_not_utf8_spoils_its_row_alone(tmp_path: Path) -> None:
    decoded = one(written(tmp_path, "bytes.csv", b"fix_time,speed_mps\n1790848800,1\n1790848801,\xff\n1790848802,3\n"))
    assert [(each.record_index, each.reason) for each in decoded.rejected] == [(1, Rejection.ENCODING)]
    assert decoded.readings.speed_mps.tolist() == [1, 3]


def test_line_ends_inside_quotes_end_no_row(tmp_path: Path) -> None:
    text = 'fix_time,note,speed_mps\n1790848800,"a\nb ""c"" ",1\n1790848801,"d\n\ne",x\n1790848802,,3\n'
    decoded = one(written(tmp_path, "quoted.csv", text))
    assert decoded.readings.speed_mps.tolist() == [1, 3]
    assert [each.raw for each in decoded.rejected] == [b'1790848801,"d\n\ne",x']


def test_ids_that_are_none_are_refused_row_by_row(tmp_path: Path) -> None:
    text = "device_id,fix_time\n../../etc/passwd,1790848800\ncar-1,1790848801\nCAR-1,1790848802\n,1790848803\n"
    ((device_id, decoded),) = read_file(written(tmp_path, "ids.csv", text))
    assert device_id == "car-1"
    assert [(each.record_index, each.reason) for each in decoded.rejected] == [(n, Rejection.BAD_ID) for n in (0, 2, 3)]


def test_of_two_columns_of_one_name_the_first_is_read(tmp_path: Path) -> None:
    decoded = one(written(tmp_path, "twice.csv", "fix_time,speed_mps,speed_mps\n1790848800,1,2\n"))
    assert decoded.readings.speed_mps.tolist() == [1]


def test_a_file_of_a_header_alone_holds_nothing(tmp_path: Path) -> None:
    assert one(written(tmp_path, "header.csv", "fix_time,speed_mps\n")).received == 0


MAPPING = """
[file]
separator = ";"
decimal = ","
encoding = "latin-1"
unknown = ["n/a"]
[time]
columns = ["day", "clock"]
format = "%d.%m.%Y %H:%M:%S"
zone = "{zone}"
[columns]
latitude_deg = {{ column = "breite" }}
longitude_deg = {{ column = "länge" }}
speed_mps = {{ column = "v", unit = "{unit}" }}
belt_fastened = {{ column = "gurt", values = {{ ja = 1, nein = 0 }} }}
"""
MAPPED_HEADER = "day;clock;breite;länge;v;gurt\n"


def mapped(folder: Path, rows: str, zone: str = "Europe/Berlin", unit: str = "km/h") -> Decoded:
    mapping = written(folder, "mapping.toml", MAPPING.format(zone=zone, unit=unit))
    return one(written(folder, "mapped.csv", (MAPPED_HEADER + rows).encode("latin-1")), mapping)


@pytest.mark.parametrize(
    ("unit", "mps"), [("km/h", 10.0), ("mph", 36 * 0.44704), ("knots", 36 * 1852 / 3600), ("m/s", 36.0)]
)
def test_units_decimals_words_and_unknowns_end_in_si(tmp_path: Path, unit: str, mps: float) -> None:
    readings = mapped(
        tmp_path, "1.7.2026;12:00:00;52,5;13,4;36,0;ja\n1.7.2026;12:00:01;52,5;13,4;n/a;n/a\n", unit=unit
    ).readings
    assert readings.fix_time_us[0] == microseconds(datetime(2026, 7, 1, 10, tzinfo=UTC))
    np.testing.assert_allclose(readings.speed_mps, [mps, np.nan], rtol=1e-6)
    np.testing.assert_array_equal(readings.belt_fastened, [1, np.nan])
    assert readings.latitude_deg.tolist() == [52.5, 52.5]


def test_a_clock_that_shows_a_time_twice_or_never_makes_it_naive_and_a_fixed_offset_does_not(tmp_path: Path) -> None:
    rows = "".join(
        f"{when};52,5;13,4;1;ja\n"
        for when in ("29.03.2026;01:59:59", "29.03.2026;02:30:00", "29.03.2026;03:00:00",
                     "25.10.2026;01:59:59", "25.10.2026;02:30:00", "25.10.2026;03:00:00")
    )  # fmt: skip
    decoded = mapped(tmp_path, rows)
    assert [(each.record_index, each.reason) for each in decoded.rejected] == [
        (1, Rejection.NAIVE_TIME),
        (4, Rejection.NAIVE_TIME),
    ]
    assert decoded.readings.fix_time_us.tolist() == [
        microseconds(datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)),
        microseconds(datetime(2026, 3, 29, 1, 0, 0, tzinfo=UTC)),
        microseconds(datetime(2026, 10, 24, 23, 59, 59, tzinfo=UTC)),
        microseconds(datetime(2026, 10, 25, 2, 0, 0, tzinfo=UTC)),
    ]
    fixed = mapped(tmp_path, rows, zone="+01:00")
    assert fixed.rejected == ()
    assert fixed.readings.fix_time_us[1] == microseconds(
        datetime(2026, 3, 29, 2, 30, tzinfo=timezone(timedelta(hours=1)))
    )


@pytest.mark.parametrize("day", ["30.02.2026", "31.04.2026", "00.01.2026", "90.02.2032", "1.13.2026", "x"])
def test_a_day_that_no_calendar_has_is_malformed(tmp_path: Path, day: str) -> None:
    good = "1.3.2026;12:00:00;52,5;13,4;1;ja\n"
    decoded = mapped(tmp_path, good + f"{day};12:00:00;52,5;13,4;1;ja\n" + good)
    assert [(each.record_index, each.reason) for each in decoded.rejected] == [(1, Rejection.MALFORMED)]


def test_a_missing_column_is_named_with_file_and_row(tmp_path: Path) -> None:
    path = written(tmp_path, "own.csv", "time,speed_mps\n1790848800,1\n")
    with pytest.raises(
        MissingColumn, match=r"own\.csv, row 1: there is no column 'fix_time' \(it has time, speed_mps\)"
    ):
        read_file(path)


@pytest.mark.parametrize(
    ("text", "column", "row"),
    [
        ("fix_time,speed_mps\n1790848800,Main Street\n1790848801,High Street\n", "speed_mps", 2),
        ("fix_time,speed_mps\nmonday,1\ntuesday,2\n", "fix_time", 2),
        ("fix_time,speed_mps\n1790848800,\n1790848801,a\n1790848802,b\n", "speed_mps", 3),
    ],
)
def test_a_column_of_which_nothing_can_be_read_is_a_wrong_mapping(
    tmp_path: Path, text: str, column: str, row: int
) -> None:
    path = written(tmp_path, "wrong.csv", text)
    with pytest.raises(WrongMapping, match=rf"wrong\.csv, column '{column}', row {row}: .* nothing was ingested"):
        read_file(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("km/h", "furlong"), "unit 'furlong' is not one of m/s, km/h, mph, knots"),
        (("speed_mps", "speed_kmh"), "no such column"),
        (("Europe/Berlin", "Mars/Base"), "neither an offset"),
        (('decimal = ","', 'decimal = ";"'), "decimal"),
        (('decimal = ","', "decimal = 1"), "Expected `str`"),
        (("[file]", "[fiel]"), "unknown field `fiel`"),
        (('encoding = "latin-1"', 'encoding = "latin-99"'), "unknown encoding"),
        (("[time]", "[time"), "Expected"),
    ],
)
def test_a_mapping_that_is_wrong_says_where(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    text = MAPPING.format(zone="Europe/Berlin", unit="km/h").replace(*change)
    with pytest.raises(BadMapping, match=says):
        find_mapping(written(tmp_path, "mapping.toml", text))


def test_mappings_come_by_bare_name_and_an_unknown_name_lists_them() -> None:
    assert find_mapping("curitiba").time.zone == "-03:00"
    with pytest.raises(BadMapping, match="curitiba, omaha, rabat"):
        find_mapping("atlantis")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("cut.csv.gz", gzip.compress(b"fix_time\n1\n" * 99, mtime=0)[:-9]),
        ("open.csv", b'fix_time,note\n1790848800,"never closed\n1790848801,x\n'),
        ("bad.gpx", b"<gpx><trk>"),
        ("bomb.gpx", b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><gpx>&b;</gpx>'),
        ("bad.parquet", b"PAR1 not"),
        ("notes.docx", b"x"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(UnreadableFile, match=name):
        read_file(written(tmp_path, name, content))


def test_gpx_points_are_read_with_their_extensions(tmp_path: Path) -> None:
    text = """<gpx xmlns="http://www.topografix.com/GPX/1/1" xmlns:x="urn:x"><trk><trkseg>
      <trkpt lat="60.1" lon="24.9"><ele>12.5</ele><time>2026-10-01T10:00:00Z</time><hdop>0.9</hdop><sat>8</sat>
        <extensions><x:TrackPointExtension><x:speed>11.5</x:speed><x:course>90</x:course></x:TrackPointExtension></extensions>
      </trkpt>
      <trkpt lat="60.2" lon="24.9"><time>2026-10-01T10:00:01</time></trkpt>
      <trkpt lat="60.3" lon="24.9"/></trkseg></trk></gpx>"""
    decoded = one(written(tmp_path, "way.gpx", text))
    readings = decoded.readings
    assert (readings.latitude_deg.tolist(), readings.fix_time_us.tolist()) == ([60.1], [TEN_US])
    assert (readings.speed_mps.tolist(), readings.heading_deg.tolist(), readings.satellites.tolist()) == (
        [11.5],
        [90.0],
        [8.0],
    )
    assert [each.reason for each in decoded.rejected] == [Rejection.NAIVE_TIME, Rejection.MISSING_FIELD]
    assert b"60.2" in decoded.rejected[0].raw


def test_parquet_keeps_its_types_and_a_naive_timestamp_is_refused(tmp_path: Path) -> None:
    moments = [datetime(2026, 10, 1, 10), datetime(2026, 10, 1, 10, 0, 1)]  # noqa: DTZ001 - naive is the point
    columns = {"speed_mps": [1.5, None], "ignition": [True, False], "satellites": pa.array([7, 8], pa.int8())}
    aware, naive = tmp_path / "aware.parquet", tmp_path / "naive.parquet"
    pq.write_table(pa.table({"fix_time": pa.array(moments, pa.timestamp("ns", "UTC")), **columns}), aware)
    pq.write_table(pa.table({"fix_time": pa.array(moments, pa.timestamp("ms")), **columns}), naive)
    readings = one(aware).readings
    assert readings.fix_time_us.tolist() == [TEN_US, TEN_US + 1_000_000]
    np.testing.assert_array_equal(readings.speed_mps, np.float32([1.5, np.nan]))
    assert (readings.ignition.tolist(), readings.satellites.tolist()) == ([1, 0], [7, 8])
    assert [each.reason for each in one(naive).rejected] == [Rejection.NAIVE_TIME] * 2


def test_a_file_over_5000_rows_is_stored_in_several_uploads_and_again_as_duplicates(
    tmp_path: Path, database: Database
) -> None:
    start = 1_790_000_000
    rows = [f"{start + second},{60 + second * 1e-6:.6f},24,{second % 30}" for second in range(12_000)]
    rows[7000] = f"{start + 7000},91,24,1"
    rows[7001] = f"{start + 7001},60,24"
    decoded = one(written(tmp_path, "long.csv", "\n".join(["fix_time,latitude_deg,longitude_deg,speed_mps", *rows])))
    with database.role("telemetry") as conn:
        enrol(conn, "car-1", NOW)
    first = accept_file(database, "car-1", decoded, NOW)
    assert (first.accepted, first.duplicate, first.quarantined) == (11_998, 0, 2)
    assert [(each.index, each.reason) for each in first.rejected] == [(7000, "range"), (7001, "malformed")]
    again = accept_file(database, "car-1", decoded, NOW)
    assert (again.accepted, again.duplicate, again.quarantined) == (0, 11_998, 2)
    with database.role("telemetry") as conn:
        largest = conn.execute("select max(records_received), count(*) from telemetry.upload").fetchone()
    assert largest == (5000, 8)
    with pytest.raises(UnknownDevice):
        accept_file(database, "car-2", decoded, NOW)
    with pytest.raises(DeviceNotNamed, match="--device"):
        accept_file(database, None, decoded, NOW)


def test_a_held_position_is_said_once_and_flagged_after(tmp_path: Path) -> None:
    mapping = written(
        tmp_path, "held.toml",
        '[file]\nheld_position = true\n[time]\ncolumns = ["t"]\n[columns]\n'
        'latitude_deg = { column = "a" }\nlongitude_deg = { column = "b" }\nspeed_mps = { column = "v" }\n',
    )  # fmt: skip
    decoded = one(
        written(tmp_path, "held.csv", "t,a,b,v\n1,60,24,5\n2,60,24,6\n3,60,25,7\n4,61,25,8\n5,61,25,9\n"), mapping
    )
    np.testing.assert_array_equal(decoded.readings.latitude_deg, [60, np.nan, 60, 61, np.nan])
    held = int(Flag.IMPUTED_RECEIVER_POSITION)
    assert decoded.readings.flags.tolist() == [0, held, 0, 0, held]
    assert decoded.readings.speed_mps.tolist() == [5, 6, 7, 8, 9]


def test_rows_that_are_not_text_break_alone_without_a_word_from_the_parser(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A row of another width whose bytes are no UTF-8: the library's own finding of such rows fails on it."""
    file = tmp_path / "mixed.csv"
    file.write_bytes(HEADER + b"\n\xc8\x00\xff\n" + ROW + b"\n\xfe,\xc8\n")
    ((_, decoded),) = read_file(file, None, "car-1")
    assert [(one.record_index, one.reason, one.raw) for one in decoded.rejected] == [
        (0, Rejection.MALFORMED, b"\xc8\x00\xff"),
        (2, Rejection.MALFORMED, b"\xfe,\xc8"),
    ]
    assert decoded.record_index.tolist() == [1]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_refused_in_one_sentence_or_row_by_row(
    tmp_path: Path, seed: int, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(seed)
    file = tmp_path / "noise.csv"
    noise = rng.choice(np.frombuffer(b'\0\n,"A\xc8', dtype=np.uint8), 400).tobytes()
    file.write_bytes((HEADER + b"\n" if seed % 2 else b"\0") + noise)
    said = ""
    try:
        ((_, decoded),) = read_file(file, None, "car-1")
        assert decoded.received == len(decoded.rejected) > 0
    except FileError as err:
        said = str(err)
    assert "nothing was ingested" in said or not said
    assert "\n" not in said
    assert capfd.readouterr().err == ""
