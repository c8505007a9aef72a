"""The schema, brought up to date by plain SQL files in order."""

from pathlib import Path

import psycopg
from psycopg import conninfo
from yoyo import read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI

from storage.errors import MigrationFailed, SchemaIsNewer, StorageUnavailable
from storage.pool import ANY_COMPRESSED_ROWS

MIGRATIONS = Path(__file__).parent / "migrations"
_TABLE = "_yoyo_migration"
_LOCK = 7_236_001  # any number, the same in every process that migrates


def migrate(dsn: str, folder: Path = MIGRATIONS) -> list[str]:
    """Apply what is missing, all of it in one transaction; the ids of what was applied.

    Several processes may call it at once: the first does the work, the others wait. Raises `SchemaIsNewer` when the
    database holds a migration that `folder` does not, `MigrationFailed`, `StorageUnavailable`.
    """
    facts = {name: value for name, value in conninfo.conninfo_to_dict(dsn).items() if value is not None}
    try:
        backend = PostgresqlPsycopgBackend(DatabaseURI("postgresql+psycopg", *[None] * 5, args=facts), _TABLE)
    except psycopg.OperationalError as err:
        raise StorageUnavailable(str(err)) from err
    with backend:
        # A lock of the session: unlike a row in a table it cannot outlive a killed process.
        backend.execute(f"select pg_advisory_lock({_LOCK})")
        backend.execute(ANY_COMPRESSED_ROWS)
        return _apply_missing(backend, folder)


def _apply_missing(backend: PostgresqlPsycopgBackend, folder: Path) -> list[str]:
    migrations = read_migrations(str(folder))
    backend.create_lock_table()
    backend.break_lock()  # ours alone by the advisory lock, so a row in it is a dead process's
    backend.ensure_internal_schema_updated()
    applied = {str(row[0]) for row in backend.execute(f"select migration_id from {_TABLE}").fetchall()}  # noqa: S608 - our own constant
    unknown = applied - {migration.id for migration in migrations}
    if unknown:
        raise SchemaIsNewer(tuple(sorted(unknown)))
    done: list[str] = []
    # The tool would commit each statement, then the mark; a kill between would leave a schema that neither applies nor
    # counts as applied. In an outer transaction its own become savepoints.
    with backend.transaction():
        for migration in backend.to_apply(migrations):
            try:
                migration.process_steps(backend, "apply")
            except psycopg.Error as err:
                raise MigrationFailed(migration.id, str(err)) from err
            backend.mark_one(migration)
            done.append(str(migration.id))
    return done
