"""`wayrate plan`: is a rate plan whole, what differs between two, and what a change does to a book."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import messages
from cli.rate import class_mean, plan_named

plans = typer.Typer(help="Rate plans as files.", no_args_is_help=True)
Named = Annotated[str, typer.Argument(metavar="PLAN", help="A TOML file, or the name of a plan that ships.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@plans.command("check")
def check(plan: Named) -> None:
    """Refuse a plan that is not whole, naming the place in the file; else say what it holds and its hash."""
    found = plan_named(plan)
    messages.print(
        f"{found.name} version {found.version}, from {found.effective_from}, {found.currency}: "
        f"{len(found.covers)} covers, {len(found.pay_plans)} pay plans, {len(found.factors)} factors. Its hash:"
    )
    typer.echo(found.plan_hash)


@plans.command("diff")
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A TOML file, or the name of a plan that ships.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Likewise.")],
) -> None:
    """Every place that differs between two plans. Exit code 1 when any does."""
    from pricing.plan_change import differences

    found = differences(plan_named(old), plan_named(new))
    for one in found:
        typer.echo(f"{one.place}: {one.old or '(not there)'} -> {one.new or '(not there)'}")
    if found:
        raise typer.Exit(1)
    messages.print("No difference.")


@plans.command("impact")
def impact(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A TOML file, or the name of a plan that ships.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Likewise.")],
    book: Annotated[
        Path, typer.Argument(metavar="BOOK.parquet", help="As `wayrate rate` reads it.", exists=True, dir_okay=False)
    ],
    as_json: AsJson = False,
) -> None:
    """What a change of plan does to a book: who pays more, who less, by segment, and the off-balance."""
    from pricing.book_rating import compile_plan
    from pricing.plan_change import impact as impact_of
    from pricing.rating_book import read_rating_book

    compiled = [compile_plan(plan_named(name)) for name in (old, new)]
    books = [read_rating_book(book, plan, class_mean()) for plan in compiled]
    found = impact_of(compiled[0], books[0], compiled[1], books[1])
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    typer.echo(
        f"{found['policies']:,} policies: {found['old_amount']} -> {found['new_amount']} {found['currency']} "
        f"({found['change']:+.2%}); off-balance {found['off_balance']:.4f}"
    )
    typer.echo(f"{found['pay_less']:,} pay less, {found['pay_the_same']:,} the same, {found['pay_more']:,} more")
    typer.echo("change at " + ", ".join(f"{at} %: {change:+.1%}" for at, change in found["change_quantiles"].items()))
    for name, rows in found["segments"].items():
        for row in rows:
            sums = f"{row['policies']:>9,} {row['old_amount']:>16} {row['new_amount']:>16} {row['change']:>+8.2%}"
            typer.echo(
                f"{name + ': ' + row['level']:<36} {sums}  less {row['pay_less']:>8,}  more {row['pay_more']:>8,}"
            )
