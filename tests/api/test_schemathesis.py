"""Schemathesis over the whole API: whatever fits the description, or just does not, no answer is a server's error.

Every request goes over the application with a real database, by the session of somebody; half name real objects.
The default run is short; `uv run pytest -n 0 -s -m long tests/api/test_schemathesis.py` is the long one.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.schemas import APIOperation

from tests.api.conftest import copied
from tests.api.matrix import MAKES_WHAT_IS_NOT_THERE
from tests.api.test_matrix import Asking, Caller, made_asking, operations
from tests.api.world import ANNA, BEN, World

TRANSPORT = ("Content-Length", "Transfer-Encoding", "Host", "Connection", "Content-Encoding")


@pytest.fixture(scope="module")
def own(world: World, server_dsn: str) -> Iterator[World]:
    with copied(world, server_dsn) as made:
        yield made


@pytest.fixture(scope="module")
def asking(own: World) -> Iterator[Asking]:
    with made_asking(own.database, own.roads) as made:
        yield made


def hammer(asking: Asking, own: World, examples: int) -> Counter[str]:
    """So many cases of each operation; the statuses that came."""
    statuses: Counter[str] = Counter()
    roles_of = operations(own.database)
    schema = schemathesis.openapi.from_dict(asking.client.app.openapi())  # type: ignore[attr-defined]
    for found in schema.get_all_operations():
        operation = found.ok()
        may = [one for one in asking.callers if one.role in (roles_of[name_of(operation)] or set())]
        statuses += cases_of(asking, operation, may or asking.callers, examples)
    return statuses


def cases_of(
    asking: Asking, operation: APIOperation[Any, Any, Any, Any], may: list[Caller], examples: int
) -> Counter[str]:
    """So many cases of one operation, most of them by those who may."""
    statuses: Counter[str] = Counter()
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    cases = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in modes))
    only_made_up = name_of(operation) in MAKES_WHAT_IS_NOT_THERE

    @settings(max_examples=examples, deadline=None, database=None, derandomize=True,
              phases=[Phase.generate], suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(case=cases, caller=st.sampled_from(may), anybody=st.sampled_from(asking.callers),
           rarely=st.integers(0, 5), owner=st.sampled_from([ANNA, BEN]), real=st.booleans())  # fmt: skip
    def ask(case: Case, caller: Caller, anybody: Caller, rarely: int, owner: str, *, real: bool) -> None:
        if real and not only_made_up:
            known = {key: asking.objects[owner][key] for key in case.path_parameters or {}}
            case.path_parameters.update(known)
        statuses[str(sent(asking.client, case, anybody if rarely == 0 else caller))] += 1

    ask()
    return statuses


def name_of(operation: APIOperation[Any, Any, Any, Any]) -> str:
    return f"{operation.method.upper()} {operation.path}"


def sent(client: TestClient, case: Case, who: Caller) -> int:
    """The status of the answer, which is described, is of its schema, and if a refusal is a problem."""
    client.cookies.clear()
    arguments = case.as_transport_kwargs(base_url="http://127.0.0.1")
    headers = {str(key): value for key, value in (arguments.get("headers") or {}).items() if key not in TRANSPORT}
    headers.pop("Cookie", None)
    request = {
        key: arguments[key] for key in ("method", "url", "params", "json", "data") if arguments.get(key) is not None
    }
    if isinstance(request.get("data"), bytes | str):
        request["content"] = request.pop("data")
    try:
        built = client.build_request(**request, headers=headers | who.headers)
    except (UnicodeEncodeError, ValueError, TypeError):
        return 0  # nothing that any client could send
    answer = client.send(built, follow_redirects=False)
    assert answer.status_code < 500, f"{who.name}: {case.as_curl_command()}: {answer.text}"
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json", f"{case.as_curl_command()}: {answer.text}"
    described = case.operation.definition.raw["responses"]
    undescribed = str(answer.status_code) not in described and answer.status_code != 405
    assert not undescribed or answer.status_code == 404, f"{answer.status_code}: {case.as_curl_command()}"
    return answer.status_code


def test_nothing_that_is_asked_breaks_the_server(asking: Asking, own: World) -> None:
    statuses = hammer(asking, own, examples=8)
    print(f"{sum(statuses.values()):,} requests: {dict(sorted(statuses.items()))}")
    assert statuses["200"] > 20


@pytest.mark.long
def test_nothing_that_is_asked_for_long_breaks_the_server(asking: Asking, own: World) -> None:
    statuses = hammer(asking, own, examples=300)
    print(f"{sum(statuses.values()):,} requests: {dict(sorted(statuses.items()))}")
    assert statuses["200"] > 1000
