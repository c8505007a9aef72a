"""Three times more than the system can take: what it acknowledges is kept, and scored soon after (P11)."""

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from scoring.window_store import count_dirty
from tests.faults.system import HOST, ROOT, RunningSystem, running_system

pytestmark = [pytest.mark.faults, pytest.mark.long]

OFFERED = 120_000  # readings a second: three times the knee of two cores
CAUGHT_UP_WITHIN_S = 300.0


def waiting(system: RunningSystem) -> int:
    with system.database.role("telemetry") as conn:
        return count_dirty(conn)


def test_overload_sheds_and_never_lies() -> None:
    with (
        TemporaryDirectory(prefix="wayrate-tests-", ignore_cleanup_errors=True) as folder,
        running_system(Path(folder), devices=1, worker=True) as system,
    ):
        load = [
            "load", "--tcp", f"{HOST}:{system.tcp_port}", "--rate", str(OFFERED), "--seconds", "15",
            "--vehicles", "1000", "--data-dir", folder,
        ]  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *load],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        print(done.stdout)
        assert done.returncode == 0, done.stdout + done.stderr  # 1: something acknowledged is not there
        assert "lost: 0 of" in done.stdout
        began = time.monotonic()
        print(f"{waiting(system)} windows wait to be scored")
        while waiting(system):
            assert time.monotonic() - began < CAUGHT_UP_WITHIN_S, f"{waiting(system)} windows still wait"
            time.sleep(0.5)
        print(f"none waits after {time.monotonic() - began:.0f} s")
