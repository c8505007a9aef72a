"""`wayrate verify`: conservation of what was received, and digests of what was made of it."""

import json
from dataclasses import replace
from typing import Annotated

import typer

from cli.options import DataDir, database_of, messages


def verify(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Prove that received = stored + duplicate + quarantined for each device and day, and print digests of the tables.

    Exit code 1 when it does not hold, when a reading was altered, or when a posting is not the sum of its lines.
    Two systems that hold the same readings print the same digests, whatever the order the readings arrived in.
    """
    from pricing.verify import verify_statements
    from scoring.verify import verify as verify_database

    with database_of(data_dir) as database:
        driven = verify_database(database)
        statements, wrong = verify_statements(database)
    found = replace(driven, parts=(*driven.parts, statements), breaks=(*driven.breaks, *wrong))
    if as_json:
        typer.echo(json.dumps(found.as_dict(), indent=2))
    else:
        for part in found.parts:
            typer.echo(f"{part.name:<10} {part.rows:>12,} rows  {part.digest}")
    if found.breaks:
        for broken in found.breaks:
            messages.print(f"[red]not conserved:[/] {broken}")
        raise typer.Exit(1)
    messages.print(
        f"Conserved: {found.received:,} received = {found.stored:,} stored + {found.duplicate:,} duplicate "
        f"+ {found.quarantined:,} quarantined, on every device and day."
    )
