"""The rules of the house that no tool knows: what stands where, how long it is, and that the documents keep up."""

import ast
import re
import subprocess
import tomllib
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from ingest.rejection import Rejection
from tests.conftest import LONGEST_FIRST

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAX_FILE_LINES = 450
MAX_FUNCTION_LINES = 70
SQL = re.compile(
    r"^\s*(select\s[\s\S]+\sfrom\s|insert\s+into\s|update\s+[\w.]+\s+set\s|delete\s+from\s|truncate\s|with\s+\w+\s+as\s*\("
    r"|(create|alter|drop)\s+(table|view|schema|index|role|function)\s)",
    re.IGNORECASE,
)
# In pieces, so that this file does not hold what it looks for.
NOT_OURS = re.compile(
    "|".join(
        (
            "pypi" + r"\.org",
            "python" + r"hosted\.org",
            r"index" + r"-url",
            r"(?<![\w.])/(root|home|Users|work)" + r"/\w",
        )
    )
)


@cache
def tracked() -> tuple[Path, ...]:
    """Every file of the repository; without git (an exported tree) every file that is not hidden."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return tuple(path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file())
    return tuple(path for path in ROOT.rglob("*") if path.is_file() and not re.search(r"/\.|/__pycache__/", str(path)))


def python_files(*, of_packages: bool = False) -> list[Path]:
    packages = top_level_packages()
    files = [path for path in tracked() if path.suffix == ".py"]
    return [path for path in files if not of_packages or path.relative_to(ROOT).parts[0] in packages]


def top_level_packages() -> set[str]:
    return {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}


def named(path: Path, line: int | None = None) -> str:
    return f"{path.relative_to(ROOT)}{f':{line}' if line else ''}"


def test_the_files_that_are_begun_first_are_there() -> None:
    assert [name for name in LONGEST_FIRST if not (ROOT / "tests" / name).is_file()] == []


def test_every_top_level_package_is_in_every_list_of_packages() -> None:
    tool = PROJECT["tool"]
    lists = {
        "layers": tool["importlinter"]["contracts"][0]["layers"],
        "import-linter": tool["importlinter"]["root_packages"],
        "mypy": tool["mypy"]["packages"],
        "wheel": tool["hatch"]["build"]["targets"]["wheel"]["packages"],
        "image": re.findall(r"^COPY (\w+) \1$", (ROOT / "Dockerfile").read_text(), re.MULTILINE),
    }
    assert {name: set(packages) for name, packages in lists.items()} == dict.fromkeys(lists, top_level_packages())


def test_every_package_places_its_modules_in_layers() -> None:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    exhaustive = {package for contract in contracts if contract.get("exhaustive") for package in contract["containers"]}
    assert top_level_packages() <= exhaustive
    assert all((ROOT / package.replace(".", "/") / "__init__.py").is_file() for package in exhaustive)


def test_sql_stands_in_stores_and_in_storage_alone() -> None:
    found = [
        named(path, node.lineno)
        for path in python_files(of_packages=True)
        if path.name != "store.py"
        and not path.name.endswith("_store.py")
        and path.relative_to(ROOT).parts[0] != "storage"
        for node in strings_of(path)
        if SQL.match(node.value)
    ]
    assert found == []


def strings_of(path: Path) -> list[ast.Constant]:
    """The string constants of a module but for its docstrings."""
    tree = ast.parse(path.read_text())
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [node for node in constants if id(node) not in prose]


def test_the_search_for_sql_finds_it() -> None:
    assert all(
        map(SQL.match, ("select a from b", "\n  INSERT INTO t values (1)", "update x.y set a = 1", "with t as ("))
    )
    assert not any(map(SQL.match, ("Select a file", "update the plan", "with a gap as long", "delete the account")))


def test_no_file_is_too_long() -> None:
    lengths = {named(path): len(path.read_text().splitlines()) for path in python_files()}
    assert {name: length for name, length in lengths.items() if length > MAX_FILE_LINES} == {}


def test_no_function_is_too_long() -> None:
    found = {
        named(path, node.lineno): f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for path in python_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > MAX_FUNCTION_LINES
    }
    assert found == {}


def test_no_file_names_a_machine_or_its_package_index() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{named(path)}: {match[0]}" for match in NOT_OURS.finditer(text)]
    assert found == []


@pytest.mark.parametrize("reason", Rejection)
def test_every_reason_of_quarantine_is_explained(reason: Rejection) -> None:
    row = re.search(rf"^\| `{reason}` \| (.+) \| (.+) \|$", (ROOT / "docs" / "quarantine.md").read_text(), re.MULTILINE)
    assert row, f"docs/quarantine.md has no row for {reason}"


def test_every_direct_dependency_is_explained_and_pinned() -> None:
    groups = [
        PROJECT["project"]["dependencies"],
        PROJECT["build-system"]["requires"],
        *PROJECT["dependency-groups"].values(),
    ]
    names = {re.split(r"[\[<>=]", requirement)[0] for group in groups for requirement in group}
    documented = set(re.findall(r"^\| `([\w-]+)`", (ROOT / "docs" / "dependencies.md").read_text(), re.MULTILINE))
    assert names == documented
    pinned = {pin.split("==")[0] for pin in PROJECT["tool"]["uv"]["constraint-dependencies"]}
    assert names - pinned == {"hatchling"}  # pinned where it is required


def test_every_migration_follows_the_one_before() -> None:
    migrations = sorted((ROOT / "storage" / "migrations").glob("*.sql"))
    for before, after in pairwise(migrations):
        assert f"-- depends: {before.stem}\n" in after.read_text()
