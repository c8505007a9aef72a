"""`wayrate audit`: the log of looks and decisions, and whether it is whole."""

import json
from typing import Annotated

import typer

from cli.options import DataDir, database_of, messages
from cli.progress import progress_bar

audit = typer.Typer(help="Who looked at whose data, who decided about money.", no_args_is_help=True)


@audit.command("verify")
def verify(
    head: Annotated[
        str | None, typer.Option("--head", metavar="N:HASH", help="An end of the log that was written down before.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Walk the chain of hashes; exit code 1 and the first row that is altered, missing, moved or cut off.

    Prints the end of the log. Write it down where nobody who may touch the database can: with it, a later run also
    finds what was cut off the end.
    """
    from storage.audit import check_chain, entries, last_sequence, read_head

    try:
        anchor = None if head is None else read_head(head)
    except ValueError:
        raise typer.BadParameter(f"{head!r} is no end of a log; give N:HASH as this command printed it") from None
    with database_of(data_dir) as database, database.role("policy") as conn, progress_bar("Rows") as advance:
        last = last_sequence(conn)
        found, broken = check_chain(entries(conn), anchor, lambda done: advance(done, last))
    if broken is not None:
        messages.print(f"[red]broken:[/] {broken}. Whole up to row {found.sequence}.")
        raise typer.Exit(1)
    typer.echo(str(found))
    messages.print(f"{found.sequence:,} rows, each as it was written and where it was written.")


@audit.command("show")
def show(
    most: Annotated[int, typer.Option("--most", min=1, max=100_000, help="So many rows, the last first.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
    data_dir: DataDir = None,
) -> None:
    """The latest rows."""
    from storage.audit import fetch_before

    with database_of(data_dir) as database, database.role("policy") as conn:
        rows = fetch_before(conn, None, most)
    for row in rows:
        if as_json:
            whole = {name: getattr(row, name) for name in ("sequence", "role", "action", "object", "details")}
            keys = {"at": row.noted_at.isoformat(), "actor": str(row.actor), "hash": row.hash.hex()}
            subject = {
                "person": row.person_key and str(row.person_key),
                "policy": row.policy_key and str(row.policy_key),
            }
            typer.echo(json.dumps(whole | keys | subject))
        else:
            typer.echo(f"{row.sequence:>8} {row.noted_at:%Y-%m-%d %H:%M} {row.role:<14} {row.action:<20} {row.object}")
