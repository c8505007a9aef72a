"""What a gateway says of itself: counts, readiness, and logs in which nobody's place, token or id stands."""

import io
import json
import logging
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from cli.logs import log_as_json
from ingest.coalesce import Coalescer
from ingest.device_routes import add_device_routes
from ingest.devices import enrol
from ingest.enrolment import enrol_without_token
from ingest.enrolment_store import fetch_security_events
from ingest.gateway import create_gateway
from ingest.metrics import REGISTRY
from ingest.operations_routes import add_metrics_route
from ingest.security import SecurityEvent
from ingest.tcp_gateway import serving_tcp
from scoring.worker import work_once
from storage.embedded import embedded_server
from storage.migrate import migrate
from storage.pool import Database
from tests.ingest.conftest import NOW
from tests.ingest.running import serving_app, upload
from tests.ingest.teltonika_frames import Record, body, packet
from tests.ingest.test_gateway import stop_server, wait_until_ready

IMEI = "356307042441013"


@pytest.fixture
def http(database: Database) -> Iterator[httpx.Client]:
    app = create_gateway(database, lambda: NOW)
    add_device_routes(app, database, lambda: NOW)
    add_metrics_route(app)
    with serving_app(app) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


def counted(http: httpx.Client) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels."""
    families = text_string_to_metric_families(http.get("/metrics").text)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def batch(*rows: dict[str, object]) -> bytes:
    times = [{"fix_time": f"2026-10-01T10:00:{second:02d}Z"} for second in range(len(rows))]
    return json.dumps({"readings": [time | row for time, row in zip(times, rows, strict=True)]}).encode()


def test_records_are_counted_by_what_became_of_them(http: httpx.Client, token: str) -> None:
    before = counted(http)
    sent = batch({"speed_mps": 1}, {"speed_mps": 2}, {"speed_mps": 1e3}, {"heading_deg": "north"})
    assert upload(http, token, sent).status_code == 200
    assert upload(http, token, sent).status_code == 200
    after = counted(http)

    def more(*key: str) -> float:
        return after.get(key, 0) - before.get(key, 0)

    assert more("wayrate_records_total", "http", "accepted") == 2
    assert more("wayrate_records_total", "http", "duplicate") == 2
    assert more("wayrate_quarantined_records_total", "http", "range") == 2
    assert more("wayrate_quarantined_records_total", "http", "type") == 2
    assert more("wayrate_acknowledgement_seconds_count", "http") == 2
    assert after["wayrate_open_sockets", "http"] >= 1


def test_a_receipt_given_again_counts_nothing(http: httpx.Client, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": "k"}
    sent = batch({"speed_mps": 1}, {"speed_mps": 1e3})
    before = [value("wayrate_records_total", channel="http", outcome="accepted"),
              value("wayrate_quarantined_records_total", channel="http", reason="range")]  # fmt: skip
    for _ in range(3):
        assert http.post("/v1/readings", content=sent, headers=headers).status_code == 200
    after = [value("wayrate_records_total", channel="http", outcome="accepted"),
             value("wayrate_quarantined_records_total", channel="http", reason="range")]  # fmt: skip
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1]


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
def test_what_a_proxy_passes_on_finds_no_metrics(http: httpx.Client, header: str) -> None:
    assert http.get("/metrics").status_code == 200
    assert http.get("/metrics", headers={header: "127.0.0.1"}).status_code == 404


def test_scoring_counts_its_windows_and_their_lag(database: Database, http: httpx.Client, token: str) -> None:
    before = value("wayrate_windows_scored_total"), value("wayrate_fix_to_score_seconds_sum")
    upload(http, token, batch({"speed_mps": 1}, {"speed_mps": 1}))
    assert work_once(database, None, None, as_of=NOW) == 1
    assert value("wayrate_windows_scored_total") - before[0] == 1
    # The last fix is of 10:00:01, the clock says 12:00.
    assert value("wayrate_fix_to_score_seconds_sum") - before[1] == pytest.approx(7199)
    assert value("wayrate_dirty_windows") == 0


def test_ready_means_that_a_write_commits(tmp_path: Path) -> None:
    """A server that answers and cannot write is not ready; one that is back is."""
    folder = tmp_path / "server"
    with embedded_server(folder) as dsn:
        migrate(dsn)
        with Database(dsn, wait_s=1.0) as database:
            app = create_gateway(database, lambda: NOW)
            with serving_app(app) as address, httpx.Client(base_url=address, timeout=60) as http:
                assert http.get("/readyz").status_code == 200
                failures = sum_of("wayrate_commit_failures_total")
                with psycopg.connect(dsn, autocommit=True) as admin:
                    admin.execute("alter table telemetry.commit_probe rename to commit_probe_away")
                    wait_for(http, 503)
                    admin.execute("alter table telemetry.commit_probe_away rename to commit_probe")
                wait_until_ready(http)
                with database.role("telemetry") as conn:
                    token = enrol(conn, "car-1", NOW).token
                assert upload(http, token, batch({"speed_mps": 1})).status_code == 200
                blocked(dsn, http, token)
                assert sum_of("wayrate_commit_failures_total") == failures + 1
                stop_server(folder)
                wait_for(http, 503)
                assert http.get("/livez").status_code == 200
                with embedded_server(folder):
                    wait_until_ready(http)


def blocked(dsn: str, http: httpx.Client, token: str) -> None:
    """One upload whose transaction the server ends."""
    with psycopg.connect(dsn) as blocker:
        blocker.execute("lock table telemetry.dirty_window in access exclusive mode")
        sender = threading.Thread(target=upload, args=(http, token, batch({"speed_mps": 2}, {"speed_mps": 3})))
        sender.start()
        with psycopg.connect(dsn, autocommit=True) as admin:
            for _ in range(200):
                ended = admin.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock'"
                ).fetchall()
                if ended:
                    break
                threading.Event().wait(0.05)
        sender.join(30)


def sum_of(name: str) -> float:
    return sum(one.value for family in REGISTRY.collect() for one in family.samples if one.name == name)


def wait_for(http: httpx.Client, status: int) -> None:
    for _ in range(100):
        if http.get("/readyz").status_code == status:
            return
        threading.Event().wait(0.1)
    raise TimeoutError(f"/readyz did not become {status}")


def test_every_metric_and_every_security_event_is_explained() -> None:
    docs = Path(__file__).parents[2] / "docs"
    families = {family.name: family.type for family in REGISTRY.collect()}
    named = {f"{name}_total" if kind == "counter" else name for name, kind in families.items()}
    assert {"wayrate_records_total", "wayrate_fix_to_score_seconds"} <= named
    rows = re.findall(r"^\| `(wayrate_\w+)` \|", (docs / "operations.md").read_text(), re.MULTILINE)
    assert set(rows) == named
    kinds = re.findall(r"^\| `(\w+)` \|", (docs / "devices.md").read_text(), re.MULTILINE)
    assert set(kinds) == set(SecurityEvent)


PLACE = ("60.1777", "24.9333", "17771", "93331")  # as degrees, and as they stand in any unit
CANARIES = (*PLACE, "canary-key", "canary-foreign", "canary-unknown", "CANARYC0DE", "canaryform")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything that this process logs, from debugging up, as `wayrate serve` writes it."""
    stream = io.StringIO()
    for name in ("httpx", "httpcore"):  # the test's own client
        logging.getLogger(name).disabled = True
    logging.getLogger("numba").setLevel(logging.INFO)  # at debugging it tells every instruction
    logging.getLogger("uvicorn").propagate = True  # a server with uvicorn's own configuration may have run before
    level = logging.getLogger().level
    handler = log_as_json(stream, logging.DEBUG)
    yield stream
    logging.getLogger().removeHandler(handler)
    logging.getLogger().setLevel(level)
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).disabled = False


