"""A PostgreSQL for the tests: one embedded server and one migrated template a worker, one copy a test."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from hypothesis import settings
from psycopg import conninfo, sql

from storage.embedded import embedded_server
from storage.migrate import migrate
from storage.pool import Database

_NUMBERS = count(1)

# Three workers share two processors: a second thread of LightGBM's only waits for the first, and waits by spinning. Set
# before numpy is loaded, and handed down to the commands and servers that tests start. Models are the same to the bit.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# No timing in a test: the first call of a kernel compiles it.
settings.register_profile("wayrate", deadline=None)
settings.load_profile("wayrate")

# Files that take longest, begun first, so that no processor ends the run waiting for the last of them.
LONGEST_FIRST = (
    "api/test_matrix.py",
    "cli/test_demo.py",
    "portfolio/test_value.py",
    "browser/test_browser_journeys.py",
    "chaos/test_any_history.py",
    "faults/test_kills.py",
    "chaos/test_postings.py",
    "api/test_quarantine_routes.py",
    "pricing/test_laws.py",
    "scoring/test_real_drives.py",
    "cli/test_commands.py",
)

# A database a test is made and dropped, each with a checkpoint: nothing here outlives its server. What must survive a
# crash is tested on servers of its own (`tests/faults`, `tests/storage/test_embedded.py`), with the product's settings.
NO_DISK_WAITS = {"fsync": "off", "full_page_writes": "off"}


def pytest_configure(config: pytest.Config) -> None:
    """The kernels are compiled once, by two processes, before workers begin that would each compile them."""
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None) or config.option.collectonly:
        return
    from tests.scoring.conformance.first_use import compile_kernels  # noqa: PLC0415  seconds of import, for this alone

    compile_kernels()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; all others as they stand."""
    folder = Path(__file__).parent
    rank = {folder / name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


@pytest.fixture(scope="session")
def server_dsn() -> Iterator[str]:
    """A server whose login may create databases: WAYRATE_TEST_DSN, or the embedded one on a temporary folder."""
    given = os.environ.get("WAYRATE_TEST_DSN")
    if given:
        yield given
        return
    with TemporaryDirectory(prefix="wayrate-tests-") as folder, embedded_server(Path(folder), NO_DISK_WAITS) as dsn:
        yield dsn


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder of the test's own, not under pytest's: as root a server in it runs as another user, and each further
    run of pytest on the machine closes pytest's folder to others.
    """
    with TemporaryDirectory(prefix="wayrate-tests-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def _template(server_dsn: str) -> Iterator[str]:
    name = f"wayrate_template_{os.getpid()}"
    _execute(server_dsn, "drop database if exists {} with (force)", name)
    _execute(server_dsn, "create database {}", name)
    migrate(conninfo.make_conninfo(server_dsn, dbname=name))
    # Nobody may be connected to what is copied, not even the background workers of TimescaleDB.
    _execute(server_dsn, "alter database {} allow_connections false", name)
    with psycopg.connect(server_dsn, autocommit=True) as conn:
        conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
    yield name
    _execute(server_dsn, "drop database {} with (force)", name)


@pytest.fixture
def database_dsn(server_dsn: str, _template: str) -> Iterator[str]:
    """The DSN of a fresh, migrated, empty database; dropped after the test."""
    name = f"wayrate_test_{os.getpid()}_{next(_NUMBERS)}"
    _execute(server_dsn, "create database {} template {}", name, _template)
    yield conninfo.make_conninfo(server_dsn, dbname=name)
    _execute(server_dsn, "drop database {} with (force)", name)


@pytest.fixture
def database(database_dsn: str) -> Iterator[Database]:
    """A fresh, migrated, empty database, entered."""
    with Database(database_dsn) as opened:
        yield opened


def _execute(dsn: str, statement: str, *names: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))  # type: ignore[arg-type]
