"""A full disk: nothing is acknowledged that is not kept, readiness says no, and space alone brings it back."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from tests.faults.system import HOST, RunningSystem, running_system

pytestmark = [pytest.mark.faults, pytest.mark.long]
SIZE_MB = 400
FULL_FOR_S = 8.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of SIZE_MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=755", "tmpfs", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """What is left of the disk, taken."""
    ballast = folder / "ballast"
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(64 * 1024))
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 512)
    return ballast


def readiness(system: RunningSystem) -> int:
    """The status of /readyz; 0 when nobody answers."""
    try:
        with urlopen(f"http://{HOST}:{system.http_port}/readyz", timeout=10) as answer:
            return int(answer.status)
    except HTTPError as refused:
        return refused.code
    except (URLError, OSError):
        return 0


def test_a_full_disk(small_disk: Path) -> None:
    with running_system(small_disk, worker=False) as system:
        # The ledger of the devices is not on the disk that fills up.
        ledger = small_disk.parent / "ledger"
        (small_disk / "ledger").symlink_to(ledger)
        ledger.touch()
        system.send(system.devices, most=100, pause_s=0.0)
        system.wait_ready()
        for _ in range(2):
            ballast = fill(small_disk)
            time.sleep(FULL_FOR_S)
            held = system.ledger_size()
            said = {readiness(system) for _ in range(5)}
            time.sleep(1)
            print(f"full: readiness {sorted(said)}, ledger grows by {system.ledger_size() - held} bytes a second")
            assert said & {503, 0}
            ballast.unlink()
            print(f"space again: acknowledged after {system.wait_ready(60):.1f} s")
        kept = system.check()
    print(f"a full disk, twice: {kept} readings acknowledged, 0 lost")
    assert kept > 100
