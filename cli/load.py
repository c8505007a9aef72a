"""`wayrate load`: virtual vehicles against a gateway, and what of their readings the database holds afterwards."""

import asyncio
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import BadLoad, GatewayDidNotStart
from cli.options import DataDir, database_of, messages
from cli.progress import progress_bar
from storage.open import open_database
from storage.pool import Database

if TYPE_CHECKING:
    from simulator.load import Load, Step, Target

KNEE_STEPS = 16
KNEE_GROWTH = 1.4
KNEE_P99_S = 1.0
_START_BEFORE = timedelta(days=2)  # the fix times: no reading of a load is from the future
_MOST_RECORDS_A_VEHICLE = 170_000  # in that time, at one a second


def load(
    vehicles: Annotated[int, typer.Option("--vehicles", help="How many virtual vehicles.", min=1)] = 1000,
    seconds: Annotated[float, typer.Option("--seconds", help="For how long, each rate.", min=1)] = 15,
    rate: Annotated[
        float, typer.Option("--rate", help="Readings a second of the whole fleet; with --knee the first.", min=1)
    ] = 20_000,
    records: Annotated[int, typer.Option("--records", help="Readings in one packet.", min=1, max=255)] = 20,
    tcp: Annotated[
        str | None, typer.Option("--tcp", metavar="HOST:PORT", help="A running gateway's port for Teltonika devices.")
    ] = None,
    http: Annotated[str | None, typer.Option("--http", metavar="URL", help="A running gateway's address.")] = None,
    knee: Annotated[
        bool, typer.Option("--knee", help="Raise the rate until the gateway does not keep up, and say where.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Of the vehicles' drives.")] = 1,
    data_dir: DataDir = None,
) -> None:
    """Send as thousands of vehicles do, and prove that nothing acknowledged is lost.

    Without --tcp and --http a gateway of its own on a database of its own takes the load, and both are gone after. With
    them the vehicles are enrolled in the gateway's database, --data-dir or WAYRATE_DSN; with both, half go each way.
    """
    import numpy as np

    from simulator.load import run_load

    rates = [rate * KNEE_GROWTH**step for step in range(KNEE_STEPS)] if knee else [rate]
    if seconds * sum(rates) / vehicles > _MOST_RECORDS_A_VEHICLE:
        raise BadLoad("a vehicle would send over two days of readings: take more --vehicles, or fewer --seconds")
    began = datetime.now(UTC)
    start_ms = round((began - _START_BEFORE).timestamp()) * 1000
    with ExitStack() as stack:
        address = _parse_tcp(tcp)
        if tcp is None and http is None:
            database, address = stack.enter_context(_own_gateway())
        else:
            database = stack.enter_context(database_of(data_dir))
        targets = _enrol(database, vehicles, address, http, began)
        messages.print(f"{vehicles:,} vehicles, {records} readings a packet; seed {seed}.")
        with progress_bar("Sending") as advance:
            done = asyncio.run(
                run_load(
                    [target for _, target in targets], rates, seconds, records, start_ms,
                    np.random.default_rng(seed), advance, _kept_up if knee else lambda _: True,
                )
            )  # fmt: skip
        _report(done, knee=knee)
        lost = _lost(database, [key for key, _ in targets], done)
    acknowledged = sum(step.acknowledged for step in done.steps)
    typer.echo(f"lost: {lost:,} of {acknowledged:,} acknowledged readings are not in the database")
    if lost:
        raise typer.Exit(1)


def _kept_up(step: "Step") -> bool:
    """Within a second for all but one percent, and no more left over than the last second's."""
    return step.latency_s(99) <= KNEE_P99_S and step.backlog <= step.rate * KNEE_P99_S


