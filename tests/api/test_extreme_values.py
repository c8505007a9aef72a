"""Values at the ends of what a date, a number and a text can be, in every place of every request.

Schemathesis makes requests that fit a pattern; these stand where arithmetic ends.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.testclient import TestClient

from api.app import create_api
from tests.api.conftest import copied
from tests.api.matrix import PUBLIC, request_of
from tests.api.test_matrix import Asking, Caller, made_asking, operations
from tests.api.test_routes import api_routes
from tests.api.world import ANNA, NOW, World

TEXTS = [
    "9999-12", "0001-01", "9999-12-31", "0001-01-01", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00",
    "２０２６-10", "-1", str(2**63), "1" * 25, "1e400", "NaN", "a\0b", "\ud800", "x" * 3000, "",
]  # fmt: skip
VALUES: list[object] = [
    *TEXTS,
    2**63,
    -(2**63) - 1,
    10**25,
    1e308,
    float("nan"),
    float("inf"),
    0,
    -1,
    None,
    True,
    [],
    {},
]


@dataclass(frozen=True)
class Sent:
    """One request, well-formed but for one value."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str | list[str]] | None = None
    body: bytes | None = None


@pytest.fixture(scope="module")
def asking(world: World, server_dsn: str) -> Iterator[Asking]:
    with copied(world, server_dsn) as own, made_asking(own.database, own.roads) as made:
        made.client = TestClient(made.client.app, base_url="http://127.0.0.1", raise_server_exceptions=False)
        yield made


def query_names(dependant: Dependant) -> set[str]:
    own = {parameter.alias for parameter in dependant.query_params}
    return own.union(*(query_names(one) for one in dependant.dependencies))


def requests_of(asking: Asking, operation: str, queries: set[str]) -> Iterator[Sent]:
    asked, own = request_of(operation), asking.objects[ANNA]
    path = operation.split(" ")[1]
    wanted = asking.json_of(operation, ANNA)
    whole = Sent(path.format_map(own), asked.query, asked.form, None if wanted is None else json.dumps(wanted).encode())
    for text in TEXTS:
        raw = text.encode("utf-8", "surrogatepass")
        for name in own:
            if f"{{{name}}}" in path and text:
                yield replace(whole, path=path.format_map({**own, name: quote(raw, safe="")}))
        for name in queries:
            yield replace(whole, path=f"{whole.path}?{name}={quote(raw, safe='')}")
        for name in asked.form or ():
            if text.isprintable() or "\0" in text:
                yield replace(whole, form={**(asked.form or {}), name: text})
    for name in wanted if isinstance(wanted, dict) else ():
        for value in VALUES:
            yield replace(whole, body=json.dumps({**wanted, name: value}).encode())


def send(asking: Asking, operation: str, caller: Caller, sent: Sent) -> int:
    headers = {**caller.headers, "Content-Type": "application/json"} if sent.body else dict(caller.headers)
    method = operation.split(" ", maxsplit=1)[0]
    if method != "GET":
        headers["Idempotency-Key"] = f"extreme-{hash(sent.body or sent.path) & 0xFFFFFFFF:08x}"
    form = sent.form and {**sent.form, "form_token": caller.form_token}
    return asking.client.request(
        method,
        sent.path,
        params=sent.query or None,
        data=form,
        content=sent.body,
        headers=headers,
        follow_redirects=False,
    ).status_code


def test_no_value_at_an_end_breaks_the_server(asking: Asking, world: World) -> None:
    queries = {
        f"{method} {route.path}": query_names(route.dependant)
        for route in api_routes(create_api(world.database, None, lambda: NOW).routes)
        for method in route.methods
    }
    broken, told = [], Counter[int]()
    for operation, roles in operations(world.database).items():
        if operation in PUBLIC or "sign-out" in operation:
            continue
        caller = next(one for one in asking.callers if one.role in (roles or ()) and one.family in (ANNA, None))
        for sent in requests_of(asking, operation, queries[operation]):
            status = send(asking, operation, caller, sent)
            told[status] += 1
            if status >= 500:
                broken.append(f"{caller.name}: {operation}: {sent}"[:400])
    print(f"{sum(told.values())} requests: {dict(told)}")
    assert not broken, "\n".join(broken)
    assert told[422] > 1000
