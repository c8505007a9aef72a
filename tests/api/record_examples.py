"""Records the examples of /openapi.json: `uv run python -m tests.api.record_examples`, after a route changed.

Every operation of the matrix is asked of the tests' small book by somebody who may; of long lists the begin is kept.
"""

import json
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from httpx import Response

from api.description import EXAMPLES
from storage.embedded import embedded_server
from storage.migrate import migrate
from storage.pool import Database
from tests.api.test_matrix import NOBODY, Asking, in_order, made_asking, operations
from tests.api.world import ANNA, BEN, build_world

MOST_PIECES = 2
NOT_IN_THE_SMALL_BOOK = {"GET /api/v1/segments", "GET /api/v1/strategies"}  # what only a command makes


def record(asking: Asking, found: dict[str, set[str] | None]) -> dict[str, dict[str, Any]]:
    """The examples by operation, in the order of their addresses."""
    examples: dict[str, dict[str, Any]] = {}
    for operation in in_order(found):
        if "/api/v1/" not in operation:
            continue
        answer = answer_to(asking, operation, found[operation] or set())
        example: dict[str, Any] = {}
        if (asked := asking.json_of(operation, ANNA)) is not None:
            example["request"] = asked
        if answer.status_code in {200, 201} and answer.headers["content-type"] == "application/json":
            example["answer"] = shortened(answer.json())
        examples[operation] = example
    return dict(sorted(examples.items(), key=lambda item: item[0].split(" ")[::-1]))


def answer_to(asking: Asking, operation: str, roles: set[str]) -> Response:
    """What somebody who may gets, about the first family's objects, or the other's where something is in the way."""
    for family in (ANNA, BEN):
        caller = next(one for one in asking.callers if one.role in roles and one.family in {family, None})
        answer = asking.answer(caller, operation, family if "{" in operation else NOBODY)
        if answer.is_success or operation in NOT_IN_THE_SMALL_BOOK:
            return answer
    raise AssertionError(f"{operation}: {answer.status_code} {answer.text}")


def shortened(value: Any, depth: int = 0) -> Any:
    """The same with few pieces in each list, so that a person can read it."""
    if isinstance(value, list):
        return [shortened(piece, depth + 1) for piece in value[: MOST_PIECES if depth else 1]]
    if isinstance(value, dict):
        return {name: shortened(piece, depth + 1) for name, piece in value.items()}
    return value


def main() -> None:
    with TemporaryDirectory(prefix="wayrate-examples-") as folder, ExitStack() as running:
        dsn = running.enter_context(embedded_server(Path(folder)))
        migrate(dsn)
        database = running.enter_context(Database(dsn))
        world = build_world(database)
        with made_asking(world.database, world.roads) as asking:
            examples = record(asking, operations(database))
    EXAMPLES.write_text(json.dumps(examples, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"{len(examples)} operations, {EXAMPLES.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