def _report(done: "Load", *, knee: bool) -> None:
    typer.echo(
        f"{'offered/s':>10} {'acknowledged/s':>15} {'ack p50 ms':>11} {'p99 ms':>8} {'left over':>10} {'resent':>7}"
    )
    for step in done.steps:
        typer.echo(
            f"{step.rate:>10,.0f} {step.throughput:>15,.0f} {step.latency_s(50) * 1e3:>11,.0f} "
            f"{step.latency_s(99) * 1e3:>8,.0f} {step.backlog:>10,} {step.resent:>7,}"
        )
    never = sum(step.offered - step.acknowledged for step in done.steps)
    if never:
        typer.echo(f"never acknowledged, so still the vehicles' own: {never:,}")
    if done.knee is not None and knee:
        broke = f"{done.steps[-1].rate:,.0f} not (p99 over {KNEE_P99_S:g} s, or more than that left over)"
        typer.echo(f"knee: {done.knee:,.0f} readings/s kept up with; {broke}")
    elif knee:
        typer.echo(f"knee: over {done.steps[-1].rate:,.0f} readings/s")


def _lost(database: Database, device_keys: list[int], done: "Load") -> int:
    """Acknowledged readings that are not in the table."""
    from ingest.upload_store import count_fix_times

    since = datetime.fromtimestamp(done.start_ms / 1000, UTC)
    counted = {key: vehicle.acknowledged for key, vehicle in zip(device_keys, done.vehicles, strict=True)}
    until = {key: since + timedelta(seconds=acknowledged) for key, acknowledged in counted.items()}
    with database.role("telemetry") as conn:
        found = count_fix_times(conn, until, since)
    return sum(acknowledged - found.get(key, 0) for key, acknowledged in counted.items())


def _enrol(
    database: Database, vehicles: int, tcp: tuple[str, int] | None, url: str | None, now: datetime
) -> list[tuple[int, "Target"]]:
    """Devices that nobody had before, each with its key."""
    from ingest.devices import enrol
    from simulator.load import Target

    first = 10**12 * 35 + secrets.randbelow(10**6) * 10**6
    targets = []
    with progress_bar("Enrolling vehicles") as advance, database.role("telemetry") as conn:
        for number in range(vehicles):
            imei = _imei(first + number)
            by_tcp = tcp is not None and (url is None or number % 2 == 0)
            enrolled = enrol(conn, f"imei-{imei}" if by_tcp else f"load-{imei}", now)
            target = Target(imei, tcp) if by_tcp else Target(token=enrolled.token, url=(url or "").rstrip("/"))
            targets.append((enrolled.device_key, target))
            if number % 100 == 0:
                advance(number, vehicles)
    return targets


def _imei(number: int) -> str:
    """14 digits and their check digit (Luhn)."""
    digits = f"{number:014d}"
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(digits)]
    return digits + str(-sum(value // 10 + value % 10 for value in doubled) % 10)


def _parse_tcp(address: str | None) -> tuple[str, int] | None:
    if address is None:
        return None
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port[:6]) < 65536:
        raise BadLoad(f"--tcp {address!r} is not HOST:PORT, as in 127.0.0.1:5027")
    return host, int(port)


@contextmanager
def _own_gateway() -> Iterator[tuple[Database, tuple[str, int]]]:
    """A gateway in a process of its own on an empty database."""
    with TemporaryDirectory(prefix="wayrate-load-") as folder, open_database(Path(folder), None) as database:
        log = Path(folder) / "gateway.log"
        command = [sys.executable, "-m", "cli.main", "serve", "--only", "gateway", "--port", "0", "--tcp-port", "0"]
        environment = {name: value for name, value in os.environ.items() if name != "WAYRATE_DSN"}
        with log.open("wb") as written, subprocess.Popen(  # noqa: S603 - ourselves
            [*command, "--data-dir", folder], stdout=written, stderr=written, env=environment
        ) as gateway:  # fmt: skip
            try:
                yield database, ("127.0.0.1", _announced_port(gateway, log))
            finally:
                gateway.terminate()


def _announced_port(gateway: "subprocess.Popen[bytes]", log: Path) -> int:
    for _ in range(600):
        found = re.search(rb"devices connect to [\d.]+, port (\d+)", log.read_bytes())
        if found:
            return int(found[1])
        if gateway.poll() is not None:
            break
        time.sleep(0.1)
    raise GatewayDidNotStart(log.read_text(errors="replace")[-500:])
