"""/openapi.json: what FastAPI finds in the signatures, with every problem, the session, pages, and examples.

The examples are recorded: `uv run python -m tests.api.record_examples` asks the application about the tests' small book
and keeps question and answer in `examples.json`. A test holds each of them against its schema.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from api.problems import PROBLEM_TYPE, Problem
from api.roles import SESSION_COOKIE

EXAMPLES = Path(__file__).parent / "examples.json"
_METHODS = ("get", "put", "post", "patch", "delete")
_SAID = {
    400: "The body cannot be read",
    401: "No valid session",
    403: "Another role's, or another site's page asks",
    404: "None, or somebody else's",
    408: "The body came too slowly",
    409: "Not as things stand",
    413: "The body is too large",
    415: "Another kind of body is read here",
    422: "It does not fit; `field` says where",
    429: "Too often; wait `Retry-After` seconds",
    503: "The database does not answer; nothing was changed",
}
_OF_BODIES = (400, 408, 409, 413, 415)

type Json = dict[str, Any]


def describe(app: FastAPI) -> None:
    """Makes `app.openapi()` the whole description."""
    as_found = app.openapi

    def openapi() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = described(as_found(), recorded())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def described(found: Json, examples: Mapping[str, Json]) -> Json:
    """FastAPI's document with what signatures do not tell."""
    parts = found.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    parts["securitySchemes"] = {"session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE}}
    for path, item in found["paths"].items():
        for method in _METHODS:
            if method in item:
                _complete(item[method], path, examples.get(f"{method.upper()} {path}", {}))
    return found


def _complete(operation: Json, path: str, example: Json) -> None:
    """One operation: whom it is of, its problems, its pages, its examples."""
    operation["tags"] = [path.removeprefix("/api/v1/").split("/")[0]]
    answers = {status: one for status, one in operation["responses"].items() if not status.startswith(("4", "5"))}
    public = operation.pop("x-public", False)
    operation["security"] = [{"session": []}, {}] if public else [{"session": []}]
    statuses = {401, 403, 422, 429, 503}
    statuses |= {404} if "{" in path or "requestBody" in operation else set()
    statuses |= set(_OF_BODIES) if "requestBody" in operation else {409} if "{" in path else set()
    operation["responses"] = answers | {str(status): _problem(status) for status in sorted(statuses)}
    if "201" in answers:
        answers["200"] = {**answers["201"], "description": "Done before: the same, or a request with the same key"}
        operation["responses"] = dict(sorted((operation["responses"] | answers).items()))
    if operation.pop("x-tagged", False):
        tag = {"ETag": {"description": "Which answer this is", "schema": {"type": "string"}}}
        operation["responses"]["200"].setdefault("headers", {}).update(tag)
        unchanged = {"description": "The answer that `If-None-Match` names, without its bytes", "headers": tag}
        operation["responses"] = dict(sorted((operation["responses"] | {"304": unchanged}).items()))
    if any(one["name"] == "cursor" for one in operation.get("parameters", [])):
        header = {"description": 'The next page, as `rel="next"`; absent on the last', "schema": {"type": "string"}}
        operation["responses"]["200"].setdefault("headers", {})["Link"] = header
    if "request" in example:
        _json_of(operation["requestBody"])["example"] = example["request"]
    if "answer" in example:
        for answer in answers.values():
            if "application/json" in answer.get("content", {}):
                _json_of(answer)["example"] = example["answer"]


def _json_of(part: Json) -> Json:
    json_part: Json = part["content"]["application/json"]
    return json_part


def _problem(status: int) -> Json:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": _SAID[status], "content": {PROBLEM_TYPE: {"schema": schema}}}


@cache
def recorded() -> Mapping[str, Json]:
    """Question and answer of each operation, as recorded."""
    examples: dict[str, Json] = json.loads(EXAMPLES.read_text("utf-8"))
    return examples
