"""The system as an operator runs it, gateway, worker and embedded PostgreSQL as processes, and ways to hurt it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from ingest.devices import enrol
from scoring.verify import verify
from storage.embedded import embedded_server
from storage.migrate import migrate
from storage.pool import Database

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
READY_WITHIN_S = 30.0  # promise P12
type Acknowledged = set[tuple[str, int]]  # device id, fix time in ms


def free_port() -> int:
    """A port that is free now."""
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])


def imei(number: int) -> str:
    """The IMEI of test device `number`, with its check digit."""
    digits = f"35630704{number:06d}"
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(digits)]
    return digits + str(-sum(value // 10 + value % 10 for value in doubled) % 10)


@dataclass(slots=True)
class RunningSystem:
    """Processes on one data folder. The database is only read here, and only to check."""

    folder: Path
    dsn: str
    database: Database
    tcp_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    launcher: Sequence[str] = ("-m", "cli.main")  # how the gateway's interpreter is told what to run
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    devices: list[tuple[str, str, bool]] = field(default_factory=list)
    senders: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    # What runs

    def start(self, name: str) -> None:
        """The gateway or the worker, by the commands of the documentation."""
        serve = ["serve", "--only", "gateway", "--port", str(self.http_port), "--tcp-port", str(self.tcp_port)]
        command = [*self.launcher, *serve] if name == "gateway" else ["-m", "cli.main", "work", "--watch"]
        environment = {key: value for key, value in os.environ.items() if key != "WAYRATE_DSN"}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *command, "--data-dir", str(self.folder)],
                stdout=log, stderr=log, cwd=ROOT, env=environment,
            )  # fmt: skip

    def enrol(self, count: int, *, http_share: float = 0.3) -> None:
        """So many further devices; a share of them speaks HTTP."""
        began = datetime.now(UTC) - timedelta(days=1)
        with self.database.role("telemetry") as conn:
            for number in range(len(self.devices), len(self.devices) + count):
                device_id = f"imei-{imei(number)}"
                self.devices.append((device_id, enrol(conn, device_id, began).token, number < count * http_share))

    def send(
        self, devices: Sequence[tuple[str, str, bool]], *, most: int = 20, pause_s: float = 0.05, seed: int = 1
    ) -> None:
        """Let these devices send until the block of the system ends."""
        path = self.folder / f"assignment-{len(self.senders)}.json"
        path.write_text(
            json.dumps(
                {"host": HOST, "tcp_port": self.tcp_port, "http_port": self.http_port, "devices": devices, "most": most,
                 "pause_s": pause_s, "seed": seed, "ledger": str(self.folder / "ledger")}
            )
        )  # fmt: skip
        with (self.folder / "senders.log").open("ab") as log:
            self.senders.append(
                subprocess.Popen([sys.executable, "-m", "tests.faults.senders", str(path)], cwd=ROOT, stderr=log)
            )

    def stop_senders(self) -> None:
        """No device sends any more; what they have written down stays."""
        for process in self.senders:
            process.kill()
            process.wait(30)
        self.senders.clear()

    # How it is hurt

    def kill(self, name: str) -> None:
        """SIGKILL of the gateway or the worker."""
        self.processes[name].kill()
        self.processes[name].wait(30)

    def postgres_processes(self) -> list[int]:
        """The postmaster, then all others of the cluster, its orphans too. [] when it is down."""
        data = self.folder / "postgres"
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if process.joinpath("cwd").samefile(data) and process.joinpath("comm").read_text() == "postgres\n":
                    found.append(int(process.name))
        try:
            postmaster = int((data / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return sorted(found)
        return sorted(found, key=lambda pid: (pid != postmaster, pid))

    def kill_postgres(self, which: str) -> None:
        """SIGKILL of the postmaster, of one of its children, or of all of them at one stroke; or an immediate stop.

        All are stopped before the first is killed: none may notice another's death and still write.
        """
        pids = self.postgres_processes()
        if which == "immediate" and pids:
            os.kill(pids[0], signal.SIGQUIT)  # what `pg_ctl stop -m immediate` sends
        chosen = {"postmaster": pids[:1], "backend": pids[-1:], "all": pids}.get(which, [])
        while chosen:
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for pid in chosen:
                    with suppress(ProcessLookupError):
                        os.kill(pid, number)
            time.sleep(0.01)
            # One may have been born meanwhile.
            chosen = [pid for pid in self.postgres_processes() if pid not in chosen] if which == "all" else []

    # What came of it

    def wait_ready(self, within_s: float = 180.0) -> float:
        """Seconds until /readyz says so and a frame is acknowledged; fails after `within_s`. A process that has ended
        by itself is started again, as a supervisor would, and counted in `ended`.
        """
        began = time.monotonic()
        acknowledged = self.ledger_size()
        while time.monotonic() - began < within_s:
            with suppress(URLError, OSError), urlopen(f"http://{HOST}:{self.http_port}/readyz", timeout=3) as answer:
                if answer.status == 200 and (not self.senders or self.ledger_size() > acknowledged):
                    return time.monotonic() - began
            for name in [name for name, process in self.processes.items() if process.poll() is not None]:
                self.ended.append(name)
                self.start(name)
            time.sleep(0.05)
        raise AssertionError(f"not ready within {within_s} s:\n{self.log_tail()}")

    def ledger_size(self) -> int:
        """Bytes of the ledger: it grows with each acknowledgement."""
        path = self.folder / "ledger"
        return path.stat().st_size if path.exists() else 0

    def log_tail(self) -> str:
        """The last lines of every log, for whoever reads a failure."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{log.name}: " + "\n".join(log.read_text(errors="replace").splitlines()[-8:]) for log in logs)

    def acknowledged(self) -> Acknowledged:
        """Every reading that a device was told is kept."""
        lines = [line.split() for line in (self.folder / "ledger").read_text().splitlines()]
        return {(device, int(first) + n * 1000) for device, first, count in lines for n in range(int(count))}

    def lost(self) -> Acknowledged:
        """What was acknowledged and is in no table."""
        with self.database.role("telemetry") as conn:
            rows = conn.execute(
                "select d.device_id, (extract(epoch from r.fix_time) * 1000)::bigint"
                "  from telemetry.reading r join telemetry.device d using (device_key)"
            ).fetchall()
        return self.acknowledged() - {(str(device), int(str(time_ms))) for device, time_ms in rows}

    def check(self) -> int:
        """Nothing acknowledged is lost and what was received is conserved; the number of acknowledged readings."""
        self.stop_senders()
        self.wait_ready()
        assert self.lost() == set()
        assert verify(self.database).breaks == ()
        return len(self.acknowledged())


@contextmanager
def running_system(
    folder: Path,
    *,
    devices: int = 8,
    settings: Mapping[str, str] | None = None,
    launcher: Sequence[str] = ("-m", "cli.main"),
    worker: bool = True,
) -> Iterator[RunningSystem]:
    """The system, ready, with so many devices enrolled; all of its processes end with the block."""
    with embedded_server(folder, settings) as dsn:
        migrate(dsn)
        with Database(dsn) as database:
            system = RunningSystem(folder, dsn, database, launcher=launcher)
            system.enrol(devices)
            try:
                for name in ("gateway", "worker") if worker else ("gateway",):
                    system.start(name)
                system.wait_ready()
                yield system
            finally:
                system.stop_senders()
                for process in system.processes.values():
                    process.terminate()
                for process in system.processes.values():
                    process.wait(60)
