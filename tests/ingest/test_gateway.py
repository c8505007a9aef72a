"""The gateway over real HTTP (uvicorn on 127.0.0.1): who may send, what is refused, nothing acknowledged early."""

import gzip
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psycopg
import pytest
import zstandard

from ingest.devices import enrol
from ingest.store import fetch_device, fetch_readings
from storage.embedded import embedded_server
from storage.migrate import migrate
from storage.pool import Database
from tests.ingest.conftest import NOW, Batch, count, serving


@pytest.fixture
def http(database: Database) -> Iterator[httpx.Client]:
    with serving(database) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield client


def upload(http: httpx.Client, token: str, body: bytes, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    common = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return http.post("/v1/readings", content=body, headers=common | named)


def test_a_batch_is_stored_and_its_receipt_names_what_was_refused(
    http: httpx.Client, token: str, database: Database, batch: Batch
) -> None:
    answer = upload(http, token, batch(5, latitude_deg=91))
    assert answer.status_code == 200
    receipt = answer.json()
    assert [receipt[name] for name in ("accepted", "duplicate", "quarantined")] == [4, 0, 1]
    assert [(one["index"], one["reason"]) for one in receipt["records"]] == [(1, "range")]
    assert (count(database, "reading"), count(database, "quarantine")) == (4, 1)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_compressed_batches_are_read(http: httpx.Client, token: str, batch: Batch, encoding: str) -> None:
    pack = {"gzip": gzip.compress, "zstd": zstandard.ZstdCompressor().compress}[encoding]
    assert upload(http, token, pack(batch(20)), Content_Encoding=encoding).json()["accepted"] == 20


def test_without_a_valid_token_nothing_is_stored(http: httpx.Client, database: Database, batch: Batch) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer " + "x" * 32},
        {"Authorization": "Basic abc"},
        {"Authorization": "Bearer"},
    ):
        answer = http.post("/v1/readings", content=batch(), headers=headers | {"Content-Type": "application/json"})
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"] == "Bearer"
    assert count(database, "upload") == 0


