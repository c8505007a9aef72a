"""`wayrate strategies`: four ways to treat a market, compared on the simulated one."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cli.options import AsOf, DataDir, database_of, messages, moment
from cli.progress import progress_bar


def strategies(
    seeds: Annotated[int, typer.Option("--seeds", min=2, help="How many simulated markets.")] = 20,
    customers: Annotated[int, typer.Option("--customers", min=4000, help="Customers of each market.")] = 10_000,
    years: Annotated[int, typer.Option("--years", min=2, max=20, help="Years that are played.")] = 5,
    treatment: Annotated[
        float, typer.Option("--treatment-cost", min=0.0, help="Euro a year for each policy treated individually.")
    ] = 5.0,
    first_seed: Annotated[
        int, typer.Option("--seed", min=0, help="The first seed; the same seeds, the same result.")
    ] = 1,
    processes: Annotated[int, typer.Option("--processes", min=1, help="Processes at a time.")] = 2,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.html", help="Write the report with its plots.", dir_okay=False)
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep it in the database, where the page /strategies shows it.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    data_dir: DataDir = None,
    as_of: AsOf = None,
) -> None:
    """Mass, differentiated, concentrated, one-to-one on the same market: what each earns, and when one-to-one pays."""
    from portfolio.comparison import as_json as compared
    from portfolio.strategies import Costs
    from portfolio.strategy_report import MEASURES, TITLES, page, shown
    from simulator.strategies_run import run

    costs = Costs(individual_treatment=treatment)
    with progress_bar("Markets") as advance:
        played = run(range(first_seed, first_seed + seeds), customers, years, costs, processes, advance)
    found = compared(played, customers, years, costs)
    if out is not None:
        out.write_text(page(found), "utf-8")
        messages.print(f"The report is {out}.")
    if keep:
        from portfolio.planning_store import keep_result

        with database_of(data_dir) as database, database.role("policy") as conn:
            version = keep_result(conn, "strategies", found, moment(as_of))
        messages.print(f"Kept as version {version}, which the page /strategies shows.")
    if as_json:
        typer.echo(json.dumps(found, indent=2, allow_nan=False))
        return
    typer.echo(f"{seeds} markets of {customers:,} customers, {years} years; means with 95 % intervals")
    for name, row in found["strategies"].items():
        typer.echo(TITLES[name])
        for measure, (title, decimals) in MEASURES.items():
            typer.echo(f"  {title:<50} {shown(row[measure], decimals)}")
    turning = found["break_even"]["cost_per_treatment"]
    typer.echo(
        f"One-to-one stops paying at {shown(turning, 1)} euro a year for each individual treatment; in "
        f"{found['break_even']['never_lost']} of {seeds} markets it did not within the costs tried."
    )
