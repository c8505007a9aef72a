"""The negative controls: what breaks the promise must be seen to lose, or the suite proves nothing."""

from pathlib import Path

import pytest

from tests.faults.system import RunningSystem, running_system

pytestmark = [pytest.mark.faults, pytest.mark.long]
ROUNDS = 5


def lost_in_rounds(system: RunningSystem, victim: str) -> tuple[int, int]:
    """Acknowledged and lost readings after some kills of the victim under load."""
    system.send(system.devices, pause_s=0.0)
    for _ in range(ROUNDS):
        system.wait_ready()
        if victim in system.processes:
            system.kill(victim)
            system.start(victim)
        else:
            system.kill_postgres(victim)
    system.wait_ready()
    system.stop_senders()
    system.wait_ready()
    counts = len(system.acknowledged()), len(system.lost())
    print(f"{ROUNDS} kills of {victim}: {counts[0]} readings acknowledged, {counts[1]} lost")
    return counts


@pytest.mark.parametrize(("synchronous_commit", "loses"), [("off", True), ("on", False)])
def test_commits_that_do_not_wait_for_the_disk_lose(tmp_path: Path, synchronous_commit: str, loses: bool) -> None:
    """All processes of PostgreSQL die at one stroke: what they had not yet handed to the kernel is gone.

    The kernel survives, so this loses less than a power cut would: the window is the time between two turns of the
    server's log writer, some 200 ms.
    """
    with running_system(tmp_path, settings={"synchronous_commit": synchronous_commit}, worker=False) as system:
        acknowledged, lost = lost_in_rounds(system, "all")
    assert acknowledged > 100
    assert (lost > 0) == loses


def test_a_gateway_that_acknowledges_before_the_commit_loses(tmp_path: Path) -> None:
    with running_system(tmp_path, launcher=("-m", "tests.faults.early_gateway"), worker=False) as system:
        acknowledged, lost = lost_in_rounds(system, "gateway")
    assert acknowledged > 100
    assert lost > 0
