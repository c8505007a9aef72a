"""The index of routes leads where FastAPI's own list, asked in turn, leads."""

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient

from api.routing import IndexedRouter

first, second = APIRouter(prefix="/api"), APIRouter()


@first.get("/things/{name}")
def read_thing(name: str) -> str:
    return f"thing {name}"


@first.get("/things/{name}/parts/{part}")
def read_part(name: str, part: int) -> str:
    return f"part {part} of {name}"


@second.get("/api/things/new")  # after the first, which takes it
def never_reached() -> str:
    return "never"


@second.get("/files/{path:path}")
def read_file(path: str) -> str:
    return f"file {path}"


@second.post("/api/things/{name}")
def change_thing(name: str) -> str:
    return f"changed {name}"


@second.get("/late/{what}")
def read_late(what: str) -> str:
    return f"late {what}"


@second.get("/late/word")
def read_word() -> str:
    return "never either"


def application(*, indexed: bool) -> TestClient:
    app = FastAPI()
    if indexed:
        app.router = router = IndexedRouter(routes=app.routes)
        router.include_each([first, second])
    else:
        app.include_router(first)
        app.include_router(second)
    below = FastAPI(openapi_url=None)
    below.get("/{name}")(read_thing)
    app.mount("/mounted", below)
    app.get("/health")(lambda: "ok")
    return TestClient(app)


@pytest.fixture(scope="module")
def both() -> tuple[TestClient, TestClient]:
    return application(indexed=True), application(indexed=False)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/things/a", 200),
        ("POST", "/api/things/a", 200),
        ("DELETE", "/api/things/a", 405),
        ("GET", "/api/things/new", 200),
        ("GET", "/api/things/a/parts/7", 200),
        ("GET", "/api/things/a/parts/x", 422),
        ("GET", "/api/things/", 404),
        ("GET", "/api/things/a/", 200),
        ("GET", "/api/thing", 404),
        ("GET", "/late/word", 200),
        ("GET", "/files/a/b/c", 200),
        ("GET", "/mounted/x", 200),
        ("GET", "/mounted/x/y", 404),
        ("GET", "/mounted", 404),
        ("GET", "/health", 200),
        ("GET", "/", 404),
        ("GET", "/api/things/%7Bname%7D", 200),
        ("GET", "/openapi.json", 200),
    ],
)
def test_it_answers_as_without_the_index(
    both: tuple[TestClient, TestClient], method: str, path: str, status: int
) -> None:
    found, wanted = (client.request(method, path) for client in both)
    assert (found.status_code, found.json()) == (wanted.status_code, wanted.json())
    assert found.status_code == status
