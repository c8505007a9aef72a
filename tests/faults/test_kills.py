"""Kills under load: what was acknowledged is kept, what was received is conserved, and it is ready again in time."""

import os
import secrets
import time
from pathlib import Path

import numpy as np
import pytest

from tests.faults.system import READY_WITHIN_S, RunningSystem, running_system

pytestmark = pytest.mark.faults

VICTIMS = ("gateway", "postmaster", "worker", "all", "backend", "immediate")


def strike(system: RunningSystem, victim: str) -> float:
    """Kill it, start again what an operator's supervisor would, and wait; the seconds that took."""
    if victim in system.processes:
        system.kill(victim)
        system.start(victim)
    else:
        system.kill_postgres(victim)
    return system.wait_ready()


@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=pytest.mark.long)])
def test_nothing_acknowledged_is_lost(tmp_path: Path, rounds: int) -> None:
    """Short: gateway, postmaster and worker once. Long: fifty victims at random. WAYRATE_FAULT_SEED repeats a run."""
    seed = int(os.environ.get("WAYRATE_FAULT_SEED") or (1 if rounds < len(VICTIMS) else secrets.randbits(32)))
    print(f"WAYRATE_FAULT_SEED={seed}")
    rng = np.random.default_rng(seed)
    with running_system(tmp_path) as system:
        system.send(system.devices, seed=seed)
        system.wait_ready()
        recoveries: dict[str, list[float]] = {}
        for number in range(rounds):
            time.sleep(rng.uniform(0.1, 1.0))
            victim = VICTIMS[number] if rounds < len(VICTIMS) else str(rng.choice(VICTIMS))
            recoveries.setdefault(victim, []).append(strike(system, victim))
        kept = system.check()
    print(f"{rounds} kills, {kept} readings acknowledged, 0 lost; seconds to the next acknowledgement:")
    for victim, seconds in sorted(recoveries.items()):
        print(f"  {victim}: {len(seconds)} kills, median {np.median(seconds):.1f}, most {max(seconds):.1f}")
    print(f"  ended by themselves: {system.ended}")
    assert kept > 10 * rounds
    assert "gateway" not in system.ended
    if rounds > len(VICTIMS):  # the short form runs beside other tests on machines of any size
        assert max(map(max, recoveries.values())) < READY_WITHIN_S
