"""docs/bad-inputs.md: every row of the contract, and the tests it names exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = (ROOT / "docs" / "bad-inputs.md").read_text()
ROWS = {
    int(row[1]): row for row in re.finditer(r"^\| (\d+) \| ([^|]+) \| ([^|]+) \| ([^|]*) ?\|$", TABLE, re.MULTILINE)
}
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
WITHOUT_AN_ANSWER: set[int] = set()


def _tests_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_row_has_its_place_and_its_test_or_says_that_it_is_open() -> None:
    assert sorted(ROWS) == list(range(1, 83))
    untested = {number for number, row in ROWS.items() if not NAMED.search(row[4])}
    assert untested == WITHOUT_AN_ANSWER
    assert {number for number, row in ROWS.items() if row[3].strip() == "open"} == WITHOUT_AN_ANSWER


def test_every_test_and_module_that_the_table_names_is_there() -> None:
    named = NAMED.findall(TABLE)
    assert len(named) > 80
    missing = [f"{path}::{name}" for path, name in named if name not in _tests_in(ROOT / path)]
    assert missing == []
    places = {place for row in ROWS.values() for place in re.findall(r"`([\w/]+(?:\.py|/access))`", row[3])}
    assert [place for place in places if not (ROOT / place).is_file()] == []
