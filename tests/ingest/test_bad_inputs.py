"""Each bad input on each HTTP channel that can carry it: the stated answer, nothing lost, and the device goes on."""

import base64
import gzip
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx
import pytest
from psycopg import conninfo

from ingest.devices import enrol
from ingest.readings import TIER_FLAGS, Flag
from storage.pool import Database
from tests.conftest import _execute
from tests.ingest.bad_inputs import (
    CASES,
    CHANNELS,
    DEVICE,
    HTTP,
    JSON_CHANNELS,
    OSMAND,
    OSMAND_JSON,
    OWNTRACKS,
    TRACCAR,
    Case,
    carries,
    message,
)
from tests.ingest.conftest import NOW, serving

NUMBERS = count(1)
PATHS = {HTTP: "/v1/readings", OSMAND: "/osmand", OSMAND_JSON: "/osmand", OWNTRACKS: "/owntracks", TRACCAR: "/traccar"}
BY_CHANNEL = [
    pytest.param(case, channel, id=f"row {case.row} {case.name}, {channel}")
    for case in CASES
    for channel in CHANNELS
    if carries(channel, case)
]


@dataclass(frozen=True, slots=True)
class Sender:
    """An enrolled device on one channel."""

    database: Database
    http: httpx.Client
    channel: str
    device_id: str
    device_key: int
    token: str

    def send(self, body: bytes, **headers: str) -> httpx.Response:
        """The body as it is, with the channel's credential."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        path = PATHS[self.channel]
        if self.channel in {OSMAND, OSMAND_JSON}:
            kind = "application/json" if self.channel == OSMAND_JSON else "application/x-www-form-urlencoded"
            return self.http.post(f"{path}/{self.token}", content=body, headers={"Content-Type": kind} | named)
        basic = base64.b64encode(f"me:{self.token}".encode()).decode()
        credential = f"Basic {basic}" if self.channel == OWNTRACKS else f"Bearer {self.token}"
        common = {"Authorization": credential, "Content-Type": "application/json"}
        return self.http.post(path, content=body, headers=common | named)

    def record(self, said: dict[str, str]) -> bytes:
        """The channel's body of one record."""
        body = message(self.channel, said).replace(DEVICE.encode(), self.device_id.encode())
        return b'{"readings": [' + body + b"]}" if self.channel == HTTP else body

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.database.role("telemetry") as conn:
            return list(conn.execute(query, {"device": self.device_key}).fetchall())  # type: ignore[arg-type]

    def quarantined(self) -> list[tuple[str, bytes]]:
        found = self.rows("select reason, raw from telemetry.quarantine where device_key = %(device)s order by 1")
        return [(reason, bytes(raw)) for reason, raw in found]

    def stored(self) -> int:
        return int(self.rows("select count(*) from telemetry.reading where device_key = %(device)s")[0][0])

    def goes_on(self) -> None:
        """A good reading is taken after all that: nothing blocks the device. Then all that was received is there."""
        before = self.stored()
        answer = self.send(self.record({"lat": "61.5"}))
        assert answer.status_code == 200
        assert self.stored() == before + 1
        sums = self.rows(
            "select coalesce(sum(records_received), 0), coalesce(sum(records_stored), 0), "
            "coalesce(sum(records_duplicate), 0), coalesce(sum(records_quarantined), 0) "
            "from telemetry.upload where device_key = %(device)s"
        )[0]
        assert sums[0] == sum(sums[1:])
        assert (sums[1], sums[3]) == (self.stored(), len(self.quarantined()))


