"""What every answer carries: security headers, HSTS on https, a 500 that tells nothing, ETags of what is read often."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import create_api
from api.security import SECURITY_HEADERS
from tests.api.conftest import sign_in
from tests.api.world import ANNA, DESK, NOW, POLICY_OF, World

POLICY = f"/api/v1/policies/{POLICY_OF[ANNA]}"
CANARY = "Anna drove home"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/health", 200),
        ("/home", 303),
        ("/static/wayrate.css", 200),
        ("/static/nothing", 404),
        ("/vendor/maplibre-gl.js", 200),
        ("/nothing", 404),
        ("/api/v1/me", 401),
        ("/api/v1/nothing", 404),
        ("/openapi.json", 200),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_every_answer_has_every_security_header(world: World, path: str, status: int, scheme: str) -> None:
    client = TestClient(create_api(world.database, None, lambda: NOW), base_url=f"{scheme}://127.0.0.1")
    answer = client.get(path, follow_redirects=False)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
    hsts = answer.headers.get("strict-transport-security")
    assert hsts == ("max-age=31536000" if scheme == "https" else None)


def test_a_refused_body_has_the_headers_too(client: TestClient) -> None:
    answer = client.post("/api/v1/quotes", content=b"x" * 2_000_000, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS


@pytest.fixture
def broken(world: World) -> Iterator[TestClient]:
    """The application with two routes that break, on the words of a person."""
    app: FastAPI = create_api(world.database, None, lambda: NOW)

    @app.get("/api/v1/breaks")
    @app.get("/breaks")
    def breaks() -> None:
        raise RuntimeError(CANARY)

    with TestClient(app, base_url="https://127.0.0.1", raise_server_exceptions=False) as opened:
        yield opened


def test_what_breaks_on_our_side_tells_nothing_of_it(broken: TestClient) -> None:
    said = broken.get("/api/v1/breaks")
    assert (said.status_code, said.headers["content-type"]) == (500, "application/problem+json")
    assert said.json() == {
        "title": "Something went wrong",
        "status": 500,
        "detail": "The request broke on our side.",
        "what_to_do": "Try again; if it stays, tell support.",
    }
    page = broken.get("/breaks", headers={"Accept-Language": "de"})
    assert (page.status_code, "text/html" in page.headers["content-type"]) == (500, True)
    for answer in (said, page):
        assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert not any(word in answer.text for word in (CANARY, "Traceback", "RuntimeError"))


OWN = [f"{POLICY}/{name}" for name in ("score", "statements", "statements/2026-10", "menu", "trips?limit=2")]


@pytest.mark.parametrize(
    ("who", "path"), [*((ANNA, path) for path in OWN), (DESK, f"/api/v1/book/{POLICY_OF[ANNA]}/statements")]
)
def test_who_has_the_answer_already_is_told_so(client: TestClient, who: str, path: str) -> None:
    sign_in(client, who)
    route = path.replace(POLICY_OF[ANNA], "{policy_id}").replace("2026-10", "{period}").partition("?")[0]
    assert "304" in client.get("/openapi.json").json()["paths"][route]["get"]["responses"]
    answer = client.get(path)
    tag = answer.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag), known
    other = client.get(path, headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.json()) == (200, answer.json())
    client.cookies.clear()
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 401


def test_a_page_of_statements_keeps_its_link(client: TestClient) -> None:
    sign_in(client, ANNA)
    every = client.get(f"{POLICY}/statements")
    assert "link" not in every.headers
    shown = client.get(f"{POLICY}/statements?limit=1")
    assert shown.json() == every.json()[:1]
    assert ("next" in shown.links) == (len(every.json()) > 1)