REFUSED: list[tuple[str, bytes, dict[str, str], int]] = [
    ("body over 2 MiB", b"x" * (2 * 1024 * 1024 + 1), {}, 413),
    ("gzip bomb", gzip.compress(bytes(100_000_000)), {"Content_Encoding": "gzip"}, 413),
    ("truncated gzip", gzip.compress(b"{}" * 100)[:-5], {"Content_Encoding": "gzip"}, 400),
    ("two gzip members", gzip.compress(b"{}") * 2, {"Content_Encoding": "gzip"}, 400),
    ("announced gzip, sent plain", b'{"readings": []}', {"Content_Encoding": "gzip"}, 400),
    ("unknown encoding", b"x", {"Content_Encoding": "br"}, 415),
    ("not JSON by its type", b"x", {"Content_Type": "text/csv"}, 415),
    ("empty", b"", {}, 422),
    ("null", b"null", {}, 422),
    ("empty list", b"[]", {}, 422),
    ("empty object", b"{}", {}, 422),
    ("deep", b'{"readings": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}, 400),
    ("5,001 records", b'{"readings": [' + b"0," * 5000 + b"0]}", {}, 413),
    ("key that is none", b'{"readings": []}', {"Idempotency_Key": "x" * 256}, 400),
]


@pytest.mark.parametrize(
    ("body", "headers", "status"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_refused_body_gets_a_problem_that_says_what_to_do(
    http: httpx.Client, token: str, database: Database, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = upload(http, token, body, **headers)
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(problem["detail"]) > 20
    assert count(database, "upload") == 0


def test_a_chunked_body_over_the_limit_is_cut_off_too(http: httpx.Client, token: str) -> None:
    pieces = (b"x" * 65536 for _ in range(40))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with suppress(httpx.WriteError):  # the gateway may hang up while we are still sending
        assert http.post("/v1/readings", content=pieces, headers=headers).status_code == 413


def test_authenticated_nonsense_is_quarantined_whole_and_acknowledged(
    http: httpx.Client, token: str, database: Database
) -> None:
    answer = upload(http, token, b'{"readings": [{')
    assert (answer.status_code, answer.json()["quarantined"]) == (200, 1)
    assert answer.json()["records"][0]["index"] is None
    assert count(database, "quarantine") == 1


def test_an_idempotency_key_answers_the_same_receipt_and_refuses_another_body(
    http: httpx.Client, token: str, batch: Batch
) -> None:
    first = upload(http, token, batch(3), Idempotency_Key="a")
    packed = upload(http, token, gzip.compress(batch(3)), Idempotency_Key="a", Content_Encoding="gzip")
    assert (packed.status_code, packed.json()) == (200, first.json())
    assert upload(http, token, batch(4), Idempotency_Key="a").status_code == 409


def test_osmand_as_query_form_and_json_ends_at_the_same_reading(
    http: httpx.Client, token: str, database: Database
) -> None:
    fields = {"lat": "60.17", "lon": "24.94", "timestamp": "1790848800", "speed": "10"}
    location = {
        "timestamp": "2026-10-01T10:00:00Z",
        "coords": {"latitude": 60.17, "longitude": 24.94, "speed": 10 * 1852 / 3600, "heading": -1},
    }
    answers = [
        http.get("/osmand", params=fields | {"id": token}),
        http.post("/osmand/", params=fields | {"id": token}),
        http.post("/osmand", data=fields | {"id": token}),
        http.get(f"/osmand/{token}", params=fields),
        http.post("/osmand", json={"location": location, "device_id": token}),
        http.post(f"/osmand/{token}", json={"location": location}),
    ]
    assert [(one.status_code, one.content) for one in answers] == [(200, b"")] * 6
    assert (count(database, "reading"), count(database, "upload")) == (1, 6)


@pytest.mark.parametrize(
    "unknown",
    ["/osmand", "/osmand?id=", "/osmand?id=123456&lat=60&lon=24&timestamp=1", "/osmand?id=../../etc/passwd",
     "/osmand/nobody?lat=60&lon=24", "/osmand?id=%27%3B%20DROP%20TABLE--", "/osmand?id=a%00b", "/osmand?id=%ff"],
)  # fmt: skip
def test_an_unknown_osmand_id_is_404(http: httpx.Client, database: Database, unknown: str) -> None:
    assert http.get(unknown).status_code == 404
    assert count(database, "upload") == 0


def test_a_phone_is_never_refused_for_what_it_says(http: httpx.Client, token: str, database: Database) -> None:
    good = "lat=60&lon=24&timestamp=1790848800"
    for query in ("", "lat=91&lon=24&timestamp=1790848800", "timestamp=never", good + "&speed=nan", good + "&x=%00"):
        assert http.get(f"/osmand?id={token}&{query}").status_code == 200
    deep = b'{"location": ' + b"[" * 1000 + b"]" * 1000 + b"}"
    assert http.post(f"/osmand/{token}", content=deep, headers={"Content-Type": "application/json"}).status_code == 200
    assert count(database, "quarantine") == 5
    with database.role("telemetry") as conn:
        kept = conn.execute("select raw from telemetry.quarantine").fetchall()
    assert not any(token.encode() in bytes(row[0]) for row in kept)  # type: ignore[arg-type]


def test_no_token_reaches_a_log(http: httpx.Client, token: str, caplog: pytest.LogCaptureFixture, batch: Batch) -> None:
    logging.getLogger("httpx").disabled = True  # the client's own log, not ours
    logging.getLogger("httpcore").disabled = True
    with caplog.at_level(logging.DEBUG):
        http.get(f"/osmand?id={token}&lat=91&lon=0&timestamp=1")
        http.get(f"/osmand/{token}?lat=x")
        upload(http, token, batch(2), Idempotency_Key="k")
        upload(http, token, batch(3), Idempotency_Key="k")
    assert "two bodies" in caplog.text
    assert token not in caplog.text


def test_a_body_slower_than_1_kib_a_second_is_408(
    http: httpx.Client, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.gateway.BODY_GRACE_S", 0.3)

    def trickle() -> Iterator[bytes]:
        for _ in range(20):
            yield b" "
            time.sleep(0.1)

    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    started = time.monotonic()
    assert http.post("/v1/readings", content=trickle(), headers=headers).status_code == 408
    assert time.monotonic() - started < 3


def test_the_database_stopped_during_uploads_is_503_and_loses_nothing_acknowledged(
    tmp_path: Path, batch: Batch
) -> None:
    """Every acknowledged upload is there after the restart; every refused one was told 503, and may come again."""
    folder = tmp_path / "server"
    with embedded_server(folder) as dsn:
        migrate(dsn)
        with Database(dsn, wait_s=1.0) as database:
            with database.role("telemetry") as conn:
                token = enrol(conn, "car-1", NOW).token
            with serving(database) as address, httpx.Client(base_url=address, timeout=60) as http:
                records = json.loads(batch(40))["readings"]
                bodies = [json.dumps({"readings": [record]}).encode() for record in records]
                statuses = [upload(http, token, body).status_code for body in bodies[:20]]
                assert http.get("/readyz").status_code == 200
                stop_server(folder)
                refused = upload(http, token, bodies[20])
                statuses.append(refused.status_code)
                assert statuses == [200] * 20 + [503]
                assert int(refused.headers["retry-after"]) > 0
                assert "acknowledged" in refused.json()["detail"]
                assert http.get("/readyz").status_code == 503
                assert http.get("/livez").status_code == 200
                with embedded_server(folder):  # adopts the folder: starts the server again
                    wait_until_ready(http)
                    with database.role("telemetry") as conn:
                        device = fetch_device(conn, "car-1")
                        assert device is not None
                        assert len(fetch_readings(conn, device.device_key, 0, 2**52)) == 20
                    assert [upload(http, token, body).status_code for body in bodies[20:]] == [200] * 20
                    assert count(database, "reading") == 40


def stop_server(folder: Path) -> None:
    """Stop the embedded server as an operator would: a fast shutdown by its pid."""
    pid = int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGINT)
    for _ in range(200):
        if not (folder / "postgres" / "postmaster.pid").exists():
            return
        time.sleep(0.05)
    raise TimeoutError("the server did not stop")


def wait_until_ready(http: httpx.Client) -> None:
    for _ in range(100):
        if http.get("/readyz").status_code == 200:
            return
        time.sleep(0.1)
    raise TimeoutError("the gateway did not become ready again")


def test_an_upload_cut_off_inside_its_transaction_leaves_nothing_and_is_not_acknowledged(
    http: httpx.Client, token: str, database: Database, database_dsn: str, batch: Batch
) -> None:
    """The server ends the connection while the upload waits inside its transaction: 503, no row, and a retry works."""
    with psycopg.connect(database_dsn) as blocker:
        blocker.execute("lock table telemetry.dirty_window in access exclusive mode")
        answers: list[httpx.Response] = []
        sender = threading.Thread(target=lambda: answers.append(upload(http, token, batch(10))))
        sender.start()
        with psycopg.connect(database_dsn, autocommit=True) as admin:
            waiting = "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            for _ in range(100):
                found = admin.execute(waiting).fetchone()
                if found:
                    break
                time.sleep(0.05)
            assert found
            admin.execute("select pg_terminate_backend(%s)", found)
        sender.join(30)
    assert [answer.status_code for answer in answers] == [503]
    assert (count(database, "reading"), count(database, "upload")) == (0, 0)
    assert upload(http, token, batch(10)).json()["accepted"] == 10