@pytest.fixture(scope="module")
def gateway(server_dsn: str, _template: str) -> Iterator[tuple[Database, httpx.Client]]:
    """One gateway for the whole corpus: each case has a device of its own."""
    name = f"wayrate_bad_inputs_{next(NUMBERS)}_{time.time_ns()}"
    _execute(server_dsn, "create database {} template {}", name, _template)
    with (
        Database(conninfo.make_conninfo(server_dsn, dbname=name)) as database,
        serving(database) as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        yield database, client
    _execute(server_dsn, "drop database {} with (force)", name)


def sender_on(gateway: tuple[Database, httpx.Client], channel: str) -> Sender:
    database, http = gateway
    device_id = f"car-{next(NUMBERS)}"
    with database.role("telemetry") as conn:
        enrolled = enrol(conn, device_id, NOW)
    return Sender(database, http, channel, device_id, enrolled.device_key, enrolled.token)


@pytest.fixture(params=CHANNELS)
def sender(gateway: tuple[Database, httpx.Client], request: pytest.FixtureRequest) -> Sender:
    return sender_on(gateway, request.param)


@pytest.mark.parametrize(("case", "channel"), BY_CHANNEL)
def test_a_bad_record_gets_its_answer(gateway: tuple[Database, httpx.Client], case: Case, channel: str) -> None:
    sender = sender_on(gateway, channel)
    body = sender.record(case.said)
    answer = sender.send(body)
    assert answer.status_code == 200
    reason = case.instead.get(channel, case.reason)
    assert [found for found, _ in sender.quarantined()] == ([reason] if reason else [])
    if reason is not None:
        kept = sender.quarantined()[0][1]
        assert kept == (body[len(b'{"readings": [') : -len(b"]}")] if channel == HTTP else body)
        assert sender.stored() == 0
    else:
        columns = ", ".join((f"flags & ~{int(TIER_FLAGS['claim'])}", *case.null))
        found = sender.rows(f"select {columns} from telemetry.reading where device_key = %(device)s")
        assert found == [(int(Flag[case.flag]) if case.flag else 0, *(None for _ in case.null))]
    sender.goes_on()


def test_a_record_beside_a_bad_one_is_stored(gateway: tuple[Database, httpx.Client]) -> None:
    sender = sender_on(gateway, HTTP)
    refused = [case for case in CASES if case.reason and carries(HTTP, case)]
    records = [message(HTTP, case.said) for case in refused]
    good = [message(HTTP, {"lat": f"{50 + number}"}) for number in range(len(records))]
    both = b", ".join(piece for pair in zip(records, good, strict=True) for piece in pair)
    receipt = sender.send(b'{"readings": [' + both + b"]}").json()
    assert (receipt["accepted"], receipt["quarantined"]) == (len(good), len(records))
    assert {one["index"]: one["reason"] for one in receipt["records"]} == {
        2 * number: case.reason for number, case in enumerate(refused)
    }
    sender.goes_on()


# Bodies as a whole


def test_row_22_a_body_slower_than_1_kib_a_second_is_408(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.gateway.BODY_GRACE_S", 0.1)

    def trickle() -> Iterator[bytes]:
        for _ in range(20):
            yield b" "
            time.sleep(0.05)

    assert sender.send(trickle()).status_code == 408  # type: ignore[arg-type]
    monkeypatch.undo()
    sender.goes_on()


TOO_BIG = {
    "row 23 over 2 MiB": (b" " * (2 * 1024 * 1024 + 1), {}, 413),
    "row 24 a bomb": (gzip.compress(bytes(100_000_000)), {"Content_Encoding": "gzip"}, 413),
    "row 24 over 100 to 1": (gzip.compress(b" " * 2_000_000), {"Content_Encoding": "gzip"}, 413),
    "row 25 truncated": (gzip.compress(b"{}" * 100)[:-5], {"Content_Encoding": "gzip"}, 400),
    "row 25 two members": (gzip.compress(b"{}") * 2, {"Content_Encoding": "gzip"}, 400),
    "row 25 not what it says": (b"{}", {"Content_Encoding": "gzip"}, 400),
    "row 25 unknown": (b"{}", {"Content_Encoding": "br"}, 415),
}


@pytest.mark.parametrize(("body", "headers", "status"), TOO_BIG.values(), ids=TOO_BIG)
def test_rows_23_to_25_a_body_out_of_bounds_is_refused_whole(
    sender: Sender, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = sender.send(body, **headers)
    assert answer.status_code == status
    assert (answer.headers.get("connection") == "close") == (status == 413)
    assert sender.rows("select from telemetry.upload where device_key = %(device)s") == []
    sender.goes_on()


def test_row_23_a_batch_over_5000_records_is_413(gateway: tuple[Database, httpx.Client]) -> None:
    sender = sender_on(gateway, HTTP)
    assert sender.send(b'{"readings": [' + b"0," * 5000 + b"0]}").status_code == 413
    sender.goes_on()


@pytest.mark.parametrize("channel", JSON_CHANNELS)
def test_row_27_a_depth_of_100000(gateway: tuple[Database, httpx.Client], channel: str) -> None:
    """Ours 400: it can be corrected. Who repeats it for ever is answered 200, and it is kept."""
    sender = sender_on(gateway, channel)
    body = b'{"readings": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert sender.send(body).status_code == (400 if channel == HTTP else 200)
    assert sender.quarantined() == ([] if channel == HTTP else [("malformed", body)])
    sender.goes_on()


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}"], ids=["empty", "null", "list", "object"])
@pytest.mark.parametrize("channel", JSON_CHANNELS)
def test_row_32_nothing_at_all(gateway: tuple[Database, httpx.Client], channel: str, body: bytes) -> None:
    sender = sender_on(gateway, channel)
    answer = sender.send(body)
    assert answer.status_code == (422 if channel == HTTP else 200)
    assert answer.content == b"[]" or channel != OWNTRACKS
    assert (sender.stored(), sender.quarantined()) == (0, [])
    sender.goes_on()


IDS = {
    "row 35 SQL": "'; DROP TABLE device--",
    "row 35 format": "%s",
    "row 35 lookup": "${jndi:ldap://x}",
    "row 35 template": "{{7*7}}",
    "row 36 path": "../../etc/passwd",
    "row 36 absolute": "/abs/path",
    "row 37 10 kB": "a" * 10_000,
    "row 37 right to left": "car\u202e-1",
    "row 37 homoglyph": "c\u0430r-1",
    "row 37 trailing space": "car-1 ",
    "row 37 case": "CAR-1",
}


@pytest.mark.parametrize("bad_id", IDS.values(), ids=IDS)
def test_rows_35_to_37_an_id_that_is_none(gateway: tuple[Database, httpx.Client], bad_id: str) -> None:
    """In place of a credential 404; in what a credential sends it is data, quarantined, and names nothing."""
    http = gateway[1]
    assert http.get("/osmand", params={"id": bad_id, "lat": "60"}).status_code == 404
    assert http.get("/osmand/" + httpx.URL(f"http://x/?{bad_id}").query.decode()).status_code in {404, 405}
    sender = sender_on(gateway, TRACCAR)
    body = message(TRACCAR, {}).replace(DEVICE.encode(), bad_id.encode())
    assert sender.send(body).status_code == 200
    assert sender.quarantined() == [("bad_id", body)]
    sender.goes_on()


def test_rows_64_65_67_and_68_order_repetition_and_clashes(sender: Sender) -> None:
    """Backwards, twice, and two contents at one time: the same readings, whatever came first."""
    bodies = [sender.record({"lat": f"{50 + number}"}) for number in range(4)]
    for body in [*reversed(bodies), *bodies]:
        assert sender.send(body).status_code == 200
    assert sender.stored() == 4
    duplicates = sender.rows("select sum(records_duplicate) from telemetry.upload where device_key = %(device)s")
    assert duplicates == [(4,)]
    sender.goes_on()


def test_row_66_one_key_and_two_bodies(gateway: tuple[Database, httpx.Client]) -> None:
    sender = sender_on(gateway, HTTP)
    assert sender.send(sender.record({}), Idempotency_Key="one").status_code == 200
    assert sender.send(sender.record({"lat": "12"}), Idempotency_Key="one").status_code == 409
    assert sender.send(sender.record({"lat": "12"}), Idempotency_Key="two").status_code == 200
    sender.goes_on()
