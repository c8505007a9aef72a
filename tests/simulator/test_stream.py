"""Frames say what was measured, and a stream ends with everything acknowledged and stored, over HTTP and over TCP."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from ingest.coalesce import Coalescer
from ingest.decoders.teltonika import decode_tcp
from ingest.devices import enrol
from ingest.imei import parse_imei
from ingest.tcp_gateway import serving_tcp
from scoring.extract import demo_extract
from simulator.blocks import Plan, device_id
from simulator.departures import departing
from simulator.drivers import CITY_CENTRE
from simulator.frames import RECORDS_A_PACKET, imei_of, teltonika_packets
from simulator.stream import Gateway, Streamed, Vehicle, stream
from storage.pool import Database
from tests.simulator.conftest import NOW, SEED, serving
from tests.simulator.test_upload import stored

BEGAN_US = int(datetime(2026, 10, 19, 12, tzinfo=UTC).timestamp()) * 1_000_000
DURATION_S, SPEED = 300.0, 300.0


def plan(device_shares: tuple[float, ...]) -> Plan:
    population = replace(CITY_CENTRE, device_shares=device_shares)
    return Plan(demo_extract(), 4, date(2026, 10, 1), 5, "Europe/Helsinki", SEED, population)


@pytest.fixture(scope="module")
def trackers() -> list[Vehicle]:
    return departing(plan((0.0, 0.0, 1.0)), BEGAN_US, DURATION_S)


@pytest.mark.parametrize("extended", [False, True], ids=["codec-8", "codec-8E"])
def test_teltonika_packets_are_read_back_as_what_was_measured(trackers: list[Vehicle], extended: bool) -> None:
    columns = trackers[0].columns
    packets = list(teltonika_packets(columns, extended=extended))
    decoded = [decode_tcp(packet) for packet in packets]
    assert [packet.ack for packet in decoded[:-1]] == [RECORDS_A_PACKET.to_bytes(4)] * (len(packets) - 1)
    for name, step in (
        ("fix_time_us", 0), ("latitude_deg", 6e-8), ("longitude_deg", 6e-8), ("heading_deg", 0.51),
        ("speed_mps", 0.15), ("satellites", 0), ("ignition", 0), ("odometer_m", 0), ("hdop", 0.01),
    ):  # fmt: skip
        found = np.concatenate([getattr(packet.decoded.readings, name) for packet in decoded])
        difference = np.abs(found - columns[name])
        if name == "heading_deg":
            difference = np.minimum(difference, 360.0 - difference)
        assert np.nanmax(difference) <= step, name


def test_simulated_imeis_are_valid_and_different() -> None:
    imeis = [imei_of(number) for number in range(200)]
    assert len(set(imeis)) == 200
    assert all(parse_imei(imei.encode()) == imei for imei in imeis)


def run(vehicles: list[Vehicle], gateway: Gateway, patience_s: float = 30.0) -> Streamed:
    return asyncio.run(
        stream(
            vehicles, gateway, began_us=BEGAN_US, speed=SPEED, patience_s=patience_s, progress=lambda done, total: None
        )
    )


@pytest.fixture
def tcp(database: Database) -> Iterator[tuple[str, int]]:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Coalescer(database) as coalescer,
        serving_tcp(database, lambda: NOW, listener, coalescer),
    ):
        yield listener.getsockname()


def test_trackers_stream_over_tcp_until_every_record_is_acknowledged(
    database: Database, tcp: tuple[str, int], trackers: list[Vehicle]
) -> None:
    with database.role("telemetry") as conn:
        for vehicle in trackers:
            enrol(conn, f"imei-{imei_of(vehicle.number)}", NOW)
    done = run(trackers, Gateway("http://127.0.0.1:9", tcp))
    assert done.readings == done.acknowledged == len(stored(database)) > 100
    assert (done.unacknowledged, done.refused) == (0, {})


def test_an_imei_that_is_not_admitted_is_counted_as_refused(tcp: tuple[str, int], trackers: list[Vehicle]) -> None:
    done = run(trackers[:1], Gateway("http://127.0.0.1:9", tcp))
    assert done.acknowledged == 0
    assert sum(done.refused.values()) == done.readings


def test_a_gateway_that_comes_up_late_gets_everything_by_resending(database: Database) -> None:
    vehicles = departing(plan((0.5, 0.5, 0.0)), BEGAN_US, DURATION_S)
    with database.role("telemetry") as conn:
        vehicles = [replace(one, token=enrol(conn, device_id(one.number), NOW).token) for one in vehicles]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    found: list[Streamed] = []
    sending = threading.Thread(target=lambda: found.append(run(vehicles, Gateway(f"http://127.0.0.1:{port}"))))
    sending.start()
    time.sleep(1.5)
    with serving(database, port):
        sending.join(60)
    (done,) = found
    assert done.attempts > done.batches
    assert done.readings == done.acknowledged == len(stored(database))


def test_phones_stream_by_osmand_as_what_they_measured(database: Database) -> None:
    (vehicle, *_) = departing(plan((1.0, 0.0, 0.0)), BEGAN_US, 60.0)
    with database.role("telemetry") as conn:
        vehicle = replace(vehicle, token=enrol(conn, device_id(vehicle.number), NOW).token)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serving(database, port):
        done = run([vehicle], Gateway(f"http://127.0.0.1:{port}", phones_speak_osmand=True))
    assert done.readings == done.acknowledged == len(stored(database)) > 20
    with database.role("telemetry") as conn:
        channels = conn.execute("select distinct channel, tier from telemetry.upload").fetchall()
    assert [channel for channel, _ in channels] == ["osmand"]


def test_without_a_gateway_the_stream_stops_and_says_what_was_not_acknowledged() -> None:
    (vehicle, *_) = departing(plan((1.0, 0.0, 0.0)), BEGAN_US, DURATION_S)
    done = run([replace(vehicle, token="none")], Gateway("http://127.0.0.1:9"), patience_s=1.0)
    assert (done.acknowledged, done.unacknowledged) == (0, done.readings)
    assert done.troubles == {"ConnectError": done.attempts}
