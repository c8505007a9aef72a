"""One data folder, several processes, any of them killed: the server comes up again with what was committed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

import psycopg
import pytest

from storage.embedded import embedded_server
from storage.errors import DataFolderReadOnly, DataFolderUnusable, ServerDoesNotStart, StorageUnavailable
from storage.open import open_database
from storage.pool import Database

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys
from pathlib import Path
from storage.embedded import embedded_server
with embedded_server(Path(sys.argv[1])):
    print("up", flush=True)
    sys.stdin.read()
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    """Another process that uses the server until its standard input ends."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "up\n"
    return holder


USER_MAKER = """
import sys
from pathlib import Path
from storage import embedded
embedded.SYSTEM_USER = sys.argv[1]
print("ready", flush=True)
sys.stdin.readline()
print(embedded._system_group(Path()))
"""


def let_go(holder: subprocess.Popen[str]) -> None:
    assert holder.stdout is not None
    holder.communicate(timeout=30)


def server_pid(folder: Path) -> int | None:
    try:
        return int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
    except FileNotFoundError:
        return None


def add_device(database: Database) -> None:
    with database.role("telemetry") as conn:
        conn.execute("insert into telemetry.device values (1, 'car-1', now())")


def open_and_close(folder: Path, settings: dict[str, str] | None = None) -> None:
    with embedded_server(folder, settings):
        pass


def wait_until_nobody_answers(dsn: str) -> None:
    """A killed server's children notice its death only after a moment."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            psycopg.connect(dsn).close()
        except psycopg.OperationalError:
            time.sleep(0.5)
            return
        time.sleep(0.05)


def test_the_first_starts_it_and_the_last_stops_it(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    started = server_pid(tmp_path)
    with embedded_server(tmp_path) as dsn, embedded_server(tmp_path) as again:
        assert again == dsn
        let_go(holder)
        assert server_pid(tmp_path) == started
        with psycopg.connect(dsn) as conn:
            names = ("fsync", "synchronous_commit", "listen_addresses")
            facts = [conn.execute("select current_setting(%s)", (name,)).fetchone() for name in names]
        assert facts == [("on",), ("on",), ("",)]
    assert server_pid(tmp_path) is None


def test_a_killed_process_leaves_a_server_the_next_one_takes_over_and_stops(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    started = server_pid(tmp_path)
    holder.kill()
    holder.communicate(timeout=30)
    assert server_pid(tmp_path) == started
    with embedded_server(tmp_path):
        assert server_pid(tmp_path) == started
    assert server_pid(tmp_path) is None


def test_a_killed_server_comes_back_with_all_that_was_committed(tmp_path: Path) -> None:
    with open_database(tmp_path, None) as database:
        add_device(database)
        pid = server_pid(tmp_path)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_until_nobody_answers(database.dsn)
        began = time.monotonic()
        with pytest.raises(StorageUnavailable):
            add_device(database)
        assert time.monotonic() - began < 8
        # Another process comes, finds no server and starts one; the pool of the first finds it by itself.
        with embedded_server(tmp_path):
            assert server_pid(tmp_path) != pid
            with database.role("telemetry") as conn:
                assert conn.execute("select device_id from telemetry.device").fetchall() == [("car-1",)]


def test_a_child_that_never_notices_its_servers_death_does_not_keep_it_down(tmp_path: Path) -> None:
    """One that waits for a lock of a killed process waits for ever; here it is stopped, which is the same to others."""
    with open_database(tmp_path, None) as database, psycopg.connect(database.dsn) as conn:
        add_device(database)
        pid = server_pid(tmp_path)
        assert pid is not None
        os.kill(conn.info.backend_pid, signal.SIGSTOP)
        os.kill(pid, signal.SIGKILL)
        with embedded_server(tmp_path) as dsn:
            assert server_pid(tmp_path) not in {pid, None}
            with psycopg.connect(dsn) as again:
                assert again.execute("select device_id from telemetry.device").fetchall() == [("car-1",)]


def test_a_pid_file_that_names_another_process_does_not_keep_the_server_down(tmp_path: Path) -> None:
    with embedded_server(tmp_path):
        trace = (tmp_path / "postgres" / "postmaster.pid").read_text()
    lines = trace.splitlines()
    (tmp_path / "postgres" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    with embedded_server(tmp_path) as dsn, psycopg.connect(dsn) as conn:
        assert conn.execute("select 1").fetchone() == (1,)


def test_a_server_lost_in_the_middle_of_a_transaction_is_unavailable_and_commits_nothing(tmp_path: Path) -> None:
    with open_database(tmp_path, None) as database:

        def lose_the_connection() -> None:
            with database.role("telemetry") as conn:
                conn.execute("insert into telemetry.device values (1, 'car-1', now())")
                with database.role("owner") as other:
                    other.execute("select pg_terminate_backend(%s)", (conn.info.backend_pid,))

        with pytest.raises(StorageUnavailable):
            lose_the_connection()
        with database.role("telemetry") as conn:
            assert conn.execute("select count(*) from telemetry.device").fetchone() == (0,)


def test_long_and_odd_paths_serve_too(tmp_path: Path) -> None:
    with embedded_server(tmp_path / ("long, it's long " * 8)) as dsn, psycopg.connect(dsn) as conn:
        assert conn.execute("select 1").fetchone() == (1,)


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DataFolderUnusable, match="is not a folder; choose another with --data-dir"):
            open_and_close(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named_with_the_way_out(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DataFolderReadOnly, match=f"{tmp_path}.*make it writable, or choose another with --data-dir"):
        open_and_close(tmp_path)


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="no read-only file system at hand")
def test_a_read_only_file_system_is_named_too() -> None:
    with pytest.raises((DataFolderReadOnly, DataFolderUnusable), match="choose another with --data-dir"):
        open_and_close(Path("/sys/kernel/wayrate"))


def test_a_folder_of_another_major_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(DataFolderUnusable, match=r"PostgreSQL 9, this program's is 1\d"):
        open_and_close(tmp_path)


def test_a_server_that_does_not_come_up_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServerDoesNotStart, match="no_such_setting"):
        open_and_close(tmp_path, {"no_such_setting": "1"})
    with embedded_server(tmp_path) as dsn:  # and is not spoilt by it
        psycopg.connect(dsn).close()


def test_a_server_that_dies_under_a_long_command_is_started_again() -> None:
    with TemporaryDirectory(prefix="wayrate-tests-") as folder, embedded_server(Path(folder), keep_running=True) as dsn:
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("create table kept (n int)")
        pid = int((Path(folder) / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while True:
            try:
                with psycopg.connect(dsn) as conn:
                    assert conn.execute("select count(*) from kept").fetchone() == (0,)
                break
            except psycopg.OperationalError:
                assert time.monotonic() < deadline
                time.sleep(0.1)


@pytest.mark.skipif(os.geteuid() != 0 or which("useradd") is None, reason="only root makes users")
def test_many_first_commands_at_once_make_one_user() -> None:
    name = f"wayrate-test-{os.getpid()}"
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", USER_MAKER, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for _ in range(6)
    ]
    try:
        for maker in makers:
            assert maker.stdout is not None
            assert maker.stdout.readline() == "ready\n"
        for maker in makers:
            assert maker.stdin is not None
            maker.stdin.write("go\n")
            maker.stdin.flush()
        told = [maker.communicate() for maker in makers]
        assert told == [(f"{name}\n", "")] * 6
    finally:
        subprocess.run(["userdel", name], check=False, capture_output=True)
