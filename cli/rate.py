"""`wayrate rate` and `wayrate quote`: premiums by a rate plan, of files alone."""

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import messages

if TYPE_CHECKING:
    from pricing.plan import RatePlan

Plan = Annotated[str, typer.Option("--plan", help="A rate plan's TOML file, or the name of one that ships.")]
FREQUENCY = "claims_per_100000_km"


def rate(
    book: Annotated[
        Path, typer.Argument(metavar="BOOK.parquet", help="One row a policy.", exists=True, dir_okay=False)
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT.parquet", help="The file to write.", dir_okay=False)],
    plan: Plan = "wayrate-2026",
) -> None:
    """Rate a whole book: amounts by cover, minimum, fee, tax and sum of every policy, exact to the minor unit."""
    from pricing.book_rating import compile_plan, rate_book
    from pricing.rating_book import read_rating_book, write_premiums

    compiled = compile_plan(plan_named(plan))
    read = read_rating_book(book, compiled, class_mean())
    premiums = rate_book(compiled, read)
    write_premiums(out, compiled, read, premiums)
    messages.print(
        f"{len(read):,} policies rated by {compiled.plan.name} ({compiled.plan.plan_hash[:12]}), {premiums.in_doubt:,} "
        f"of them one by one because a rounding was in doubt: {out}."
    )


def quote(
    policy: Annotated[
        Path, typer.Argument(metavar="POLICY.json", help="Terms and driving.", exists=True, dir_okay=False)
    ],
    plan: Plan = "wayrate-2026",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Price one policy for one period, with the worksheet that a pencil can follow."""
    from pricing.quote import quote_of, read_asked

    found = quote_of(plan_named(plan), read_asked(policy))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for step in found["worksheet"]:
        by = f"{step['quantity']:>10} x {step['rate']:<12}"
        typer.echo(f"{step['section']:<24} {step['kind']:<6} {step['label']:<52} {by} {step['running']}")
    for line in found["lines"]:
        typer.echo(f"{line['name']:<24} {line['amount']:>12}")
    typer.echo(f"{'to pay':<24} {found['amount']:>12} {found['currency']}")


def plan_named(name: str) -> "RatePlan":
    """The plan of a file, or the one that ships under this name. Raises BadPlan, NoSuchPlan."""
    from pricing.plan import parse_plan
    from pricing.policies import packaged_plan

    path = Path(name)
    return (
        parse_plan(path.read_text("utf-8"), name) if path.suffix == ".toml" and path.is_file() else packaged_plan(name)
    )


def class_mean() -> Decimal:
    """The class mean that predicted frequencies are held against."""
    from scoring.score import PRIOR_MODEL

    return Decimal(str(PRIOR_MODEL.base_claims_per_100000_km))
