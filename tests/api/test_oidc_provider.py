"""Signing in against a real provider: `oidc-provider` of npm on Node, by its own form, in a browser's steps."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin
from uuid import uuid4

import httpx
import pytest
from fastapi.testclient import TestClient

from api import store
from api.app import create_api
from api.oidc import OidcSettings
from api.store import StoredAccount
from storage.pool import Database

PACKAGE = "oidc-provider@9.13.3"
SCRIPT = Path(__file__).with_name("oidc_provider.mjs")
OURS = "http://127.0.0.1"

pytestmark = pytest.mark.long


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[str]:
    """A running provider; skipped where Node or npm is absent, or npm cannot install it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("needs Node and npm")
    install = [npm, "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(tmp_path), PACKAGE]
    if subprocess.run(install, capture_output=True, check=False, timeout=300).returncode != 0:
        pytest.skip(f"npm does not install {PACKAGE}")
    shutil.copy(SCRIPT, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [node, SCRIPT.name, str(port), f"{OURS}/sign-in/oidc/callback"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline().strip().endswith("ready")
        yield f"http://127.0.0.1:{port}"
        running.terminate()


@pytest.fixture
def browser(database: Database, issuer: str) -> Iterator[TestClient]:
    with database.role("policy") as conn:
        account = StoredAccount(uuid4(), "desk@example.org", "no password", "underwriter", None)
        assert store.insert_account(conn, account, datetime.now(UTC))
    settings = OidcSettings(issuer, "wayrate", "a-secret-of-the-test", OURS)
    app = create_api(database, None, lambda: datetime.now(UTC), settings)
    with TestClient(app, base_url=OURS, follow_redirects=False) as opened:
        yield opened


def through_the_form(way: str, name: str) -> str:
    """What a browser does at the provider: its form, its consent, and the address that it is sent back to."""
    with httpx.Client() as client:
        answer = client.get(way)
        for _ in range(12):
            if answer.is_redirect:
                way = urljoin(way, answer.headers["location"])
                if way.startswith(f"{OURS}/"):
                    return way
                answer = client.get(way)
                continue
            assert answer.status_code == 200, answer.text
            action = re.search(r'<form[^>]+action="([^"]+)"', answer.text)
            prompt = re.search(r'name="prompt" value="([^"]+)"', answer.text)
            assert action is not None
            assert prompt is not None
            way = urljoin(way, action[1])
            answer = client.post(way, data={"prompt": prompt[1], "login": name, "password": "any"})
    raise AssertionError("the provider never sent the browser back")


def test_a_person_of_a_real_provider_is_signed_in_and_keeps_the_account(browser: TestClient) -> None:
    for _ in range(2):
        back = through_the_form(browser.get("/sign-in/oidc").headers["location"], "desk@example.org")
        answer = browser.get(back.removeprefix(OURS))
        assert (answer.status_code, answer.headers["location"]) == (303, "/desk"), answer.text
        assert browser.get("/api/v1/me").json()["role"] == "underwriter"
    assert browser.get(back.removeprefix(OURS)).status_code == 401, "a code is good once"


@pytest.mark.parametrize("name", ["stranger@example.org", "unverified@example.org"])
def test_nobody_else_of_a_real_provider_is(browser: TestClient, name: str) -> None:
    back = through_the_form(browser.get("/sign-in/oidc").headers["location"], name)
    assert browser.get(back.removeprefix(OURS)).status_code == 403
    assert browser.get("/api/v1/me").status_code == 401


def test_a_code_without_the_verifier_of_its_sign_in_is_refused_by_the_provider(browser: TestClient) -> None:
    back = through_the_form(browser.get("/sign-in/oidc").headers["location"], "desk@example.org")
    state, nonce, _ = browser.cookies["wayrate_oidc"].split(".")
    browser.cookies.delete("wayrate_oidc")
    browser.cookies.set("wayrate_oidc", f"{state}.{nonce}.{'x' * 43}")
    assert browser.get(back.removeprefix(OURS)).status_code == 401
