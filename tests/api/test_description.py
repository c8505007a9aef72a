"""/openapi.json: every operation has its roles' problems and its examples, and the examples are of its schemas."""

from typing import Any

import jsonschema_rs
import pytest

from api.app import create_api
from api.description import recorded
from tests.api.record_examples import NOT_IN_THE_SMALL_BOOK
from tests.api.world import NOW, World

RENEW = "record it: uv run python -m tests.api.record_examples"
type Json = dict[str, Any]


@pytest.fixture(scope="module")
def document(world: World) -> Json:
    return create_api(world.database, None, lambda: NOW).openapi()


def operations(document: Json) -> dict[str, Json]:
    return {f"{method.upper()} {path}": one for path, item in document["paths"].items() for method, one in item.items()}


def json_of(part: Json) -> Json | None:
    found: Json | None = part.get("content", {}).get("application/json")
    return found


def test_every_operation_has_recorded_examples_and_no_other_has(document: Json) -> None:
    assert operations(document).keys() == recorded().keys(), RENEW


def test_every_example_is_of_its_schema(document: Json) -> None:
    checked = 0
    for name, operation in operations(document).items():
        answers = [one for status, one in operation["responses"].items() if status.startswith("2")]
        for part in [*answers, *([operation["requestBody"]] if "requestBody" in operation else [])]:
            if (found := json_of(part)) is not None:
                if name in NOT_IN_THE_SMALL_BOOK:
                    continue
                assert "example" in found, f"{name}: {RENEW}"
                schema = {**found["schema"], "components": document["components"]}
                jsonschema_rs.validate(schema, found["example"])
                checked += 1
    assert checked > len(operations(document))


def test_every_refusal_is_described_as_a_problem(document: Json) -> None:
    for name, operation in operations(document).items():
        refusals = {status: one for status, one in operation["responses"].items() if status[0] in "45"}
        assert {"403", "422", "429", "503"} <= refusals.keys(), name
        for status, refusal in refusals.items():
            schema = {"$ref": "#/components/schemas/Problem"}
            assert refusal["content"] == {"application/problem+json": {"schema": schema}}, (name, status)


def test_every_operation_has_a_name_of_its_own_and_a_sentence(document: Json) -> None:
    names = [one["operationId"] for one in operations(document).values()]
    assert len(set(names)) == len(names)
    assert [name for name, one in operations(document).items() if not one.get("description", "").endswith(".")] == []
