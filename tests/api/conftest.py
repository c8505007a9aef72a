"""One small book for all API tests: they read it, and none writes more than sessions."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from uuid import uuid4

import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg import conninfo, sql

from api import accounts, store
from api.app import create_api
from api.roles import SESSION_COOKIE
from ingest.accept import accept
from ingest.decoders import teltonika, wayrate
from ingest.devices import enrol, find_device
from pricing.policies import publish_packaged_plan
from storage.migrate import migrate
from storage.pool import Database
from tests.api.world import NOW, PASSWORD, World, build_world
from tests.ingest.teltonika_frames import Record, body, packet

_NUMBERS = count(1)
LATER = datetime(2026, 11, 20, 9, tzinfo=UTC)  # when October is posted
# A place and a speed that stand nowhere else.
BATCH = {
    "readings": [
        {"fix_time": "2026-11-03T10:00:00Z", "latitude_deg": 60.177771, "longitude_deg": 24.933331, "speed_mps": 171},
        {"fix_time": "2026-11-03T10:00:01Z", "latitude_deg": "60.177772", "longitude_deg": 24.933332},
    ]
}


@pytest.fixture(scope="session")
def world(server_dsn: str) -> Iterator[World]:
    """The small book in a database of its own, made once a worker."""
    name = f"wayrate_api_{os.getpid()}_{next(_NUMBERS)}"
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        conn.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    dsn = conninfo.make_conninfo(server_dsn, dbname=name)
    migrate(dsn)
    with Database(dsn) as database:
        yield build_world(database)
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        conn.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@contextmanager
def copied(world: World, server_dsn: str) -> Iterator[World]:
    """A copy of the small book that may be written to."""
    source = str(conninfo.conninfo_to_dict(world.database.dsn)["dbname"])
    name = f"wayrate_copy_{uuid4().hex[:12]}"
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        # Nobody may be connected to what is copied: the pool opens fresh connections by itself, and the workers of
        # TimescaleDB come back at once unless they are locked out.
        conn.execute(sql.SQL("alter database {} allow_connections false").format(sql.Identifier(source)))
        try:
            conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (source,))
            conn.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(source)))
        finally:
            conn.execute(sql.SQL("alter database {} allow_connections true").format(sql.Identifier(source)))
        try:
            with Database(conninfo.make_conninfo(server_dsn, dbname=name)) as database:
                yield World(database, world.roads)
        finally:
            conn.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    """A browser without a session, on the real application."""
    with TestClient(create_api(world.database, world.roads, lambda: NOW), base_url="http://127.0.0.1") as opened:
        yield opened


class Clock:
    """The application's time, which a test may move."""

    def __init__(self) -> None:
        self.now = LATER

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client_of_plans(database: Database, clock: Clock) -> Iterator[TestClient]:
    """On an empty database with the packaged rate plan."""
    with database.role("policy") as conn:
        publish_packaged_plan(conn, clock.now)
    with TestClient(create_api(database, None, clock), base_url="http://127.0.0.1") as opened:
        yield opened


@pytest.fixture
def client_of_quarantine(database: Database) -> Iterator[TestClient]:
    """On one device, and three records of it in quarantine."""
    with database.role("telemetry") as conn:
        enrol(conn, "car-1", NOW)
        device = find_device(conn, "car-1")
    accept(database, device, json.dumps(BATCH).encode(), wayrate.decode, received_at=NOW, channel="http",
           decoder_version=wayrate.VERSION)  # fmt: skip
    frame = packet(body([Record(time_ms=1_793_700_000_000)], trailing=b"\x01"))
    accept(database, device, frame, lambda raw: teltonika.decode_tcp(raw).decoded, received_at=NOW,
           channel="teltonika-tcp", decoder_version=teltonika.VERSION)  # fmt: skip
    with TestClient(create_api(database, None, lambda: NOW), base_url="http://127.0.0.1") as opened:
        yield opened


def sign_in(client: TestClient, email: str, password: str = PASSWORD) -> int:
    """Through the form as a person does; the status of the answer to the form."""
    client.get("/")
    form = {"email": email, "password": password, "form_token": client.cookies["wayrate_form"]}
    return client.post("/sign-in", data=form, follow_redirects=False).status_code


def begin_session(client: TestClient, database: Database, email: str, role: str) -> str:
    """A session of that account, which is made where it is not there, without a password; its forms' token."""
    with database.role("policy") as conn:
        account = store.fetch_stored_account(conn, email)
        if account is None:
            account = store.StoredAccount(uuid4(), email, "no password", role, None)
            assert store.insert_account(conn, account, NOW)
        token, form_token = uuid4().hex, uuid4().hex
        as_of = client.app.state.clock()  # type: ignore[attr-defined]
        store.insert_session(
            conn, accounts.token_hash(token), account.account_key, csrf_token=form_token, created_at=as_of,
            expires_at=as_of + accounts.SESSION_LENGTH,
        )  # fmt: skip
    client.cookies.clear()
    client.cookies.set(SESSION_COOKIE, token)
    return form_token
