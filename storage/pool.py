"""Connections: a pool, and one transaction at a time under one of the three roles."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Literal, Self

import psycopg
from psycopg import errors, sql
from psycopg_pool import ConnectionPool, PoolTimeout, TooManyRequests

from storage.errors import StorageUnavailable

type Role = Literal["telemetry", "policy", "link", "owner"]
type Conn = psycopg.Connection[tuple[object, ...]]

MAX_CONNECTIONS = 12
WAIT_S = 4.0

# TimescaleDB refuses a statement that opens more than 100,000 compressed readings: late uploads of a fleet and an
# erasure may. A server without the extension takes the name as a setting of nobody's.
ANY_COMPRESSED_ROWS = "set timescaledb.max_tuples_decompressed_per_dml_transaction to 0"

# The server answers, but not now: the same to a caller as one that does not answer. A deadlock is not among them.
_NOT_NOW = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.TooManyConnections,
    errors.DiskFull,
    errors.OutOfMemory,
)


class Database:
    """A pool of connections to one migrated database.

    Enter it once a process; `role` may then be called from any thread. When the server goes away `role` raises
    `StorageUnavailable` within seconds, and works again by itself once the server is back.
    """

    def __init__(self, dsn: str, *, max_connections: int = MAX_CONNECTIONS, wait_s: float = WAIT_S) -> None:
        self.dsn = dsn
        self._pool: ConnectionPool[Conn] = ConnectionPool(
            dsn,
            min_size=0,
            max_size=max_connections,
            open=False,
            timeout=wait_s,
            # Given up soon, so that the next request tries afresh instead of waiting out an exponential delay.
            reconnect_timeout=wait_s / 2,
            max_idle=60.0,
            kwargs={"connect_timeout": max(2, round(wait_s))},
            configure=_configure,
            check=ConnectionPool.check_connection,
        )

        self._reading: dict[str, ConnectionPool[Conn]] = {
            name: ConnectionPool(
                dsn,
                min_size=0,
                max_size=max_connections,
                open=False,
                timeout=wait_s,
                reconnect_timeout=wait_s / 2,
                max_idle=60.0,
                kwargs={"connect_timeout": max(2, round(wait_s)), "autocommit": True},
                configure=partial(_configure_reading, name),
            )
            for name in ("telemetry", "policy", "link")
        }

    def __enter__(self) -> Self:
        # What the pool has to say of a lost server reaches the caller as StorageUnavailable.
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
        self._pool.open()
        for pool in self._reading.values():
            pool.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.close()
        for pool in self._reading.values():
            pool.close()

    def read[Found](self, name: Role, read: Callable[[Conn], Found]) -> Found:
        """What `read` finds with the rights of `wayrate_<name>`: each statement sees a moment of its own.

        One round trip a statement, where `role` takes four beside. A connection that turns out to be dead is taken away
        and `read` asked once more, so it must only read. Raises `StorageUnavailable` when the server is gone.
        """
        pool = self._reading[name]
        for is_last in (False, True):
            try:
                conn = pool.getconn()
            except (PoolTimeout, TooManyRequests, psycopg.OperationalError) as err:
                raise StorageUnavailable(str(err)) from err
            try:
                return read(conn)
            except psycopg.Error as err:
                if not (conn.closed or isinstance(err, _NOT_NOW)):
                    raise
                if is_last:
                    raise StorageUnavailable(str(err)) from err
            finally:
                pool.putconn(conn)
            pool.check()  # the others that the pool holds are as old
        raise AssertionError("unreachable")

    @contextmanager
    def role(self, name: Role) -> Iterator[Conn]:
        """One transaction with the rights of `wayrate_<name>` (owner: of the login): committed at a clean exit.

        Raises `StorageUnavailable` when the server is gone; then nothing counts as committed.
        """
        try:
            conn = self._pool.getconn()
        except (PoolTimeout, TooManyRequests, psycopg.OperationalError) as err:
            raise StorageUnavailable(str(err)) from err
        try:
            with conn.transaction():
                if name != "owner":
                    # local: ends with the transaction, so no right leaks to the connection's next user.
                    conn.execute(sql.SQL("set local role {}").format(sql.Identifier(f"wayrate_{name}")))
                yield conn
        except _NOT_NOW as err:
            raise StorageUnavailable(str(err)) from err
        except psycopg.Error as err:
            if conn.closed:
                raise StorageUnavailable(str(err)) from err
            raise
        finally:
            self._pool.putconn(conn)


def _configure_reading(name: str, conn: Conn) -> None:
    """The role for good, and nothing but reading: whoever takes the connection finds it so."""
    conn.execute(sql.SQL("set role {}").format(sql.Identifier(f"wayrate_{name}")))
    conn.execute("set default_transaction_read_only to on")
    conn.execute("set timezone to 'UTC'")


def _configure(conn: Conn) -> None:
    """Times come back as UTC, whatever the server's zone."""
    conn.execute("set timezone to 'UTC'")
    conn.execute(ANY_COMPRESSED_ROWS)
    conn.commit()