def send_everything(http: httpx.Client, token: str) -> None:
    """Good and bad uploads with places, tokens and ids that stand nowhere else, on every HTTP channel."""
    bearer = {"Authorization": f"Bearer {token}"}
    good = {"latitude_deg": 60.177771, "longitude_deg": 24.933331}
    bad = (
        {"latitude_deg": "60.177771"},
        good | {"speed_mps": 1e3},
        good | {"60.177771": 1},
        {"latitude_deg": 6017777100},
    )
    upload(http, token, batch(good, *bad))
    json_headers = bearer | {"Content-Type": "application/json", "Idempotency-Key": "canary-key"}
    for sent in (batch(good), batch(good, good), b'{"readings": [60.177771', b"\xff60.177771", b"[" * 999):
        http.post("/v1/readings", content=sent, headers=json_headers)
        http.post("/v1/readings", content=sent, headers=bearer | {"Content-Encoding": "gzip"})
    upload(http, "canary-unknown-token-of-nobody", batch(good))
    for query in (
        "lat=60.177771&lon=24.933331&timestamp=1790848800",
        "lat=60.177771x&lon=24.933331",
        "lat=%ff60.177771",
    ):
        for key in (token, "canary-unknown-token-of-nobody", f"../{token}"):
            http.get(f"/osmand?id={key}&{query}&canaryform=1")
            http.post(f"/osmand/{key}?{query}")
            http.post("/osmand", data={"id": key, "lat": "60.177771", "canaryform": "x" * 9})
            http.post("/osmand", json={"device_id": key, "location": {"coords": {"latitude": "60.177771"}}})
    for message in (b'{"_type":"location","tst":1790848800,"lat":60.177771,"lon":24.933331}', b'{"lat": "60.177771'):
        http.post("/owntracks", content=message, auth=("canary-unknown", token))
        http.post("/owntracks", content=message, auth=("canary-unknown", "canary-unknown-token-of-nobody"))
    for device_id in ("car-1", "canary-foreign"):
        position = {"fixTime": "2026-10-01T10:00:00Z", "latitude": 60.177771, "longitude": 24.933331}
        http.post("/traccar", json={"device": {"uniqueId": device_id}, "position": position}, headers=bearer)
        http.post("/traccar", content=b'{"device":{"uniqueId":"canary-foreign"},60.177771', headers=bearer)
    for _ in range(7):
        http.post("/v1/enrol", json={"code": "CANARYC0DE"})
    http.post("/v1/token", headers=bearer)
    http.get(f"/no/such/{token}?lat=60.177771", headers=bearer)


