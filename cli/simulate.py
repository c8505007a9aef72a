"""`wayrate simulate`: a world with known truth, as files, as a stream into a running gateway, beside real driving."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from cli import simulate_book
from cli.errors import NotFound
from cli.options import DataDir, database_of, messages
from cli.progress import progress_bar

simulate = typer.Typer(help="A simulated world, whose truth is known.", no_args_is_help=True)
simulate.command("book")(simulate_book.book)
simulate.command("behaviour")(simulate_book.behaviour)

Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same bytes.")]
Extract = Annotated[
    Path | None,
    typer.Option(
        "--roads",
        envvar="WAYRATE_ROADS",
        help="OpenStreetMap extract (.osm.pbf) to drive on. Default: central Helsinki.",
        exists=True,
        dir_okay=False,
        show_default=False,
    ),
]
Zone = Annotated[str, typer.Option("--time-zone", help="The clock by which its people live.")]
Processes = Annotated[int, typer.Option("--processes", min=1, help="Processes at a time; the bytes are the same.")]


@simulate.command()
def trips(
    out: Annotated[Path, typer.Option("--out", help="Folder for the Parquet files and the truth.", file_okay=False)],
    drivers: Annotated[int, typer.Option("--drivers", min=1, help="How many.")] = 20,
    days: Annotated[int, typer.Option("--days", min=1, help="How many.")] = 7,
    first_day: Annotated[str, typer.Option("--first-day", help="A date.")] = "2026-10-01",
    seed: Seed = 1,
    roads: Extract = None,
    time_zone: Zone = "Europe/Helsinki",
    processes: Processes = 2,
) -> None:
    """Write a fleet's readings as Parquet, with their true motion and the key of true events beside them."""
    from scoring.extract import demo_extract
    from simulator.blocks import Plan, simulate_to_files

    plan = Plan(roads or demo_extract(), drivers, _day(first_day), days, _zone(time_zone), seed)
    count = readings = done = 0
    km = 0.0
    with progress_bar("Simulating drivers") as advance:
        for block in simulate_to_files(plan, out, processes):
            done, count = done + block.drivers, count + block.trips
            readings, km = readings + block.readings, km + block.km
            advance(done, drivers)
    messages.print(
        f"{count:,} trips of {drivers:,} drivers, {km:,.0f} km, {readings:,} readings in {out}. Seed {seed}."
    )


@simulate.command()
def report(
    data: Annotated[
        Path, typer.Option("--data", help="Folder with the real drives: curitiba, omaha, rabat.", file_okay=False)
    ] = Path("../shared/data"),
    out: Annotated[Path, typer.Option("--out", help="Folder for realism.html.", file_okay=False)] = Path(),
    drivers: Annotated[int, typer.Option("--drivers", min=3, help="Simulated drivers.")] = 20,
    days: Annotated[int, typer.Option("--days", min=1, help="Simulated days.")] = 4,
    seed: Seed = 1,
    roads: Extract = None,
    time_zone: Zone = "America/Sao_Paulo",
) -> None:
    """Put simulated driving beside real driving: a table of quantile ratios, and a page with the distributions.

    The fleet drives on Curitiba's roads where the folder has them, else in central Helsinki. Exit code 1 where a
    quantile of speed or acceleration is over 25 % outside the range of the real drives.
    """
    from rich.console import Console
    from rich.table import Table

    from simulator.realism import compare, real_drives, simulated_drives
    from simulator.realism_page import page
    from simulator.realism_run import realism_fleet

    real = real_drives(data)
    if not real:
        raise NotFound("real drives in", str(data), "it holds none of curitiba, omaha and rabat; name it with --data")
    with progress_bar("Simulating drivers") as advance:
        fleet = realism_fleet(roads, data, drivers, days, _zone(time_zone), seed, advance)
    simulated = simulated_drives(fleet.trips, fleet.roads)
    rows = compare(simulated, real)
    out.mkdir(parents=True, exist_ok=True)
    (out / "realism.html").write_text(page(fleet.place, simulated, real, rows, fleet.grades), encoding="utf-8")
    table = Table("measure", "at", "simulated", *(one.name for one in real), "ratio", "verdict")
    for row in rows:
        verdict = ("holds" if row.holds else "outside") if row.is_asked else ""
        at_real = (f"{row.real[one.name]:.2f}" if one.name in row.real else "" for one in real)
        table.add_row(
            row.measure,
            row.quantile,
            f"{row.simulated:.2f}",
            *at_real,
            "" if row.ratio is None else f"{row.ratio:.2f}",
            verdict,
        )
    Console(width=120).print(table)
    outside = [f"{row.measure} {row.quantile}" for row in rows if row.is_asked and not row.holds]
    messages.print(f"{len(fleet.trips)} simulated trips on {fleet.place}; the page is {out / 'realism.html'}.")
    if outside:
        messages.print(f"Outside by more than 25 %: {', '.join(outside)}.")
        raise typer.Exit(1)


