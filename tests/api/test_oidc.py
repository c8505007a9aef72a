"""Signing in at an identity provider: what proves who came, and everything that does not."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

from api import store
from api.app import create_api
from api.oidc import OidcSettings
from api.roles import SESSION_COOKIE
from api.store import StoredAccount
from storage.pool import Database

NOW = datetime(2026, 11, 3, 17, 30, tzinfo=UTC)
SETTINGS = OidcSettings("https://id.example.org", "wayrate", "a secret", "http://127.0.0.1")
EMAIL = "desk@example.org"
KEY, OTHER_KEY = (RSAKey.generate_key(2048, {"kid": name}) for name in ("one", "two"))


class Issuer:
    """What a provider answers over HTTP: addresses, keys, and for each code the token that a test has made."""

    def __init__(self) -> None:
        self.claims: dict[str, Any] = {}
        self.key, self.header = KEY, {"alg": "RS256", "kid": "one"}
        self.posted: list[dict[str, list[str]]] = []
        self.token: str | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        issuer = SETTINGS.issuer
        if request.url.path.endswith("openid-configuration"):
            names = {"authorization_endpoint": "/auth", "token_endpoint": "/token", "jwks_uri": "/keys"}
            return httpx.Response(200, json={"issuer": issuer} | {key: issuer + path for key, path in names.items()})
        if request.url.path == "/keys":
            return httpx.Response(200, json=KeySet([KEY]).as_dict(private=False))
        self.posted.append(parse_qs(request.content.decode()))
        token = self.token or jwt.encode(self.header, self.claims, self.key, algorithms=["RS256", "HS256"])
        return httpx.Response(200, json={"id_token": token})


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def browser(database: Database, issuer: Issuer) -> Iterator[TestClient]:
    with database.role("policy") as conn:
        account = StoredAccount(uuid4(), EMAIL, "no password", "underwriter", None)
        assert store.insert_account(conn, account, NOW)
    app = create_api(database, None, lambda: NOW, SETTINGS)
    app.state.oidc.client = httpx.Client(transport=httpx.MockTransport(issuer))
    with TestClient(app, base_url="http://127.0.0.1", follow_redirects=False) as opened:
        yield opened


def begun(browser: TestClient, issuer: Issuer, **changed: Any) -> dict[str, str]:
    """A sign-in that began, with the token that the provider will give for it; the query to come back with."""
    way = urlsplit(browser.get("/sign-in/oidc").headers["location"])
    asked = {name: values[0] for name, values in parse_qs(way.query).items()}
    assert (way.netloc, asked["response_type"], asked["code_challenge_method"]) == ("id.example.org", "code", "S256")
    at = int(NOW.timestamp())
    issuer.claims = {"iss": SETTINGS.issuer, "aud": "wayrate", "sub": "s-1", "nonce": asked["nonce"], "iat": at,
                     "exp": at + 300, "email": EMAIL, "email_verified": True}  # fmt: skip
    issuer.claims = {key: value for key, value in (issuer.claims | changed).items() if value is not None}
    return {"code": "c-1", "state": asked["state"]}


def test_who_the_provider_vouches_for_is_signed_in_with_the_role_of_the_account(
    browser: TestClient, issuer: Issuer
) -> None:
    back = browser.get("/sign-in/oidc/callback", params=begun(browser, issuer, role="admin", roles=["admin"]))
    assert (back.status_code, back.headers["location"]) == (303, "/desk")
    assert browser.get("/api/v1/me").json()["role"] == "underwriter"
    assert issuer.posted[0]["code_verifier"][0]
    assert issuer.posted[0]["redirect_uri"] == ["http://127.0.0.1/sign-in/oidc/callback"]


def test_an_account_stays_with_its_subject_whatever_its_address_becomes(browser: TestClient, issuer: Issuer) -> None:
    assert browser.get("/sign-in/oidc/callback", params=begun(browser, issuer)).status_code == 303
    again = begun(browser, issuer, email="renamed@example.org", email_verified=False)
    assert browser.get("/sign-in/oidc/callback", params=again).status_code == 303
    assert browser.get("/api/v1/me").json()["email"] == EMAIL
    other = begun(browser, issuer, sub="s-2")  # another subject under the address of an account that has one
    assert browser.get("/sign-in/oidc/callback", params=other).status_code == 403


@pytest.mark.parametrize(
    "changed",
    [{"email_verified": False}, {"email_verified": None}, {"email_verified": "true"}, {"email": "nobody@example.org"},
     {"email": None}],
)  # fmt: skip
def test_an_address_that_is_not_verified_or_has_no_account_signs_nobody_in(
    browser: TestClient, issuer: Issuer, changed: dict[str, Any]
) -> None:
    assert browser.get("/sign-in/oidc/callback", params=begun(browser, issuer, **changed)).status_code == 403
    assert SESSION_COOKIE not in browser.cookies


def test_passwords_can_be_switched_off(browser: TestClient, database: Database) -> None:
    form = {"email": EMAIL, "password": "right or wrong", "form_token": ""}
    browser.get("/")
    assert 'type="password"' in browser.get("/").text
    assert browser.post("/sign-in", data=form | {"form_token": browser.cookies["wayrate_form"]}).status_code == 401
    only_provider = create_api(database, None, lambda: NOW, SETTINGS, passwords=False)
    with TestClient(only_provider, base_url="http://127.0.0.1", follow_redirects=False) as client:
        shown = client.get("/").text
        assert 'type="password"' not in shown
        assert 'href="/sign-in/oidc"' in shown
        refused = client.post("/sign-in", data=form | {"form_token": client.cookies["wayrate_form"]})
        assert refused.status_code == 403
        assert "Nobody is signed in by a password here." in refused.text


AT = int(NOW.timestamp())


@pytest.mark.parametrize(
    "changed",
    [{"iss": "https://evil.example.org"}, {"iss": None}, {"aud": "another"}, {"aud": ["wayrate", "another"]},
     {"aud": None}, {"azp": "another"}, {"exp": AT - 61}, {"exp": None}, {"exp": True}, {"exp": "soon"},
     {"iat": AT + 61}, {"iat": None}, {"nonce": "another"}, {"nonce": None}, {"sub": None}, {"sub": ""},
     {"sub": "x" * 256}],
)  # fmt: skip
def test_a_token_that_claims_anything_else_signs_nobody_in(
    browser: TestClient, issuer: Issuer, changed: dict[str, Any]
) -> None:
    assert browser.get("/sign-in/oidc/callback", params=begun(browser, issuer, **changed)).status_code == 401
    assert SESSION_COOKIE not in browser.cookies


@pytest.mark.parametrize("how", ["none", "another key", "our secret", "changed", "no token"])
def test_a_token_that_the_provider_did_not_sign_signs_nobody_in(browser: TestClient, issuer: Issuer, how: str) -> None:
    back = begun(browser, issuer)
    whole = jwt.encode({"alg": "RS256", "kid": "one"}, issuer.claims, KEY)
    head, body, signature = whole.split(".")
    if how == "none":
        none = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
        issuer.token = f"{none}.{body}."
    elif how == "another key":
        issuer.token = jwt.encode({"alg": "RS256", "kid": "one"}, issuer.claims, OTHER_KEY)
    elif how == "our secret":
        issuer.token = jwt.encode({"alg": "HS256"}, issuer.claims, OctKey.import_key("a secret" * 8))
    elif how == "changed":
        issuer.token = f"{head}.{body[:-4]}AAAA.{signature}"
    else:
        issuer.token = "no.token"
    assert browser.get("/sign-in/oidc/callback", params=back).status_code == 401


def test_an_answer_that_did_not_begin_in_this_browser_signs_nobody_in(browser: TestClient, issuer: Issuer) -> None:
    back = begun(browser, issuer)
    for query in (
        {**back, "state": "another"},
        {"code": "c-1"},
        {**back, "iss": "https://evil.example.org"},
        {"state": back["state"], "error": "access_denied"},
        {"state": back["state"]},
    ):
        assert browser.get("/sign-in/oidc/callback", params=query).status_code == 401, query
    browser.cookies.delete("wayrate_oidc")
    assert browser.get("/sign-in/oidc/callback", params=back).status_code == 401


def test_signing_in_ends_the_session_before_and_its_cookie_is_spent(browser: TestClient, issuer: Issuer) -> None:
    assert browser.get("/sign-in/oidc/callback", params=begun(browser, issuer)).status_code == 303
    first = browser.cookies[SESSION_COOKIE]
    back = begun(browser, issuer)
    assert browser.get("/sign-in/oidc/callback", params=back).status_code == 303
    assert browser.cookies[SESSION_COOKIE] != first
    assert browser.get("/sign-in/oidc/callback", params=back).status_code == 401, "the sign-in's cookie is spent"
    browser.cookies.set(SESSION_COOKIE, first)
    assert browser.get("/api/v1/me").status_code == 401


def test_without_a_provider_there_is_no_way_to_one(database: Database) -> None:
    with TestClient(create_api(database, None, lambda: NOW), base_url="http://127.0.0.1") as client:
        assert client.get("/sign-in/oidc").status_code == 404
        assert "/sign-in/oidc" not in client.get("/").text


def test_a_provider_that_is_away_is_said_to_be(browser: TestClient, issuer: Issuer) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody there", request=request)

    browser.app.state.oidc.client = httpx.Client(transport=httpx.MockTransport(away))  # type: ignore[attr-defined]
    assert browser.get("/sign-in/oidc").status_code == 503
