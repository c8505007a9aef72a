"""End to end over TCP: Teltonika packets in, committed, acknowledged; the generator on the same machine.

uv run python benchmarks/end_to_end.py [RATES] [VEHICLES] [RECORDS_A_PACKET] [SECONDS]      RATES: 20000,40000,80000

A gateway and a PostgreSQL of its own, as `wayrate load` starts them. Beside what the vehicles saw it prints the
processor time that a reading took in each process (Linux' /proc), which says what bounds the rate and what it would be
on a machine that does nothing else.
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np

from cli.load import _enrol, _lost, _own_gateway
from simulator.load import run_load

_TICKS_A_S = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> Iterator[int]:
    """The process and everything it started."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from family(int(child))


def processor_s(pid: int) -> float:
    """Processor time of a process, and of the children that it has waited for."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0.0
    return sum(int(one) for one in fields[11:15]) / _TICKS_A_S


def used(gateway: int, server: int) -> list[float]:
    """Processor time so far of the gateway, of PostgreSQL and of this process."""
    return [processor_s(gateway), sum(map(processor_s, family(server))), processor_s(os.getpid())]


def note(into: list[float], gateway: int, server: int) -> None:
    into.extend(used(gateway, server))


def server_pid(folder_of: str) -> int:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if "postgres" in (entry / "comm").read_text() and str((entry / "cwd").readlink()) == folder_of:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if "postgres" not in Path(f"/proc/{parent}/comm").read_text():
                    return int(entry.name)
        except (OSError, IndexError):
            continue
    raise ProcessLookupError(folder_of)


def memory_mb(pid: int) -> float:
    """The most that a process ever had in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return float("nan")


def main(rates: list[float], vehicles: int, records: int, seconds: float) -> None:
    """Print one line a rate."""
    print(f"{vehicles} vehicles, {records} readings a packet; load of the machine before {os.getloadavg()[0]:.1f}")
    print(
        f"{'offered/s':>10} {'acknowledged/s':>15} {'p50 ms':>7} {'p99 ms':>7} {'left over':>10} "
        f"{'us a reading: gateway':>22} {'postgres':>9} {'generator':>10} {'gateway MB':>11} {'lost':>5}"
    )
    for rate in rates:
        with _own_gateway() as (database, address):
            gateway = next(
                pid for pid in family(os.getpid()) if b"cli.main" in Path(f"/proc/{pid}/cmdline").read_bytes()
            )
            folder = Path(f"/proc/{gateway}/cmdline").read_text().split("\0")[-2]
            server = server_pid(f"{folder}/postgres")
            now = datetime.now(UTC)
            targets = _enrol(database, vehicles, address, None, now)
            before: list[float] = []
            start_ms = round((now - timedelta(days=2)).timestamp()) * 1000
            load = asyncio.run(
                run_load(
                    [target for _, target in targets], [rate], seconds, records, start_ms, np.random.default_rng(1),
                    lambda done, total: None, connected=partial(note, before, gateway, server),
                )
            )  # fmt: skip
            after = used(gateway, server)
            step = load.steps[0]
            each = [(last - first) / max(1, step.acknowledged) * 1e6 for first, last in zip(before, after, strict=True)]
            lost = _lost(database, [key for key, _ in targets], load)
            print(
                f"{rate:>10,.0f} {step.throughput:>15,.0f} {step.latency_s(50) * 1e3:>7,.0f} "
                f"{step.latency_s(99) * 1e3:>7,.0f} {step.backlog:>10,} {each[0]:>22.1f} {each[1]:>9.1f} "
                f"{each[2]:>10.1f} {memory_mb(gateway):>11,.0f} {lost:>5}",
                flush=True,
            )


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        [float(one) for one in (given[0] if given else "10000,20000,40000").split(",")],
        int(given[1]) if len(given) > 1 else 1000,
        int(given[2]) if len(given) > 2 else 20,
        float(given[3]) if len(given) > 3 else 10,
    )
