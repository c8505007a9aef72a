"""A database that is running, migrated and ready: what every command starts with."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from storage.embedded import embedded_server
from storage.errors import StorageUnavailable
from storage.migrate import migrate
from storage.pool import Database


@contextmanager
def open_database(data_dir: Path, dsn: str | None, *, keep_running: bool = False) -> Iterator[Database]:
    """The server at `dsn`, or the embedded one on `data_dir`, migrated. Raises a StorageError that says what to do.

    With `keep_running` the embedded server is started again when it dies.
    """
    if dsn is None:
        with embedded_server(data_dir, keep_running=keep_running) as embedded_dsn, _ready(embedded_dsn) as database:
            yield database
    else:
        with _ready(dsn) as database:
            yield database


@contextmanager
def _ready(dsn: str) -> Iterator[Database]:
    try:
        migrate(dsn)
    except psycopg.OperationalError as error:
        raise StorageUnavailable(str(error).strip()) from error
    with Database(dsn) as database:
        yield database
