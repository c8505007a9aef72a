"""`wayrate simulate book` and `behaviour`: a book of policies with known truth, and what it draws driving from."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from cli.demo_world import TIME_ZONE
from cli.errors import BadTime
from cli.options import Roads, messages
from cli.progress import progress_bar


def book(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the Parquet files.", file_okay=False)],
    policies: Annotated[int, typer.Option("--policies", min=1, help="How many policies.")] = 100_000,
    years: Annotated[int, typer.Option("--years", min=1, max=20, help="How many years of cover.")] = 3,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same bytes.")] = 20261001,
    first: Annotated[str, typer.Option("--first-day", metavar="DATE", help="The book's first day.")] = "2023-01-01",
    formula: Annotated[
        Path | None,
        typer.Option("--formula", help="Another true formula. Default: the one that ships.", show_default=False),
    ] = None,
) -> None:
    """Make a book of policies over years with its claims, quotes, renewals and service, and the truth beside them."""
    import numpy as np

    from simulator.book.behaviour import read_behaviour
    from simulator.book.files import write_book
    from simulator.book.formula import SHIPPED, read_formula
    from simulator.book.terms import Scope, World
    from simulator.book.world import simulate_book

    source = formula or SHIPPED
    scope = Scope(policies, years, np.datetime64(_day(first), "D"), seed)
    world = World(scope, read_formula(source), read_behaviour())
    with progress_bar("Policies") as advance:
        rows = write_book(out, simulate_book(world, advance), source)
    messages.print(f"Seed {seed}: {', '.join(f'{count:,} {name}' for name, count in rows.items())} in {out}.")
    messages.print("What no insurer would know is in the tables named truth_, and the formula in truth.toml.")


def behaviour(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.", dir_okay=False)],
    drivers: Annotated[int, typer.Option("--drivers", min=1, help="How many drivers to simulate.")] = 200,
    days: Annotated[int, typer.Option("--days", min=2, help="How many days each.")] = 28,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same bytes.")] = 1,
    roads: Roads = None,
) -> None:
    """Measure how simulated drivers drive, by real scoring of their trips: what books draw their behaviour from."""
    from scoring.extract import demo_extract, read_road_map
    from scoring.match import HiddenMarkovMatcher
    from simulator.book.behaviour import measure
    from simulator.book.trips import scored_halves

    extract = roads or demo_extract()
    road_map = read_road_map(extract)
    with progress_bar("Days of drivers") as advance:
        halves = scored_halves(
            road_map,
            HiddenMarkovMatcher(road_map),
            drivers=drivers,
            days=days,
            time_zone=TIME_ZONE,
            seed=seed,
            progress=advance,
        )
    out.write_text(measure(halves, f"{drivers} drivers x {days} days on {extract.name}, seed {seed}"))
    messages.print(f"Wrote {out}.")


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise BadTime(text) from None
    # every anniversary of the first day must exist
    return day if (day.month, day.day) != (2, 29) else day.replace(month=3, day=1)