@simulate.command()
def fleet(
    vehicles: Annotated[int, typer.Option("--vehicles", min=1, help="How many.")] = 20,
    speed: Annotated[str, typer.Option("--speed", help="Times as fast as the clock: 1x is real speed.")] = "60x",
    minutes: Annotated[float, typer.Option("--minutes", min=1.0, help="Of driving, by the vehicles' time.")] = 30.0,
    url: Annotated[str, typer.Option("--url", help="The running gateway.")] = "http://127.0.0.1:8080",
    tcp: Annotated[
        str | None, typer.Option("--tcp", metavar="HOST:PORT", help="Its Teltonika gateway, for the trackers.")
    ] = None,
    osmand: Annotated[
        bool, typer.Option("--osmand", help="Phones speak OsmAnd, a request a reading, and not our own batch.")
    ] = False,
    patience: Annotated[
        float, typer.Option("--patience", min=1.0, help="Seconds to go on resending after the last batch was due.")
    ] = 60.0,
    seed: Seed = 1,
    roads: Extract = None,
    time_zone: Zone = "Europe/Helsinki",
    data_dir: DataDir = None,
) -> None:
    """Stream a simulated fleet into a running gateway, and stop by itself.

    Enrols the devices (sim-..., or an IMEI for a tracker) in the gateway's database. What is not acknowledged is sent
    again; exit code 1 if anything was not acknowledged in the end.
    """
    import asyncio

    from cli.simulate_fleet import ending_now, enrolled, say
    from scoring.extract import demo_extract
    from simulator.blocks import Plan
    from simulator.departures import departing
    from simulator.stream import Gateway, stream

    times = _times(speed)
    gateway = Gateway(url, _address(tcp), phones_speak_osmand=osmand)
    plan = Plan(roads or demo_extract(), vehicles, _day("2026-10-05"), 3, _zone(time_zone), seed)
    with progress_bar("Simulating vehicles") as advance:
        of_plan = departing(plan, 0, minutes * 60.0, advance)
    with database_of(data_dir) as database:
        devices = enrolled(database, of_plan, with_imei=gateway.tcp is not None)
    began_us, devices = ending_now(devices, minutes * 60.0, times)
    messages.print(f"{len(devices)} vehicles, {minutes:g} minutes at {times:g}x to {url}. Seed {seed}.")
    with progress_bar("Readings acknowledged") as advance:
        done = asyncio.run(
            stream(devices, gateway, began_us=began_us, speed=times, patience_s=patience, progress=advance)
        )
    say(done)
    if done.acknowledged < done.readings:
        raise typer.Exit(1)


def _times(text: str) -> float:
    try:
        times = float(text.removesuffix("x"))
    except ValueError:
        times = 0.0
    if not 1.0 <= times <= 10_000.0:
        raise typer.BadParameter(f"{text!r} is no speed: give 1x (real speed) to 10000x")
    return times


def _address(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit():
        raise typer.BadParameter(f"{text!r} is no address: give one such as 127.0.0.1:5027")
    return host, int(port)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a date: give one such as 2026-10-01") from None


def _zone(name: str) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise typer.BadParameter(f"{name!r} is no time zone: give one such as Europe/Helsinki") from None
    return name
