"""The store path against a plain binary COPY of the same rows into a table with the same primary key, in one run.

uv run python benchmarks/store_path.py [DEVICES] [READINGS_AN_UPLOAD] [ROUNDS]

The store path is everything after decoding: validation, hashes, the ledger's row of each upload, readings, dirty
windows, one transaction for all uploads of a round. Ways of arriving: news, as live devices send; a first upload of
each device (nothing is known of it); and repetitions, where every second upload was stored before. The ways take turns
within the run, so that what else the machine does falls on all of them.
"""

import os
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from ingest.accept import Offer, accept_together, make_offer
from ingest.decoded import Decoded
from ingest.devices import enrol, find_device
from ingest.moments import microseconds
from ingest.readings import content_hash, make_readings
from ingest.store import READING_COLUMNS, Device
from storage.binary import copy_in
from storage.open import open_database
from storage.pool import Database

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
REPEATS = 3


@dataclass
class Way:
    name: str
    seconds: list[float] = field(default_factory=list)
    processor_s: list[float] = field(default_factory=list)  # of this process; the server's comes on top


def offers(devices: list[Device], count: int, start_us: int, rng: np.random.Generator) -> list[Offer]:
    """An upload of each device: what Teltonika devices report, a reading a second."""
    total = len(devices) * count
    readings = make_readings(
        total,
        fix_time_us=start_us + np.tile(np.arange(count), len(devices)) * 1_000_000,
        latitude_deg=60.17 + rng.normal(0, 0.1, total),
        longitude_deg=24.94 + rng.normal(0, 0.1, total),
        altitude_m=12.0,
        speed_mps=rng.integers(0, 120, total) / 3.6,
        heading_deg=rng.integers(0, 360, total),
        satellites=11,
        odometer_m=rng.integers(1000, 200_000, total),
        ignition=1,
        hdop=0.7,
    )
    made = []
    for number, device in enumerate(devices):
        part = readings.take(slice(number * count, (number + 1) * count))
        decoded = Decoded(part, count, (), np.arange(count), lambda _: b"")
        frame = b"%d %d" % (number, start_us)
        made.append(make_offer(device, frame, decoded, received_at=NOW, channel="teltonika-tcp", decoder_version="1"))
    return made


def plain_copy(database: Database, sent: list[Offer]) -> None:
    """The rows of the round, made ready before the clock runs, in one COPY and one transaction."""
    columns = {
        column.name: np.concatenate([getattr(offer.decoded.readings, column.name) for offer in sent])
        for column in READING_COLUMNS
        if column.name not in {"device_key", "fix_time", "content_hash", "upload_id"}
    }
    keys = np.repeat([offer.upload.device_key for offer in sent], [len(offer.decoded.readings) for offer in sent])
    columns["device_key"] = keys
    columns["fix_time"] = np.concatenate([offer.decoded.readings.fix_time_us for offer in sent])
    columns["content_hash"] = np.concatenate([content_hash(offer.decoded.readings) for offer in sent])
    columns["upload_id"] = np.ones(len(keys), dtype=np.int64)
    order = np.lexsort((columns["fix_time"], keys))
    columns = {name: values[order] for name, values in columns.items()}
    with timed(PLAIN), database.role("telemetry") as conn:
        copy_in(conn, "telemetry.plain_reading", READING_COLUMNS, columns)


class timed:  # noqa: N801 - reads as a word
    def __init__(self, way: Way) -> None:
        self.way = way

    def __enter__(self) -> None:
        self.began = perf_counter(), process_time()

    def __exit__(self, *_: object) -> None:
        self.way.seconds.append(perf_counter() - self.began[0])
        self.way.processor_s.append(process_time() - self.began[1])


PLAIN, NEWS, FIRST, REPEATED = Way("plain COPY"), Way("news"), Way("first uploads"), Way("every second repeated")


def main(devices: int, count: int, rounds: int) -> None:
    """Print one line a way, and the bytes a reading takes."""
    rng = np.random.default_rng(1)
    dsn = os.environ.get("WAYRATE_TEST_DSN")
    print(
        f"{devices} devices, {count} readings an upload, {rounds} rounds; load of the machine {os.getloadavg()[0]:.1f}"
    )
    with tempfile.TemporaryDirectory() as folder, open_database(Path(folder), dsn) as database:
        with database.role("owner") as conn:
            conn.execute("drop table if exists telemetry.plain_reading")
            conn.execute("create table telemetry.plain_reading (like telemetry.reading including all)")
            conn.execute("grant all on telemetry.plain_reading to wayrate_telemetry")
        with database.role("telemetry") as conn:
            names = [f"store-path-{os.getpid()}-{number}" for number in range(2 * devices)]
            for name in names:
                enrol(conn, name, NOW)
            fleet = [find_device(conn, name) for name in names]
        live, strangers = fleet[:devices], fleet[devices:]
        start_us = microseconds(NOW - timedelta(days=3))
        newest: dict[int, int] = {}
        accept_together(database, offers(live, count, start_us - count * 1_000_000, rng), newest)
        for number in range(rounds):
            sent = offers(live, count, start_us + number * count * 1_000_000, rng)
            plain_copy(database, sent)
            with timed(NEWS):
                accept_together(database, sent, newest)
            first = offers(strangers, count, start_us + number * count * 1_000_000, rng)
            with timed(FIRST):
                accept_together(database, first, {})
            again = first[::2] + offers(strangers[1::2], count, start_us - (number + 1) * count * 1_000_000, rng)
            with timed(REPEATED):
                accept_together(database, again, {})
        report(devices * count)
        sizes(database)


def report(readings: int) -> None:
    best = {way.name: float(np.median(way.seconds)) for way in (PLAIN, NEWS, FIRST, REPEATED)}
    for way in (PLAIN, NEWS, FIRST, REPEATED):
        rate = readings / best[way.name]
        own = np.median(way.processor_s) / readings * 1e6
        ratio = best[PLAIN.name] / best[way.name]
        print(f"{way.name:<22} {rate:>9,.0f} readings/s  {ratio:5.2f} of COPY  python {own:5.2f} us a reading")


def sizes(database: Database) -> None:
    """By pg_table_size and pg_indexes_size of the partitions as they are after loading, free space included."""
    with database.role("owner") as conn:
        rows = conn.execute(
            "select count(*) from telemetry.reading",
        ).fetchone()
        size = conn.execute(
            "select sum(pg_table_size(inhrelid)), sum(pg_indexes_size(inhrelid)) from pg_inherits"
            " where inhparent = 'telemetry.reading'::regclass"
        ).fetchone()
        ledger = conn.execute(
            "select pg_total_relation_size('telemetry.upload') + pg_total_relation_size('telemetry.dirty_window'),"
            " count(*) from telemetry.upload"
        ).fetchone()
    assert rows is not None
    assert size is not None
    assert ledger is not None
    count = int(str(rows[0]))
    table, index = (int(str(one or 0)) / count for one in size)
    print(f"{table:.0f} bytes a reading in the table, {index:.0f} in its key; ", end="")
    print(f"{int(str(ledger[0])) / int(str(ledger[1])):.0f} an upload in the ledger and its dirty window")


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:]]
    main(*(given + [500, 20, 15][len(given) :]))