def send_packets(port: int) -> None:
    """The same over TCP: good, too fast, damaged, of an unknown codec, with a second IMEI, of an unknown IMEI."""
    record = Record(latitude_e7=601_777_710, longitude_e7=249_333_310)
    good = packet(body([record, Record(latitude_e7=601_777_710, speed_kmh=900)]))
    hello = len(IMEI).to_bytes(2) + IMEI.encode()
    unknown = len(IMEI).to_bytes(2) + b"490154203237518"
    tails = (good, good[:-1] + b"\xff", packet(b"\x77\x01" + body([record])[2:]), hello, b"\x01" + good, good[:30])
    for head, tail in [*((hello, tail) for tail in tails), (unknown, b""), (b"\0\x0f" + b"\xef" * 15, b"")]:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as device:
            device.sendall(head)
            if device.recv(1) == b"\x01":
                device.sendall(tail)
            device.shutdown(socket.SHUT_WR)
            while device.recv(64):
                pass


def test_no_log_line_holds_a_place_a_token_or_an_id(
    http: httpx.Client, database: Database, token: str, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.role("telemetry") as conn:
        enrol_without_token(conn, f"imei-{IMEI}", NOW)
    send_everything(http, token)
    listener = socket.create_server(("127.0.0.1", 0))
    with Coalescer(database) as coalescer, serving_tcp(database, lambda: NOW, listener, coalescer):
        send_packets(listener.getsockname()[1])
        wait_until_kept(database, "second_imei")
    monkeypatch.setattr("ingest.gateway.wayrate.decode", int)  # its error quotes what was sent
    assert upload(http, token, b"60.177771").status_code == 500
    for _ in range(100):  # the answer goes out before the line is written
        if '"ValueError"' in lines.getvalue():
            break
        threading.Event().wait(0.05)
    text = lines.getvalue()
    logged = [json.loads(line) for line in text.splitlines()]
    assert {"ValueError"} <= {one.get("error") for one in logged}
    said = [one["message"] for one in logged]
    for expected in ("two bodies", "security: foreign_device", "security: code_guessing", "teltonika"):
        assert [message for message in said if expected in message], expected
    found = [canary for canary in (*CANARIES, token, IMEI, "490154203237518") if canary.lower() in text.lower()]
    assert found == []


def wait_until_kept(database: Database, kind: str) -> None:
    for _ in range(100):
        with database.role("telemetry") as conn:
            if fetch_security_events(conn, kind, None, 1):
                return
        threading.Event().wait(0.05)
    raise TimeoutError(f"no security event {kind}")


def test_the_search_for_a_place_finds_it(lines: io.StringIO) -> None:
    """The negative control: a line that quotes a reading is found, and an exception's words are left out."""
    logging.getLogger("ingest.anything").info("a reading at %s", 60.177771)
    try:
        float("60.177771x")
    except ValueError:
        logging.getLogger("ingest.anything").exception("it could not be read")
    first, second = (json.loads(line) for line in lines.getvalue().splitlines() if "ingest.anything" in line)
    assert any(canary in first["message"] for canary in PLACE)
    assert (second["message"], second["error"]) == ("it could not be read", "ValueError")
    assert not any(canary in json.dumps(second) for canary in PLACE)
