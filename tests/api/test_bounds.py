"""Rows 21 to 37 of docs/bad-inputs.md on the people's API: what is out of bounds is answered, and nothing breaks."""

import gzip
import json
from collections.abc import Iterator
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from api import bounds
from api.app import create_api
from api.roles import SESSION_COOKIE
from tests.api.matrix import REQUEST
from tests.api.test_matrix import session_of
from tests.api.world import ANNA, NOW, World
from tests.ingest.running import serving_app
from tests.ingest.test_http_protocol import answer_to

TERMS = REQUEST["POST /api/v1/bindings"].json
HEAD = "POST /api/v1/bindings HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def anna(world: World, client: TestClient) -> TestClient:
    client.cookies.set(SESSION_COOKIE, session_of(world.database, ANNA, "policyholder", None)[0])
    return client


@pytest.fixture
def address(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The application on the server that `wayrate serve` uses."""
    monkeypatch.setattr("ingest.http_protocol.LINGER_S", 0.2)
    with serving_app(create_api(world.database, None, lambda: NOW)) as running:
        yield running


def _with(**changed: object) -> bytes:
    assert isinstance(TERMS, dict)
    return json.dumps({**TERMS, **changed}).encode()


def bound(client: TestClient, body: bytes, **headers: str) -> Response:
    keyed = {
        **JSON,
        "Idempotency-Key": uuid4().hex,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return client.post("/api/v1/bindings", content=body, headers=keyed)


def problem(answer: Response) -> tuple[int, dict[str, str]]:
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == answer.status_code
    assert said["title"]
    assert said["what_to_do"]
    return answer.status_code, said


def test_row_21_a_head_that_does_not_end_is_408(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.http_protocol.HEAD_DEADLINE_S", 0.3)
    ((status, headers, body),) = answer_to(address, b"GET /api/v1/me HT")
    assert (status, headers["connection"]) == (408, "close")
    assert json.loads(body)["title"] == "The request came too slowly"


def test_a_head_beyond_64_kib_is_400(address: str) -> None:
    ((status, headers, _),) = answer_to(address, b"GET / HTTP/1.1\r\nHost: x\r\nX-Much: " + b"a" * 70_000)
    assert (status, headers["connection"]) == (400, "close")


def test_row_22_a_body_that_trickles_is_408(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "BODY_GRACE_S", 0.3)
    ((status, headers, _),) = answer_to(address, f'{HEAD}Connection: close\r\nContent-Length: 100\r\n\r\n{{"a'.encode())
    assert (status, headers["content-type"]) == (408, "application/problem+json")


def test_row_23_a_body_too_large_is_refused_before_it_is_read_and_while_it_comes(address: str) -> None:
    announced = f"{HEAD}Connection: close\r\nContent-Length: {bounds.MOST_JSON_BYTES + 1}\r\n\r\n"
    ((status, _, _),) = answer_to(address, announced.encode())
    assert status == 413
    piece = b"10000\r\n" + b" " * 65536 + b"\r\n"
    chunked = f"{HEAD}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    ((status, _, _),) = answer_to(address, chunked + piece * 17)
    assert status == 413
    form = f"POST /sign-in HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {2**16 + 1}\r\n\r\n"
    ((status, headers, _),) = answer_to(address, form.encode())
    assert (status, headers["content-type"]) == (413, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    "length", [b"Content-Length: 2\r\nTransfer-Encoding: chunked", b"Content-Length: 2\r\nContent-Length: 3"]
)
def test_row_26_a_body_framed_twice_is_400_and_the_connection_ends(address: str, length: bytes) -> None:
    ((status, headers, _),) = answer_to(address, HEAD.encode() + length + b"\r\n\r\n{}")
    assert (status, headers["connection"]) == (400, "close")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
def test_rows_24_and_25_no_compressed_body_is_read(anna: TestClient, encoding: str) -> None:
    status, said = problem(bound(anna, gzip.compress(bytes(1_000_000)), content_encoding=encoding))
    assert (status, said["what_to_do"]) == (415, "Send it with Content-Encoding: identity.")


@pytest.mark.parametrize(
    ("row", "body", "status", "word"),
    [
        (27, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400, "32 deep"),
        (27, b"[" * 33 + b"]" * 33, 400, "32 deep"),
        (28, b'{"pay_plan": "flat", "pay_plan": "per_km"}', 422, "names a key twice"),
        (29, b'{"declared_km_per_year": NaN}', 422, "not finite"),
        (29, b'{"declared_km_per_year": -Infinity}', 422, "not finite"),
        (29, b'{"declared_km_per_year": 1e999}', 422, "not finite"),
        (30, _with(declared_km_per_year="8000"), 422, "valid integer"),
        (30, _with(declared_km_per_year=True), 422, "valid integer"),
        (31, b'{"declared_km_per_year": ' + b"9" * 5000 + b"}", 422, "18 digits"),
        (32, b"", 422, "required"),
        (32, b"null", 422, ""),
        (32, b"[]", 422, ""),
        (32, b"{}", 422, "required"),
        (33, b'{"name": "\xff\xfe"}', 400, "UTF-8"),
        (33, '{"name": "x"}'.encode("utf-16"), 400, "UTF-8"),
        (33, b'{"name": "\\ud800"}', 422, "surrogate"),
        (34, b'{"name": "a\\u0000b"}', 422, "NUL"),
        (34, b'{"factors": {"a\\u0000": "b"}}', 422, "NUL"),
        (35, b"{'name': 'x'}", 400, "not JSON"),
    ],
)  # fmt: skip
def test_rows_27_to_35_json_says_one_thing(anna: TestClient, row: int, body: bytes, status: int, word: str) -> None:
    answered, said = problem(bound(anna, body))
    assert (answered, word in said["detail"]) == (status, True), (row, said)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_a_body_of_another_kind_is_415(anna: TestClient, kind: str) -> None:
    assert problem(bound(anna, b"{}", content_type=kind))[0] == 415


@pytest.mark.parametrize(
    "policy_id",
    ["'; DROP TABLE--", "%25s", "${jndi:ldap://x}", "{{7*7}}", "..%2f..%2fetc%2fpasswd", "%2fabs%2fpath", "a%00b",
     "x" * 10_000, "T-1001%E2%80%AE", "Т-1001", "T-1001%20", "t-1001", "%ff%fe", "T-1001%0d%0aX:%20y"],
)  # fmt: skip
def test_rows_34_to_37_an_id_that_is_none_is_404(anna: TestClient, policy_id: str) -> None:
    for path in (f"/api/v1/policies/{policy_id}", f"/api/v1/policies/{policy_id}/score"):
        assert problem(anna.get(path))[0] == 404
    assert anna.get(f"/policies/{policy_id}/trips").status_code == 404
    for path in (f"/api/v1/trips/{policy_id}", f"/trips/{policy_id}"):
        assert anna.get(path).status_code == 404


def test_row_34_a_nul_in_query_or_form_is_422(anna: TestClient) -> None:
    assert problem(anna.get("/api/v1/policies?cursor=a%00b"))[0] == 422
    assert (
        anna.post("/sign-in", content=b"email=a%00b&password=c", headers={"Content-Type": bounds.FORM}).status_code
        == 422
    )


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
     {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://127.0.0.1.elsewhere.example"}],
)  # fmt: skip
def test_no_other_site_changes_anything(anna: TestClient, headers: dict[str, str]) -> None:
    status, said = problem(anna.post("/api/v1/bindings", json={}, headers=headers))
    assert (status, said["title"]) == (403, "Not from another site")
    assert anna.get("/api/v1/me", headers=headers).status_code == 200, "a link from elsewhere may be followed"


def test_our_own_pages_may(anna: TestClient) -> None:
    own = {"Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}
    assert anna.post("/api/v1/bindings", json={}, headers={**own, "Idempotency-Key": uuid4().hex}).status_code == 422
