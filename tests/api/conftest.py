"""One small book for all API tests: they read it, and none writes more than sessions."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from uuid import uuid4

import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg import conninfo, sql

from api import accounts, store
from api.app import create_api
from api.roles import SESSION_COOKIE
from storage.migrate import migrate
from storage.pool import Database
from tests.api.world import NOW, PASSWORD, World, build_world

_NUMBERS = count(1)


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
        # Nobody may be connected to what is copied; the pool opens fresh connections by itself.
        conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (source,))
        conn.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(source)))
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
