"""`wayrate rate` and `wayrate quote`: premiums by a rate plan, of files alone."""

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import NothingChosen
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
    from pricing.premiums_file import write_premiums
    from pricing.rating_book import read_rating_book

    if out.resolve() == book.resolve():
        raise NothingChosen("rate", "--out names the book itself, which would be overwritten: name another file")
    compiled = compile_plan(plan_named(plan))
    read = read_rating_book(book, compiled)
    premiums = rate_book(compiled, read)
    write_premiums(out, compiled, read, premiums)
    messages.print(
        f"{len(read):,} policies rated by {compiled.plan.name} ({compiled.plan.plan_hash[:12]}), {premiums.in_doubt:,} "
        f"of them one by one because a rounding was in doubt: {out}."
    )


def quote(
    policy: Annotated[
        Path,
        typer.Argument(
            metavar="POLICY.json|BOOK.parquet", help="Terms and driving; or a book, with --policy.", exists=True,
            dir_okay=False,
        ),
    ],
    plan: Plan = "wayrate-2026",
    policy_id: Annotated[str | None, typer.Option("--policy", metavar="ID", help="Which one of a book.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:  # fmt: skip
    """Price one policy for one period, with the worksheet that a pencil can follow."""
    from pricing.book_rating import compile_plan
    from pricing.quote import quote_of, quote_of_row, read_asked
    from pricing.rating_book import read_rating_book

    if (policy.suffix == ".parquet") != (policy_id is not None):
        raise NothingChosen("quote", "a book (.parquet) and --policy ID go together: one policy of it is priced")
    if policy_id is None:
        found = quote_of(plan_named(plan), read_asked(policy))
    else:
        compiled = compile_plan(plan_named(plan))
        found = quote_of_row(compiled, read_rating_book(policy, compiled), policy_id)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        _show(found)


def _show(found: dict[str, Any]) -> None:
    for step in found["worksheet"]:
        by = f"{step['quantity']:>10} x {step['rate']:<12}"
        typer.echo(f"{step['section']:<24} {step['kind']:<8} {step['label']:<52} {by} {step['running']}")
    for line in found["lines"]:
        typer.echo(f"{line['name']:<24} {line['amount']:>12}")
    typer.echo(f"{'to pay':<24} {found['amount']:>12} {found['currency']}")
    if found["interval"]:
        typer.echo(f"{'as far as driving tells':<24} {' to '.join(found['interval']):>12} {found['currency']}")
    for one in found["counterfactuals"]:
        typer.echo(f"{one['change']:<36} {one['amount']:>12} {Decimal(one['difference']):>+12}")


def plan_named(name: str) -> "RatePlan":
    """The plan of a file, or the one that ships under this name. Raises BadPlan, NoSuchPlan."""
    from pricing.errors import BadPlan
    from pricing.plan import parse_plan
    from pricing.policies import packaged_plan

    path = Path(name)
    if path.suffix != ".toml" or not path.is_file():
        return packaged_plan(name)
    try:
        return parse_plan(path.read_text("utf-8"), name)
    except (OSError, UnicodeDecodeError) as error:
        raise BadPlan(name, "file", f"cannot be read as text: {error}") from None
